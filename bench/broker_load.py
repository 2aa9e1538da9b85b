"""The load of `bench/broker_speed.py`: a publisher and a subscriber at QoS 1, in one process.

    python bench/broker_load.py PORT closed WINDOW SECONDS [--kept]
    python bench/broker_load.py PORT open RATE SECONDS [--kept]

Prints one JSON line: messages a second, and the 50th and 99th percentile of the wait in ms, from
just before a message's send to just after the recv that brought it. `closed`: a message goes out
when one of the window has its PUBACK and has arrived. `open`: so many messages a second, whatever
comes back. `--kept`: the subscriber's session is persistent, so that a broker has to keep each
message until its acknowledgement. Payloads have 64 bytes.
"""

import argparse
import contextlib
import json
import select
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.neighbour import percentiles
from bench.raw_mqtt import RawClient
from iot_button.packets import PUBACK, PUBLISH, acknowledgement, publish

_TOPIC = b"speed/load"
_PAYLOAD = bytes(64)
_WARM = 0.5
"""Seconds at the beginning that are not counted."""


class Load:
    """Two connections, and the moments of what is under way.

    Args:
        port: the broker's.
        is_kept: whether the subscriber's session is persistent.
    """

    def __init__(self, port: int, *, is_kept: bool) -> None:
        self._sender = RawClient(port)
        self._sender.connect("speed-sender")
        self._taker = RawClient(port)
        self._taker.connect("speed-taker", clean=not is_kept)
        self._taker.subscribe(_TOPIC.decode())
        self._moments: list[float] = []
        self._waits: list[float] = []
        self._acknowledged = 0

    @property
    def under_way(self) -> int:
        """How many have no PUBACK yet, or have not arrived."""
        return len(self._moments) - min(self._acknowledged, len(self._waits))

    def closed(self, window: int, seconds: float) -> None:
        """Keep `window` messages under way."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._publish(window - self.under_way)
            self._read(1.0)

    def open(self, rate: float, seconds: float) -> None:
        """Publish at a steady rate."""
        begin, sent = time.monotonic(), 0
        while (now := time.monotonic() - begin) < seconds:
            due = int(now * rate) + 1 - sent
            self._publish(due)
            sent += max(0, due)
            self._read(max(0.0, sent / rate - (time.monotonic() - begin)))

    def drain(self) -> None:
        """Wait for what is under way, and leave nothing behind."""
        end = time.monotonic() + 20
        while self.under_way and time.monotonic() < end:
            self._read(1.0)
        if self.under_way:
            raise TimeoutError(f"{self.under_way} messages never arrived")
        self._taker.ping()
        self._taker.close()
        self._sender.leave()

    def forget(self) -> None:
        """Count from here on; nothing may be under way."""
        self._moments, self._waits, self._acknowledged = [], [], 0

    @property
    def waits(self) -> list[float]:
        """Seconds, of each message that has arrived."""
        return self._waits

    def _publish(self, count: int) -> None:
        if count <= 0:
            return
        ids = [self._sender.new_id() for _ in range(count)]
        burst = b"".join(publish(_TOPIC, _PAYLOAD, qos=1, packet_id=number) for number in ids)
        self._moments += [time.monotonic()] * count
        self._sender.send(burst)

    def _read(self, wait: float) -> None:
        for client in select.select((self._taker, self._sender), (), (), wait)[0]:
            if client is self._sender:
                self._acknowledged += sum(first == PUBACK for first, _body in client.read())
            else:
                self._take()

    def _take(self) -> None:
        answers, packets, now = [], self._taker.read(), time.monotonic()
        at = 2 + len(_TOPIC)
        for first, body in packets:
            if first & 0xF0 == PUBLISH:
                self._waits.append(now - self._moments[len(self._waits)])
                answers.append(acknowledgement(PUBACK, body[at] << 8 | body[at + 1]))
        self._taker.send(b"".join(answers))


def main() -> None:
    parser = argparse.ArgumentParser(description="Load a broker.")
    parser.add_argument("port", type=int)
    parser.add_argument("kind", choices=("closed", "open"))
    parser.add_argument("number", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--kept", action="store_true")
    options = parser.parse_args()
    load = Load(options.port, is_kept=options.kept)
    with contextlib.ExitStack() as at_end:
        at_end.callback(load.drain)
        for seconds in (_WARM, options.seconds):
            load.forget()
            begin = time.monotonic()
            if options.kind == "closed":
                load.closed(int(options.number), seconds)
            else:
                load.open(options.number, seconds)
            took = time.monotonic() - begin
            counted = len(load.waits)
            if seconds == _WARM:
                while load.under_way:
                    load._read(1.0)  # noqa: SLF001 - of this module
    p50, p99 = percentiles(load.waits)
    print(json.dumps({"rate": counted / took, "p50": p50 * 1000, "p99": p99 * 1000}))


if __name__ == "__main__":
    main()
