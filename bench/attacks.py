"""What a broker has to bear from clients that mean it harm, or are badly broken.

    python bench/attacks.py NAME PORT [SECONDS]

Each function attacks the broker on a port of loopback, and returns when it is done. None of them
judges: whether the broker stands, and how the others fare, is for a test or a benchmark to see.
Run as a program, it is the attacker's own process, which goes on for that long, at the lowest
priority: on two cores, others would wait for its processor time otherwise, not for the broker.
"""

import contextlib
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.garbage import garbage
from bench.raw_mqtt import ClosedError, RawClient
from bench.raw_packets import (
    connect_packet,
    packet,
    subscribe_packet,
    text,
    unsubscribe_packet,
)
from iot_button.packets import PUBREC, acknowledgement, publish

_GONE = (ClosedError, ConnectionError, TimeoutError)
_OVERSIZE = b"\x30\xff\xff\xff\x7f"
"""A PUBLISH that says it has 268,435,455 bytes, the most that MQTT can say (2.2.3)."""


def malformed(port: int, count: int = 1000, seed: int = 1) -> None:
    """Send garbage, half of it before a CONNECT, each on a connection of its own."""
    random_ = random.Random(seed)
    for number in range(count):
        with RawClient(port, timeout=0.05) as client, contextlib.suppress(*_GONE):
            if number % 2:
                client.connect(f"bad-{number % 50}", clean=bool(number % 4))
            client.send(garbage(random_))
            while True:
                client.read()


def oversize(port: int, count: int = 20, megabytes: int = 8) -> None:
    """Announce 256 MB and begin to send it; half of the times before a CONNECT."""
    for number in range(count):
        with RawClient(port, timeout=0.5) as client, contextlib.suppress(*_GONE):
            if number % 2:
                client.connect()
            client.send(_OVERSIZE)
            for _ in range(megabytes * 16):
                client.send(bytes(65_536))


