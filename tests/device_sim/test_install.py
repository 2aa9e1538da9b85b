"""`iot-button device install`: what it writes, what it tells systemd, and what it refuses."""

import errno
import os
import signal
import subprocess
from pathlib import Path

import pytest

from device_sim.units.order import DRIVERS
from device_sim.units.unit import MARK
from tests.conftest import Start
from tests.device_sim.test_unit_quoting import expanded, words
from tests.device_sim.unit_text import Shell, settings_of
from tests.support import require_program

PASSWORD = "a-secret-of-mine"


DOOR = ("--pin", "17", "--serial", "DOOR")


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return Shell(tmp_path, monkeypatch, capsys)


def command_of(path: Path) -> list[str]:
    """Return the command that a unit starts, but for the interpreter."""
    line = settings_of(path.read_text())["Service"]["ExecStart"]
    python, *arguments = [expanded(word) for word in words(line)]
    assert Path(python).is_absolute()
    assert arguments[:3] == ["-m", "iot_button", "device"]
    return arguments[3:]


def test_a_unit_of_the_user_is_written_and_started(shell: Shell, tmp_path: Path) -> None:
    text = shell.run("install", *DOOR).said
    unit = shell.units / "iot-button-DOOR.service"
    state = tmp_path / ".local" / "state" / "iot-button"
    assert command_of(unit) == ["gpio", "--pin=17", "--serial=DOOR", "--state-dir", str(state)]
    assert shell.systemctl.calls == [
        "--user daemon-reload",
        "--user enable iot-button-DOOR",
        "--user restart iot-button-DOOR",
    ]
    assert f"wrote {unit}" in text
    assert "journalctl --user -u iot-button-DOOR -f" in text
    assert "loginctl enable-linger" in text
    assert state.stat().st_mode & 0o777 == 0o700
    assert unit.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in shell.units.iterdir()] == [unit.name]


def test_the_unit_has_few_rights_and_comes_again(shell: Shell) -> None:
    shell.run("install", *DOOR)
    text = (shell.units / "iot-button-DOOR.service").read_text()
    assert text.startswith(MARK + "\n")
    sections = settings_of(text)
    service = sections["Service"]
    assert service["NoNewPrivileges"] == service["MemoryDenyWriteExecute"] == "yes"
    assert service["SystemCallFilter"] == "@system-service"
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("always", "2")
    assert sections["Unit"]["StartLimitIntervalSec"] == "0"
    assert sections["Install"]["WantedBy"] == "default.target"


def test_what_the_unit_starts_is_a_button(shell: Shell, start: Start) -> None:
    name = 'the "front" $DOOR 100% \\o/'
    shell.run("install", *DOOR, "--name", name)
    command = command_of(shell.units / "iot-button-DOOR.service")
    assert f"--name={name}" in command
    program = start("device", *command, GPIOZERO_PIN_FACTORY="mock")
    program.wait_for("^ready device serial=DOOR driver=gpio17")
    program.send(signal.SIGTERM)
    assert program.end() == 0


@pytest.mark.parametrize(
    ("arguments", "name", "options"),
    [
        (["gpio", "--pin", "17"], "gpio-17", ["--pin=17"]),
        (["--pin", "GPIO17", "--pin=BOARD11"], "gpio-BOARD11", ["--pin=BOARD11"]),
        (
            ["serial", "-v", "--port", "/dev/ttyACM0", "--no-extended"],
            "serial-dev-ttyACM0",
            ["--port=/dev/ttyACM0", "--no-extended", "--verbose"],
        ),
        (["serial"], "serial", []),
        (
            ["evdev", "--key=KEY_A", "--input", "AB Shutter3", "--key", "KEY_B"],
            "evdev-AB-Shutter3",
            ["--input=AB Shutter3", "--key=KEY_A", "--key=KEY_B"],
        ),
        (["serial", "--broker", "mqtt://h"], "serial", ["--broker=mqtt://h"]),
        (
            ["--hold-time", "2", "--pin", "4", "--serial=A_B-c"],
            "A_B-c",
            ["--pin=4", "--serial=A_B-c", "--hold-time=2"],
        ),
    ],
)
def test_options_are_those_of_the_driver_in_one_form(
    shell: Shell, arguments: list[str], name: str, options: list[str]
) -> None:
    shell.run("install", "--no-start", *arguments)
    driver, *rest = command_of(shell.units / f"iot-button-{name}.service")
    assert driver == (arguments[0] if arguments[0] in DRIVERS else "gpio")
    assert rest[: len(options)] == options
    assert rest[len(options)] == "--state-dir"


