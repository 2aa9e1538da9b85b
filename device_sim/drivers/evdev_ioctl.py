"""What can be asked of an open input device, and told to it (linux/input.h).

Request numbers are those of x86, ARM and RISC-V. Each raises OSError where the file is no input
device (ENOTTY), or the device has gone (ENODEV).
"""

import fcntl
import struct
import time

from device_sim.drivers.evdev_events import EV_KEY
from device_sim.drivers.evdev_keys import HIGHEST

_WRITE, _READ = 1, 2
_KEY_BYTES = (HIGHEST + 8) // 8
_NAME_BYTES = 256


def request(direction: int, number: int, size: int) -> int:
    """Return the number of a request of the input devices' kind (asm-generic/ioctl.h)."""
    return direction << 30 | size << 16 | ord("E") << 8 | number


EVIOCGNAME = request(_READ, 0x06, _NAME_BYTES)
EVIOCGKEY = request(_READ, 0x18, _KEY_BYTES)
EVIOCGBIT_KEY = request(_READ, 0x20 + EV_KEY, _KEY_BYTES)
EVIOCGRAB = request(_WRITE, 0x90, 4)
EVIOCSCLOCKID = request(_WRITE, 0xA0, 4)


def name(fd: int) -> str:
    """Return what the device calls itself."""
    answer = fcntl.ioctl(fd, EVIOCGNAME, bytes(_NAME_BYTES))
    return answer.split(b"\0")[0].decode("utf-8", "replace")


def keys(fd: int) -> set[int]:
    """Return the codes of the keys that it has."""
    return key_set(fcntl.ioctl(fd, EVIOCGBIT_KEY, bytes(_KEY_BYTES)))


def held_keys(fd: int) -> set[int]:
    """Return the codes of the keys that are held now."""
    return key_set(fcntl.ioctl(fd, EVIOCGKEY, bytes(_KEY_BYTES)))


def grab(fd: int) -> None:
    """Let no other program get its events, until the file is closed; EBUSY: another one does so."""
    fcntl.ioctl(fd, EVIOCGRAB, 1)


def use_monotonic_clock(fd: int) -> None:
    """Let events have moments of `time.monotonic`, which no one puts right."""
    fcntl.ioctl(fd, EVIOCSCLOCKID, struct.pack("@i", time.CLOCK_MONOTONIC))


def key_set(bits: bytes) -> set[int]:
    """Return the numbers of the bits that are set; the kernel's words are little-endian here."""
    number = int.from_bytes(bits, "little")
    return {code for code in range(number.bit_length()) if number >> code & 1}
