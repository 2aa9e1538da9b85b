"""Opening a serial port, and why it cannot be opened."""

import enum
import errno
import grp
import stat
import termios
from pathlib import Path
from typing import Any

from device_sim.drivers.missing import library

BAUD = 115_200


class Trouble(enum.Enum):
    """Why a port cannot be used. `ABSENT` and `BUSY` may end by themselves."""

    ABSENT = enum.auto()
    BUSY = enum.auto()
    DENIED = enum.auto()
    UNUSABLE = enum.auto()
    LOST = enum.auto()


class PortError(Exception):
    """A port cannot be used: now, or until someone mends it."""

    def __init__(self, trouble: Trouble, problem: str, *, mend: str = "") -> None:
        super().__init__(problem)
        self.trouble = trouble
        self.problem = problem
        self.mend = mend


def open_port(path: str, *, baud: int) -> Any:
    """Open a serial port for reading and writing without waiting, and for us alone.

    Opening raises DTR: an Arduino begins anew at that, and a Pico begins to talk.

    Returns:
        A `serial.Serial`, of whose `fileno()` a read says EAGAIN where there is nothing.

    Raises:
        PortError: it cannot be opened.
        DriverError: pyserial is not installed.
    """
    serial = library("serial", package="pyserial", extra="serial")
    try:
        # A timeout between bytes of 0 makes pyserial set VMIN to 1 and VTIME to 0: only then
        # does an empty read mean that the device is gone (termios(3)).
        return serial.Serial(
            path, baud, timeout=0, write_timeout=0, inter_byte_timeout=0, exclusive=True
        )
    except (ValueError, OverflowError) as error:
        raise PortError(
            Trouble.UNUSABLE,
            f"{path} cannot run at {baud} baud: {error}",
            mend="name the rate that the firmware uses with --baud",
        ) from error
    except (OSError, termios.error) as error:
        raise _reason(path, error) from error


def _reason(path: str, error: Exception) -> PortError:
    """Tell apart what a failed opening means."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    if number in {errno.EACCES, errno.EPERM}:
        return PortError(Trouble.DENIED, f"{path} may not be opened", mend=_permission(path))
    if number in {errno.EAGAIN, errno.EBUSY}:
        return PortError(
            Trouble.BUSY,
            f"{path} is in use by another program",
            mend=f"fuser -v {path} says which; or name another port with --port",
        )
    if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
        return PortError(Trouble.ABSENT, f"{path} is not there")
    if number == errno.ENOTTY or _is_no_device(path) or _is_no_terminal(error):
        return PortError(
            Trouble.UNUSABLE,
            f"{path} is no serial port",
            mend="ls /dev/serial/by-id shows those that are; name one with --port",
        )
    return PortError(Trouble.LOST, f"{path} cannot be opened: {str(error)!a}")


def _permission(path: str) -> str:
    """Name the group that may, as the device node has it."""
    try:
        group = grp.getgrgid(Path(path).stat().st_gid).gr_name
    except (OSError, KeyError):
        group = "root"
    name = "dialout" if group == "root" else group
    return f"sudo usermod -aG {name} $USER, then log in again"


def _is_no_device(path: str) -> bool:
    try:
        return not stat.S_ISCHR(Path(path).stat().st_mode)
    except OSError:
        return False


def _is_no_terminal(error: Exception) -> bool:
    """Whether pyserial failed because the device is no terminal; it says so in words only."""
    cause = error.__context__
    return isinstance(cause, termios.error) and cause.args[0] == errno.ENOTTY
