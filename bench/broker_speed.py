"""Throughput and latency at QoS 1: amqtt as it comes, the embedded broker, and mosquitto.

    python bench/broker_speed.py [--seconds 4] [--rounds 3] [--only embedded]

One publisher, one subscriber, messages of 64 bytes; the load is a process of its own
(`bench/broker_load.py`), so each broker has a core of its own on two. All peers run in every round,
in turn, each started anew; a figure is the median of the rounds, with the lowest and the highest.

The embedded broker keeps each message for a persistent subscriber on disk until it has acknowledged
it; for a clean one nothing is written. mosquitto runs with the configuration that we write for it,
which saves at each change; amqtt has no durability. `quotient`: to the first peer that ran, in the
same round.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.broker_process import BrokerProcess

FOLDER = Path(__file__).parent
LOADS = {"window 20": ("closed", "20"), "window 200": ("closed", "200"), "100/s": ("open", "100")}
Figures = dict[str, float]
Peer = tuple[Callable[[], AbstractContextManager[int]], bool]
"""What starts a broker and tells its port, and whether the subscriber's session is persistent."""


@contextlib.contextmanager
def amqtt(which: str) -> Iterator[int]:
    """Run amqtt without anything of ours."""
    command = [sys.executable, str(FOLDER / "amqtt_as_it_comes.py"), which]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        yield int(process.stdout.readline())
        process.stdin.close()


@contextlib.contextmanager
def ours(use: str) -> Iterator[int]:
    """Run `iot-button broker`."""
    with BrokerProcess(use) as broker:
        yield broker.port


PEERS: dict[str, Peer] = {
    "amqtt, one plugin": (partial(amqtt, "lean"), False),
    "amqtt, default plugins": (partial(amqtt, "default"), False),
    "embedded, persistent subscriber": (partial(ours, "amqtt"), True),
    "embedded, clean subscriber": (partial(ours, "amqtt"), False),
    "mosquitto, persistent subscriber": (partial(ours, "mosquitto"), True),
    "mosquitto, clean subscriber": (partial(ours, "mosquitto"), False),
}


def measure(port: int, load: tuple[str, str], seconds: float, *, is_kept: bool) -> Figures:
    """Run one load in a process of its own."""
    command = [sys.executable, str(FOLDER / "broker_load.py"), str(port), *load, str(seconds)]
    done = subprocess.run(
        [*command, *(["--kept"] if is_kept else [])], capture_output=True, text=True, check=True
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def spread(values: list[float], digits: int = 0) -> str:
    """Write a median, and the lowest and the highest."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


class Results:
    """All figures, by peer and load, one of each a round."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], list[Figures]] = defaultdict(list)
        self._first = ""

    def add(self, peer: str, load: str, figures: Figures) -> None:
        """Add a round's."""
        self._first = self._first or peer
        self._all[peer, load].append(figures)

    def row(self, peer: str) -> str:
        """Return a peer's row."""
        cells = []
        for load, (kind, _number) in LOADS.items():
            mine, first = self._all[peer, load], self._all[self._first, load]
            if kind == "closed":
                rates = [one["rate"] for one in mine]
                quotients = [a["rate"] / b["rate"] for a, b in zip(mine, first, strict=False)]
                cells += [spread(rates), f"{statistics.median(quotients):.1f}"]
            else:
                cells += [spread([one[which] for one in mine], 2) for which in ("p50", "p99")]
        return f"| {peer} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure brokers' speed.")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="peers whose name contains this")
    options = parser.parse_args()
    results = Results()
    peers = {name: peer for name, peer in PEERS.items() if options.only in name}
    for number in range(options.rounds):
        for name, (start, is_kept) in peers.items():
            with start() as port:
                for load, what in LOADS.items():
                    figures = measure(port, what, options.seconds, is_kept=is_kept)
                    results.add(name, load, figures)
                    print(f"round {number + 1}: {name}, {load}: {figures}", file=sys.stderr)
    columns = ("window 20, msg/s", "quotient", "window 200, msg/s", "quotient")
    head = ("", *columns, "100/s, p50 ms", "p99 ms")
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    print("\n".join(map(results.row, peers)))
    print(f"\nLoad of the machine: {os.getloadavg()[0]:.1f}; processors: {os.cpu_count()}.")


if __name__ == "__main__":
    main()
