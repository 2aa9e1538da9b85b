"""A peer of the pipeline benchmark: the same flow as one writes it with paho on a first day.

    python paho_loop.py HOST PORT IP_ADDRESS [--nodelay]

Nothing is checked and nothing is kept: paho acknowledges an input when `on_message` has returned,
whatever becomes of the output, and the session is a clean one.
"""

import json
import socket
import sys
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

HOST, PORT, IP_ADDRESS = sys.argv[1], int(sys.argv[2]), sys.argv[3]
NODELAY = "--nodelay" in sys.argv[4:]


def on_connect(client: mqtt.Client, *_details: Any) -> None:
    client.subscribe("iotbutton/+", qos=1)


def on_message(client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
    click = json.loads(message.payload)
    processed = {
        "title": "Demo event assembled by lambda python function",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ipAddress": IP_ADDRESS,
        **click,
    }
    client.publish("iotprocessed", json.dumps(processed), qos=1)


def on_socket_open(_client: mqtt.Client, _userdata: Any, opened: Any) -> None:
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


client = mqtt.Client(CallbackAPIVersion.VERSION2)
client.on_connect = on_connect
client.on_message = on_message
if NODELAY:
    client.on_socket_open = on_socket_open
client.connect(HOST, PORT)
client.loop_forever()
