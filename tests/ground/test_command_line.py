import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from iot_button.cli import COMMANDS
from iot_button.errors import (
    BrokerUnreachableError,
    IotButtonError,
    NotAClickError,
    PortTakenError,
    SettingError,
    StopTimeoutError,
)
from tests.support import DEADLINE, run

HEAVY = ("paho", "flask", "amqtt", "asyncio", "msgspec", "device_sim", "broker", "functions")


def run_python(
    program: str, environment: dict[str, str], directory: Path
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        cwd=directory,
        timeout=DEADLINE,
    )


def test_help_lists_every_command_on_standard_output(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = run("--help", environment=environment, directory=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for name, (_module, line) in COMMANDS.items():
        assert any(row.split() == [name, *line.split()] for row in done.stdout.splitlines()), name


def test_help_imports_no_part_and_nothing_heavy(
    environment: dict[str, str], tmp_path: Path
) -> None:
    program = (
        "import sys; from iot_button import cli; sys.argv = ['iot-button', '--help']\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "print('MODULES', *sys.modules)"
    )
    done = run_python(program, environment, tmp_path)
    modules = set(done.stdout.partition("MODULES")[2].split())
    assert "iot_button.cli" in modules
    assert not modules & set(HEAVY)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_says_what_it_does(
    name: str, environment: dict[str, str], tmp_path: Path
) -> None:
    done = run(name, "--help", environment=environment, directory=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert name in done.stdout.splitlines()[0]
    assert "--help" in done.stdout


def test_the_version_is_the_distributions(environment: dict[str, str], tmp_path: Path) -> None:
    done = run("--version", environment=environment, directory=tmp_path)
    assert done.returncode == 0
    assert version("iot-button") in done.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], []])
def test_wrong_usage_exits_with_2_and_words(
    arguments: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    done = run(*arguments, environment=environment, directory=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr
    assert all(argument in done.stderr for argument in arguments)


def test_a_bad_setting_exits_with_2_and_names_it_without_a_trace(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment["IOT_BUTTON_BROKER_PORT"] = "many"
    done = run("tail", environment=environment, directory=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("iot-button: IOT_BUTTON_BROKER_PORT: broker.port = 'many'")
    assert "Traceback" not in done.stderr


def in_a_command(body: str) -> str:
    """Return a program whose one subcommand does something, run through our own main()."""
    return (
        "import sys, types, click\n"
        "from iot_button import cli, errors\n"
        f"@click.command()\n@click.pass_context\ndef command(context):\n    {body}\n"
        "module = types.ModuleType('of_this_test'); module.command = command\n"
        "sys.modules['of_this_test'] = module\n"
        "cli.COMMANDS['ours'] = ('of_this_test', '')\n"
        "sys.argv = ['iot-button', 'ours']\n"
        "cli.main()"
    )


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("pass", 0, ""),
        ("context.exit(3)", 3, ""),
        ("sys.exit(4)", 4, ""),
        ("raise KeyboardInterrupt", 130, ""),
        ("raise click.Abort", 130, ""),
        ("raise errors.IotButtonError('bad', mend='do')", 1, "iot-button: bad\n  do\n"),
        ("raise errors.SettingError('a.b', 'bad')", 2, "iot-button: bad\n"),
        (
            "raise errors.PortTakenError('::1', 5, setting='a.port', mend='do')",
            1,
            "iot-button: port 5 on ::1 is taken by another program (a.port)\n  do\n",
        ),
        (
            "raise errors.StopTimeoutError('it', 1.5)",
            1,
            "iot-button: it did not stop within 1.5 s\n",
        ),
    ],
)
def test_the_end_of_a_command_becomes_an_exit_status(
    body: str, status: int, words: str, environment: dict[str, str], tmp_path: Path
) -> None:
    done = run_python(in_a_command(body), environment, tmp_path)
    assert (done.returncode, done.stdout, done.stderr.lstrip("\n")) == (status, "", words)


def test_a_reader_of_our_output_that_leaves_is_no_trace(
    environment: dict[str, str], tmp_path: Path
) -> None:
    program = in_a_command("[print('x' * 1000, flush=True) for _ in range(10000)]")
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.read(1)
        child.stdout.close()
        assert child.wait(DEADLINE) == 1
        assert child.stderr.read() == b""


def test_emitted_lines_are_ascii_json_and_messages_stay_apart(
    environment: dict[str, str], tmp_path: Path
) -> None:
    program = (
        "from iot_button.console import emit, say, say_ready\n"
        r"emit({'a': 'ü\x1b[31m\n', 'b': None}); say('hello')"
        "\n"
        "say_ready('broker', mqtt='m', web='w')"
    )
    done = run_python(program, environment, tmp_path)
    assert done.stdout == r'{"a":"\u00fc\u001b[31m\n","b":null}' + "\n"
    assert done.stderr == "hello\nready broker mqtt=m web=w\n"


def test_errors_are_ours_and_pythons_and_carry_their_facts() -> None:
    taken = PortTakenError("::1", 5, setting="broker.port", mend="do")
    unreachable = BrokerUnreachableError("mqtt://h:1", "refused")
    late = StopTimeoutError("it", 2.0)
    no_click = NotAClickError("reason", b"bytes")
    setting = SettingError("a.b", "bad", mend="do")
    assert isinstance(taken, OSError)
    assert isinstance(unreachable, ConnectionError)
    assert isinstance(late, TimeoutError)
    assert isinstance(no_click, ValueError)
    assert isinstance(setting, ValueError)
    assert (taken.host, taken.port, taken.setting) == ("::1", 5, "broker.port")
    assert (unreachable.address, unreachable.reason) == ("mqtt://h:1", "refused")
    assert (late.what, late.timeout) == ("it", 2.0)
    assert (no_click.reason, no_click.payload) == ("reason", b"bytes")
    assert (setting.key, setting.problem, setting.mend) == ("a.b", "bad", "do")
    for error in (taken, unreachable, late, no_click, setting):
        assert isinstance(error, IotButtonError)
        assert str(error).startswith(error.problem)
        assert str(error).endswith(error.mend)
