"""A hardware library that is not installed: one line with the mend, and no trace."""

import importlib
import importlib.util
import shlex
import sys
from pathlib import Path
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
    except (ImportError, OSError, RuntimeError) as error:  # some look at the machine at once
        raise DriverError(
            f"{package} cannot be loaded: {error}",
            mend=how_to_install(extra),
        ) from error


def how_to_install(extra: str) -> str:
    """Return the mend for a missing library: the command that brings an extra of ours."""
    return f"install it: {_installer()} {_ourselves(extra)}"


def _installer() -> str:
    """Return what installs into the environment that runs us: uv makes those without pip."""
    if importlib.util.find_spec("pip") is None:
        return f"uv pip install --python {shlex.quote(sys.executable)}"
    return f"{shlex.quote(sys.executable)} -m pip install"


def _ourselves(extra: str) -> str:
    """Return how this project, with an extra, is named to an installer."""
    root = Path(__file__).parents[2]
    if (root / "pyproject.toml").is_file():  # a clone
        return f"-e {shlex.quote(f'{root}[{extra}]')}"
    return f"'iot-button[{extra}]'"
