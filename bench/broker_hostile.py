"""How others fare while a broker is attacked: their p99 beside the quiet one, and the memory after.

    python bench/broker_hostile.py [--brokers amqtt,mosquitto] [--seconds 5] [--runs 3] [--only X]

A pair of clients exchanges a message at QoS 1 about every 5 ms; the wait runs from the publish to
the subscriber's recv. The attacker is a process of its own at the lowest priority. The goal is a
p99 within 3 times the quiet one. `elsewhere` is the p99 while another broker on this machine gets
the same attack: what is not more than that is the machine's doing. Memory is that of all the
broker's processes, before the attack and when the attacker has gone, and at most as the system has
counted it: to look now and then would keep the clients waiting, which are in this process. Medians
of the runs, with the spread of the p99.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.attacks import ATTACKS
from bench.broker_process import TITLES, BrokerProcess
from bench.neighbour import Neighbour, percentiles

ATTACKER = Path(__file__).with_name("attacks.py")
HEAD = (
    *("attack", "broker", "s", "messages", "p50", "p99", "longest, ms", "quiet p99", "elsewhere"),
    *("p99 ÷ quiet", "MB before", "at most", "after"),
)


class Run(NamedTuple):
    """One run's figures; waits in ms, memory in MB."""

    seconds: float
    messages: int
    p50: float
    p99: float
    longest: float
    quiet: float
    elsewhere: float
    times: float
    before: float
    most: float
    after: float


def quiet(port: int, seconds: float) -> list[float]:
    """Return others' waits, in ms, while nothing else goes on."""
    with Neighbour(port) as neighbour:
        time.sleep(seconds)
    return [wait * 1000 for wait in neighbour.waits]


def forget_peak(broker: BrokerProcess) -> None:
    """Let the system count the most memory anew (`clear_refs` in proc(5))."""
    for pid in broker.pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(broker: BrokerProcess) -> float:
    """Return the most memory since then, in MB, of all its processes."""
    texts = (Path(f"/proc/{pid}/status").read_text() for pid in broker.pids)
    return sum(int(re.findall(r"VmHWM:\s+(\d+)", text)[0]) / 1000 for text in texts)


def under_attack(
    name: str, neighbours: int, attacked: BrokerProcess, seconds: float
) -> tuple[list[float], float, float]:
    """Attack a broker; return others' waits at `neighbours`, seconds, and its most memory."""
    forget_peak(attacked)
    begin = time.monotonic()
    with Neighbour(neighbours) as neighbour:
        attack = [str(ATTACKER), name, str(attacked.port), str(seconds)]
        subprocess.run([sys.executable, *attack], check=True)
    return [wait * 1000 for wait in neighbour.waits], time.monotonic() - begin, peak(attacked)


def measure(name: str, use: str, seconds: float) -> Run:
    """Attack a broker of its own, and then another one."""
    with BrokerProcess(use) as broker, BrokerProcess(use) as other:
        quiet(broker.port, 0.5)  # warm
        _, usual = percentiles(quiet(broker.port, seconds))
        before = broker.memory
        waits, took, most = under_attack(name, broker.port, broker, seconds)
        quiet(broker.port, 1.0)
        after = broker.memory
        elsewhere, _, _ = under_attack(name, broker.port, other, seconds)
    p50, p99 = percentiles(waits)
    there = percentiles(elsewhere)[1]
    figures = (took, len(waits), p50, p99, max(waits), usual, there, p99 / usual)
    return Run(*figures, before, most, after)


def row(name: str, use: str, seconds: float, runs: int) -> str:
    """Return a row: medians of so many runs."""
    try:
        found = [measure(name, use, seconds) for _ in range(runs)]
    except (AssertionError, subprocess.CalledProcessError) as error:
        return f"| {name} | {TITLES[use]} | {error} |"
    middle = Run(*map(statistics.median, zip(*found, strict=True)))
    p99s = [run.p99 for run in found]
    figures = [f"{middle.seconds:.1f}", f"{middle.messages:.0f}", f"{middle.p50:.2f}"]
    figures += [f"{middle.p99:.2f} ({min(p99s):.2f} to {max(p99s):.2f})", f"{middle.longest:.1f}"]
    figures += [f"{middle.quiet:.2f}", f"{middle.elsewhere:.2f}", f"{middle.times:.1f}"]
    figures += [f"{megabytes:.0f}" for megabytes in middle[-3:]]
    return f"| {name} | {TITLES[use]} | {' | '.join(figures)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure others' waits under attack.")
    parser.add_argument("--brokers", default="amqtt,mosquitto")
    parser.add_argument("--seconds", type=float, default=5.0, help="of quiet, and of attack")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    options = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    for name in ATTACKS:
        if options.only in name:
            for use in options.brokers.split(","):
                print(row(name, use, options.seconds, options.runs), flush=True)


if __name__ == "__main__":
    main()
