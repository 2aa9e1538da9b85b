"""What each function says of itself on MQTT: a retained status, published where it has changed."""

import json
from collections.abc import Mapping

from functions.runtime.member import Member
from iot_button.loop import Loop
from iot_button.mqtt import Stream
from iot_button.topics import Topics

_EVERY = 2.0


class Statuses:
    """Publishes the status of all functions, every 2 s from `start` on. On the loop's thread."""

    def __init__(
        self, loop: Loop, stream: Stream, topics: Topics, members: Mapping[str, Member]
    ) -> None:
        self._loop = loop
        self._stream = stream
        self._topics = topics
        self._members = members
        self._said: dict[str, bytes] = {}

    def start(self) -> None:
        """Begin to publish."""
        self._say()

    def forget(self) -> None:
        """Say all of them again: this broker may not have them."""
        self._said.clear()

    def _say(self) -> None:
        if self._stream.is_ready:
            for name, member in self._members.items():
                status = json.dumps(member.summary(), separators=(",", ":")).encode()
                if status != self._said.get(name):
                    self._said[name] = status
                    topic = self._topics.function_status(name)
                    self._stream.publish(
                        topic, status, qos=0, retain=True, on_acknowledged=lambda: None
                    )
        self._loop.call_later(_EVERY, self._say)
