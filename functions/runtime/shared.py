"""What all functions of a runtime have in common: one loop, one connection, the same files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from functions.runtime import traces
from functions.runtime.events import ClickId
from functions.runtime.outputs import Outputs
from functions.runtime.retries import DELAYS
from functions.runtime.seen import Seen
from iot_button.loop import Loop
from iot_button.spool import Spool


class Settled(Protocol):
    """Who hears that a click has come to its end for one function."""

    def __call__(
        self, function: str, click: ClickId, outcome: str, on_told: Callable[[], None]
    ) -> None:
        """Hear it; the outcome is in `Seen` already. `on_told`: the button has its receipt."""


@dataclass(slots=True)
class Shared:
    """What a function gets of its runtime.

    `outstanding`: how many outputs the broker has not acknowledged. `clock`: seconds since 1970.
    `when_on_disk`: calls back when what was put into the spool before is there to stay.
    `delays`: seconds before each retry. `folder`: for events on their way. `kept`: where each
    function may have a folder that stays. `trace_budget`: how many processed clicks say where
    their time went.
    """

    loop: Loop
    spool: Spool
    seen: Seen
    outputs: Outputs
    settled: Settled
    outstanding: Callable[[], int]
    clock: Callable[[], float]
    when_on_disk: Callable[[Callable[[], None]], None]
    folder: Path
    delays: tuple[float, ...] = DELAYS
    kept: Path | None = None
    trace_budget: traces.Budget = field(default_factory=traces.Budget)
