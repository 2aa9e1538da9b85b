import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from device_sim.drivers.base import Presence
from device_sim.home_assistant import Announcement, action_payload, discovery, removal
from device_sim.home_link import HomeLink
from device_sim.moments import Moments
from device_sim.outbox import Outbox
from device_sim.status import OFFLINE, Status, facts
from iot_button.errors import SettingError
from iot_button.events import Click, ClickType
from iot_button.loop import Loop
from iot_button.settings import DeviceSettings, Settings, TopicSettings
from tests.device_sim.home_assistant_schema import (
    DISCOVERY_TOPIC,
    KNOWN_TRIGGER_TYPES,
    STANDARD_BUTTON_EVENTS,
    DeviceTrigger,
    Discovery,
    Event,
    VoltageSensor,
    read_discovery,
    render,
)

SERIAL = "kitchen-1"
ODD_NAMES = [
    "Küche",
    'a "quoted" \\ name',
    "{{ states('lock.door') }}",
    "</script><script>alert(1)</script>",
    "line\nbreak\0nul\x1b[2J",
    "~",
    "🔘" * 200,
]
ANY_CLICKS = [
    (ClickType.SINGLE, 1),
    (ClickType.LONG, 1),
    *((ClickType.DOUBLE, presses) for presses in range(2, 12)),
]


def of(*, prefix: str = "", **device: Any) -> Settings:
    return Settings(
        state_dir="unused", device=DeviceSettings(**device), topics=TopicSettings(prefix=prefix)
    )


def announced(settings: Settings, *, has_battery: bool = False, **more: Any) -> Announcement:
    more = {"driver": "gpio", "firmware": None} | more
    return discovery(settings, SERIAL, has_battery=has_battery, **more)


def final(settings: Settings, **more: Any) -> Discovery:
    """Return the announcement that stays."""
    return read_discovery(announced(settings, **more).payloads[-1])


def click(click_type: ClickType = ClickType.SINGLE, **more: Any) -> Click:
    return Click(serial_number=SERIAL, click_type=click_type, **more)


def action(click_type: ClickType, presses: int) -> dict[str, Any]:
    read: dict[str, Any] = msgspec.json.decode(action_payload(click(click_type), presses))
    return read


def fired(triggers: dict[str, DeviceTrigger], payload: bytes) -> list[str]:
    """Return the type of each trigger that a message on the action topic sets off."""
    return [
        trigger.type
        for trigger in triggers.values()
        if render(trigger.value_template, payload) == trigger.payload
    ]


def event_of(found: Discovery) -> Event:
    assert found.event is not None
    return found.event


def sensor_of(found: Discovery) -> VoltageSensor:
    assert found.sensor is not None
    return found.sensor


def availability(found: Discovery, status: bytes) -> str:
    (only,) = found.availability
    assert isinstance(only.value_template, str)
    rendered = render(only.value_template, status)
    assert rendered in (only.payload_available, only.payload_not_available)
    return rendered


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def status_payload(
    loop: Loop, *, presence: Presence = Presence.ONLINE, battery: int | None = None
) -> bytes:
    """Return what a button of ours publishes as its status."""
    published: list[bytes] = []
    status = Status(
        loop,
        facts=lambda: facts(driver="gpio", firmware=None, battery=battery, waiting=0, given_up=0),
        publish=published.append,
    )
    status.present(presence)
    status.connected()
    return published[-1]


@pytest.mark.parametrize("has_battery", [True, False])
@pytest.mark.parametrize("extended", [True, False])
@pytest.mark.parametrize("prefix", ["", "home", "ünter uns/a b"])
@pytest.mark.parametrize("name", [None, *ODD_NAMES])
def test_every_message_has_only_what_the_documentation_allows(
    name: str | None, prefix: str, extended: bool, has_battery: bool
) -> None:
    settings = of(prefix=prefix, name=name, extended=extended)
    announcement = announced(settings, has_battery=has_battery)
    assert DISCOVERY_TOPIC.fullmatch(announcement.topic)
    for payload in announcement.payloads:
        found = read_discovery(payload)
        assert found.device.name == (name or SERIAL)
        assert (found.sensor is not None) == has_battery


def test_a_name_that_is_no_unicode_is_announced_all_the_same() -> None:
    assert final(of(name="K\udcfcche")).device.name == "K?che"


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.sampled_from(["", "a", "b/c d"]))
@hypothesis_settings(deadline=None)
def test_every_serial_number_gives_a_topic_that_home_assistant_listens_to(
    serial: str, prefix: str
) -> None:
    announcement = discovery(
        of(prefix=prefix), serial, driver="gpio", firmware=None, has_battery=False
    )
    assert DISCOVERY_TOPIC.fullmatch(announcement.topic)
    found = read_discovery(announcement.payloads[-1])
    assert found.device.serial_number == serial
    assert found.availability[0].topic == of(prefix=prefix).topic_names.status(serial)


