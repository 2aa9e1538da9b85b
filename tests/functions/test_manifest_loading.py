"""Which file is read, that both kinds say the same, and what comes with the project."""

import dataclasses
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.handlers import current_time, enrich
from functions.runtime.manifest import FunctionSpec, ManifestError, load
from functions.runtime.manifest.fields import Field
from functions.runtime.manifest.model import HttpRoute
from functions.runtime.manifest.nodes import read
from functions.runtime.manifest.scope import Scope
from tests.functions.manifest_support import MANIFESTS, SAM, SERVERLESS, write


def without_places(value: Any) -> Any:
    """Return a record as plain values, without where it was written and where its code lies."""
    if isinstance(value, tuple):
        return [without_places(each) for each in value]
    if not dataclasses.is_dataclass(value):
        return value
    return {
        field.name: without_places(getattr(value, field.name))
        for field in dataclasses.fields(value)
        if field.name not in ("place", "root")
    }


def test_both_kinds_of_manifest_give_the_same_functions() -> None:
    by_serverless = load(MANIFESTS / "full_serverless", environ={})
    by_sam = load(MANIFESTS / "full_sam", environ={"AWS_REGION": "eu-west-1"})
    assert without_places(by_serverless.functions) == without_places(by_sam.functions)
    assert by_serverless.region == by_sam.region == "eu-west-1"


def test_every_key_arrives_in_the_function() -> None:
    manifest = load(MANIFESTS / "full_serverless", environ={})
    assert (manifest.service, manifest.stage) == ("full", "dev")
    clicks, nightly = manifest.functions
    place = {field: getattr(clicks, field) for field in ("place", "rules", "routes", "root")}
    expected = FunctionSpec(
        name="on-click",
        handler="handler.run",
        description="Takes clicks",
        timeout=30.0,
        memory_megabytes=512,
        environment={
            "SHARED": "everywhere",
            "LEVEL": "debug",
            "RETRIES": "3",
            "EMPTY": "",
            "ENABLED": "true",
            "STACK": "full-dev",
            "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/000000000000/failed-clicks-dev",
        },
        reserved_concurrency=5,
        retries=1,
        event_age=3600.0,
        on_success="done/clicks",
        on_failure="failed-clicks-dev",
        dead_letter_topic="dead-clicks",
        publish_result_to="results/clicks",
        **place,
    )
    assert clicks == expected
    assert [rule.sql for rule in clicks.rules] == [
        "SELECT * FROM 'iotbutton/+'",
        "SELECT clickType FROM 'other/#' WHERE clickType = 'LONG'",
    ]
    assert [(route.form, route.method, route.path) for route in clicks.routes] == [
        ("1.0", "POST", "/clicks/{serial}"),
        ("2.0", "ANY", "/files/{name+}"),
        ("2.0", "ANY", "$default"),
    ]
    assert (nightly.timeout, nightly.memory_megabytes) == (10.0, 256)
    assert [(each.expression, each.enabled, each.source) for each in nightly.schedules] == [
        ("cron(0 3 * * ? *)", False, "aws.events"),
        ("rate(5 minutes)", True, "aws.scheduler"),
        ("rate(1 hour)", True, "aws.events"),
    ]
    assert nightly.schedules[0].name == "at-three"
    assert nightly.schedules[0].input == {"deep": {"list": [1, 2.5, None, True]}}


def test_the_stage_can_be_chosen_from_outside() -> None:
    manifest = load(MANIFESTS / "full_serverless", options={"stage": "prod"}, environ={})
    assert manifest.stage == "prod"
    assert manifest.functions[0].on_failure == "failed-clicks-prod"


def test_a_rule_is_placed_at_its_sql() -> None:
    file = MANIFESTS / "full_serverless" / "serverless.yml"
    rule = load(file, environ={}).functions[0].rules[0]
    line = file.read_text().splitlines()[rule.place.line - 1]
    assert line[rule.place.column - 1 :].startswith('"SELECT *')


def test_the_manifest_of_the_talk_loads() -> None:
    current, enriching = load(MANIFESTS / "talk_2017", environ={}).functions
    (route,) = current.routes
    assert route == HttpRoute(method="GET", path="/ping", form="1.0", place=route.place)
    assert (enriching.timeout, enriching.memory_megabytes) == (6.0, 1024), "the framework's own"
    assert enriching.rules[0].sql == "SELECT * FROM 'iotbutton/+'"


def test_the_manifest_that_comes_along_loads() -> None:
    assert enrich.__file__ is not None
    manifest = load(Path(enrich.__file__).parent, environ={})
    ours, foreign, current = manifest.functions
    assert manifest.service == "iot-button"
    assert (ours.name, ours.handler) == ("enrich", "enrich.lambda_handler")
    assert (ours.timeout, ours.memory_megabytes) == (3.0, 128)
    assert ours.publish_result_to == "iotprocessed"
    assert [rule.sql for rule in ours.rules] == ["SELECT * FROM 'iotbutton/+'"]
    assert (foreign.name, foreign.publish_result_to) == ("normalize", "iotbutton/{serialNumber}")
    assert (current.name, current.handler) == ("currentTime", "current_time.lambda_handler")
    assert [(route.method, route.path) for route in current.routes] == [("GET", "/ping")]