def test_options_of_install_may_stand_anywhere(shell: Shell) -> None:
    text = shell.run("install", "--pin", "17", "--no-start", "--serial", "DOOR").said
    assert (shell.units / "iot-button-DOOR.service").exists()
    assert shell.systemctl.calls == []
    assert "systemctl --user enable iot-button-DOOR" in text


def test_a_dry_run_prints_the_unit_and_does_nothing(shell: Shell) -> None:
    ran = shell.run("install", *DOOR, "--dry-run")
    assert ran.said == ""
    assert ran.printed.startswith(f"{MARK}\n")
    assert settings_of(ran.printed)["X-IotButton"]["Label"] == "DOOR"
    assert not shell.units.exists()
    assert shell.systemctl.calls == []


def test_an_installed_button_is_installed_anew_with_other_options(shell: Shell) -> None:
    shell.run("install", *DOOR)
    shell.run("install", "--pin", "18", "--serial", "DOOR")
    assert "--pin=18" in command_of(shell.units / "iot-button-DOOR.service")
    assert shell.systemctl.calls[-1] == "--user restart iot-button-DOOR"


def test_without_a_running_systemd_the_commands_are_named(shell: Shell) -> None:
    text = shell.run("install", *DOOR, fails="show").said
    assert (shell.units / "iot-button-DOOR.service").exists()
    assert "no systemd runs here" in text
    assert "systemctl --user daemon-reload && systemctl --user enable iot-button-DOOR" in text
    assert shell.systemctl.calls == []


def test_a_start_that_fails_is_told(shell: Shell) -> None:
    text = shell.run("install", *DOOR, fails="restart", status=1).said
    assert "systemctl --user restart iot-button-DOOR failed: Job failed." in text


@pytest.mark.parametrize("is_link", [False, True])
def test_a_unit_of_another_is_not_touched_unless_forced(
    shell: Shell, tmp_path: Path, is_link: bool
) -> None:
    shell.units.mkdir(parents=True)
    path = shell.units / "iot-button-DOOR.service"
    theirs = tmp_path / "theirs" if is_link else path
    theirs.write_text(f"[Service]\n{MARK}\n")
    if is_link:
        path.symlink_to(theirs)
    text = shell.run("install", *DOOR, status=1).said
    assert "was not written by this command" in text
    assert theirs.read_text() == f"[Service]\n{MARK}\n"
    shell.run("install", *DOOR, "--force")
    assert path.read_text().startswith(MARK)
    assert not path.is_symlink()
    assert theirs.exists()


