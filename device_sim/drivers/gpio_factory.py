"""gpiozero opened quietly: its 33 lines of warnings and trace become one line with the mend."""

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from device_sim.drivers.base import DriverError
from device_sim.drivers.missing import how_to_install, library

log = logging.getLogger(__name__)

_CHIPS = Path("/dev")
_CHOSEN = "GPIOZERO_PIN_FACTORY"  # gpiozero's own: which library it drives the pins with


def open_gpiozero(pin_factory: Any = None) -> tuple[ModuleType, Any]:
    """Return gpiozero, and the pin factory that was given or that it finds for this machine.

    Raises:
        DriverError: gpiozero is not installed, or has no access to pins here.
    """
    gpiozero = library("gpiozero", package="gpiozero", extra="gpio")
    return gpiozero, _default_factory(gpiozero) if pin_factory is None else pin_factory


@contextmanager
def quietly(said: list[str]) -> Iterator[None]:
    """Gather what gpiozero warns of in a list, instead of on standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            said += [str(warning.message) for warning in caught]


@contextmanager
def naming(part: str, gpiozero: ModuleType) -> Iterator[None]:
    """Let errors of gpiozero, or of the library below it, say which part cannot be used.

    Raises:
        DriverError: in place of any error.
    """
    said: list[str] = []
    try:
        with quietly(said):
            yield
    except Exception as error:
        problem, mend = _about_pin(error, gpiozero)
        raise DriverError(f"{part} cannot be used: {problem}", mend=mend) from error
    for line in said:
        log.warning("%s: %s", part, line)


def _default_factory(gpiozero: ModuleType) -> Any:
    said: list[str] = []
    try:
        with quietly(said), _pipes_elsewhere():
            gpiozero.Device.ensure_pin_factory()
    except Exception as error:
        raise explained([*said, str(error)]) from error
    if any("NativeFactory" in line for line in said):
        log.warning(
            "lgpio is missing, and gpiozero's own way to the pins is experimental; %s",
            how_to_install("gpio"),
        )
    return gpiozero.Device.pin_factory


@contextmanager
def _pipes_elsewhere() -> Iterator[None]:
    """Keep lgpio's pipe `.lgd-nfy0` out of the working directory, which may be read-only.

    lgpio makes it when it is imported, in the folder that LG_WD names, and goes there itself. Both
    its ends are open then, so the folder may go. Seen with lgpio 0.2.2.
    """
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    with ExitStack() as stack:
        stack.callback(os.close, here)
        if "lgpio" not in sys.modules and "LG_WD" not in os.environ:
            os.environ["LG_WD"] = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="iot-button-")
            )
            stack.callback(os.environ.pop, "LG_WD")
        stack.callback(os.fchdir, here)
        yield


def explained(said: Sequence[str], *, chips: Path = _CHIPS) -> DriverError:
    """Return in one line what gpiozero said in many.

    Args:
        said: its warnings, and its error last.
        chips: the folder of the kernel's `gpiochip*` devices.
    """
    everything = "\n".join(said)
    if "locate Pi revision" in everything:  # PinUnknownPi, also where another error comes last
        return DriverError(
            "this machine has no pins: it is no Raspberry Pi",
            mend="run it on one; a button for this machine: iot-button device keyboard",
        )
    if chosen := os.environ.get(_CHOSEN):
        return DriverError(
            f"gpiozero cannot use {_CHOSEN}={chosen}: {said[-1]}",
            mend="unset that variable, or install the library that it names",
        )
    if any(not os.access(chip, os.R_OK | os.W_OK) for chip in chips.glob("gpiochip*")):
        return DriverError(
            "this user may not use the pins (/dev/gpiochip0)",
            mend="sudo usermod -aG gpio $USER, then log out and in again",
        )
    if "No module named 'lgpio'" in everything:
        return DriverError(
            "gpiozero finds no library for the pins: lgpio is missing", mend=how_to_install("gpio")
        )
    reason = next((line for line in said if "lgpio" in line), said[-1])
    return DriverError(
        f"gpiozero cannot open the pins: {reason}", mend="`pinout` says what gpiozero sees"
    )


def _about_pin(error: Exception, gpiozero: ModuleType) -> tuple[str, str]:
    """Return in our words what is wrong with a pin, and the mend."""
    if isinstance(error, gpiozero.GPIOPinInUse):
        return "it has another use", "give each part pins of its own (an MCP3008 has 8 to 11)"
    if isinstance(error, gpiozero.PinFixedPull):
        return "the board has a resistor on it", "use --pull up, or another pin"
    if isinstance(error, gpiozero.PinInvalidPin):
        return "this board has no such GPIO pin", "`pinout` shows what there is"
    if "busy" in str(error):  # lgpio's own error has no name for it
        return str(error), "another program has it: end that one, or use another pin"
    return str(error) or type(error).__name__, ""
