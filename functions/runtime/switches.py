"""What people have set while the runtime ran, and what has to outlive it: throttles and pauses."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from iot_button.errors import IotButtonError


@dataclass(frozen=True, slots=True)
class Switch:
    """One function's. `concurrency`: None: the manifest's; 0 is the kill switch."""

    concurrency: int | None = None
    is_paused: bool = False


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
            content = json.loads(self._path.read_text())
            self._switches = {name: Switch(**switch) for name, switch in content.items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise IotButtonError(
                f"{self._path} cannot be read: {error}",
                mend="it holds what was throttled and paused; remove it to start without",
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
