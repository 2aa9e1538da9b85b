"""A hardware library that is not installed: one line with the mend, and no trace."""

import importlib
from types import ModuleType

from device_sim.drivers.base import DriverError


def library(module: str, *, package: str, extra: str) -> ModuleType:
    """Import a hardware library.

    Args:
        module: what is imported, e.g. `serial`.
        package: what it is called where it is installed from, e.g. `pyserial`.
        extra: the extra of ours that brings it, e.g. `serial`.

    Raises:
        DriverError: it is not installed, or cannot be loaded on this machine.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DriverError(
            f"{package} cannot be loaded: {error}",
            mend=f"install it: pip install 'iot-button[{extra}]' (from a clone: '.[{extra}]')",
        ) from error