def test_the_prefix_of_home_assistant_can_be_another() -> None:
    settings = of(home_assistant_prefix="ha/discovery")
    assert announced(settings).topic.startswith("ha/discovery/device/")
    assert removal(settings, SERIAL).topic.startswith("ha/discovery/device/")


@pytest.mark.parametrize("prefix", ["/ha", "ha/", "ha/#", "+", "$SYS"])
def test_a_prefix_that_is_no_topic_name_is_refused_by_name_and_value(prefix: str) -> None:
    with pytest.raises(SettingError, match=re.escape(repr(prefix))) as caught:
        announced(of(home_assistant_prefix=prefix))
    assert caught.value.key == "device.home_assistant_prefix"
    assert caught.value.mend


@pytest.mark.parametrize(("click_type", "presses"), ANY_CLICKS)
def test_each_click_sets_off_its_own_trigger_and_no_other(
    click_type: ClickType, presses: int
) -> None:
    expected = {
        (ClickType.SINGLE, 1): "button_short_press",
        (ClickType.LONG, 1): "button_long_press",
        (ClickType.DOUBLE, 2): "button_double_press",
        (ClickType.DOUBLE, 3): "button_triple_press",
        (ClickType.DOUBLE, 4): "button_quadruple_press",
        (ClickType.DOUBLE, 5): "button_quintuple_press",
    }.get((click_type, presses), "pressed more than 5 times")
    payload = action_payload(click(click_type), presses)
    assert fired(final(of(extended=True)).triggers, payload) == [expected]
    if presses <= 2:
        assert fired(final(of()).triggers, payload) == [expected]


def test_a_double_click_whose_presses_were_not_counted_is_two() -> None:
    payload = action_payload(click(ClickType.DOUBLE), 1)
    assert fired(final(of()).triggers, payload) == ["button_double_press"]
    assert msgspec.json.decode(payload)["multi_press_count"] == 2


@pytest.mark.parametrize("payload", [b"", b"single", b"[]", b"5", b"null", b'{"action": null}'])
def test_what_is_no_action_sets_off_no_trigger(payload: bytes) -> None:
    assert fired(final(of(extended=True)).triggers, payload) == []


def test_triggers_listen_where_actions_are_published() -> None:
    settings = of(prefix="home", extended=True)
    found = final(settings)
    topics = {trigger.topic for trigger in found.triggers.values()}
    assert topics | {event_of(found).state_topic} == {settings.topic_names.action(SERIAL)}


def test_a_triggers_type_tells_it_apart_and_is_one_that_home_assistant_can_word() -> None:
    types = [trigger.type for trigger in final(of(extended=True)).triggers.values()]
    assert len(set(types)) == len(types) == 7
    assert set(types) - KNOWN_TRIGGER_TYPES == {"pressed more than 5 times"}


@pytest.mark.parametrize(("click_type", "presses"), ANY_CLICKS)
@pytest.mark.parametrize("extended", [True, False])
def test_the_event_entity_accepts_every_action(
    click_type: ClickType, presses: int, extended: bool
) -> None:
    event = event_of(final(of(extended=extended)))
    assert set(event.event_types) <= STANDARD_BUTTON_EVENTS
    assert event.value_template is msgspec.UNSET  # so the payload itself must be what it wants
    said = action(click_type, presses)
    assert said["event_type"] in event.event_types
    assert said.get("multi_press_count") == (presses if click_type is ClickType.DOUBLE else None)


def test_the_kinds_of_clicks_are_three_event_types() -> None:
    types = {kind: action(kind, 2)["event_type"] for kind in ClickType}
    assert types == {
        ClickType.SINGLE: "press_end",
        ClickType.DOUBLE: "multi_press_end",
        ClickType.LONG: "long_press_end",
    }


def test_an_action_names_its_click() -> None:
    moment = datetime(2026, 11, 22, 10, 15, 30, 123456, tzinfo=UTC)
    payload = action_payload(click(event_id="an-id", clicked_at=moment), 1)
    assert msgspec.json.decode(payload) == {
        "event_type": "press_end",
        "action": "single",
        "eventId": "an-id",
        "clickedAt": "2026-11-22T10:15:30.123Z",
    }
    assert msgspec.json.decode(action_payload(click(), 1)).keys() == {"event_type", "action"}


@pytest.mark.parametrize(
    ("presence", "expected"),
    [
        (Presence.ONLINE, "online"),
        (Presence.SLEEPING, "online"),
        (Presence.OFFLINE, "offline"),
    ],
)
def test_the_button_is_available_unless_it_says_that_it_is_offline(
    loop: Loop, presence: Presence, expected: str
) -> None:
    assert availability(final(of()), status_payload(loop, presence=presence)) == expected


@pytest.mark.parametrize(
    "payload", [OFFLINE, b"", b"online", b"[]", b"5", b"{}", b'{"state": "broken"}']
)
def test_after_its_will_or_with_no_status_that_we_know_it_is_not_available(payload: bytes) -> None:
    assert availability(final(of()), payload) == "offline"


