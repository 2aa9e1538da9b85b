"""What the runtime has on disk, below `functions` in the state directory."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from functions.runtime.seen import Seen
from functions.runtime.switches import Switches
from iot_button.settings import Settings
from iot_button.spool import Spool


class StateFiles:
    """The runtime's files, used with `with` by one process.

    `large`: a folder, empty at the start, for events on their way to an environment. `kept`: a
    folder in which each function may have one that stays.

    Args:
        clock: seconds since 1970.

    Raises:
        IotButtonError: a file cannot be used, or another process uses it.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._open_all(stack)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, traceback)

    def _open_all(self, stack: contextlib.ExitStack) -> None:
        folder = Path(self._settings.state_dir) / "functions"
        settings = self._settings.functions
        self.spool = stack.enter_context(Spool(folder / "spool.db", clock=self._clock))
        self.seen = stack.enter_context(
            Seen(
                folder / "seen",
                size=settings.window_size,
                age=settings.window_days * 86_400,
                clock=self._clock,
            )
        )
        self.switches = Switches(folder / "switches.json")
        self.switches.load()
        self.large = _emptied(folder / "large")
        self.kept = folder.absolute() / "kept"


def _emptied(folder: Path) -> Path:
    """Return a folder in which nothing is left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
