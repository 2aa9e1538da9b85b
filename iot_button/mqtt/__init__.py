"""MQTT connections; the one package that knows paho.

`Connection` has a thread of its own and suits most. `Stream` is driven by a loop of the caller's
and takes a short path for messages and acknowledgements: for many messages, and for exactly once.
"""

from iot_button.mqtt.connection import Connection
from iot_button.mqtt.stream import Stream

__all__ = ["Connection", "Stream"]
