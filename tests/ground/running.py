"""A stream in a loop on a thread of its own, and what has become of its messages."""

import threading
from collections.abc import Callable

from iot_button.loop import Loop
from iot_button.messages import Message
from iot_button.mqtt import Stream
from iot_button.settings import BrokerAddress
from tests.support import DEADLINE, eventually


class Running:
    """A stream in a loop on a thread of its own."""

    def __init__(
        self, address: BrokerAddress, *filters: str, client_id: str = "stream", keep_alive: int = 30
    ) -> None:
        self.messages: list[Message] = []
        self.changes: list[bool] = []
        self.events: list[str] = []
        self.does_acknowledge = True
        self.loop = Loop()
        self.stream = Stream(
            self.loop,
            address,
            client_id=client_id,
            keep_alive=keep_alive,
            on_message=self._on_message,
            on_change=self.changes.append,
            is_5_tried=True,
        )
        for topic_filter in filters:
            self.stream.subscribe(topic_filter)
        self.loop.at_end_of_turn(self.stream.flush)
        self._thread = threading.Thread(target=self.loop.run)

    def __enter__(self) -> "Running":
        self._thread.start()
        self.call(self.stream.open)
        return self

    def __exit__(self, *_error: object) -> None:
        self.call(self.stream.close)
        self.loop.call_from_thread(self.loop.stop)
        self._thread.join(DEADLINE)
        self.loop.close()
        assert not self._thread.is_alive()

    def call(self, action: Callable[[], object]) -> None:
        """Do something on the loop's thread, and wait until it is done."""
        done = threading.Event()

        def act() -> None:
            try:
                action()
            finally:
                done.set()

        self.loop.call_from_thread(act)
        assert done.wait(DEADLINE)

    def wait_ready(self) -> None:
        eventually(lambda: self.stream.is_ready, what="the stream is ready")

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, properties: bytes = b"") -> None:
        """Publish; `events` tells of the acknowledgement."""

        def on_acknowledged() -> None:
            self.events.append("acknowledged")

        self.call(
            lambda: self.stream.publish(
                topic, payload, qos=qos, on_acknowledged=on_acknowledged, properties=properties
            )
        )

    def publish_once(self, topic: str, payload: bytes, *, properties: bytes = b"") -> None:
        def publish() -> None:
            self.stream.publish_once(
                topic,
                payload,
                packet_id=self.stream.next_packet_id(),
                on_received=lambda: self.events.append("received"),
                on_acknowledged=lambda: self.events.append("acknowledged"),
                properties=properties,
            )

        self.call(publish)

    def resume(self, topic: str, payload: bytes, *, packet_id: int, is_released: bool) -> None:
        """Carry on with a message of the process before; before `with`."""
        self.stream.resume(
            topic,
            payload,
            packet_id=packet_id,
            is_released=is_released,
            on_received=lambda: self.events.append("received"),
            on_acknowledged=lambda: self.events.append("acknowledged"),
        )

    def until(self, *events: str) -> None:
        eventually(lambda: self.events == [*events], what=f"{events}, not {self.events}")

    def until_messages(self, count: int) -> list[Message]:
        eventually(lambda: len(self.messages) >= count, what=f"{count} messages")
        return self.messages

    def _on_message(self, message: Message) -> None:
        self.messages.append(message)
        if self.does_acknowledge:
            self.stream.acknowledge(message.delivery)
