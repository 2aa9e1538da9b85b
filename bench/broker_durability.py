"""What the embedded broker and mosquitto keep through kills and restarts, side by side.

    python bench/broker_durability.py [--kills 20] [--brokers amqtt,mosquitto] [--seed 1]

Each broker runs as `iot-button broker` with nothing but free ports set, so mosquitto has the
configuration that we write for it. A kill is `kill -9` of every process of the broker, at a moment
that the seed gives. Every message that was acknowledged to its publisher must arrive.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import durability_cases as cases
from bench import handshake_cases as handshakes
from bench.broker_process import TITLES, BrokerProcess
from bench.durability_cases import Tally
from bench.raw_mqtt import RawClient

Case = Callable[[BrokerProcess], Tally]
HEAD = ("", "broker", "published", "acknowledged", "delivered", "lost", "twice", "in order")


def table_of_cases(kills: int, seed: int) -> dict[str, Case]:
    """Return what is measured, by the name of its row."""

    def load(rate: float | None, is_here: bool) -> Case:
        return lambda broker: cases.killed_under_load(
            broker, kills=kills, seed=seed, rate=rate, is_here=is_here
        )

    return {
        "subscriber away and back": cases.away_and_back,
        "subscriber killed before PUBACK": cases.killed_before_puback,
        "restart in order, 300 queued": lambda b: cases.queued_and_restarted(b, kill=False),
        "kill, 300 queued": lambda b: cases.queued_and_restarted(b, kill=True),
        f"{kills} kills at 200/s, subscriber here": load(200.0, True),
        f"{kills} kills at 200/s, subscriber away": load(200.0, False),
        f"{kills} kills under full load, subscriber here": load(None, True),
        "retained, 100 topics, kill": retained,
        "QoS 2, publisher interrupted by a kill, 3 steps": publisher_steps,
        "QoS 2, subscriber interrupted by a kill, 3 steps": subscriber_steps,
    }


def retained(broker: BrokerProcess) -> Tally:
    """Retain, kill, and ask for all."""
    tally = Tally(published=100, acknowledged=set(range(100)))
    with RawClient(broker.port) as client:
        client.connect()
        for number in range(100):
            client.publish(f"kept/{number}", b"%d" % number, retain=True)
        client.ping()
        broker.kill()
    broker.start()
    with RawClient(broker.port) as client:
        client.connect()
        client.subscribe("kept/#")
        client.publish("kept/end", b"end")
        while (message := client.take()).payload != b"end":
            tally.arrived.append(int(message.payload))
    tally.arrived.sort()  # their topics have no order among each other
    return tally


def publisher_steps(broker: BrokerProcess) -> Tally:
    """Interrupt at each step."""
    tally = Tally()
    for step in handshakes.PUBLISHER_STEPS.values():
        tally.add(handshakes.publisher_interrupted(broker, step))
    return tally


def subscriber_steps(broker: BrokerProcess) -> Tally:
    """Interrupt at each step."""
    tally = Tally()
    for step in handshakes.SUBSCRIBER_STEPS.values():
        tally.add(handshakes.subscriber_interrupted(broker, step))
    return tally


def row(name: str, use: str, case: Case) -> str:
    """Run one case on a broker of its own, and return its row."""
    with BrokerProcess(use) as broker:
        try:
            tally = case(broker)
        except (OSError, AssertionError) as error:
            return f"| {name} | {TITLES[use]} | failed: {error} |"
    figures = (
        tally.published,
        len(tally.acknowledged),
        len(set(tally.arrived)),
        len(tally.lost),
        tally.twice,
        "yes" if tally.is_in_order else "no",
    )
    return f"| {name} | {TITLES[use]} | {' | '.join(map(str, figures))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Count what brokers lose.")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--brokers", default="amqtt,mosquitto")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    for name, case in table_of_cases(options.kills, options.seed).items():
        if options.only in name:
            for use in options.brokers.split(","):
                print(row(name, use, case), flush=True)


if __name__ == "__main__":
    main()
