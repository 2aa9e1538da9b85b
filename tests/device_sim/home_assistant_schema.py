"""What Home Assistant's documentation allows in a discovery message, as strict records.

Written from the option tables of its pages on the MQTT integration (device discovery payload,
availability, origin) and on the MQTT device trigger, event and sensor. An option that is not listed
here, an abbreviation for one, and a required option that is missing are errors. Only what those
tables have and a button could use is listed.
"""

import contextlib
import re
from typing import Annotated, Literal

import msgspec
from jinja2.sandbox import ImmutableSandboxedEnvironment

Text = Annotated[str, msgspec.Meta(min_length=1)]
Topic = Annotated[str, msgspec.Meta(pattern=r"^[^+#\x00]+$")]
QoS = Literal[0, 1, 2]

DISCOVERY_TOPIC = re.compile(r"homeassistant/device/(?P<object_id>[a-zA-Z0-9_-]+)/config")
KNOWN_TRIGGER_TYPES = {
    "button_short_press",
    "button_short_release",
    "button_long_press",
    "button_long_release",
    "button_double_press",
    "button_triple_press",
    "button_quadruple_press",
    "button_quintuple_press",
}
STANDARD_BUTTON_EVENTS = {
    "press_start",
    "press_end",
    "long_press_start",
    "long_press_end",
    "multi_press_ongoing",
    "multi_press_end",
}


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A mapping with these options and no others."""


class Device(Strict):
    """The shared mapping `device`. `via_device` is for what comes through a hub; ours does not."""

    identifiers: Annotated[list[Text], msgspec.Meta(min_length=1)]
    name: Text
    serial_number: Text
    model: Text
    sw_version: Text
    manufacturer: Text | msgspec.UnsetType = msgspec.UNSET


class Origin(Strict):
    """The mapping `origin`, required in device discovery."""

    name: Text
    sw_version: Text | msgspec.UnsetType = msgspec.UNSET
    support_url: Text | msgspec.UnsetType = msgspec.UNSET


class Availability(Strict):
    """One entry of the list `availability`."""

    topic: Topic
    value_template: Text | msgspec.UnsetType = msgspec.UNSET
    payload_available: Text = "online"
    payload_not_available: Text = "offline"


class DeviceTrigger(Strict, tag_field="platform", tag="device_automation"):
    """A device trigger. It is no entity: no unique id, no availability."""

    automation_type: Literal["trigger"]
    type: Text
    subtype: Literal["button_1"]
    topic: Topic
    payload: Text
    value_template: Text
    qos: QoS = 0


class Event(Strict, tag_field="platform", tag="event"):
    """An event entity."""

    unique_id: Text
    event_types: Annotated[list[Text], msgspec.Meta(min_length=1)]
    state_topic: Topic
    device_class: Literal["button"]
    name: Text | None
    qos: QoS = 0
    value_template: Text | msgspec.UnsetType = msgspec.UNSET


class VoltageSensor(Strict, tag_field="platform", tag="sensor"):
    """A sensor of the device class voltage. For sensors, the only entity category is diagnostic."""

    unique_id: Text
    state_topic: Topic
    value_template: Text
    device_class: Literal["voltage"]
    unit_of_measurement: Literal["V", "mV"]
    entity_category: Literal["diagnostic"]
    state_class: Literal["measurement"]
    name: Text | None
    qos: QoS = 0


class Gone(Strict):
    """A component that is taken away: it says its platform and nothing else."""

    platform: Literal["device_automation", "event", "sensor"]


class _Discovery(Strict):
    device: Device
    origin: Origin
    components: Annotated[dict[Text, msgspec.Raw], msgspec.Meta(min_length=1)]
    availability: list[Availability]


class Discovery(msgspec.Struct):
    """A device discovery message, its components told apart."""

    device: Device
    origin: Origin
    availability: list[Availability]
    triggers: dict[str, DeviceTrigger]
    event: Event | None
    sensor: VoltageSensor | None
    gone: dict[str, str]


def read_discovery(payload: bytes) -> Discovery:
    """Read a device discovery message strictly.

    Raises:
        msgspec.ValidationError: something in it is not in the documentation.
    """
    whole = msgspec.json.decode(payload, type=_Discovery)
    found = Discovery(whole.device, whole.origin, whole.availability, {}, None, None, {})
    for name, raw in whole.components.items():
        if msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).keys() == {"platform"}:
            found.gone[name] = msgspec.json.decode(raw, type=Gone).platform
            continue
        component = msgspec.json.decode(raw, type=DeviceTrigger | Event | VoltageSensor)
        match component:
            case DeviceTrigger():
                found.triggers[name] = component
            case Event():
                assert found.event is None
                found.event = component
            case VoltageSensor():
                assert found.sensor is None
                found.sensor = component
    return found


def render(template: str, payload: bytes) -> str:
    """Render a value template as Home Assistant does: in a sandbox, JSON only where it is JSON."""
    variables: dict[str, object] = {"value": payload.decode()}
    with contextlib.suppress(msgspec.DecodeError):
        variables["value_json"] = msgspec.json.decode(payload)
    return ImmutableSandboxedEnvironment().from_string(template).render(variables).strip()
