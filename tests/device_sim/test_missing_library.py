"""A hardware library that is not there is one line with the mend."""

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from device_sim.drivers import missing
from device_sim.drivers.base import DriverError
from device_sim.drivers.missing import how_to_install, library


def test_a_library_that_is_there_is_imported() -> None:
    assert library("json", package="json", extra="none") is sys.modules["json"]


def test_a_missing_library_is_named_with_the_command_that_brings_it() -> None:
    with pytest.raises(DriverError, match="nosuch cannot be loaded") as caught:
        library("no_such_library_of_ours", package="nosuch", extra="serial")
    message = str(caught.value).splitlines()
    assert len(message) == 2
    assert message[1].startswith("  install it: ")
    assert "[serial]" in message[1]


@pytest.mark.parametrize(
    "error",
    [
        "ImportError('libx.so.1: cannot open shared object file')",
        "OSError('libx.so.1: cannot open shared object file')",
        "RuntimeError('This module can only be run on a Raspberry Pi!')",
    ],
)
def test_a_library_that_cannot_be_loaded_here_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    (tmp_path / "half_a_library.py").write_text(f"raise {error}")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DriverError, match=r"half cannot be loaded: .*(libx|Raspberry)"):
        library("half_a_library", package="half", extra="gpio")


def test_the_command_installs_into_the_environment_that_runs_us() -> None:
    command = shlex.split(how_to_install("gpio").removeprefix("install it: "))
    assert sys.executable in command
    if command[1:4] == ["-m", "pip", "install"]:
        # Its own check of what it is given, without a network: nothing is installed.
        asked = [*command[:4], "--help"]
        assert subprocess.run(asked, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("has_pip", [True, False])
def test_an_environment_without_pip_is_served_by_uv(
    monkeypatch: pytest.MonkeyPatch, has_pip: bool
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: has_pip or None)
    mend = how_to_install("gpio")
    assert ("-m pip install" in mend) == has_pip
    assert ("uv pip install --python" in mend) != has_pip


def test_a_clone_is_installed_from_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "a clone"
    monkeypatch.setattr(missing, "__file__", str(root / "device_sim" / "drivers" / "missing.py"))
    assert how_to_install("gpio").endswith("'iot-button[gpio]'")
    root.mkdir()
    (root / "pyproject.toml").touch()
    assert shlex.split(how_to_install("gpio"))[-2:] == ["-e", f"{root}[gpio]"]
