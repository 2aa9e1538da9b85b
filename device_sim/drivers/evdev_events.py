"""What Linux says of an input device's keys: `struct input_event`, read without any library."""

import struct
from collections.abc import Callable, Container
from typing import NamedTuple

EVENT = struct.Struct("@LLHHi")
"""Seconds, microseconds, type, code, value; native sizes (linux/input.h)."""

EV_SYN, EV_KEY = 0, 1
SYN_REPORT, SYN_DROPPED = 0, 3
RELEASED, PRESSED, REPEATED = 0, 1, 2


class Event(NamedTuple):
    """One event. `moment`: seconds, by the clock that the device was told to use."""

    moment: float
    type: int
    code: int
    value: int


class EventReader:
    """Reads events from bytes that are cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that are whole with these bytes."""
        data = self._rest + data
        whole = len(data) - len(data) % EVENT.size
        self._rest = data[whole:]
        return [
            Event(seconds + microseconds / 1e6, kind, code, value)
            for seconds, microseconds, kind, code, value in EVENT.iter_unpack(data[:whole])
        ]


class HeldKeys:
    """Which keys are held. The button is pressed while any is.

    Args:
        counted: the codes of the keys that count; None: all do.
        ask: returns the codes that are held as the kernel knows it; None: it cannot say.
    """

    def __init__(
        self, counted: Container[int] | None, *, ask: Callable[[], set[int] | None]
    ) -> None:
        self._counted = counted
        self._ask = ask
        self._held: set[int] = set()
        self._has_lost_events = False

    @property
    def is_pressed(self) -> bool:
        """Whether any key that counts is held."""
        return bool(self._held)

    def look(self) -> None:
        """Take what is held now, as the kernel knows it; what it cannot say is not held."""
        self._held = {code for code in self._ask() or () if self._counts(code)}

    def take(self, event: Event) -> None:
        """Take an event. Repeats say nothing new; after lost events the kernel is asked."""
        if (
            self._has_lost_events
        ):  # up to the next report all is to be left out (Linux, event-codes.rst)
            if event[1:3] == (EV_SYN, SYN_REPORT):
                self._has_lost_events = False
                self.look()
        elif event[1:3] == (EV_SYN, SYN_DROPPED):
            self._has_lost_events = True
        elif event.type == EV_KEY and self._counts(event.code):
            if event.value == PRESSED:
                self._held.add(event.code)
            elif event.value == RELEASED:
                self._held.discard(event.code)

    def _counts(self, code: int) -> bool:
        return self._counted is None or code in self._counted
