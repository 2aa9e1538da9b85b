"""What foreign buttons send, and the clicks that it becomes: golden examples, each with its source.

Payloads are facts, written anew from the documentation or the report that is named.
"""

import json
from dataclasses import dataclass
from typing import Any

ONE_CLICK_GUIDE = "AWS IoT 1-Click developer guide, 'Callback events', 'Click event'"
SORACOM_PLUS = "users.soracom.io, LTE-M Button Plus user guide, 'Data format'"
SORACOM_GLOBAL = "developers.soracom.io, Soracom LTE-M Button, 'Message examples'"
SORACOM_1CLICK = "qiita.com/yosi-q/items/1fb58a734f511a1716c5 (SORACOM LTE-M Button powered by AWS)"
Z2M = "zigbee2mqtt.io, 'MQTT topics and messages', and the devices' own pages ('Exposes')"
Z2M_HUE = "github.com/Koenkk/zigbee2mqtt issues 15211 and 26270 (Hue dimmer, logged messages)"
Z2M_TUYA = "github.com/Koenkk/zigbee2mqtt issue 25943 (TS0046, logged messages)"
SHELLY_1 = "shelly-api-docs.shelly.cloud/gen1, MQTT, 'input_event'; ha-shellies-discovery issue 91"
SHELLY_2 = "shelly-api-docs.shelly.cloud/gen2, 'Input', 'Notifications'; discovery-gen2 issue 250"
SHELLY_BTHOME = "shelly-api-docs.shelly.cloud/gen2, 'BTHomeDevice', events"
SHELLY_BLU = "Shelly's script examples, ble-shelly-blu.js and ble-events-handler.js"
SHELLY_GATEWAY = "Shelly's script examples, ble-pasv-mqtt-gw.js, and issue 123 there"
BTHOME = "bthome.io/format, 'Events', button"
TASMOTA = "github.com/arendst/Tasmota issue 23910 (console output)"
TASMOTA_DOCS = "tasmota.github.io/docs, 'Buttons and Switches'"
FLIC = "hubsdk.flic.io documentation, and flic2hass's topics"
HOME_ASSISTANT = "developers.home-assistant.io/blog/2026/07/22/button-standard-event-types"
HOME_ASSISTANT_2025 = "github.com/home-assistant/core issue 158789 (a Matter button's event types)"


@dataclass(frozen=True)
class Example:
    """A message, and what its click has besides an event id; None: it is no press."""

    source: str
    topic: str
    payload: bytes
    click: dict[str, Any] | None


def example(source: str, topic: str, message: object, click: dict[str, Any] | None) -> Example:
    payload = message.encode() if isinstance(message, str) else json.dumps(message).encode()
    return Example(source, topic, payload, click)


def single(serial: str, **more: Any) -> dict[str, Any]:
    return {"serialNumber": serial, "clickType": "SINGLE"} | more


def double(serial: str, **more: Any) -> dict[str, Any]:
    return {"serialNumber": serial, "clickType": "DOUBLE"} | more


def long(serial: str, **more: Any) -> dict[str, Any]:
    return {"serialNumber": serial, "clickType": "LONG"} | more


def one_click(kind: str, moment: str = "2018-05-04T23:26:33.747Z") -> dict[str, Any]:
    return {
        "deviceEvent": {"buttonClicked": {"clickType": kind, "reportedTime": moment}},
        "deviceInfo": {
            "attributes": {"key3": "value3"},
            "type": "button",
            "deviceId": "G030PM0123456789",
            "remainingLife": 5.0,
        },
        "placementInfo": {"projectName": "test", "placementName": "myPlacement"},
    }


def shelly_event(component: str, event: str, **more: Any) -> dict[str, Any]:
    moment = {"ts": 1691055957.32}
    about = {"component": component, "id": 0, "event": event} | moment | more
    return {
        "src": "shellyplus2pm-441793acb13c",
        "dst": "shellyplus2pm-441793acb13c/events",
        "method": "NotifyEvent",
        "params": moment | {"events": [about]},
    }


