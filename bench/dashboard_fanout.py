"""From `iotprocessed` to every browser: how long it takes with many that watch, and one stuck.

    python bench/dashboard_fanout.py [--sizes 10,100,500,1000] [--rate 20] [--seconds 10] [--runs 3]

The wait runs from the publish to the browser's recv, so it includes the broker and the commit to
the history on disk. The browsers are sockets in one process of their own (`bench/watchers.py`), on
the same two cores. FlowFuse's dashboard keeps no history and has nothing to commit; it gets a text
on a page to show. Medians of the runs, with the spread.
"""

import argparse
import contextlib
import itertools
import json
import math
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import flowfuse as peer
from bench.broker_process import BrokerProcess
from bench.system import System, cpu_seconds, resident
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress

WATCHERS = Path(__file__).with_name("watchers.py")
HEAD = ("dashboard", "browsers", "p50, ms", "p99, ms", "longest, ms", "% of a core", "MB", "missed")


class Place(NamedTuple):
    """A dashboard that runs: its port, its broker's, and its process id."""

    port: int
    broker_port: int
    process: int


def publish(connection: Connection, *, rate: float, seconds: float) -> int:
    """Publish processed clicks evenly, with the moment in the title; return how many."""
    begin, count = time.monotonic(), round(rate * seconds)
    for number in range(count):
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))
        click = {"serialNumber": "BENCH", "clickType": "SINGLE", "title": str(time.time_ns())}
        connection.publish("iotprocessed", json.dumps(click).encode())
    connection.drain(10)
    time.sleep(0.5)
    return count


@contextlib.contextmanager
def ours() -> Iterator[Place]:
    """Run the whole system."""
    with System() as system:
        port, broker = (urlsplit(system.address(name)).port or 0 for name in ("dashboard", "mqtt"))
        yield Place(port, broker, system.processes()["dashboard"])


@contextlib.contextmanager
def flowfuse() -> Iterator[Place]:
    """Run FlowFuse's dashboard at a mosquitto: the system's other broker."""
    with BrokerProcess("mosquitto") as broker, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        with peer.running(broker.port, port) as process:
            yield Place(port, broker.port, process)


WHO = {"ours": ours, "flowfuse": flowfuse}


def measure(who: str, size: int, *, rate: float, seconds: float) -> list[float]:
    """Return a row's figures, for a system of its own."""
    with WHO[who]() as place:
        command = [sys.executable, str(WATCHERS), str(place.port), str(size), "1", who]
        with (
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as watchers,
            Connection(
                BrokerAddress(host="127.0.0.1", port=place.broker_port), client_id="b"
            ) as connection,
        ):
            assert watchers.stdout is not None  # noqa: S101 - it is a PIPE
            if watchers.stdout.readline() != "ready\n":
                raise SystemExit("the browsers could not connect")
            connection.wait_ready(5)
            publish(connection, rate=rate, seconds=1)  # warm
            used, begin = cpu_seconds(place.process), time.monotonic()
            count = publish(connection, rate=rate, seconds=seconds)
            used = (cpu_seconds(place.process) - used) / (time.monotonic() - begin) * 100
            memory = resident(place.process)
            found = json.loads(watchers.communicate()[0])
    count += round(rate)
    waits = sorted(wait * 1000 for wait in found["waits"])
    p50, p99 = (waits[math.ceil(len(waits) * part) - 1] for part in (0.5, 0.99))
    return [p50, p99, waits[-1], used, memory, count - found["fewest"]]


def row(who: str, size: int, runs: Sequence[Sequence[float]]) -> str:
    """Return a line of the table: each figure's median, and its spread where there is one."""
    cells = [who, f"{size:,}"]
    for figures in zip(*runs, strict=True):
        middle = f"{statistics.median(figures):.1f}".removesuffix(".0")
        spread = f" ({min(figures):.1f} to {max(figures):.1f})" if len(set(figures)) > 1 else ""
        cells.append(middle + spread)
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the way to many browsers.")
    parser.add_argument("--sizes", default="10,100,500,1000", help="how many browsers watch")
    parser.add_argument("--who", default="ours", help="ours,flowfuse (installed with npm)")
    parser.add_argument("--rate", type=float, default=20.0, help="clicks per second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    for who, size in itertools.product(options.who.split(","), map(int, options.sizes.split(","))):
        runs = [
            measure(who, size, rate=options.rate, seconds=options.seconds)
            for _ in range(options.runs)
        ]
        print(row(who, size, runs), flush=True)


if __name__ == "__main__":
    main()
