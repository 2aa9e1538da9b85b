"""How others fare while a broker is attacked: their p99 beside the quiet one, and the memory after.

    python bench/broker_hostile.py [--brokers amqtt,mosquitto] [--seconds 5] [--only stuck]

A pair of clients exchanges a message at QoS 1 about every 5 ms; the wait runs from the publish to
the subscriber's recv. The attacker is a process of its own at the lowest priority. The goal is a
p99 within 3 times the quiet one. Memory is that of all the broker's processes, before the attack
and when the attacker has gone.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.attacks import ATTACKS
from bench.broker_process import TITLES, BrokerProcess
from bench.neighbour import Neighbour, percentiles

ATTACKER = Path(__file__).with_name("attacks.py")
HEAD = (
    *("attack", "broker", "s", "messages", "p50", "p99", "longest, ms", "p99 ÷ quiet"),
    *("MB before", "at most", "after"),
)


def quiet(port: int, seconds: float) -> list[float]:
    """Return others' waits, in ms, while nothing else goes on."""
    with Neighbour(port) as neighbour:
        time.sleep(seconds)
    return [wait * 1000 for wait in neighbour.waits]


def row(name: str, use: str, seconds: float) -> str:
    """Attack a broker of its own; return a row."""
    with BrokerProcess(use) as broker:
        quiet(broker.port, 0.5)  # warm
        _, usual = percentiles(quiet(broker.port, seconds))
        before = most = broker.memory
        begin = time.monotonic()
        try:
            with Neighbour(broker.port) as neighbour:
                attack = [str(ATTACKER), name, str(broker.port), str(seconds)]
                attacker = subprocess.Popen([sys.executable, *attack])
                while attacker.poll() is None:
                    most = max(most, broker.memory)
                    time.sleep(0.05)
        except AssertionError as error:
            return f"| {name} | {TITLES[use]} | {error} |"
        took = time.monotonic() - begin
        quiet(broker.port, 1.0)
        after = broker.memory
    waits = [wait * 1000 for wait in neighbour.waits]
    p50, p99 = percentiles(waits)
    failed = "" if attacker.returncode == 0 else " (the attacker failed)"
    figures = [f"{took:.1f}", str(len(waits)), f"{p50:.2f}", f"{p99:.2f}", f"{max(waits):.1f}"]
    figures += [f"{p99 / usual:.1f}", f"{before:.0f}", f"{most:.0f}", f"{after:.0f}{failed}"]
    return f"| {name} | {TITLES[use]} | {' | '.join(figures)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure others' waits under attack.")
    parser.add_argument("--brokers", default="amqtt,mosquitto")
    parser.add_argument("--seconds", type=float, default=5.0, help="of quiet, and of attack")
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    options = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    for name in ATTACKS:
        if options.only in name:
            for use in options.brokers.split(","):
                print(row(name, use, options.seconds), flush=True)


if __name__ == "__main__":
    main()
