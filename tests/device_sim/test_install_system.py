"""A unit of the system: a user of its own, its groups, its secrets, and what it cannot have."""

import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from device_sim.commands.device import install, uninstall
from device_sim.units import hardening, store
from device_sim.units.order import Order, read_order
from device_sim.units.systemctl import Systemctl
from device_sim.units.unit import MARK, Program, Scope, Unit
from iot_button.errors import IotButtonError
from tests.device_sim.test_unit_quoting import words
from tests.device_sim.unit_text import settings_of
from tests.support import require_program

ELSEWHERE = Program(python=Path("/usr/bin/python3"), packages=Path("/usr/lib/python3"))


def order(*words: str) -> Order:
    return read_order(words, parent=click.Context(click.Command("device")))


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SUDO_USER", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(store, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setattr(Systemctl, "is_there", lambda _self: False)


def unit(*words: str, **options: Any) -> Unit:
    return Unit(order=order(*words), scope=Scope.SYSTEM, program=ELSEWHERE, **options)


def service(written: Unit) -> dict[str, str]:
    return dict(settings_of(written.text())["Service"])


def test_it_runs_as_a_user_of_its_own_and_keeps_its_clicks() -> None:
    written = unit("--pin", "17", "--serial", "DOOR", groups=["gpio", "spi"])
    found = service(written)
    assert found["DynamicUser"] == "yes"
    assert "User" not in found
    assert found["SupplementaryGroups"] == "gpio spi"
    assert found["StateDirectory"] == "iot-button-DOOR"
    assert words(found["ExecStart"])[-2:] == ["--state-dir", "%S/iot-button-DOOR"]
    assert written.state_dir == Path("/var/lib/iot-button-DOOR")
    assert (found["ProtectSystem"], found["ProtectHome"]) == ("strict", "yes")
    assert (found["PrivateTmp"], found["CapabilityBoundingSet"]) == ("yes", "")
    sections = settings_of(written.text())
    assert sections["Unit"]["After"] == sections["Unit"]["Wants"] == "network-online.target"
    assert sections["Install"]["WantedBy"] == "multi-user.target"


def test_nothing_takes_its_devices_away() -> None:
    found = service(unit("--pin", "17"))
    assert not {"PrivateDevices", "ProtectClock", "DevicePolicy", "DeviceAllow"} & set(found)


def test_it_runs_as_whom_the_owner_names() -> None:
    found = service(unit("--pin", "17", as_user="nobody"))
    assert found["User"] == "nobody"
    assert "DynamicUser" not in found


def test_a_settings_file_stays_roots_own(tmp_path: Path) -> None:
    config = tmp_path / "100% mine.toml"
    config.write_text('[broker]\npassword = "a-secret-of-mine"\n')
    config.chmod(0o600)
    written = unit("--pin", "17", "--config", str(config))
    found = service(written)
    path = str(config).replace("%", "%%")
    assert found["LoadCredential"] == f"iot-button.toml:{path}"
    assert "--config ${CREDENTIALS_DIRECTORY}/iot-button.toml" in found["ExecStart"]
    assert "a-secret-of-mine" not in written.text()


def test_a_program_in_a_home_needs_a_user_who_may_read_it() -> None:
    at_home = Program(python=Path("/home/pi/venv/bin/python"), packages=Path("/usr/lib"))
    written = Unit(order=order("--pin", "17"), scope=Scope.SYSTEM, program=at_home)
    with pytest.raises(IotButtonError, match="is in a home") as raised:
        written.text()
    assert "--as-user NAME" in raised.value.mend
    named = Unit(order=order("--pin", "17"), scope=Scope.SYSTEM, program=at_home, as_user="nobody")
    assert service(named)["ProtectHome"] == "read-only"


def test_a_program_among_temporary_files_can_still_be_read() -> None:
    there = Program(python=Path("/usr/bin/python3"), packages=Path("/tmp/clone"))
    found = service(Unit(order=order("--pin", "17"), scope=Scope.SYSTEM, program=there))
    assert "PrivateTmp" not in found


def test_a_folder_for_the_state_is_systemds_own() -> None:
    with pytest.raises(IotButtonError, match="keeps its clicks in /var/lib/iot-button-gpio-17"):
        unit("--pin", "17", "--state-dir", "/srv/state").text()


def test_a_user_without_namespaces_gets_a_unit_that_starts() -> None:
    for has_namespaces in (True, False):
        written = Unit(
            order=order("--pin", "17"),
            scope=Scope.USER,
            program=ELSEWHERE,
            has_namespaces=has_namespaces,
        )
        found = service(written)
        view = {"PrivateUsers", "ProtectSystem", "ProtectHome", "ReadWritePaths"}
        assert view & set(found) == (view if has_namespaces else set())
        assert found["NoNewPrivileges"] == "yes"
        never = {"ProtectKernelModules", "ProtectKernelLogs", "SupplementaryGroups", "DynamicUser"}
        assert not never & set(found)


def test_namespaces_are_tried_and_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unshare = tmp_path / "unshare"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not hardening.user_has_namespaces()
    for status in (0, 1):
        unshare.write_text(f"#!/bin/sh\nexit {status}\n")
        unshare.chmod(0o755)
        assert hardening.user_has_namespaces() is (status == 0)


@pytest.mark.parametrize("as_user", [None, "daemon"])
def test_systemd_has_nothing_to_say_against_it(tmp_path: Path, as_user: str | None) -> None:
    analyze = require_program("systemd-analyze", "systemd")
    config = tmp_path / "100% mine.toml"
    config.write_text("")
    written = unit("--pin", "17", "--config", str(config), as_user=as_user, groups=["dialout"])
    path = tmp_path / "iot-button-DOOR.service"
    path.write_text(written.text())
    verified = subprocess.run(
        [analyze, "--man=no", "verify", str(path)], capture_output=True, text=True
    )
    theirs = [line for line in verified.stderr.splitlines() if "iot-button" in line]
    assert (verified.returncode, theirs) == (0, [])


def run(command: click.Command, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=True)


def test_only_root_writes_and_removes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = ("--system", "--as-user", "nobody", "--pin", "17", "--serial", "DOOR")
    path = tmp_path / "system" / "iot-button-DOOR.service"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    result = run(install.command, *words)
    assert isinstance(result.exception, IotButtonError)
    assert "sudo" in result.exception.mend
    assert not path.exists()
    assert run(install.command, *words, "--dry-run").output.startswith(MARK)

    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert run(install.command, *words).exit_code == 0
    assert path.read_text().startswith(MARK)

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    result = run(uninstall.command, "--system")
    assert "written by root" in str(result.exception) or "removed by root" in str(result.exception)
    assert path.exists()
    monkeypatch.setattr("os.geteuid", lambda: 0)
    result = run(uninstall.command, "--system", "--serial", "DOOR")
    assert result.exit_code == 0
    assert not path.exists()
    assert "/var/lib/iot-button-DOOR" in result.output


def test_groups_are_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class Group:
        gr_name = "gpio"

    monkeypatch.setattr("grp.getgrall", lambda: [Group])
    words = ("--system", "--as-user", "nobody", "--dry-run", "--pin", "17")
    found = settings_of(run(install.command, *words).output)["Service"]
    assert found["SupplementaryGroups"] == "gpio"
    monkeypatch.setattr("grp.getgrall", list)
    assert "SupplementaryGroups" not in run(install.command, *words).output
