"""From `iotprocessed` to every browser: how long it takes with many that watch, and one stuck.

    python bench/dashboard_fanout.py [--sizes 10,100,500,1000] [--rate 20] [--seconds 10] [--runs 3]

The wait runs from the publish to the browser's recv, so it includes the broker and the commit to
the history on disk. The browsers are sockets in one process of their own (`bench/watchers.py`), on
the same two cores. Medians of the runs, with the spread.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.system import System, cpu_seconds, resident
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress

WATCHERS = Path(__file__).with_name("watchers.py")
HEAD = ("browsers", "p50, ms", "p99, ms", "longest, ms", "% of a core", "MB", "missed")


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


def measure(size: int, *, rate: float, seconds: float) -> list[float]:
    """Return a row's figures, for a system of its own."""
    with System() as system:
        port = urlsplit(system.address("dashboard")).port
        broker = urlsplit(system.address("mqtt")).port or 0
        dashboard = system.processes()["dashboard"]
        command = [sys.executable, str(WATCHERS), str(port), str(size), "1"]
        with (
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as watchers,
            Connection(BrokerAddress(host="127.0.0.1", port=broker), client_id="b") as connection,
        ):
            assert watchers.stdout is not None  # noqa: S101 - it is a PIPE
            if watchers.stdout.readline() != "ready\n":
                raise SystemExit("the browsers could not connect")
            connection.wait_ready(5)
            publish(connection, rate=rate, seconds=1)  # warm
            used, begin = cpu_seconds(dashboard), time.monotonic()
            count = publish(connection, rate=rate, seconds=seconds)
            used = (cpu_seconds(dashboard) - used) / (time.monotonic() - begin) * 100
            memory = resident(dashboard)
            found = json.loads(watchers.communicate()[0])
    count += round(rate)
    waits = sorted(wait * 1000 for wait in found["waits"])
    p50, p99 = (waits[math.ceil(len(waits) * part) - 1] for part in (0.5, 0.99))
    return [p50, p99, waits[-1], used, memory, count - found["fewest"]]


def row(size: int, runs: Sequence[Sequence[float]]) -> str:
    """Return a line of the table: each figure's median, and its spread where there is one."""
    cells = [f"{size:,}"]
    for figures in zip(*runs, strict=True):
        middle = f"{statistics.median(figures):.1f}".removesuffix(".0")
        spread = f" ({min(figures):.1f} to {max(figures):.1f})" if len(set(figures)) > 1 else ""
        cells.append(middle + spread)
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the way to many browsers.")
    parser.add_argument("--sizes", default="10,100,500,1000", help="how many browsers watch")
    parser.add_argument("--rate", type=float, default=20.0, help="clicks per second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    for size in map(int, options.sizes.split(",")):
        runs = [
            measure(size, rate=options.rate, seconds=options.seconds) for _ in range(options.runs)
        ]
        print(row(size, runs), flush=True)


if __name__ == "__main__":
    main()
