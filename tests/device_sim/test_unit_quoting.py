"""Arguments in a unit: read back by our own reading of systemd's rules, and by systemd itself."""

import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.units.quoting import Raw, command_line, path_in_list, specifiers_escaped
from iot_button.errors import IotButtonError
from tests.support import DEADLINE, require_program

PROGRAM = "/opt/a program/python"
NASTY = "ab =;#\\\"'%$${}`~*?&|<>()[]!@:,\t\n\r\x01\x1b\x7f é\u2028🔔"
"""Letters that mean something to systemd, to a shell, or to a terminal."""
_SPACE = " \t\n\r"
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "s": " "}

any_text = st.text(
    st.one_of(st.sampled_from(NASTY), st.characters(exclude_categories=["Cs"])), max_size=20
).filter(lambda text: "\0" not in text)


def words(value: str) -> list[str]:
    """Split and unquote as systemd.syntax(7) says."""
    found = []
    rest = value.strip(_SPACE)
    while rest:
        quote = rest[0] if rest[0] in "\"'" else ""
        stop = quote or _SPACE
        match = re.match(rf"{quote}((?:\\.|[^\\{stop}])*){quote}(?:[{_SPACE}]+|$)", rest, re.DOTALL)
        assert match is not None, f"not well quoted: {rest!r}"
        found.append(unescaped(match[1]))
        rest = rest[match.end() :]
    return found


def unescaped(text: str) -> str:
    def meaning(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "xuU":
            return chr(int(code[1:], 16))
        return chr(int(code, 8)) if code[0].isdigit() else _ESCAPES.get(code, code)

    return re.sub(
        r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[0-7]{3}|.)", meaning, text, flags=re.DOTALL
    )


def expanded(argument: str) -> str:
    """Expand specifiers and variables; nothing but escaped ones may be there."""
    assert not re.search(r"%(?!%)", argument.replace("%%", "")), argument
    assert "$" not in argument.replace("$$", ""), argument
    return argument.replace("%%", "%").replace("$$", "$")


@settings(deadline=None)
@given(st.lists(any_text, max_size=5))
def test_arguments_come_back_by_the_rules_of_systemd(arguments: list[str]) -> None:
    line = command_line(PROGRAM, arguments)
    assert "\n" not in line
    assert not line.endswith("\\")
    program, *read = words(line)
    assert program == PROGRAM
    assert [expanded(argument) for argument in read] == arguments


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user can read: systemd shows what it has read to no root."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


def read_by_systemd(folder: Path, lines: list[str]) -> list[list[str]]:
    """Return the commands that systemd's own user manager reads, one for each line."""
    for number, line in enumerate(lines):
        (folder / f"t{number}.service").write_text(f"[Service]\nExecStart={line}\n")
    wants = "\n".join(f"Wants=t{number}.service" for number in range(len(lines)))
    (folder / "all.target").write_text(f"[Unit]\n{wants}\n")
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o777)
    runtime.chmod(0o777)
    nobody = 65534 if os.geteuid() == 0 else None
    result = subprocess.run(
        ["/lib/systemd/systemd", "--user", "--test", "--unit=all.target"],
        env={
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(runtime),
            "SYSTEMD_UNIT_PATH": str(folder),
            "LC_ALL": "C.UTF-8",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=4 * DEADLINE,
        user=nobody,
        group=nobody,
        extra_groups=[] if nobody else None,
    )
    assert result.returncode == 0, result.stderr
    units = re.split(r"-> Unit ", result.stdout)[1:]
    read: dict[str, list[str]] = {}
    for unit in units:
        command = re.search(r"^\t*Command Line: (.*)$", unit, re.MULTILINE)
        if command is not None:
            read[unit.partition(":")[0]] = words(command[1])
    return [read[f"t{number}.service"] for number in range(len(lines))]


def test_arguments_come_back_from_systemd_itself(reachable: Path) -> None:
    require_program("systemd-analyze", "systemd")
    program = shutil.which("true") or "/bin/true"
    rng = random.Random(4)
    lists = [
        ["".join(rng.choices(NASTY, k=rng.randint(0, 8))) for _ in range(rng.randint(1, 4))]
        for _ in range(300)
    ]
    read = read_by_systemd(reachable, [command_line(program, each) for each in lists])
    # Variables are expanded later, when the program is started.
    assert [[word.replace("$$", "$") for word in line[1:]] for line in read] == lists


def test_words_for_systemd_to_expand_are_left_as_they_are() -> None:
    line = command_line("/bin/x", ["--state-dir", Raw("%S/a"), Raw("${CREDENTIALS_DIRECTORY}/b")])
    assert line == "/bin/x --state-dir %S/a ${CREDENTIALS_DIRECTORY}/b"


def test_the_program_itself_knows_no_variables() -> None:
    assert command_line("/opt/$x 100%/p", []) == '"/opt/$x 100%%/p"'


@pytest.mark.parametrize("program", ["python", "./python", "/opt/a\nb"])
def test_a_program_that_systemd_cannot_name_is_refused(program: str) -> None:
    with pytest.raises(IotButtonError, match="cannot start a program"):
        command_line(program, [])


@pytest.mark.parametrize("argument", ["a\0b", os.fsdecode(b"\xff")])
def test_an_argument_that_is_no_text_is_refused(argument: str) -> None:
    with pytest.raises(IotButtonError, match="no text"):
        command_line("/bin/x", [argument])


def test_paths_outside_of_commands_keep_their_percents_quotes_and_backslashes() -> None:
    assert specifiers_escaped("/a b/100%") == "/a b/100%%"
    assert path_in_list('/a "b"/c\\d%') == '"/a \\"b\\"/c\\\\d%%"'
    for refused in (specifiers_escaped, path_in_list):
        with pytest.raises(IotButtonError, match="cannot be told"):
            refused("/a\nExecStartPre=/bin/evil")
