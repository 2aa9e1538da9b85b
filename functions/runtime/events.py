"""An asynchronous event of one function, and its form on disk."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from functions.runtime.seen import Key, key_of
from iot_button.traces import Context


@dataclass(frozen=True, slots=True)
class ClickId:
    """Which click an event is of. `wants_receipt`: the button gave the id itself.

    `rule`: which of its function's rules made the event; two rules make two events of one click.
    """

    serial_number: str
    event_id: str
    wants_receipt: bool
    rule: int = 0

    def key(self, function: str) -> Key:
        """Return what the click is known by for one function."""
        name = f"{function} {self.rule}" if self.rule else function
        return key_of(name, self.serial_number, self.event_id)

    def of_rule(self, rule: int) -> "ClickId":
        """Return the same click for another rule."""
        return self if rule == self.rule else replace(self, rule=rule)


@dataclass(slots=True, eq=False)
class Event:
    """An event that must end in its outputs or in the dead letters.

    Args:
        request_id: the same for all its attempts, as on AWS.
        body: the event, as JSON.
        received: when it came, in seconds since 1970.
        click: None where it is no click, or one that nobody could know again.
        on_safe: called once, when its source may forget it: it is done, or on our disk.
        attempts: how many times it has been run.
        entry: its number in the spool, where it lies there.
        context: the trace that its message belongs to, where an MQTT 5 publisher said so.
    """

    request_id: str
    body: bytes
    received: float
    click: ClickId | None = None
    on_safe: Callable[[], None] | None = None
    attempts: int = 0
    entry: int | None = None
    context: Context | None = None

    def safe(self) -> None:
        """Say that the source may forget it."""
        on_safe, self.on_safe = self.on_safe, None
        if on_safe is not None:
            on_safe()

    def to_bytes(self) -> bytes:
        """Return its form on disk: one line about it, and then the event."""
        click = self.click
        about = {
            "requestId": self.request_id,
            "received": self.received,
            "attempts": self.attempts,
            "click": click
            and [click.serial_number, click.event_id, click.wants_receipt, click.rule],
        }
        if self.context is not None:
            about["context"] = [self.context.traceparent, self.context.tracestate]
        return json.dumps(about, separators=(",", ":")).encode() + b"\n" + self.body

    @classmethod
    def from_bytes(cls, data: bytes, *, entry: int | None = None) -> "Event":
        """Read the form on disk."""
        line, _, body = data.partition(b"\n")
        about = json.loads(line)
        return cls(
            request_id=about["requestId"],
            body=body,
            received=about["received"],
            click=about["click"] and ClickId(*about["click"]),
            attempts=about["attempts"],
            entry=entry,
            context=Context(*about["context"]) if "context" in about else None,
        )
