"""What is wrong with a manifest, and where."""

from pathlib import Path

from functions.runtime.manifest.model import Place
from iot_button.errors import IotButtonError


class ManifestError(IotButtonError, ValueError):
    """A manifest that cannot be used.

    `place`: None where the file as a whole is at fault. `key`: dotted, empty where none is at
    fault; list items count from 0, as in `functions.enrich.events[0].iot.sql`.
    """

    exit_status = 2

    def __init__(
        self, problem: str, *, file: Path, place: Place | None = None, key: str = "", mend: str = ""
    ) -> None:
        where = str(place or file)
        super().__init__(f"{where}: {key}: {problem}" if key else f"{where}: {problem}", mend=mend)
        self.file = place.file if place else file
        self.place = place
        self.key = key

    @property
    def line(self) -> int | None:
        """The line, from 1; None where the file as a whole is at fault."""
        return self.place.line if self.place else None

    @property
    def column(self) -> int | None:
        """The column, from 1; None where the file as a whole is at fault."""
        return self.place.column if self.place else None
