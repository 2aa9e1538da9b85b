"""What goes wrong with simulated buttons, and at which presses: the same per seed.

A fault is written `KIND=SHARE` (of all presses, at random) or `KIND@N,N` (at those presses, counted
from 1 over all buttons), with `:SECONDS` behind it where it lasts.
"""

import enum
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass


class FaultKind(enum.StrEnum):
    """What happens at a press.

    DROP: the connection is cut, without a word, right after the click was sent.
    FREEZE: after the click was sent the button reads and writes nothing for some seconds.
    DUPLICATE: the same click is published twice, under one event id.
    REORDER: the click is held back, and sent after the next one of its button.
    CORRUPT: the payload is damaged, so that it is no click.
    """

    DROP = "drop"
    FREEZE = "freeze"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    CORRUPT = "corrupt"


SECONDS = {FaultKind.FREEZE: 2.0, FaultKind.REORDER: 1.0}
"""How long the faults last that do: a click is held back at most so long."""
LONGEST = 3600.0
_FORM = re.compile(r"(?P<kind>[^=@]*)(?:=(?P<share>[^:]*)|@(?P<at>[^:]*))(?::(?P<seconds>.*))?")
_EXAMPLES = "write drop=0.01, freeze=0.01:2.0 or corrupt@3,7"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: at which presses it comes (a share, or numbers), and for how long."""

    kind: FaultKind
    share: float = 0.0
    at: frozenset[int] = frozenset()
    seconds: float = 0.0


def parse_fault(text: str) -> Fault:
    """Read a fault as a person writes it.

    Raises:
        ValueError: with what is wrong, and an example.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no fault: {_EXAMPLES}")
    try:
        kind = FaultKind(match["kind"])
    except ValueError as error:
        known = ", ".join(FaultKind)
        raise ValueError(f"{match['kind']!r} is no kind of fault: there are {known}") from error
    seconds = _seconds(kind, match["seconds"])
    if match["at"] is not None:
        return Fault(kind, at=_numbers(match["at"]), seconds=seconds)
    return Fault(kind, share=_number(match["share"], "a share", 1.0), seconds=seconds)


def check_faults(faults: Sequence[Fault]) -> None:
    """Check that faults can go together: a press has one fault at most.

    Raises:
        ValueError: a kind comes twice, or the shares are more than all presses.
    """
    kinds = [fault.kind for fault in faults]
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is given twice")
    total = sum(fault.share for fault in faults)
    if total > 1 + 1e-9:
        raise ValueError(f"the shares add up to {total:g}, and a press has one fault at most")


class Faults:
    """Deals out faults, press by press.

    Args:
        faults: at most one of each kind, their shares at most 1 together.
        seed: the same seed and faults come at the same presses; None: at others each time.
    """

    def __init__(self, faults: Sequence[Fault] = (), *, seed: int | None = None) -> None:
        self.kinds = [fault.kind for fault in faults]
        self._faults = faults
        self._presses = 0
        # Not the schedule's own: faults do not change who presses when.
        self._rng = random.Random(None if seed is None else f"faults {seed}")  # noqa: S311 - no secret

    def next(self) -> Fault | None:
        """Return what goes wrong with the next press, if anything."""
        self._presses += 1
        drawn = self._rng.random()
        scripted = next((fault for fault in self._faults if self._presses in fault.at), None)
        if scripted is not None:
            return scripted
        for fault in self._faults:
            drawn -= fault.share
            if drawn < 0:
                return fault
        return None

    def randomness(self) -> random.Random:
        """Return what the details of one fault are drawn from."""
        return random.Random(self._rng.getrandbits(64))  # noqa: S311 - no secret


def _seconds(kind: FaultKind, text: str | None) -> float:
    if kind not in SECONDS:
        if text is not None:
            raise ValueError(f"{kind} takes no seconds, and there is {text!r}")
        return 0.0
    return SECONDS[kind] if text is None else _number(text, "a number of seconds", LONGEST)


def _number(text: str, what: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not {what}: {_EXAMPLES}") from error
    if not 0 <= number <= most:  # also false for NaN
        raise ValueError(f"{what} is 0 to {most:g}, and not {text}")
    return number


def _numbers(text: str) -> frozenset[int]:
    words = text.split(",")
    if not all(word.isascii() and word.isdigit() and 0 < int(word) < 10**12 for word in words):
        raise ValueError(f"{text!r} are not numbers of presses, from 1: {_EXAMPLES}")
    return frozenset(map(int, words))
