"""Which foreign buttons are understood: `SOURCES`, from the topics of each kind to what reads them.

The payloads are those that the makers document, or that were seen; tests name the source of each.
A message is a stranger's: what is not understood is no press.
"""

import re
from collections.abc import Callable
from typing import Any

from .press import (  # noqa: TID252 - see handler.py
    LONG,
    Press,
    battery,
    count_of,
    instant,
    known,
    object_of,
    text_of,
)

Read = Callable[[list[str], Any], Press | None]
"""Reads a message: the levels of its topic, and its payload as JSON, or else as text."""


# What the words of the makers mean.

_WORDS = {
    **dict.fromkeys(("single", "click", "short", "single_click", "single_press"), 1),
    **dict.fromkeys(("short_press", "short_release", "press_release", "single_push"), 1),
    **dict.fromkeys(("double", "double_click", "double_press", "double_push", "many"), 2),
    **dict.fromkeys(("triple", "triple_click", "triple_press", "triple_push"), 3),
    **dict.fromkeys(("quadruple", "quad"), 4),
    **dict.fromkeys(("quintuple", "penta"), 5),
    **dict.fromkeys(("hold", "long", "long_press", "long_click", "long_push"), LONG),
}
_ALONE = {"on": 1, "off": 1, "toggle": 1}
"""Zigbee remotes with a key for each; one key does not give two of them."""
_NO_KEY = ("press", "release", "start", "stop", "repeat")
_SHELLY = {"S": 1, "SS": 2, "SSS": 3, "L": LONG, "SL": 2, "LS": LONG}
_BTHOME = {1: 1, 2: 2, 3: 3, 4: LONG, 5: LONG, 6: LONG}
"""BTHome's button events; 0x80 and 0xFE are sent while a button is held, before its event."""
_SORACOM: dict[Any, int] = {
    **{1: 1, 2: 2, 3: LONG},
    **{"SINGLE": 1, "DOUBLE": 2, "LONG": LONG},
    **{"Single short click": 1, "Double short click": 2, "Single long click": LONG},
}
_HOME_ASSISTANT = {"press_end": 1, "long_press_end": LONG, "short_release": 1, "long_press": LONG}


# What reads the messages of each kind of button.


def _one_click_or_soracom(levels: list[str], content: Any) -> Press | None:
    """Read AWS IoT 1-Click's click event, and what SORACOM's buttons send, three forms."""
    message = object_of(content)
    clicked = object_of(object_of(message.get("deviceEvent")).get("buttonClicked"))
    if clicked:
        moment = instant(clicked.get("reportedTime"))
        device = text_of(object_of(message.get("deviceInfo")).get("deviceId")) or levels[-1]
        presses = known(_SORACOM, clicked.get("clickType"))
        return Press(button=device.strip(), presses=presses, moment=moment, is_dated=True)
    kinds = (message.get(key) for key in ("clickTypeName", "clickType", "detect_type"))
    found = [presses for kind in kinds if (presses := known(_SORACOM, kind)) is not None]
    millivolts = battery(message.get("batt_vol"))
    return Press(button=levels[-1], presses=found[0], millivolts=millivolts) if found else None


def _zigbee2mqtt(levels: list[str], content: Any) -> Press | None:
    """Read `action` of a device's state.

    Not of its `/action` topic: that is there with Home Assistant's integration alone.
    """
    message = object_of(content)
    action = (text_of(message.get("action")) or "").lower().replace("-", "_")
    if "action_duration" in message:  # a Hue switch says `hold` again and again
        action = action.replace("hold_release", "long") if "release" in action else action
        action = "" if action.endswith("hold") else action
    presses, channel = _action(action)
    # A wall switch says volts there, a battery millivolts.
    millivolts = battery(message.get("voltage")) if "battery" in message else None
    return Press(button=levels[-1], channel=channel, presses=presses, millivolts=millivolts)


def _action(action: str) -> tuple[int | None, str]:
    """Split an action into its presses and its key: `button_2_double`, `single_left`."""
    if action in _ALONE:
        return _ALONE[action], action
    words = [word for word in action[:64].split("_") if word]
    for count in (2, 1):
        for gesture, rest in ((words[-count:], words[:-count]), (words[:count], words[count:])):
            presses = _WORDS.get("_".join(gesture))
            if presses is not None:
                key = rest[1:] if rest[:1] == ["button"] else rest
                # The end of a hold, say: not one of the words, and no key's name either.
                is_key = not any(word in _WORDS or word in _NO_KEY for word in rest)
                return (presses if is_key else None), "-".join(key)
    return None, ""


def _shelly_input(levels: list[str], content: Any) -> Press | None:
    """Read a Shelly of the first generation: it repeats its last event, with the same count."""
    message = object_of(content)
    event, count = text_of(message.get("event")) or "", count_of(message.get("event_cnt"))
    if count is None or not levels[3].isdecimal():
        return None
    presses, mark = _SHELLY.get(event), f"{event[:8]} {count}"
    return Press(button=levels[1], channel=_from_1(levels[3]), presses=presses, mark=mark)