AT = {"clickedAt": "2018-05-04T23:26:33.747Z"}
TS = {"clickedAt": "2023-08-03T09:45:57.320Z"}
BLU = {"encryption": False, "BTHome_version": 2, "pid": 33, "battery": 100, "rssi": -66}
BLU_ADDRESS = {"address": "bc:02:6e:c3:ce:cc"}
RPC = "shellyplus2pm-441793acb13c/events/rpc"
INPUT = "shellies/shellyix3-10521CF2C2C2/input_event/0"
IX3 = "shellyix3-10521CF2C2C2-1"
HA = "homeassistant/event/hall/state"

ONE_CLICK_EXAMPLES = [
    example(ONE_CLICK_GUIDE, "1click/all", one_click("SINGLE"), single("G030PM0123456789", **AT)),
    example(ONE_CLICK_GUIDE, "1click/all", one_click("DOUBLE"), double("G030PM0123456789", **AT)),
    example(ONE_CLICK_GUIDE, "1click/all", one_click("LONG"), long("G030PM0123456789", **AT)),
    example(ONE_CLICK_GUIDE, "1click/all", one_click("HEALTH"), None),
    example(
        ONE_CLICK_GUIDE, "1click/all", {"deviceEvent": {"deviceHealthMonitor": {"x": 1}}}, None
    ),
    example(
        SORACOM_1CLICK,
        "soracom/any",
        one_click("DOUBLE", "2019-12-08T12:34:56.789Z"),
        double("G030PM0123456789", clickedAt="2019-12-08T12:34:56.789Z"),
    ),
]
SORACOM_EXAMPLES = [
    *(
        example(
            SORACOM_PLUS,
            "soracom/door",
            {
                "clickType": number,
                "clickTypeName": word,
                "batteryLevel": 0.25,
                "binaryParserEnabled": True,
            },
            click,
        )
        for number, word, click in (
            (1, "SINGLE", single("door")),
            (2, "DOUBLE", double("door")),
            (3, "LONG", long("door")),
        )
    ),
    example(SORACOM_PLUS, "soracom/door", {"clickType": 3, "batteryLevel": 1}, long("door")),
    *(
        example(
            SORACOM_GLOBAL,
            "soracom/door",
            {"msg_type": kind, "seq_number": 42, "batt_vol": 3000, "detect_type": word},
            click,
        )
        for kind, word, click in (
            ("event", "Single short click", single("door", batteryVoltage="3000mV")),
            ("alert", "Double short click", double("door", batteryVoltage="3000mV")),
            ("event", "Single long click", long("door", batteryVoltage="3000mV")),
            ("event", "Connected", None),
        )
    ),
    example(SORACOM_GLOBAL, "soracom/door", {"msg_type": "timer", "batt_vol": 3000}, None),
]
ZIGBEE_EXAMPLES = [
    *(
        example(Z2M, "zigbee2mqtt/lamp", {"action": action}, click)
        for action, click in (
            ("single", single("lamp")),
            ("double", double("lamp")),
            ("triple", double("lamp", presses=3)),
            ("quadruple", double("lamp", presses=4)),
            ("many", double("lamp")),
            ("hold", long("lamp")),
            ("long", long("lamp")),
            ("release", None),
            ("button_1_single", single("lamp-1")),
            ("button_2_double", double("lamp-2")),
            ("1_hold", long("lamp-1")),
            ("single_left", single("lamp-left")),
            ("left_double", double("lamp-left")),
            ("hold_both", long("lamp-both")),
            ("on", single("lamp-on")),
            ("off", single("lamp-off")),
            ("toggle", single("lamp-toggle")),
            ("arrow_left_click", single("lamp-arrow-left")),
            ("arrow_left_hold", long("lamp-arrow-left")),
            ("arrow_left_release", None),
            ("brightness_up_click", single("lamp-brightness-up")),
            ("brightness_up_release", None),
            ("brightness_move_up", None),
            ("brightness_stop", None),
            ("rotate_left", None),
            ("dial_rotate_right_fast", None),
            ("shake", None),
            ("recall_1", None),
            ("1_initial_press", None),
            ("1_short_release", single("lamp-1")),
            ("1_long_press", long("lamp-1")),
            ("1_long_release", None),
            ("1_double_press", double("lamp-1")),
            ("hold_release", None),
            ("long_press_release", None),
            ("", None),
            (None, None),
        )
    ),
    example(
        Z2M_TUYA,
        "zigbee2mqtt/zesin1",
        {"action": "2_single", "battery": 100, "linkquality": 128, "voltage": 3000},
        single("zesin1-2", batteryVoltage="3000mV"),
    ),
    example(
        Z2M, "zigbee2mqtt/wall", {"action": "single_left", "voltage": 230}, single("wall-left")
    ),
    *(
        example(Z2M_HUE, "zigbee2mqtt/hue_switch01", {"action": action} | more, click)
        for action, more, click in (
            ("on_press", {}, None),
            ("on_press_release", {}, single("hue_switch01-on")),
            ("on_hold", {"action_duration": 0.799, "counter": 1}, None),
            ("on_hold", {"action_duration": 1.604, "counter": 1}, None),
            ("on_hold_release", {"action_duration": None}, long("hue_switch01-on")),
            ("off_press_release", {"action_duration": 0.1}, single("hue_switch01-off")),
        )
    ),
    example(Z2M, "zigbee2mqtt/Bath Room", {"action": "single"}, single("Bath-Room-5e622114")),
    example(Z2M, "zigbee2mqtt/sensor", {"temperature": 27.34, "humidity": 44.72}, None),
    example(Z2M, "zigbee2mqtt/lamp", {"battery": 90}, None),
    example(Z2M, "zigbee2mqtt/lamp/action", "single", None),
    example(Z2M, "zigbee2mqtt/bridge/devices", [], None),
]
SHELLY_EXAMPLES = [
    *(
        example(SHELLY_1, INPUT, {"event": event, "event_cnt": count}, click)
        for count, (event, click) in enumerate(
            (
                ("S", single(IX3)),
                ("L", long(IX3)),
                ("SS", double(IX3)),
                ("SSS", double(IX3, presses=3)),
                ("SL", double(IX3)),
                ("LS", long(IX3)),
                ("", None),
                ("X", None),
            )
        )
    ),
    example(SHELLY_1, INPUT, {"event": "S"}, None),
    example(SHELLY_1, "shellies/shellyix3-10521CF2C2C2/input/0", "1", None),
    *(
        example(SHELLY_2, RPC, shelly_event("input:0", event), click and click | TS)
        for event, click in (
            ("btn_down", None),
            ("btn_up", None),
            ("single_push", single("shellyplus2pm-441793acb13c-1")),
            ("double_push", double("shellyplus2pm-441793acb13c-1")),
            ("triple_push", double("shellyplus2pm-441793acb13c-1", presses=3)),
            ("long_push", long("shellyplus2pm-441793acb13c-1")),
        )
    ),
    example(
        SHELLY_BTHOME,
        RPC,
        shelly_event("bthomedevice:200", "single_push", id=200, idx=1),
        single("shellyplus2pm-441793acb13c-200-2", **TS),
    ),
    example(SHELLY_BTHOME, RPC, shelly_event("bthomesensor:201", "single_push", id=201), None),
    example(SHELLY_2, RPC, {"method": "NotifyStatus", "params": {"switch:0": {"apower": 1}}}, None),
    *(
        example(
            SHELLY_BLU,
            RPC,
            shelly_event("script:1", "shelly-blu", data=BLU | BLU_ADDRESS | {"button": button}),
            click,
        )
        for button, click in (
            (0, None),
            (1, single("bc026ec3cecc")),
            (2, double("bc026ec3cecc")),
            (3, double("bc026ec3cecc", presses=3)),
            (4, long("bc026ec3cecc")),
            (254, None),
            ([0, 0, 1, 0], single("bc026ec3cecc-3")),
        )
    ),
    *(
        example(SHELLY_GATEWAY, "blegateway/94b21609a73e/telemetry", message, click)
        for message, click in (
            ({"pid": 96, "battery": 100, "button": 254, "rssi": -64}, None),
            ({"pid": 97, "battery": 100, "button": 1, "rssi": -82}, single("94b21609a73e")),
        )
    ),
    example(
        BTHOME, "blegateway/94b21609a73e/telemetry", {"pid": 1, "button": 5}, long("94b21609a73e")
    ),
]
TASMOTA_EXAMPLES = [
    *(
        example(TASMOTA, "stat/LivingFans/RESULT", {"Button1": {"Action": action}}, click)
        for action, click in (
            ("SINGLE", single("LivingFans-1")),
            ("DOUBLE", double("LivingFans-1")),
            ("TRIPLE", double("LivingFans-1", presses=3)),
            ("QUAD", double("LivingFans-1", presses=4)),
            ("PENTA", double("LivingFans-1", presses=5)),
            ("HOLD", long("LivingFans-1")),
            ("CLEAR", None),
        )
    ),
    example(
        TASMOTA, "stat/LivingFans/RESULT", {"Button3": {"Action": "SINGLE"}}, single("LivingFans-3")
    ),
    example(TASMOTA_DOCS, "stat/tasmota/BUTTON2", {"ACTION": "DOUBLE"}, double("tasmota-2")),
    *(
        example(TASMOTA_DOCS, "stat/tasmota/RESULT", {"Switch1": {"Action": action}}, click)
        for action, click in (
            ("TOGGLE", single("tasmota-switch-1")),
            ("HOLD", long("tasmota-switch-1")),
            ("ON", None),
            ("OFF", None),
            ("INC_DEC", None),
        )
    ),
    example(TASMOTA_DOCS, "stat/tasmota/RESULT", {"POWER": "ON"}, None),
    example(TASMOTA_DOCS, "stat/tasmota/RESULT", {"Switch1": "ON"}, None),
]
FLIC_EXAMPLES = [
    example(FLIC, "flic/BC38-D12345/action", "click", single("BC38-D12345")),
    example(FLIC, "flic/BC38-D12345/action", "double_click", double("BC38-D12345")),
    example(FLIC, "flic/BC38-D12345/action", "hold", long("BC38-D12345")),
    example(FLIC, "flic/BC38-D12345/action", "ok", None),
    example(FLIC, "flic/BC38-D12345/battery", "90", None),
]
HOME_ASSISTANT_EXAMPLES = [
    *(
        example(HOME_ASSISTANT, HA, {"event_type": kind} | more, click)
        for kind, more, click in (
            ("press_start", {}, None),
            ("press_end", {}, single("hall")),
            ("long_press_start", {}, None),
            ("long_press_end", {}, long("hall")),
            ("multi_press_ongoing", {"multi_press_count": 2}, None),
            ("multi_press_end", {"multi_press_count": 2}, double("hall")),
            ("multi_press_end", {"multi_press_count": 3}, double("hall", presses=3)),
            ("multi_press_end", {"multi_press_count": 1}, None),
            ("multi_press_end", {}, None),
            ("double_press", {}, double("hall")),
            ("ring", {}, None),
        )
    ),
    *(
        example(HOME_ASSISTANT_2025, HA, {"event_type": kind}, click)
        for kind, click in (
            ("initial_press", None),
            ("short_release", single("hall")),
            ("multi_press_1", single("hall")),
            ("multi_press_2", double("hall")),
            ("multi_press_3", double("hall", presses=3)),
            ("long_press", long("hall")),
            ("long_release", None),
        )
    ),
    example(HOME_ASSISTANT, HA, "2026-11-22T10:15:30.123+00:00", None),
]
EXAMPLES = [
    *(*ONE_CLICK_EXAMPLES, *SORACOM_EXAMPLES, *ZIGBEE_EXAMPLES, *SHELLY_EXAMPLES),
    *(*TASMOTA_EXAMPLES, *FLIC_EXAMPLES, *HOME_ASSISTANT_EXAMPLES),
]
