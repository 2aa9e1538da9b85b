"""Which input devices there are, and which of them is the button."""

import contextlib
import fnmatch
import os
import re
from dataclasses import dataclass
from pathlib import Path

from device_sim.drivers.base import DriverError

_EVENT_NODE = re.compile(r"event(\d+)")
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class InputDevice:
    """One input device that has keys. `address`: a Bluetooth device's own, else mostly empty."""

    path: Path
    name: str
    address: str

    @property
    def is_readable(self) -> bool:
        """Whether we may read it."""
        return os.access(self.path, os.R_OK)


class InputDevices:
    """The machine's input devices that have keys, as Linux lists them for everyone to read.

    Args:
        listed: where Linux lists them.
        nodes: where they can be opened.
    """

    def __init__(
        self, *, listed: Path = Path("/sys/class/input"), nodes: Path = Path("/dev/input")
    ) -> None:
        self._listed = listed
        self._nodes = nodes

    def all(self) -> list[InputDevice]:
        """Return them, in the order of their numbers.

        Raises:
            DriverError: this machine lists none, and never will.
        """
        try:
            names = [entry.name for entry in self._listed.iterdir()]
        except OSError as error:
            raise DriverError(
                f"this machine has no input devices that we know how to find: {error}",
                mend="name one by its path: --input /dev/input/by-id/...; or use `iot-button "
                "device keyboard`",
            ) from error
        numbers = sorted(int(match[1]) for name in names if (match := _EVENT_NODE.fullmatch(name)))
        return [device for number in numbers if (device := self._read(f"event{number}"))]

    def find(self, wanted: str) -> list[Path]:
        """Return the paths of the devices that are meant by a name, or the path that is given.

        One button can be several devices: a shutter remote is often a keyboard and a consumer
        control, of nearly the same name. All of them are meant.
        """
        if "/" in wanted:
            return [Path(wanted)]
        return [device.path for device in self.all() if is_meant(device, wanted)]

    def _read(self, node: str) -> InputDevice | None:
        entry = self._listed / node / "device"
        with contextlib.suppress(OSError):  # it goes at this moment
            if (entry / "capabilities" / "key").read_text().strip(" 0\n"):
                return InputDevice(
                    path=self._nodes / node,
                    name=_fact(entry / "name"),
                    address=_fact(entry / "uniq"),
                )
        return None


def is_meant(device: InputDevice, wanted: str) -> bool:
    """Whether a device is meant by a pattern, a part of its name, or its Bluetooth address."""
    wanted, name = wanted.casefold(), device.name.casefold()
    if _GLOB.search(wanted):
        return fnmatch.fnmatchcase(name, wanted)
    return wanted in name or wanted == device.address.casefold()


def facts(device: InputDevice) -> dict[str, str | bool]:
    """Return what people want to know of a device."""
    return {
        "path": str(device.path),
        "name": device.name,
        "address": device.address,
        "readable": device.is_readable,
    }


def _fact(path: Path) -> str:
    return path.read_text("utf-8", "replace").strip()
