"""The account by which an installation's own parts know each other at their own broker.

Its password is made by us and lies in `state_dir`, readable by its owner alone: who can read that
may do everything here anyway. While the broker has no accounts, it asks nobody who they are.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from iot_button.files import StorageError, make_private_folder, open_private

HOUSE_NAME: Final = "_house"
"""No account that a user makes begins with an underscore."""


def read_house(state_dir: Path) -> str | None:
    """Return the password; None: there is none, or it is another user's."""
    try:
        return _path(state_dir).read_text().strip() or None
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise StorageError(_path(state_dir), str(error)) from error


def make_house(state_dir: Path) -> str:
    """Return the password, made where there is none.

    Raises:
        StorageError: it cannot be written.
    """
    password = read_house(state_dir)
    if password is not None:
        return password
    path = _path(state_dir)
    make_private_folder(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = open_private(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(beside, path)  # whoever is first wins, where two start at once
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    except OSError as error:
        raise StorageError.of(path, error) from error
    password = read_house(state_dir)
    if password is None:
        reason = "there is nothing in it, or it is another user's"
        raise StorageError(path, reason, mend=f"remove it, and start again: rm {path}")
    return password


def _path(state_dir: Path) -> Path:
    return state_dir / "broker" / "house.secret"
