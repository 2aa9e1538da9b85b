"""Which serial ports there are behind USB, and which of them may be a button's."""

import re
from dataclasses import dataclass
from typing import Self

from device_sim.drivers.missing import library
from device_sim.drivers.serial_opening import PortError, Trouble

_USB_ID = re.compile(r"(?:0x)?([0-9A-Fa-f]{4}):(?:0x)?([0-9A-Fa-f]{4})")


@dataclass(frozen=True, slots=True)
class UsbId:
    """What a USB device says it is: vendor and product, as `lsusb` prints them."""

    vendor: int
    product: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2e8a:0005`.

        Raises:
            ValueError: for any other form.
        """
        match = _USB_ID.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not of the form 2e8a:0005 (lsusb shows it)")
        return cls(int(match[1], 16), int(match[2], 16))

    def __str__(self) -> str:
        return f"{self.vendor:04x}:{self.product:04x}"


@dataclass(frozen=True, slots=True)
class UsbPort:
    """A serial port behind USB."""

    path: str
    usb_id: UsbId

    @property
    def is_known_board(self) -> bool:
        """Whether it is of a kind that buttons are made of."""
        return self.usb_id.vendor in _BOARD_MAKERS or self.usb_id in _BRIDGES


# Vendors whose boards are their own USB device (the USB IDs of the Linux USB project, usb.ids).
_BOARD_MAKERS = frozenset(
    {
        0x2341,  # Arduino
        0x2A03,  # Arduino (dog hunter)
        0x2E8A,  # Raspberry Pi: Pico
        0x239A,  # Adafruit
        0x303A,  # Espressif
    }
)
# Chips that stand between a board and USB: CH340, CH341, CH9102; FT232, FT230X; CP2102, CP2105.
_BRIDGES = frozenset(
    UsbId.parse(text)
    for text in (
        *("1a86:7523", "1a86:5523", "1a86:55d4"),
        *("0403:6001", "0403:6015"),
        *("10c4:ea60", "10c4:ea70"),
    )
)


def usb_ports() -> list[UsbPort]:
    """Return the serial ports behind USB, by path.

    Raises:
        DriverError: pyserial is not installed.
        PortError: they cannot be listed now: one is just being unplugged.
    """
    library("serial", package="pyserial", extra="serial")
    listing = library("serial.tools.list_ports", package="pyserial", extra="serial")
    try:
        found = [p for p in listing.comports() if p.vid is not None and p.pid is not None]
    except (OSError, TypeError, ValueError) as error:  # pyserial reads facts that are gone by then
        raise PortError(Trouble.ABSENT, f"the ports cannot be listed: {error}") from error
    return sorted(
        (UsbPort(port.device, UsbId(port.vid, port.pid)) for port in found),
        key=lambda port: port.path,
    )
