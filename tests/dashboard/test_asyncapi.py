"""The AsyncAPI document: of these topics, with schemas that hold what is published."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from dashboard.asyncapi import document
from iot_button.events import Click, ClickType, encode_click, utc_now
from iot_button.settings import Settings
from iot_button.topics import Topics
from tests.dashboard.guests import make_app

DOCUMENT = document(Topics("home"))


def references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [str(value["$ref"])] if "$ref" in value else []
        return own + [one for part in value.values() for one in references(part)]
    return [one for part in value for one in references(part)] if isinstance(value, list) else []


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def validator(message: str) -> Any:
    schema = DOCUMENT["components"]["messages"][message]["payload"]
    return jsonschema_rs.Draft202012Validator(schema)


def test_the_topics_are_those_of_the_installation() -> None:
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert addresses == {
        "home/iotbutton/{serialNumber}",
        "home/iotbutton/{serialNumber}/receipt",
        "home/iotbutton/{serialNumber}/status",
        "home/iotprocessed",
        "home/deadletter/{function}",
    }


def test_each_reference_leads_to_something_and_each_message_goes_somewhere() -> None:
    found = references(DOCUMENT)
    assert found
    for reference in found:
        assert resolve(reference)
    used = {one.rpartition("/")[2] for one in found if "/messages/" in one}
    assert used == DOCUMENT["components"]["messages"].keys()


def test_a_click_of_ours_is_one_and_a_broken_one_is_none() -> None:
    click = Click(serial_number="A", click_type=ClickType.LONG, clicked_at=utc_now(), event_id="x")
    schema = validator("click")
    assert schema.is_valid(json.loads(encode_click(click)))
    assert not schema.is_valid({"serialNumber": "A", "clickType": "TRIPLE"})
    assert not schema.is_valid({"serialNumber": "A b", "clickType": "SINGLE"})


@pytest.mark.parametrize("message", DOCUMENT["components"]["messages"])
def test_nothing_is_no_message(message: str) -> None:
    assert not validator(message).is_valid({})


def test_the_page_of_the_api_leads_to_it(tmp_path: Path) -> None:
    visitor = make_app(Settings(state_dir=str(tmp_path))).test_client()
    assert 'href="/api/asyncapi.json"' in visitor.get("/reference").text
    assert visitor.get("/api/asyncapi.json").json == document(Topics())
