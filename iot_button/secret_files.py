"""Secrets that an installation makes for itself: a file each, for its owner alone."""

import os
import secrets
from pathlib import Path

from iot_button.files import StorageError, make_private_folder, open_private


def read_secret(path: Path) -> str | None:
    """Return a secret; None: there is none, or it is another user's."""
    try:
        return path.read_text().strip() or None
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise StorageError(path, str(error)) from error


def make_secret(path: Path) -> str:
    """Return a secret, made where there is none.

    Raises:
        StorageError: it cannot be written.
    """
    secret = read_secret(path)
    if secret is not None:
        return secret
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
    secret = read_secret(path)
    if secret is None:
        reason = "there is nothing in it, or it is another user's"
        raise StorageError(path, reason, mend=f"remove it, and start again: rm {path}")
    return secret