def test_a_unit_that_cannot_be_written_to_its_end_leaves_the_old_one(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("install", *DOOR)

    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        text = shell.run("install", "--pin", "18", "--serial", "DOOR", status=1).said
    assert "make room on that disk" in text
    assert [path.name for path in shell.units.iterdir()] == ["iot-button-DOOR.service"]
    assert "--pin=17" in command_of(shell.units / "iot-button-DOOR.service")


def test_a_folder_that_cannot_be_written_is_named(shell: Shell) -> None:
    shell.units.parent.mkdir(parents=True)
    shell.units.write_text("no folder")
    assert str(shell.units) in shell.run("install", *DOOR, status=1).said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--pin", "17", "--led-red", "17"], "pin 17 is given to the button and to the red LED"),
        (["--pin", "17", "--colour", "red"], "No such option"),
        (["gpio", "--serial", "DOOR"], "Missing option '--pin'"),
        (["--pin", "17", "--serial", "a/b"], "device.serial_number = 'a/b' is no serial number"),
        (["--pin", "17", "--until-stdin-closes"], "are not for a service"),
        (["--pin", "17", "--record", "edges.txt"], "--record is not for a service"),
        (["evdev", "--input", "AB", "--show"], "are not for a service"),
        (["evdev"], "name the device with --input"),
        (["keyboard"], "'keyboard' is no driver that systemd can start"),
        (["--pin", "17", "--as-user", "nobody"], "--as-user belongs to --system"),
        (["--pin", "17", "--system", "--as-user", "n0b0dy"], "there is no user 'n0b0dy'"),
        (["--pin", "17", "--broker", "mqtt://[::1"], "is no broker's address"),
        ([], "Missing argument"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_written(
    shell: Shell, arguments: list[str], reason: str
) -> None:
    assert reason in shell.run("install", *arguments, status=2).said
    assert not shell.units.exists()


def test_the_usage_of_wrong_options_is_that_of_a_command_there_is(shell: Shell) -> None:
    said = shell.run("install", "gpio", status=2).said
    assert "Usage: iot-button device gpio [OPTIONS]" in said
    assert "Try 'iot-button device gpio --help'" in said


def test_a_password_never_reaches_the_unit(shell: Shell, tmp_path: Path) -> None:
    broker = f"mqtt://me:{PASSWORD}@broker.example"
    text = shell.run("install", *DOOR, "--broker", broker, status=1).said
    assert "--config FILE" in text
    text += shell.run("install", *DOOR, IOT_BUTTON_BROKER_PASSWORD=PASSWORD, status=1).said
    assert "IOT_BUTTON_BROKER_PASSWORD: set here" in text
    config = tmp_path / "mine.toml"
    config.write_text(
        f'[broker]\nuse = "mqtts://broker.example"\nusername = "me"\npassword = "{PASSWORD}"\n'
    )
    config.chmod(0o640)
    text += shell.run("install", *DOOR, "--config", "mine.toml", status=1).said
    assert f"chmod 600 {config}" in text
    assert not shell.units.exists()
    config.chmod(0o600)
    text += shell.run("install", *DOOR, "--config", "mine.toml").said
    unit = shell.units / "iot-button-DOOR.service"
    assert str(config) in command_of(unit)
    assert PASSWORD not in text + unit.read_text()


def test_the_settings_file_of_this_folder_goes_along(shell: Shell, tmp_path: Path) -> None:
    config = tmp_path / "iot-button.toml"
    config.write_text('[device]\nserial_number = "HALL"\n')
    shell.run("install", "--pin", "17")
    command = command_of(shell.units / "iot-button-HALL.service")
    assert command[command.index("--config") + 1] == str(config)


@pytest.mark.parametrize("key", ["ca_file", "certificate_file"])
def test_a_relative_path_in_the_settings_is_refused(shell: Shell, tmp_path: Path, key: str) -> None:
    (tmp_path / "iot-button.toml").write_text(f'[broker]\n{key} = "ca.pem"\n')
    text = shell.run("install", "--pin", "17", status=1).said
    assert f"write {tmp_path / 'ca.pem'}" in text


def test_a_unit_of_root_by_mistake_is_refused(shell: Shell) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root")
    text = shell.run("install", "--pin", "17", SUDO_USER="pi", status=1).said
    assert "leave out sudo, or add --system" in text


@pytest.mark.parametrize("driver", [["--pin", "17"], ["serial"], ["evdev", "--input", "x y"]])
def test_systemd_has_nothing_to_say_against_the_unit(
    shell: Shell, tmp_path: Path, driver: list[str]
) -> None:
    analyze = require_program("systemd-analyze", "systemd")
    name = "100% \"$HOME\" 'x' \\o/ é"
    state = tmp_path / "st ate"
    options = ["--serial", "DOOR", "--name", name, "--state-dir", str(state)]
    shell.run("install", *driver, *options)
    verified = subprocess.run(
        [analyze, "--user", "--man=no", "verify", str(shell.units / "iot-button-DOOR.service")],
        env={"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