def _shelly_events(levels: list[str], content: Any) -> Press | None:
    """Read a Shelly of a later generation: its inputs, and the Bluetooth buttons that it hears."""
    parameters = object_of(object_of(content).get("params"))
    events = parameters.get("events")
    for event in map(object_of, events if isinstance(events, list) else ()):
        kind, _, number = (text_of(event.get("component")) or "").partition(":")
        if event.get("event") == "shelly-blu":
            return _bthome(object_of(event.get("data")))
        presses = known(_WORDS, event.get("event"))
        if presses is None or kind not in ("input", "bthomedevice"):
            continue
        button, key = levels[0], number
        if kind == "bthomedevice":
            button, key = f"{levels[0]}-{number}", event.get("idx", 0)
        moment = instant(event.get("ts")) or instant(parameters.get("ts"))
        return Press(
            button=button, channel=_from_1(key), presses=presses, moment=moment, is_dated=True
        )
    return None


def _gateway(levels: list[str], content: Any) -> Press | None:
    """Read what Shelly's script for a Bluetooth gateway publishes."""
    return _bthome(object_of(content) | {"address": levels[1]})


def _bthome(message: dict[str, Any]) -> Press | None:
    """Read a BTHome button. Two gateways that hear it say the same packet id."""
    address, kinds = text_of(message.get("address")), message.get("button")
    if address is None:
        return None
    each = kinds if isinstance(kinds, list) else [kinds]
    found = [(key, known(_BTHOME, kind)) for key, kind in enumerate(each, 1)]
    key, presses = next((pair for pair in found if pair[1] is not None), (0, None))
    channel = str(key) if isinstance(kinds, list) and key else ""
    packet = count_of(message.get("pid"))
    mark = None if packet is None or presses is None else str(packet)
    button = address.replace(":", "").lower()
    return Press(button=button, channel=channel, presses=presses, mark=mark, repeats_within=60.0)


def _tasmota(levels: list[str], content: Any) -> Press | None:
    """Read `{"Button1": {"Action": "SINGLE"}}`, and what was `BUTTON1 {"ACTION": ...}` before."""
    message = object_of(content)
    named = {levels[2]: message} if levels[2] != "RESULT" else message
    for name, value in named.items():
        key = re.fullmatch(r"(button|switch)([0-9]{1,2})", name, re.IGNORECASE)
        fields = object_of(value)
        action = text_of(fields.get("Action", fields.get("ACTION")))
        if key is None or action is None:
            continue
        if key[1].lower() == "button":
            return Press(button=levels[1], channel=key[2], presses=_WORDS.get(action.lower()))
        presses = {"TOGGLE": 1, "HOLD": LONG}.get(action)  # ON and OFF: may be press and release
        return Press(button=levels[1], channel=f"switch-{key[2]}", presses=presses)
    return None


def _flic(levels: list[str], content: Any) -> Press | None:
    """Read the words that Flic's hub has for the clicks of a button."""
    return Press(button=levels[1], presses=known(_WORDS, content))


def _home_assistant(levels: list[str], content: Any) -> Press | None:
    """Read an event of Home Assistant's; `multi_press_2` is what it was before 2026.8."""
    message = object_of(content)
    kind = text_of(message.get("event_type")) or ""
    presses = _HOME_ASSISTANT.get(kind, _WORDS.get(kind))
    count = message.get("multi_press_count") if kind == "multi_press_end" else None
    if before := re.fullmatch(r"multi_press_([1-9])", kind):
        count = int(before[1])
    if isinstance(count, int) and (count > 1 or before):
        presses = min(count, 99)
    return Press(button=levels[2], presses=presses)


def _from_1(number: object) -> str:
    """Return a key's number, which the maker counts from 0, as people do."""
    text = str(number) if isinstance(number, str | int) else ""
    return str(int(text) + 1) if text.isdecimal() and len(text) < 4 else text[:16]


SOURCES: dict[str, Read] = {
    "1click/+": _one_click_or_soracom,
    "soracom/+": _one_click_or_soracom,
    "zigbee2mqtt/+": _zigbee2mqtt,
    "shellies/+/input_event/+": _shelly_input,
    "+/events/rpc": _shelly_events,
    "blegateway/+/telemetry": _gateway,
    "stat/+/RESULT": _tasmota,
    "stat/+/BUTTON1": _tasmota,
    "stat/+/BUTTON2": _tasmota,
    "stat/+/BUTTON3": _tasmota,
    "stat/+/BUTTON4": _tasmota,
    "flic/+/action": _flic,
    "homeassistant/event/+/state": _home_assistant,
}
"""Every kind of button: the topics of its messages -> what reads them."""
