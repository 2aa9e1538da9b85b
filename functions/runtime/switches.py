"""What people have set while the runtime ran, and what has to outlive it: throttles and pauses."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iot_button.errors import IotButtonError

_MEND = "it holds what was throttled and paused; remove it to start without"
_KINDS = {"concurrency": (int, type(None)), "is_paused": (bool,)}


@dataclass(frozen=True, slots=True)
class Switch:
    """One function's. `concurrency`: None: the manifest's; 0 is the kill switch."""

    concurrency: int | None = None
    is_paused: bool = False


def _switch(found: dict[str, Any]) -> Switch:
    """Return a switch of the file; an error of some kind where it is none."""
    for name, value in found.items():
        if type(value) not in _KINDS[name] or (value or 0) < 0:
            raise ValueError
    return Switch(**found)


class Switches:
    """A small file, written as a whole and put in place at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._switches: dict[str, Switch] = {}

    def load(self) -> None:
        """Read the file, if there is one.

        Raises:
            IotButtonError: it cannot be read.
        """
        try:
            content = json.loads(self._path.read_bytes())
            self._switches = {name: _switch(found) for name, found in content.items()}
        except FileNotFoundError:
            return
        except OSError as error:
            raise IotButtonError(
                f"{self._path} cannot be read: {error.strerror}", mend=_MEND
            ) from error
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise IotButtonError(
                f"{self._path} is not of the form that we write", mend=_MEND
            ) from error

    def of(self, name: str) -> Switch:
        """Return a function's switch."""
        return self._switches.get(name, Switch())

    def set(self, name: str, switch: Switch) -> None:
        """Change a function's switch; it is on disk when this returns."""
        self._switches[name] = switch
        changed = {n: asdict(s) for n, s in self._switches.items() if s != Switch()}
        beside = self._path.with_suffix(".new")
        with beside.open("w") as file:
            json.dump(changed, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
