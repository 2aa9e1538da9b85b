"""SQLite's failures in our words, and what mends them (SQLite, "Result and Error Codes")."""

import sqlite3
from pathlib import Path

from iot_button.files import DamagedFileError, StorageError

_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_ROOM = "make room on that disk"
_RIGHTS = "let this user write there, or set state_dir to another folder"
_MENDS = {
    "SQLITE_FULL": _ROOM,
    "SQLITE_IOERR": f"{_ROOM}, or look in the system's log for errors of the disk",
    "SQLITE_READONLY": _RIGHTS,
    "SQLITE_CANTOPEN": _RIGHTS,
    "SQLITE_PERM": _RIGHTS,
    "SQLITE_BUSY": "close the other program that has it open",
}


def storage_error(path: Path, error: sqlite3.Error) -> StorageError:
    """Return our error for SQLite's; DamagedFileError where the file is damaged.

    Raises:
        sqlite3.Error: the same, where it is a mistake of the program, such as a use from another
            thread, and not a failure of the file: those carry no code of SQLite's.
    """
    name = getattr(error, "sqlite_errorname", "")
    if not name:
        raise error
    kind = "_".join(name.split("_")[:2])  # SQLITE_IOERR_WRITE is one of SQLITE_IOERR
    if kind in _DAMAGE:
        return DamagedFileError(path, str(error), mend="start again: the file is checked then")
    return StorageError(path, str(error), mend=_MENDS.get(kind, ""))
