"""What a button tells Home Assistant: what it is, and each fresh click.

Facts from Home Assistant's documentation: of its MQTT integration (device-based discovery, device
triggers, event, sensor; since 2024.12) and of its event entity (a button's standard event types).

The announcement is retained: Home Assistant finds it at each start, also while the button sleeps.
So its birth message, after which others announce themselves again, is not waited for, and no
account needs the right to read it. But brokers forget: announce at each connection.
"""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec

from device_sim.drivers.base import Presence
from iot_button.errors import SettingError
from iot_button.events import Click, ClickType, format_instant
from iot_button.settings import Settings
from iot_button.topics import Topics

QOS = 1
"""What Home Assistant is told to subscribe with."""
FRESH_FOR = 60.0
"""Seconds after a click in which its action is still sent: yesterday's must not switch anything."""

_TRIGGERS = {
    "single": "button_short_press",
    "double": "button_double_press",
    "long": "button_long_press",
}
_EXTENDED_TRIGGERS = {
    "triple": "button_triple_press",
    "quadruple": "button_quadruple_press",
    "quintuple": "button_quintuple_press",
    "many": "pressed more than 5 times",  # not one that it knows: it shows the text itself
}
_BY_PRESSES = {2: "double", 3: "triple", 4: "quadruple", 5: "quintuple"}
_EVENT_TYPES = {
    ClickType.SINGLE: "press_end",
    ClickType.DOUBLE: "multi_press_end",
    ClickType.LONG: "long_press_end",  # also where it is reported earlier: it is all that comes
}
_AVAILABLE = (Presence.ONLINE.value, Presence.SLEEPING.value)
_AVAILABILITY_TEMPLATE = (
    "{{ 'online' if value_json is defined and value_json.state in "
    f"{_AVAILABLE!r} else 'offline' }}}}"
)
_BATTERY_TEMPLATE = (  # an empty value leaves a number as it was
    "{{ value_json.batteryVoltage | default('', true) | replace('mV', '') "
    "if value_json is defined else '' }}"
)
_ACTION_TEMPLATE = "{{ value_json.action if value_json is defined else '' }}"

