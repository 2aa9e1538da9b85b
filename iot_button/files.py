"""What the stores on disk share: private files, one process at a time, failures in clear words."""

import errno
import fcntl
import itertools
import logging
import os
import tempfile
from pathlib import Path

from iot_button.errors import IotButtonError

log = logging.getLogger(__name__)

_MENDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room on that disk"),
    **dict.fromkeys(
        (errno.EROFS, errno.EACCES, errno.EPERM),
        "let this user write there, or set state_dir to another folder",
    ),
}


class StorageError(IotButtonError, OSError):
    """A file of ours could not be read or written."""

    def __init__(self, path: Path, reason: str, *, mend: str = "") -> None:
        super().__init__(f"{path}: {reason}", mend=mend)
        self.path = path
        self.reason = reason

    @classmethod
    def of(cls, path: Path, error: OSError) -> "StorageError":
        """Say what the operating system said, and what mends it where that is known."""
        reason = error.strerror or str(error)
        return cls(path, reason, mend=_MENDS.get(error.errno or 0, ""))


class InUseError(StorageError):
    """Another process has the file open."""


class NewerFileError(StorageError):
    """A newer version of this program wrote the file."""


class DamagedFileError(StorageError):
    """The file is not what was written."""


def make_private_folder(path: Path) -> None:
    """Make a folder, for this user alone where it is new, and its parents.

    Raises:
        StorageError: when it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.of(path, error) from error


def open_private(path: Path, flags: int) -> int:
    """Open a file, made with mode 0600 where it is missing and `flags` have O_CREAT.

    Raises:
        StorageError: when that fails.
    """
    try:
        return os.open(path, flags | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError.of(path, error) from error


def write_private(path: Path, data: bytes) -> None:
    """Write a file, mode 0600, so that anyone finds the old one or the new one, and whole.

    Raises:
        StorageError: it cannot be written; the old one is untouched.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError.of(path, error) from error


def sync_folder(path: Path) -> None:
    """Have the names in a folder on disk, so that a rename outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_aside(path: Path) -> Path:
    """Rename a damaged file and return its new name: it is kept for whoever wants to look.

    Raises:
        StorageError: when it cannot be renamed.
    """
    names = (path.with_name(f"{path.name}.damaged-{n}") for n in itertools.count(1))
    aside = next(name for name in names if not name.exists())
    try:
        path.rename(aside)
    except OSError as error:
        raise StorageError.of(path, error) from error
    log.error("%s was damaged; it lies beside it as %s, and a new one is begun", path, aside.name)
    return aside


class FileLock:
    """The right to be the only process that uses a file: a lock on `<file>.lock`.

    The kernel ends the lock with the process, however that ends, so none is left behind. A child
    made by fork alone would share it; one started with exec, as all of ours are, does not.
    The lock file stays: removing it would let two processes lock two files of one name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self) -> None:
        """Take the lock, or fail at once.

        Raises:
            InUseError: another process, or another object of this one, has it.
            StorageError: the lock file cannot be made.
        """
        name = self.path.with_name(f"{self.path.name}.lock")
        descriptor = open_private(name, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
            os.close(descriptor)
            mend = "stop that one first, or give this one a state_dir of its own"
            raise InUseError(self.path, f"in use by process {holder}", mend=mend) from error
        except OSError as error:
            os.close(descriptor)
            raise StorageError.of(name, error) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
