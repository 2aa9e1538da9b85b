"""`iot-button rule test`, as a person runs it."""

import json
import os
from pathlib import Path

import pytest

from tests import support

SQL = "SELECT clickType, topic(2) AS serial FROM 'iotbutton/+' WHERE clickType <> 'LONG'"
CLICK = '{"clickType": "SINGLE"}'


def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    done = support.run("rule", "test", *arguments, environment=os.environ, given=stdin)
    return done.returncode, done.stdout, done.stderr


def test_the_event_is_one_json_line() -> None:
    status, printed, said = run("--sql", SQL, "--topic", "iotbutton/B-1", "--payload", CLICK)
    assert (status, said) == (0, "")
    assert printed == '{"clickType":"SINGLE","serial":"B-1"}\n'


def test_an_event_of_any_kind_is_printed() -> None:
    sql = "SELECT VALUE [clientid(), 'é\x1b'] FROM '#'"
    assert run("--sql", sql, "--client-id", "me")[1] == '["me","\\u00e9\\u001b"]\n'


def test_the_payload_comes_from_a_file_or_from_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "click.json"
    file.write_text(CLICK)
    for arguments, stdin in (
        (("--payload-file", str(file)), b""),
        (("--payload-file", "-"), CLICK.encode()),
        (("--payload", "-"), CLICK.encode()),
    ):
        status, printed, _said = run("--sql", SQL, *arguments, stdin=stdin)
        assert (status, json.loads(printed)["clickType"]) == (0, "SINGLE")


def test_a_payload_of_any_bytes_can_be_encoded() -> None:
    sql = "SELECT encode(*, 'base64') AS data FROM '#'"
    assert run("--sql", sql, "--payload", "-", stdin=b"\xff\x00")[1] == '{"data":"/wA="}\n'


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--topic", "other/B-1", "--payload", CLICK), "FROM 'iotbutton/+' does not match"),
        (("--payload", '{"clickType": "LONG"}'), "WHERE is not true"),
        (("--payload", "{}"), "WHERE is not true"),
    ],
)
def test_a_message_that_the_rule_does_not_take(arguments: tuple[str, ...], says: str) -> None:
    status, printed, said = run("--sql", SQL, *arguments)
    assert (status, printed) == (1, "")
    assert says in said
    assert said.count("\n") == 1


def test_a_payload_that_the_rule_cannot_read() -> None:
    status, printed, said = run("--sql", SQL, "--payload", "{oops")
    assert (status, printed) == (1, "")
    assert "the rule cannot read the payload: JSON is malformed" in said


def test_a_wrong_rule_is_shown_with_a_caret() -> None:
    status, printed, said = run("--sql", "SELECT * FROM 'a' WHERE b LIKE 'c'")
    assert (status, printed) == (2, "")
    _reason, line, caret, mend = said.splitlines()
    assert caret.index("^") == line.index("LIKE")
    assert "startswith()" in mend


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--sql", SQL, "--topic", "a/+"),
        ("--sql", SQL, "--payload", "1", "--payload-file", "-"),
        ("--sql", SQL, "--payload-file", "/nowhere/at/all"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


def test_the_help_has_an_example() -> None:
    status, printed, _said = run("--help")
    assert status == 0
    assert "iot-button rule test --topic" in printed