def test_the_battery_is_read_from_the_status(loop: Loop) -> None:
    sensor = sensor_of(final(of(), has_battery=True))
    assert sensor.state_topic == of().topic_names.status(SERIAL)
    assert sensor.unit_of_measurement == "mV"
    assert render(sensor.value_template, status_payload(loop, battery=1716)) == "1716"


@pytest.mark.parametrize("payload", [OFFLINE, b"", b"5", b'{"batteryVoltage": null}'])
def test_a_status_without_a_battery_voltage_leaves_the_last_one(payload: bytes) -> None:
    sensor = sensor_of(final(of(), has_battery=True))
    assert render(sensor.value_template, payload) == ""  # which is ignored where a number is due


@pytest.mark.parametrize("has_battery", [True, False])
def test_presses_that_are_no_longer_counted_are_taken_away_and_then_left_out(
    has_battery: bool,
) -> None:
    first, last = map(read_discovery, announced(of(), has_battery=has_battery).payloads)
    beyond_two = final(of(extended=True)).triggers.keys() - last.triggers.keys()
    assert first.gone == dict.fromkeys(beyond_two, "device_automation")
    assert len(first.gone) == 4
    assert last.gone == {}
    assert (first.triggers, first.event, first.sensor) == (last.triggers, last.event, last.sensor)


def test_with_presses_counted_nothing_is_taken_away() -> None:
    (only,) = announced(of(extended=True)).payloads
    assert read_discovery(only).gone == {}


@pytest.mark.parametrize("prefix", ["", "home"])
def test_removal_empties_the_topic_of_the_announcement(prefix: str) -> None:
    settings = of(prefix=prefix)
    assert removal(settings, SERIAL) == Announcement(announced(settings).topic, (b"",))


def test_installations_that_share_a_broker_do_not_share_a_device() -> None:
    everything = [of(), of(prefix="a"), of(prefix="b")]
    found = [final(settings, has_battery=True) for settings in everything]
    assert len({announced(settings).topic for settings in everything}) == 3
    assert len({one.device.identifiers[0] for one in found}) == 3
    ids = {id for one in found for id in (event_of(one).unique_id, sensor_of(one).unique_id)}  # noqa: A001
    assert len(ids) == 6


def test_the_device_says_what_drives_it_and_which_program() -> None:
    ours = f"iot-button {version('iot-button')}"
    device = final(of(), driver="serial").device
    assert (device.model, device.sw_version) == ("Push button (serial)", ours)
    assert device.manufacturer is msgspec.UNSET
    assert final(of(), firmware="pico 1.2").device.sw_version == "pico 1.2"
    assert final(of()).origin.sw_version == version("iot-button")


def automations_of_the_page() -> list[dict[str, Any]]:
    page = (Path(__file__).parents[2] / "docs/home-assistant.md").read_text("utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]


def test_the_pages_mqtt_trigger_runs_at_its_click_and_at_no_other() -> None:
    (trigger,) = automations_of_the_page()[0]["triggers"]
    assert trigger["topic"] == of().topic_names.action("kitchen")
    payloads = {kind: action_payload(click(kind), 2) for kind in ClickType}
    template = trigger["value_template"]
    runs = [kind for kind in ClickType if render(template, payloads[kind]) == trigger["payload"]]
    assert runs == [ClickType.SINGLE]


def test_the_pages_event_trigger_names_an_event_type_of_ours() -> None:
    (condition,) = automations_of_the_page()[1]["conditions"]
    assert condition["attribute"] == "event_type"
    assert condition["state"] == action(ClickType.LONG, 1)["event_type"]


class Line:
    """A connection that keeps what is published: topic, payload, options."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes, dict[str, Any]]] = []

    def publish(self, topic: str, payload: bytes, **options: Any) -> None:
        self.said.append((topic, payload, options))


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", size=10, moments=Moments()) as outbox:
        yield outbox


def link(line: Line, outbox: Outbox) -> HomeLink:
    driver: Any = SimpleNamespace(name="gpio", battery=lambda: None, firmware=lambda: None)
    stream: Any = line
    return HomeLink(of(home_assistant=True), driver, stream, outbox, serial_number=SERIAL)


def test_an_action_is_not_kept_for_the_next_connection(line: Line, outbox: Outbox) -> None:
    event = {"serialNumber": SERIAL, "clickType": "LONG"}
    kept = outbox.get(outbox.put(event, Moments().ago(0.0)))
    assert kept is not None
    link(line, outbox).done(kept)
    ((topic, _payload, options),) = line.said
    assert topic == f"iotbutton/{SERIAL}/action"
    assert options["qos"] == 0  # at QoS 1 a lamp would be switched by yesterday's click, or twice
    assert not options.get("retain")


def test_it_is_announced_once_at_each_connection(line: Line, outbox: Outbox) -> None:
    home = link(line, outbox)
    steps = len(announced(of(home_assistant=True)).payloads)
    for connections in (1, 2):
        home.connected()
        home.refresh()
        home.refresh()
        assert len(line.said) == connections * steps
