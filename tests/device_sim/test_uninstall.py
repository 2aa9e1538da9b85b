"""`iot-button device uninstall`: it removes what was installed, and keeps what was pressed."""

from pathlib import Path

import pytest

from tests.device_sim.unit_text import Shell


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return Shell(tmp_path, monkeypatch, capsys)


@pytest.fixture
def door(shell: Shell) -> Path:
    """An installed button."""
    return _install(shell, "DOOR")


def _install(shell: Shell, serial: str) -> Path:
    shell.run("install", "--no-start", "--pin", "17", "--serial", serial)
    path = shell.units / f"iot-button-{serial}.service"
    assert path.exists()
    return path


@pytest.mark.parametrize(
    "arguments",
    [[], ["--serial", "DOOR"], ["DOOR"], ["iot-button-DOOR"], ["iot-button-DOOR.service"]],
)
def test_a_button_is_stopped_and_its_unit_removed(
    shell: Shell, door: Path, arguments: list[str]
) -> None:
    text = shell.run("uninstall", *arguments).said
    assert not door.exists()
    assert shell.systemctl.calls == [
        "--user disable --now iot-button-DOOR.service",
        "--user daemon-reload",
    ]
    assert f"removed {door}" in text


def test_its_clicks_are_kept_and_the_place_is_named(shell: Shell, door: Path) -> None:
    outbox = shell.state / "device" / "DOOR.db"
    outbox.parent.mkdir()
    outbox.write_bytes(b"clicks")
    assert str(shell.state) in shell.run("uninstall").said
    assert not door.exists()
    assert outbox.read_bytes() == b"clicks"


def test_of_several_one_must_be_named(shell: Shell, door: Path) -> None:
    hall = _install(shell, "HALL")
    text = shell.run("uninstall", status=1).said
    assert "several buttons are installed" in text
    assert "iot-button-DOOR, iot-button-HALL" in text
    shell.run("uninstall", "HALL")
    assert door.exists()
    assert not hall.exists()


def test_one_that_is_not_there_is_told_with_those_that_are(shell: Shell, door: Path) -> None:
    text = shell.run("uninstall", "--serial", "HALL", status=1).said
    assert "there is no unit 'HALL'" in text
    assert "iot-button-DOOR" in text
    assert door.exists()


def test_where_none_is_installed_the_folder_is_named(shell: Shell) -> None:
    text = shell.run("uninstall", status=1).said
    assert f"no button is installed in {shell.units}" in text
    assert "--system" in text


def test_a_name_and_a_serial_number_are_one_too_many(shell: Shell) -> None:
    assert "not both" in shell.run("uninstall", "DOOR", "--serial", "DOOR", status=2).said


def test_a_unit_of_another_is_not_removed(shell: Shell) -> None:
    shell.units.mkdir(parents=True)
    theirs = shell.units / "iot-button-DOOR.service"
    theirs.write_text("[Service]\nExecStart=/bin/true\n")
    shell.run("uninstall", "DOOR", status=1)
    assert theirs.exists()


def test_a_unit_that_cannot_be_stopped_stays(shell: Shell, door: Path) -> None:
    text = shell.run("uninstall", fails="disable", status=1).said
    assert "disable --now iot-button-DOOR.service failed: Job failed." in text
    assert door.exists()


def test_without_a_running_systemd_also_the_link_that_starts_it_is_removed(
    shell: Shell, door: Path
) -> None:
    wants = shell.units / "default.target.wants"
    wants.mkdir()
    (wants / door.name).symlink_to(door)
    shell.run("uninstall", fails="show")
    assert shell.systemctl.calls == []
    assert not door.exists()
    assert list(wants.iterdir()) == []


def test_a_unit_that_was_changed_by_hand_can_be_removed(shell: Shell, door: Path) -> None:
    first = door.read_text().splitlines()[0]
    door.write_text(f"{first}\nthis is no setting\n[Service]\n")
    shell.run("uninstall")
    assert not door.exists()
