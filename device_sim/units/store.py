"""The folder of units: ours are written whole, and nothing of others is touched."""

import configparser
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from device_sim.units.unit import MARK, PREFIX, Scope
from iot_button.errors import IotButtonError
from iot_button.files import StorageError

SYSTEM_FOLDER = Path("/etc/systemd/system")
_SUFFIX = ".service"


@dataclass(frozen=True)
class Installed:
    """A unit of ours that is there. `state`: where its clicks wait."""

    path: Path
    label: str
    state: Path

    @property
    def name(self) -> str:
        """Its name, without `.service`."""
        return self.path.name.removesuffix(_SUFFIX)


def folder(scope: Scope) -> Path:
    """Return where units are: systemd.unit(5), "Unit file load path"."""
    if scope is Scope.SYSTEM:
        return SYSTEM_FOLDER
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if not base.is_absolute():  # to be ignored then, XDG base directory specification
        base = Path("~/.config").expanduser()
    return base / "systemd" / "user"


def write(scope: Scope, name: str, text: str, *, force: bool) -> Path:
    """Write a unit, whole or not at all, and return its path.

    Args:
        scope: whose it is.
        name: without `.service`.
        text: what it says.
        force: also in place of a unit that is not ours.

    Raises:
        IotButtonError: another's unit has that name.
        StorageError: it cannot be written.
    """
    path = folder(scope) / f"{name}{_SUFFIX}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path) and not _is_ours(path) and not force:
            raise IotButtonError(
                f"{path} is there, and was not written by this command",
                mend="give this button another --serial, or replace that unit with --force",
            )
        _replace(path, text)
    except OSError as error:
        raise StorageError.of(path, error) from error
    return path


def installed(scope: Scope) -> list[Installed]:
    """Return the units of ours."""
    paths = sorted(folder(scope).glob(f"{PREFIX}*{_SUFFIX}"))
    return [_read(path) for path in paths if _is_ours(path)]


def remove(unit: Installed) -> None:
    """Remove a unit, and what starts it.

    Raises:
        StorageError: it cannot be removed.
    """
    try:
        for link in unit.path.parent.glob(f"*.wants/{unit.path.name}"):
            link.unlink()  # there is still one where no systemd could be told
        unit.path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError.of(unit.path, error) from error


def _is_ours(path: Path) -> bool:
    """Whether the first line says so; a link, e.g. that of a masked unit, is not ours."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip("\n") == MARK


def _read(path: Path) -> Installed:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    label = path.name.removeprefix(PREFIX).removesuffix(_SUFFIX)
    try:
        parser.read(path, encoding="utf-8")
    except configparser.Error:  # changed by hand; it can be removed all the same
        parser.clear()
    state = parser.get("X-IotButton", "State", fallback="")
    return Installed(path, parser.get("X-IotButton", "Label", fallback=label), Path(state))


def _replace(path: Path, text: str) -> None:
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
