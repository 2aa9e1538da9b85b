"""One open input device: which of its keys are held, and when they changed."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Container, Iterator
from pathlib import Path

from device_sim.drivers import evdev_ioctl
from device_sim.drivers.base import DriverError
from device_sim.drivers.evdev_events import EVENT, Event, EventReader, HeldKeys

_ABSENT = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOTDIR}
LIST = "see what there is: iot-button device evdev --list"


class Source:
    """An input device, or a pipe that carries its events.

    The pipe is for trying out and for playing back what `cat /dev/input/event5` recorded: it has no
    name, cannot be grabbed, and its moments are moved so that its first event is now.
    """

    def __init__(self, path: Path, fd: int, *, counted: Container[int] | None) -> None:
        self.path = path
        self.fd = fd
        self.is_device = stat.S_ISCHR(os.fstat(fd).st_mode)
        self.name = evdev_ioctl.name(fd) if self.is_device else ""
        self.keys = HeldKeys(counted, ask=self._held_keys)
        self._reader = EventReader()
        self._offset: float | None = None

    def take_over(self, *, grab: bool) -> None:
        """Let its moments be ours, and its events too."""
        if not self.is_device:
            return
        if not evdev_ioctl.keys(self.fd):
            raise DriverError(f"{self.path} {self.name!r} has no keys", mend=LIST)
        with contextlib.suppress(OSError):  # Linux before 3.4: its moments are moved then
            evdev_ioctl.use_monotonic_clock(self.fd)
            self._offset = 0.0
        if grab:
            evdev_ioctl.grab(self.fd)

    def read(self, not_before: float) -> Iterator[Event]:
        """Yield what it says, with moments of `time.monotonic`.

        Args:
            not_before: the last moment that was told, if it is of another source.

        Raises:
            OSError: it has gone.
        """
        try:
            data = os.read(self.fd, 64 * EVENT.size)
        except BlockingIOError:
            return
        if not data:
            raise OSError(errno.ENODEV, "the pipe's other end was closed")
        for event in self._reader.feed(data):
            if self._offset is None:
                self._offset = max(time.monotonic(), not_before) - event.moment
            yield event._replace(moment=event.moment + self._offset)

    def close(self) -> None:
        """Give it back; what has gone needs no giving back."""
        with contextlib.suppress(OSError):
            os.close(self.fd)

    def _held_keys(self) -> set[int] | None:
        try:
            return evdev_ioctl.held_keys(self.fd)
        except OSError:
            return None


def open_source(
    path: Path, *, counted: Container[int] | None, grab: bool, name: str | None = None
) -> Source | None:
    """Open a device; None: it is not there, and may come.

    Args:
        path: where it is.
        counted: the codes of the keys that count; None: all do.
        grab: let no other program get its events.
        name: what it must call itself; another device there is not it. None: anything.

    Raises:
        DriverError: it is there, and cannot be had.
    """
    try:
        fd = _open(path)
        try:
            source = Source(path, fd, counted=counted)
            if name is not None and name != source.name:
                os.close(fd)
                return None
            source.take_over(grab=grab)
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise DriverError(f"{path} cannot be used: {_reason(error)}", mend=_mend(error)) from error
    return source


def _open(path: Path) -> int:
    kind = path.stat().st_mode
    if not (stat.S_ISCHR(kind) or stat.S_ISFIFO(kind)):
        raise OSError(errno.ENOTTY, "not a device")
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOTTY, errno.EINVAL):
        return "it is no input device"
    if error.errno == errno.EBUSY:
        return "another program has it for itself"
    return str(error.strerror)


def _mend(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "let this user read input devices: sudo usermod -aG input $USER (then log in again)"
    if error.errno == errno.EBUSY:
        return "end that program; is another `iot-button device evdev` running?"
    return LIST
