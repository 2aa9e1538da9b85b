"""What is kept beside an event's last output while that is under way, in the journal of `seen`.

A process after us has to finish the event with it, and not to run it again.
"""

from typing import NamedTuple

from functions.runtime.events import Event


class Unfinished(NamedTuple):
    """An event whose last output is under way.

    `outcome`: what has become of it when the broker has that output. `event`: without its body.
    """

    function: str
    outcome: str
    event: Event


def to_bytes(function: str, outcome: str, event: Event) -> bytes:
    """Return the form in the journal: three lines, and the event."""
    slim = Event(event.request_id, b"", event.received, event.click, attempts=event.attempts)
    entry = b"" if event.entry is None else str(event.entry).encode()
    return b"\n".join((function.encode(), outcome.encode(), entry, slim.to_bytes()))


def from_bytes(data: bytes) -> Unfinished:
    """Read the form in the journal."""
    function, outcome, entry, event = data.split(b"\n", 3)
    number = int(entry) if entry else None
    return Unfinished(function.decode(), outcome.decode(), Event.from_bytes(event, entry=number))