@contextlib.contextmanager
def half_open(port: int, count: int = 200) -> Iterator[list[RawClient]]:
    """Hold connections that have sent half a CONNECT, in three rounds of a few bytes."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(port)) for _ in range(count)]
        for start in range(0, 9, 3):
            for client in clients:
                client.send(half_connect(clients.index(client))[start : start + 3])
        yield clients


def half_connect(number: int) -> bytes:
    """Return the CONNECT that a half-open connection has sent 9 bytes of."""
    return connect_packet(f"slow-{number}")


def slow_connects(port: int, count: int = 200, seconds: float = 6.0) -> None:
    """Hold half-open connections, and send each of them one byte now and then."""
    end = time.monotonic() + seconds
    with half_open(port, count) as clients:
        position = 9
        while time.monotonic() < end:
            for number, client in enumerate(clients):
                with contextlib.suppress(*_GONE):
                    client.send(half_connect(number)[position : position + 1])
                time.sleep(0.002)
            position = min(position + 1, 13)


def heavy_connects(port: int, count: int = 300) -> None:
    """Send most of a CONNECT of 250 kB on each of many connections, and keep them open."""
    body = text("MQTT") + bytes([4, 0xC6]) + bytes(2) + text("x")
    body += b"".join(text(bytes(65_000)) for _ in range(4))
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            with contextlib.suppress(*_GONE):
                client = stack.enter_context(RawClient(port, timeout=2.0))
                client.send(packet(0x10, body)[:-1])


def rapid_connects(port: int, count: int = 5000, at_once: int = 50) -> None:
    """Connect and go: half of them in order, half with a reset."""
    for first in range(0, count, at_once):
        clients = []
        for number in range(first, min(count, first + at_once)):
            client = RawClient(port)
            client.send(connect_packet(f"rapid-{number}"))
            clients.append(client)
        for client in clients:
            client.next()
        for number, client in enumerate(clients):
            if number % 2:
                client.abort()
            else:
                client.send(b"\xe0\x00")
                client.close()


def stuck(port: int, *, qos: int, megabytes: int = 50) -> None:
    """Subscribe, stop reading, and have that much published to oneself in pieces of 100 kB."""
    with RawClient(port, receive_buffer=4096) as deaf, RawClient(port) as sender:
        deaf.connect(f"stuck-{qos}")
        deaf.subscribe("flood", qos=qos)
        sender.connect()
        payload = bytes(100_000)
        if qos:
            sender.publish_all("flood", [payload] * (megabytes * 10), window=10)
        else:
            for _ in range(megabytes * 10):
                sender.publish("flood", payload, qos=0)


def deaf(port: int, kind: bytes = acknowledgement(PUBREC, 1), megabytes: float = 4.0) -> None:
    """Send small packets that call for an answer, and never read one."""
    burst = kind * (65_536 // len(kind))
    with RawClient(port, timeout=2.0, receive_buffer=4096) as client:
        client.connect("deaf")
        with contextlib.suppress(*_GONE):
            for _ in range(int(megabytes * 16)):
                client.send(burst)


def wildcard_filters(count: int) -> list[str]:
    """Return topic filters of many forms; those of the most levels, 200, among them."""
    forms = ("w/{0}/+/#", "+/{0}/#", "w/+/{0}", "+/+/+/{0}", "w/{0}/{0}", "{0}/+")
    found = [forms[number % len(forms)].format(f"n{number}") for number in range(count - 3)]
    deep = ("/".join(["+"] * 200), "/".join(["w"] * 199 + ["#"]), "/".join(["+", "w"] * 100))
    return [*found, *deep]


def wildcards(port: int, count: int = 5000, rounds: int = 2) -> None:
    """Subscribe to thousands of filters, publish where many match, unsubscribe, and again."""
    names = wildcard_filters(count)
    parts = [names[first : first + 50] for first in range(0, count, 50)]
    deep = "/".join(["w"] * 200)
    with RawClient(port) as client, RawClient(port) as sender:
        client.connect("wild")
        sender.connect()
        reader = threading.Thread(target=_drain, args=(client,), daemon=True)
        reader.start()
        for _ in range(rounds):
            for part in parts:
                client.send(subscribe_packet(client.new_id(), part, 0))
            for number in range(50):
                sender.publish(f"w/n{number}/x/n3", b"x")
                sender.publish(deep, b"x")
            for part in parts:
                client.send(unsubscribe_packet(client.new_id(), part))
        client.socket.shutdown(socket.SHUT_WR)
        reader.join(15)


def _drain(client: RawClient) -> None:
    with contextlib.suppress(*_GONE):
        while True:
            client.read()


def retained_wildcards(port: int, topics: int = 1000, count: int = 1000) -> None:
    """Subscribe with thousands of filters where thousands of messages are retained."""
    with RawClient(port) as sender:
        sender.connect()
        for first in range(0, topics, 100):
            for number in range(first, first + 100):
                name = f"kept/{number}".encode()
                packet_id = sender.new_id()
                sender.send(publish(name, b"x", qos=1, packet_id=packet_id, retain=True))
            for _ in range(100):
                sender.next()
    with RawClient(port) as client:
        client.connect("curious")
        reader = threading.Thread(target=_drain, args=(client,), daemon=True)
        reader.start()
        names = [f"+/+/n{number}" for number in range(count)]
        client.send(subscribe_packet(1, names, 0))
        client.socket.shutdown(socket.SHUT_WR)
        reader.join(15)


ATTACKS: dict[str, Callable[[int], None]] = {
    "malformed": malformed,
    "oversize": oversize,
    "slow-connects": slow_connects,
    "heavy-connects": heavy_connects,
    "rapid-connects": lambda port: rapid_connects(port, 20_000),
    "stuck-0": lambda port: stuck(port, qos=0),
    "stuck-1": lambda port: stuck(port, qos=1),
    "deaf": deaf,
    "wildcards": wildcards,
    "retained-wildcards": retained_wildcards,
}


if __name__ == "__main__":
    os.nice(19)
    _until = time.monotonic() + float((*sys.argv, "0")[3])
    ATTACKS[sys.argv[1]](int(sys.argv[2]))
    while time.monotonic() < _until:
        ATTACKS[sys.argv[1]](int(sys.argv[2]))
