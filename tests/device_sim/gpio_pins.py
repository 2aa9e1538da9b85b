"""gpiozero's own fake pins, and an MCP3008 on them.

gpiozero ships no types, so it is imported here by its name.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

gpiozero: Any = importlib.import_module("gpiozero")
mock: Any = importlib.import_module("gpiozero.pins.mock")


@contextmanager
def fake_pins(**options: Any) -> Iterator[Any]:
    """Put a MockFactory in gpiozero's place for this machine's pins."""
    before = gpiozero.Device.pin_factory
    # Also the default one: gpiozero's software SPI asks for it, whatever it is given.
    gpiozero.Device.pin_factory = mock.MockFactory(**options)
    try:
        yield gpiozero.Device.pin_factory
    finally:
        gpiozero.Device.pin_factory.close()
        gpiozero.Device.pin_factory = before


class Mcp3008(mock.MockSPIDevice):  # type: ignore[misc]  # no types there
    """The converter on the Pi's SPI pins (data sheet DS21295, figure 6-1: bits of a conversion)."""

    def __init__(self, pin_factory: Any) -> None:
        super().__init__(11, 10, 9, 8, pin_factory=pin_factory)
        self.values = [0] * 8
        self.conversions = 0
        self.is_broken = False

    def on_bit(self) -> None:
        """Answer once start bit, mode and channel are known: a sample, a null bit and ten bits."""
        if self.is_broken:
            raise OSError("SPI transfer error -1")
        if self.rx_bit == 12:
            word = self.rx_word()
            assert word >> 3 == 0b11, f"no single-ended conversion: {word:012b}"
            self.conversions += 1
            self.tx_word(self.values[word & 7], 12)