Component = dict[str, Any]
_GONE_TRIGGER: Component = {"platform": "device_automation"}


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is published to a topic, retained and in this order, the last to stay."""

    topic: str
    payloads: tuple[bytes, ...]


def discovery(
    settings: Settings, serial: str, *, driver: str, firmware: str | None, has_battery: bool
) -> Announcement:
    """Announce a button: device triggers, an event entity, the battery, and when it is available.

    Triggers of `extended`, where that is off, are taken away first, as is documented: by components
    that say nothing but their platform.

    Args:
        settings: the topics, the button's name, `extended`, and Home Assistant's prefix.
        serial: the button's serial number.
        driver: the driver's name, which stands for the model; who made the button is not known.
        firmware: the version that the hardware tells; None: ours.
        has_battery: `batteryVoltage` is in the status; announce again when it comes to be. Where it
            is not, or not yet, a sensor of earlier is not taken away: it would lose its owner's
            changes at each start.

    Raises:
        SettingError: Home Assistant's prefix is no topic name.
    """
    id = settings.topic_names.home_assistant_id(serial)  # noqa: A001
    components = _components(settings.topic_names, serial, id)
    if not has_battery:
        del components["battery"]
    gone = {} if settings.device.extended else dict.fromkeys(_EXTENDED_TRIGGERS, _GONE_TRIGGER)
    components = {name: it for name, it in components.items() if name not in gone}
    shared = {
        "device": _device(settings, serial, id, driver=driver, firmware=firmware),
        "origin": {"name": "iot-button", "sw_version": version("iot-button")},
        "availability": [_availability(settings.topic_names.status(serial))],
    }
    steps = ([gone | components] if gone else []) + [components]
    return Announcement(
        topic=_topic(settings, id),
        payloads=tuple(msgspec.json.encode(shared | {"components": step}) for step in steps),
    )


def removal(settings: Settings, serial: str) -> Announcement:
    """Take a button out of Home Assistant again, and its announcement off the broker.

    Raises:
        SettingError: Home Assistant's prefix is no topic name.
    """
    return Announcement(
        topic=_topic(settings, settings.topic_names.home_assistant_id(serial)), payloads=(b"",)
    )


def action_payload(click: Click, presses: int) -> bytes:
    """Return what goes to `topics.action(serial)`, never retained, for one click.

    The event entity reads `event_type`, of which the rest become attributes; each device trigger
    compares `action`.

    Args:
        click: not older than `FRESH_FOR`.
        presses: how many; read of a double only, and 2 there where presses are not counted.
    """
    action: dict[str, Any] = {
        "event_type": _EVENT_TYPES[click.click_type],
        "action": click.click_type.value.lower(),
    }
    if click.click_type is ClickType.DOUBLE:
        action["multi_press_count"] = max(presses, 2)
        action["action"] = _BY_PRESSES.get(action["multi_press_count"], "many")
    if click.event_id is not None:
        action["eventId"] = click.event_id
    if click.clicked_at is not None:
        action["clickedAt"] = format_instant(click.clicked_at)
    return msgspec.json.encode(action)


def _topic(settings: Settings, id: str) -> str:  # noqa: A002
    prefix = settings.device.home_assistant_prefix
    try:
        Topics(prefix)
    except SettingError as error:
        raise SettingError(
            "device.home_assistant_prefix",
            f"device.home_assistant_prefix {prefix!r} is no topic name",
            mend="use the discovery prefix in Home Assistant's MQTT options, often homeassistant",
        ) from error
    return f"{prefix}/device/{id}/config"


def _device(
    settings: Settings,
    serial: str,
    id: str,  # noqa: A002
    *,
    driver: str,
    firmware: str | None,
) -> dict[str, Any]:
    return {
        "identifiers": [id],
        "name": _text(settings.device.name or serial),
        "model": f"Push button ({driver})",
        "serial_number": serial,
        "sw_version": _text(firmware or f"iot-button {version('iot-button')}"),
    }


def _availability(status_topic: str) -> dict[str, Any]:
    return {
        "topic": status_topic,
        "value_template": _AVAILABILITY_TEMPLATE,
        "payload_available": "online",
        "payload_not_available": "offline",
    }


def _components(topics: Topics, serial: str, id: str) -> dict[str, Component]:  # noqa: A002
    action_topic = topics.action(serial)
    triggers = {
        action: _trigger(action_topic, action, type_)
        for action, type_ in (_TRIGGERS | _EXTENDED_TRIGGERS).items()
    }
    return triggers | {
        "click": {
            "platform": "event",
            "unique_id": f"{id}_click",
            "name": None,  # the device's own
            "device_class": "button",
            "event_types": list(_EVENT_TYPES.values()),
            "state_topic": action_topic,
            "qos": QOS,
        },
        "battery": {
            "platform": "sensor",
            "unique_id": f"{id}_battery",
            "name": "Battery voltage",
            "device_class": "voltage",
            "entity_category": "diagnostic",
            "state_class": "measurement",
            "unit_of_measurement": "mV",
            "state_topic": topics.status(serial),
            "value_template": _BATTERY_TEMPLATE,
            "qos": QOS,
        },
    }


def _trigger(topic: str, action: str, type_: str) -> Component:
    return {
        "platform": "device_automation",
        "automation_type": "trigger",
        "type": type_,
        "subtype": "button_1",
        "topic": topic,
        "payload": action,
        "value_template": _ACTION_TEMPLATE,
        "qos": QOS,
    }


def _text(text: str) -> str:
    """Return what UTF-8 can say of a text: a byte that was none came in as half a character."""
    return text.encode(errors="replace").decode()
