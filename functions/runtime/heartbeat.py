"""A message from the runtime to itself, through the broker: it notices one that has gone silent.

A subscription can die while its connection lives (amqtt forgets a session that comes back on a new
socket); keep-alive does not see that.
"""

import time

from iot_button.loop import Loop, Timer
from iot_button.mqtt import Stream

EVERY = 10.0
PATIENCE = 5.0


class Heartbeat:
    """Beats from `start` to `stop`, and reconnects the stream when nothing comes back.

    Args:
        topic: of the beat; the stream has to be subscribed to it.
        every: seconds between two beats.
        patience: seconds in which something has to come back: the beat, or any other message.
    """

    def __init__(
        self,
        loop: Loop,
        stream: Stream,
        topic: str,
        *,
        every: float = EVERY,
        patience: float = PATIENCE,
    ) -> None:
        self.topic = topic
        self._loop = loop
        self._stream = stream
        self._every = every
        self._patience = patience
        self._timer: Timer | None = None
        self._sent_at = 0.0
        self._heard_at = 0.0

    def start(self) -> None:
        """Begin to beat, at each new connection."""
        self.stop()
        self._beat()

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()

    def heard(self) -> None:
        """Hear that a message has come, ours or another."""
        self._heard_at = time.monotonic()

    def _beat(self) -> None:
        self._sent_at = time.monotonic()
        self._stream.publish(self.topic, b"", qos=0, on_acknowledged=lambda: None)
        self._timer = self._loop.call_later(self._patience, self._check)

    def _check(self) -> None:
        if self._heard_at >= self._sent_at:
            self._timer = self._loop.call_later(self._every - self._patience, self._beat)
        else:
            self._stream.reconnect("our subscription has gone silent")
