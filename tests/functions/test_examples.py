"""The examples, and what the pages show: every manifest loads, every command parses."""

import ast
import re
import shlex
import sys
import tomllib
from pathlib import Path

import click
import msgspec
import pytest

from functions.runtime.manifest import Manifest, load
from functions.runtime.rules import compile_rule
from functions.runtime.schedules import parse
from iot_button.cli import root
from iot_button.settings import FunctionsSettings

PROJECT = Path(__file__).parents[2]
EXAMPLES = PROJECT / "examples"
GUIDE = (PROJECT / "docs" / "functions.md").read_text()
PAGES = [
    path.read_text()
    for pattern in ("README.md", "docs/*.md", "examples/*/README.md")
    for path in sorted(PROJECT.glob(pattern))
]
FUNCTION_EXAMPLES = ("talk-2017", "sam")
BOARD_EXAMPLES = ("arduino", "micropython")
"""Tested in tests/device_sim/test_microcontrollers.py."""


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def check(manifest: Manifest) -> None:
    """Let the rules and schedules of a manifest be read as well."""
    for function in manifest.functions:
        for rule in function.rules:
            compile_rule(rule.sql)
        for schedule in function.schedules:
            parse(schedule.expression)


def commands(*pages: str) -> list[str]:
    """Return every `iot-button ...` that stands in a shell block, comments left out."""
    found = []
    for page in pages:
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                before_pipe = line.split(" | ")[0].split("  #")[0].strip()
                before_pipe = before_pipe.removeprefix(".venv/bin/")
                if before_pipe.startswith("iot-button "):
                    found.append(before_pipe)
    return found


# The examples.


@pytest.mark.parametrize("name", FUNCTION_EXAMPLES)
def test_an_example_loads_with_its_rule(name: str) -> None:
    manifest = load(EXAMPLES / name)
    (function,) = manifest.functions
    assert [rule.sql for rule in function.rules] == ["SELECT * FROM 'iotbutton/+'"]
    check(manifest)


def test_there_is_no_example_that_nobody_tests() -> None:
    found = {path.name for path in EXAMPLES.iterdir()}
    assert found == {*FUNCTION_EXAMPLES, *BOARD_EXAMPLES, "proxy"}


@pytest.mark.parametrize(
    "path",
    [path for name in FUNCTION_EXAMPLES for path in sorted((EXAMPLES / name).rglob("*.py"))],
    ids=lambda path: path.name,
)
def test_an_example_needs_the_standard_library_and_boto3_alone(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
    assert "boto3" in imported
    assert imported - {"boto3"} <= sys.stdlib_module_names


# The guide.


@pytest.mark.parametrize("text", blocks(GUIDE, "yaml"))
def test_a_manifest_of_the_guide_loads_beside_its_handlers(text: str, tmp_path: Path) -> None:
    for name in ("alarm", "jobs"):
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "manifest.yaml").write_text(text)
    check(load(tmp_path / "manifest.yaml"))


@pytest.mark.parametrize("text", blocks(GUIDE, "python"))
def test_python_of_the_guide_compiles(text: str) -> None:
    compile(text, "docs/functions.md", "exec")


def test_the_handlers_of_the_guide_are_those_of_its_manifests() -> None:
    named = set(re.findall(r"handler: \w+\.(\w+)", GUIDE))
    defined = set(re.findall(r"^def (\w+)\(event, context\)", GUIDE, re.MULTILINE))
    assert named == defined


def test_settings_of_the_guide_are_the_defaults_and_all_there_are() -> None:
    (text,) = blocks(GUIDE, "toml")
    shown = tomllib.loads(text)["functions"]
    assert msgspec.convert(shown, FunctionsSettings) == FunctionsSettings()
    unset = set(re.findall(r"^# (\w+) = ", text, re.MULTILINE))
    fields = {field.name for field in msgspec.structs.fields(FunctionsSettings)}
    assert shown.keys() | unset == fields


@pytest.mark.parametrize("line", sorted(set(commands(*PAGES))))
def test_a_command_that_the_pages_show_is_one(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the commands' files are
    for file in ("click.json", "event.json"):
        Path(file).write_text("{}")
    words = shlex.split(line)[1:]
    command: click.Command = root
    context = root.make_context("iot-button", words)
    while isinstance(command, click.Group) and (words := command_line(context)):
        name, found, rest = command.resolve_command(context, words)
        assert found is not None
        command, context = found, found.make_context(str(name), rest, parent=context)


def command_line(context: click.Context) -> list[str]:
    """Return what a group has left for its subcommand."""
    return [*context._protected_args, *context.args]  # noqa: SLF001 - click offers no other way


def test_the_guide_can_be_copied_and_run_as_it_is(tmp_path: Path) -> None:
    """The first handler and the first manifest belong together."""
    (tmp_path / "alarm.py").write_text(blocks(GUIDE, "python")[0])
    (tmp_path / "serverless.yml").write_text(blocks(GUIDE, "yaml")[0])
    (function,) = load(tmp_path).functions
    assert (function.name, function.handler) == ("alarm", "alarm.lambda_handler")
