"""One side of a bridge: the connection to a broker, and what comes from it and goes to it."""

import logging
from collections.abc import Callable, Sequence

from broker.bridge.echoes import Echoes, digest
from broker.bridge.repeats import Repeats
from broker.bridge.sender import Counts, Sender, Stored
from iot_button.bridge_rules import Route, Toward, matches
from iot_button.errors import ACCOUNT_MEND
from iot_button.loop import Loop, Timer
from iot_button.messages import Message
from iot_button.mqtt import Stream
from iot_button.settings import BrokerAddress
from iot_button.spool import Spool

log = logging.getLogger(__name__)

BRIDGE_ACCOUNT_MEND = (
    "Set the bridge's username and password_file, or its certificate_file and key_file; or ask who "
    "runs it for the right to the topics"
)
_SAY_AFTER = 5.0
_SWEEP_EVERY = 60.0


class Side:
    """One broker of a bridge. One thread's.

    Args:
        name: of the bridge.
        toward: which broker this is.
        routes: all routes of the bridge.
        on_message: gets what came from here and is to go on, with its route.
        on_ready: called whenever the connection stands.
    """

    def __init__(
        self,
        name: str,
        toward: Toward,
        *,
        loop: Loop,
        spool: Spool,
        address: BrokerAddress,
        client_id: str,
        routes: Sequence[Route],
        counts: Counts,
        on_message: Callable[["Side", Message], None],
        on_ready: Callable[[], None],
    ) -> None:
        self.toward = toward
        self.sources = [route for route in routes if route.toward is not toward]
        self.targets = [route.target for route in routes if route.toward is toward]
        self.is_refusing = False
        self.was_ready = False
        self.repeats = Repeats(name)
        self.echoes = Echoes(spool, f"echoes of {toward.value}")
        self._name = name
        self._loop = loop
        self._spool = spool
        self._on_ready = on_ready
        self._sweep_timer: Timer | None = None
        self._mend = "" if toward is Toward.LOCAL else f" {ACCOUNT_MEND}"
        self.stream = Stream(
            loop,
            address,
            client_id=client_id,
            on_message=lambda message: on_message(self, message),
            on_change=self._changed,
            account_mend=ACCOUNT_MEND if toward is Toward.LOCAL else BRIDGE_ACCOUNT_MEND,
        )
        for route in self.sources:
            self.stream.subscribe(route.source)
        self.sender = Sender(
            f"{name} to {toward.value}",
            spool=spool,
            queue=f"to {toward.value}",
            stream=self.stream,
            counts=counts,
            before_sending=self._expect_echo,
        )

    def open(self) -> None:
        """Begin to connect."""
        self._loop.call_later(_SAY_AFTER, self._say_what_is_missing)
        self.stream.open()

    def close(self) -> None:
        """Say goodbye; the session stays, and the broker keeps what comes meanwhile."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        self.stream.close()

    def resume(self) -> None:
        """Take again what comes from here, after a time of refusing: the broker has it still."""
        if self.is_refusing:
            self.is_refusing = False
            self.stream.flush()  # the acknowledgements: otherwise these come again, too
            self.stream.reconnect("to be sent again what was refused")

    def route_of(self, topic: str) -> Route | None:
        """Return the route of what comes from here."""
        return next((r for r in self.sources if matches(r.source, topic)), None)

    def is_target(self, topic: str) -> bool:
        """Whether we are one who publishes under a topic here."""
        return any(matches(target, topic) for target in self.targets)

    def _expect_echo(self, stored: Stored) -> None:
        if self.route_of(stored.topic) is not None:
            self.echoes.expect(digest(stored.topic, stored.payload))

    def _changed(self, is_ready: bool) -> None:
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        if not is_ready:
            self.sender.lost()
            return
        self.was_ready = True
        self.echoes.connected()
        self._sweep_timer = self._loop.call_later(_SWEEP_EVERY, self._sweep)
        waiting = self._spool.count(self.sender.queue)
        log.info(
            "bridge %s: connected to the %s broker at %s; %d messages wait for it",
            *(self._name, self.toward.value, self.stream.address, waiting),
        )
        self._on_ready()

    def _sweep(self) -> None:
        self._sweep_timer = self._loop.call_later(_SWEEP_EVERY, self._sweep)
        self.echoes.sweep()

    def _say_what_is_missing(self) -> None:
        if not self.was_ready and self.toward is Toward.REMOTE:
            log.warning(
                "bridge %s: no connection to %s yet (%s); messages wait on disk. Trying on",
                *(self._name, self.stream.address, self.stream.problem),
            )
