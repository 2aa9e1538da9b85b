"""A systemd unit, read; and a stand-in for systemctl that writes down what it is told."""

import configparser
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from iot_button.cli import main

_SCRIPT = """#!/bin/sh
echo "$*" >> "$0.calls"
case "$*" in
    *"$SYSTEMCTL_FAILS"*) [ -n "$SYSTEMCTL_FAILS" ] && { echo "Job failed." >&2; exit 1; } ;;
esac
exit 0
"""


def settings_of(text: str) -> configparser.RawConfigParser:
    """Return a unit's sections; a setting that stands twice is an error."""
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation says
    parser.read_string(text)
    return parser


class FakeSystemctl:
    """A `systemctl` in a folder of its own: succeeds, or fails where its words have `fails`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._path = folder / "systemctl"
        self._path.write_text(_SCRIPT)
        self._path.chmod(0o755)

    def environment(self, *, fails: str = "") -> dict[str, str]:
        """Return what puts it in the place of the real one."""
        path = f"{self._path.parent}:{os.environ['PATH']}"
        return {"PATH": path, "SYSTEMCTL_FAILS": fails}

    @property
    def calls(self) -> list[str]:
        """What it was told, but for the question whether it is there."""
        calls = self._path.with_name("systemctl.calls")
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line for line in lines if "show" not in line]


@dataclass(frozen=True)
class Ran:
    """What a command did: its exit status, its messages, its data."""

    status: int | str
    said: str
    printed: str


class Shell:
    """Runs `iot-button device ...` in this process, with a home and a systemctl of its own."""

    def __init__(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.systemctl = FakeSystemctl(home / "bin")
        self.units = home / ".config" / "systemd" / "user"
        self.state = home / ".local" / "state" / "iot-button"
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        for name in list(os.environ):
            if name.startswith(("IOT_BUTTON_", "XDG_", "SUDO_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.chdir(home)

    def run(self, *arguments: str, status: int = 0, fails: str = "", **more: str) -> Ran:
        """Run a command that is to end so; `fails`: see `FakeSystemctl`."""
        with self._monkeypatch.context() as patch:
            for name, value in (self.systemctl.environment(fails=fails) | more).items():
                patch.setenv(name, value)
            patch.setattr("sys.argv", ["iot-button", "device", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        captured = self._capsys.readouterr()
        assert (ended.value.code or 0) == status, captured
        return Ran(ended.value.code or 0, captured.err, captured.out)
