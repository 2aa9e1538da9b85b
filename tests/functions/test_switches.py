"""What people have throttled and paused outlives the runtime."""

from pathlib import Path

import pytest

from functions.runtime.switches import Switch, Switches
from iot_button.errors import IotButtonError


def loaded(path: Path) -> Switches:
    switches = Switches(path)
    switches.load()
    return switches


def test_a_function_that_nobody_touched_has_the_manifests(tmp_path: Path) -> None:
    assert loaded(tmp_path / "none.json").of("mine") == Switch(concurrency=None, is_paused=False)


def test_switches_are_there_again_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "switches.json"
    switches = loaded(path)
    switches.set("one", Switch(concurrency=0))
    switches.set("two", Switch(is_paused=True))
    again = loaded(path)
    assert again.of("one") == Switch(concurrency=0)
    assert again.of("two") == Switch(is_paused=True)
    assert list(tmp_path.iterdir()) == [path]


def test_one_that_is_set_back_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "switches.json"
    switches = loaded(path)
    switches.set("one", Switch(concurrency=3))
    switches.set("one", Switch())
    assert path.read_text() == "{}"


@pytest.mark.parametrize(
    "content",
    [
        *("{", "[]", '{"a": {"no": 1}}', '{"a": 1}', "\0", "[" * 100_000),
        *('{"a": {"concurrency": "1"}}', '{"a": {"concurrency": -1}}', '{"a": {"is_paused": 1}}'),
        '{"a": {"concurrency": true}}',
    ],
)
def test_a_file_that_is_none_of_ours_is_an_error_that_says_what_to_do(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "switches.json"
    path.write_text(content)
    with pytest.raises(IotButtonError) as caught:
        Switches(path).load()
    assert caught.value.problem == f"{path} is not of the form that we write"
    assert "remove it" in caught.value.mend


def test_a_file_that_cannot_be_read_is_told_apart_from_one_of_another_form(tmp_path: Path) -> None:
    with pytest.raises(IotButtonError, match="cannot be read: Is a directory"):
        Switches(tmp_path).load()
