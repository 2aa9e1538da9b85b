"""What cannot be taken: a message that is not for us is refused, one that is no event is buried.

All of it is counted, and said in the log, but not each one of a flood.
"""

import logging
from collections import Counter
from collections.abc import Callable

from functions.runtime import dead_letters
from functions.runtime.asynchronous import Asynchronous
from functions.runtime.outputs import Outputs
from functions.runtime.rules import RulePayloadError
from iot_button.errors import NotAClickError
from iot_button.events import utc_now
from iot_button.messages import Delivery, Message

log = logging.getLogger(__name__)

_SAID_SINGLY = 10
_SAID_EVERY = 1000


class Refusals:
    """Deals with what is no event. On the loop's thread. `counts`: how much there was, by kind.

    Args:
        acknowledge: lets the broker forget a message.
    """

    def __init__(self, outputs: Outputs, acknowledge: Callable[[Delivery], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._outputs = outputs
        self._acknowledge = acknowledge

    def complain(self, kind: str, problem: str) -> None:
        """Count a problem and log it, but not each one of a flood."""
        self.counts[kind] += 1
        count = self.counts[kind]
        if count <= _SAID_SINGLY or count % _SAID_EVERY == 0:
            log.warning("%s (%s so far: %d)", problem, kind, count)

    def refuse(self, message: Message, topic: str) -> None:
        """Pass over a message that is retained, or on a topic without a rule."""
        if message.retained:
            # An event is something that happens: retained, it would happen at every restart.
            self.complain("retained", f"refused a retained message on {topic!r}")
        else:
            # A kept session can hold a subscription from before the settings changed.
            self.complain("strays", f"{topic!r} is no topic of ours")
        self._acknowledge(message.delivery)

    def bury(
        self,
        message: Message,
        topic: str,
        function: Asynchronous,
        error: NotAClickError | RulePayloadError,
    ) -> None:
        """Make a message that is no event a dead letter of `function`."""
        kind = "NotAClick" if isinstance(error, NotAClickError) else "RulePayload"
        reason = error.reason
        self.complain("no events", f"{topic!r} brought no event: {reason[:200]!r}")
        record = dead_letters.of_no_event(
            arn=function.arn,
            kind=kind,
            reason=reason,
            topic=message.topic,
            payload=message.payload,
            moment=utc_now(),
        )

        def on_done() -> None:
            function.dead_letters.keep(record, None)
            self._acknowledge(message.delivery)

        self._outputs.publish([(f"deadletter/{function.spec.name}", record)], on_done)
