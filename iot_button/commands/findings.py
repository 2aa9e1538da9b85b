"""What the doctor finds: one line each, and what mends it."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass


class State(enum.StrEnum):
    """How a check came out. Only BROKEN makes the doctor fail."""

    OK = "ok"
    OFF = "off"
    ABSENT = "absent"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    subject: str
    state: State
    detail: str
    mend: str = ""

    @property
    def lines(self) -> Iterator[str]:
        """The lines that a person reads."""
        yield f"{self.state:7} {self.subject}: {self.detail}"
        if self.mend:
            yield f"{'':7} -> {self.mend}"
