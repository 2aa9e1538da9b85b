"""A well-behaved pair of clients beside an attack: whether all of theirs arrives, and how soon."""

import contextlib
import math
import threading
import time
from collections.abc import Iterable
from typing import Self

from bench.raw_mqtt import RawClient
from iot_button.packets import PUBACK, acknowledgement, publish


class Neighbour:
    """Publishes at QoS 1 to a subscriber of its own, one message at a time, within `with`.

    Args:
        port: the broker's.
        interval: seconds from one message to the next.
        name: its client ids and its topic begin with it.
    """

    def __init__(self, port: int, *, interval: float = 0.005, name: str = "neighbour") -> None:
        self.waits: list[float] = []
        self._port = port
        self._interval = interval
        self._topic = f"{name}/own"
        self._name = name
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(60)
        if self._failure is not None:
            raise AssertionError(f"others suffered: {self._failure!r}") from self._failure

    @property
    def count(self) -> int:
        """How many messages have been acknowledged and have arrived, in order."""
        return len(self.waits)

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                sender = stack.enter_context(RawClient(self._port))
                taker = stack.enter_context(RawClient(self._port))
                sender.connect(f"{self._name}-sender")
                taker.connect(f"{self._name}-taker")
                taker.subscribe(self._topic)
                while not self._stop.wait(self._interval):
                    self._exchange(sender, taker)
        except BaseException as error:  # noqa: BLE001 - raised where the block ends
            self._failure = error

    def _exchange(self, sender: RawClient, taker: RawClient) -> None:
        payload = b"%d" % len(self.waits)
        begin = time.monotonic()
        sender.send(publish(self._topic.encode(), payload, qos=1, packet_id=sender.new_id()))
        message = taker.message()
        wait = time.monotonic() - begin
        taker.send(acknowledgement(PUBACK, message.packet_id))
        sender.expect(PUBACK)
        if message.payload != payload:
            raise AssertionError(f"{payload!r} was published, and {message.payload!r} came")
        self.waits.append(wait)


def percentiles(values: Iterable[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[math.ceil(0.99 * len(ordered)) - 1]
