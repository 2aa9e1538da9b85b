"""The account by which an installation's own parts know each other at their own broker.

Its password is made by us and lies in `state_dir`, readable by its owner alone: who can read that
may do everything here anyway. While the broker has no accounts, it asks nobody who they are.
"""

from pathlib import Path
from typing import Final

from iot_button.secret_files import make_secret, read_secret

HOUSE_NAME: Final = "_house"
"""No account that a user makes begins with an underscore."""


def read_house(state_dir: Path) -> str | None:
    """Return the password; None: there is none, or it is another user's."""
    return read_secret(_path(state_dir))


def make_house(state_dir: Path) -> str:
    """Return the password, made where there is none.

    Raises:
        StorageError: it cannot be written.
    """
    return make_secret(_path(state_dir))


def _path(state_dir: Path) -> Path:
    return state_dir / "broker" / "house.secret"