def test_current_time_answers_a_request_with_the_time() -> None:
    answer = current_time.lambda_handler({"httpMethod": "GET", "path": "/ping"}, None)
    assert answer["statusCode"] == 200
    assert answer["headers"] == {"Content-Type": "application/json"}
    message = json.loads(answer["body"])["message"]
    assert re.fullmatch(r"Hello, the current time is \d\d:\d\d:\d\d\.\d{3} UTC", message)


@pytest.mark.parametrize("name", ["serverless.yml", "serverless.yaml"])
def test_a_folder_is_searched_for_a_serverless_yml(tmp_path: Path, name: str) -> None:
    assert load(write(tmp_path, SERVERLESS, name).parent, environ={}).service == "home"


@pytest.mark.parametrize("name", ["template.yaml", "template.yml"])
def test_a_folder_is_searched_for_a_template(tmp_path: Path, name: str) -> None:
    manifest = load(write(tmp_path, SAM, name).parent, environ={})
    assert manifest.service == tmp_path.name
    assert (manifest.functions[0].timeout, manifest.functions[0].memory_megabytes) == (3.0, 128)


@pytest.mark.parametrize(("text", "name"), [(SERVERLESS, "f"), (SAM, "F")])
def test_a_file_of_any_name_is_known_by_what_it_says(tmp_path: Path, text: str, name: str) -> None:
    assert load(write(tmp_path, text, "home.yml"), environ={}).functions[0].name == name


def test_the_code_lies_beside_the_file_wherever_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, SERVERLESS)
    monkeypatch.chdir(tmp_path)
    manifest = load(Path("serverless.yml"), environ={})
    assert manifest.functions[0].root == tmp_path.resolve()
    assert str(manifest.file) == "serverless.yml", "errors show the path as it was given"


def test_the_environment_of_this_process_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    assert load(write(tmp_path, SAM, "template.yaml")).region == "ap-south-1"


def test_a_folder_with_both_kinds_must_be_told_which(tmp_path: Path) -> None:
    write(tmp_path, SERVERLESS)
    write(tmp_path, SAM, "template.yaml")
    with pytest.raises(ManifestError, match=r"serverless\.yml and template\.yaml") as caught:
        load(tmp_path)
    assert "--manifest" in caught.value.mend
    assert (caught.value.line, caught.value.column, caught.value.file) == (None, None, tmp_path)


def test_a_folder_with_none_is_told_what_a_manifest_is_called(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no manifest") as caught:
        load(tmp_path)
    assert "serverless.yml" in caught.value.mend
    assert "template.yaml" in caught.value.mend


@pytest.mark.parametrize("function", ["lambda_handler", "handler"])
def test_a_folder_with_one_handler_alone_is_shown_the_manifest_that_it_lacks(
    tmp_path: Path, function: str
) -> None:
    (tmp_path / "press.py").write_text(f"import json\n\ndef {function}(event, context): ...\n")
    (tmp_path / "helper.py").write_text("def help_me(): ...\n")
    with pytest.raises(ManifestError) as caught:
        load(tmp_path)
    first, _, example = caught.value.mend.partition("\n\n")
    assert first == f"write this into {tmp_path / 'serverless.yml'}:"
    (tmp_path / "serverless.yml").write_text(example)
    (only,) = load(tmp_path, environ={}).functions
    assert (only.name, only.handler) == ("press", f"press.{function}")
    assert len(only.rules) == 1


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
        st.sampled_from(
            ["\0", "x" * 5000, "a.b", "${self:}", "${self:custom}", "${", "AWS::Region"]
        ),
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["Ref", "Fn::Sub", "Fn::GetAtt", "Fn::Join", "Type", "iot", "x"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=4,
)


def with_one_value_replaced(data: st.DataObject, value: Any) -> Any:
    """Return a copy with something else in one place, found by chance."""
    if not isinstance(value, dict | list) or not value or data.draw(st.integers(0, 5)) == 0:
        return data.draw(VALUES)
    if isinstance(value, list):
        index = data.draw(st.integers(0, len(value) - 1))
        return [*value[:index], with_one_value_replaced(data, value[index]), *value[index + 1 :]]
    key = data.draw(st.sampled_from(sorted(value)))
    return value | {key: with_one_value_replaced(data, value[key])}


@pytest.mark.parametrize("name", ["full_serverless/serverless.yml", "full_sam/template.yaml"])
@settings(deadline=None)  # files are copied: slow on a busy machine
@given(data=st.data())
def test_a_manifest_with_anything_wrong_is_a_manifest_error(name: str, data: st.DataObject) -> None:
    path = MANIFESTS / name
    whole = Field(read(path), "", Scope()).plain()
    broken = json.dumps(with_one_value_replaced(data, whole), ensure_ascii=False)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(path.parent, folder, dirs_exist_ok=True)
        file = Path(folder) / path.name
        file.write_text(broken, encoding="utf-8", errors="surrogatepass")
        try:
            manifest = load(file, environ={})
        except ManifestError as error:
            assert error.file == file  # noqa: PT017  either outcome is right, and both are checked
        else:
            assert all(isinstance(each, FunctionSpec) for each in manifest.functions)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_path_that_no_file_can_have_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        load(tmp_path / name)


def test_a_pipe_is_refused_before_anyone_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    for path in (tmp_path / "pipe.yml", Path(os.devnull)):
        with pytest.raises(ManifestError, match="neither a file nor a folder"):
            load(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"nowhere.yml: cannot be read: No such file") as caught:
        load(tmp_path / "nowhere.yml")
    assert "a SAM template, or a folder with one" in caught.value.mend
    assert caught.value.exit_status == 2
