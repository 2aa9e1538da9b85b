"""Input devices that a test plays: pipes and pseudo-terminals that carry the kernel's structs."""

import errno
import os
import pty
import shutil
import tty
from pathlib import Path
from typing import Self

import pytest

from device_sim.drivers import evdev_ioctl
from device_sim.drivers.evdev_devices import InputDevices
from device_sim.drivers.evdev_events import EV_KEY, EV_SYN, EVENT, SYN_DROPPED, SYN_REPORT

VOLUME_UP, ENTER = 115, 28
RELEASE, PRESS, REPEAT = 0, 1, 2


def packed(kind: int, code: int, value: int, at: float = 0.0) -> bytes:
    """One event as the kernel writes it."""
    return EVENT.pack(int(at), round(at % 1 * 1e6), kind, code, value)


def key(value: int, code: int = VOLUME_UP, at: float = 0.0) -> bytes:
    """A key's event, and the report that ends it."""
    return packed(EV_KEY, code, value, at) + packed(EV_SYN, SYN_REPORT, 0, at)


def dropped(at: float = 0.0) -> bytes:
    """The kernel's word that its buffer ran over."""
    return packed(EV_SYN, SYN_DROPPED, 0, at)


class Pipe:
    """A named pipe in place of an input device, with its writing end open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # which waits for no reader

    def send(self, data: bytes) -> None:
        """Let it say something."""
        os.write(self._fd, data)

    def unplug(self) -> None:
        """Take it away."""
        if self._fd >= 0:
            self.path.unlink()
            os.close(self._fd)
            self._fd = -1


class Machine:
    """A machine's input devices, as Linux lists them; each is a pipe."""

    def __init__(self, directory: Path) -> None:
        self._listed, self._nodes = directory / "listed", directory / "nodes"
        self._listed.mkdir()
        self._nodes.mkdir()
        self.devices = InputDevices(listed=self._listed, nodes=self._nodes)
        self.pipes: dict[int, Pipe] = {}

    def plug(
        self, number: int, name: str, *, address: str = "", keys: str = "8000000000000 0"
    ) -> Pipe:
        """Let a device come."""
        pipe = self.pipes[number] = Pipe(self._nodes / f"event{number}")
        facts = self._listed / f"event{number}" / "device"
        (facts / "capabilities").mkdir(parents=True)
        for fact, text in (("capabilities/key", keys), ("uniq", address), ("name", name)):
            (facts / fact).write_text(f"{text}\n")
        return pipe

    def unplug(self, number: int) -> None:
        """Let it go."""
        shutil.rmtree(self._listed / f"event{number}")
        self.pipes.pop(number).unplug()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for number in list(self.pipes):
            self.unplug(number)


class PlayedDevice:
    """A device file whose kernel is the test: a raw pseudo-terminal, and the requests answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name = "AB Shutter3"
        self.keys = {VOLUME_UP}
        self.held: set[int] = set()
        self.is_taken = False
        self.grabs = 0
        self._plug()
        monkeypatch.setattr(evdev_ioctl, "name", lambda _fd: self.name)
        monkeypatch.setattr(evdev_ioctl, "keys", lambda _fd: self.keys)
        monkeypatch.setattr(evdev_ioctl, "held_keys", lambda _fd: self.held)
        monkeypatch.setattr(evdev_ioctl, "use_monotonic_clock", lambda _fd: None)
        monkeypatch.setattr(evdev_ioctl, "grab", self._grab)

    def send(self, data: bytes) -> None:
        """Let it say something."""
        os.write(self._master, data)

    def unplug(self) -> Path:
        """Take it away, and return where it will be when it is back: it is already."""
        self.close()
        self._plug()
        return self.path

    def close(self) -> None:
        """Take it away."""
        os.close(self._master)
        os.close(self._slave)

    def _plug(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = Path(os.ttyname(self._slave))

    def _grab(self, _fd: int) -> None:
        if self.is_taken:
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.grabs += 1
