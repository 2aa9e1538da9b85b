import json
import random
import signal
import threading
import urllib.request
from collections import Counter
from typing import Any

from websockets.sync.client import connect

from tests.dashboard.helpers import Mosquitto, Start, processed, start_dashboard
from tests.support import DEADLINE, Listener, Program, eventually

KILLS = 2
BETWEEN_KILLS = 100  # clicks, at the least


class Pressing:
    """Publishes processed clicks until told to stop, each when the one before is acknowledged."""

    def __init__(self, publisher: Listener) -> None:
        self._publisher = publisher
        self._is_enough = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.published = 0

    def __enter__(self) -> "Pressing":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_enough.set()
        self._thread.join()

    def wait_for(self, count: int) -> None:
        eventually(lambda: self.published >= count, what=f"{count} are published")

    def _run(self) -> None:
        while not self._is_enough.wait(0.003):  # as fast as it goes, thousands wait at the end
            serial = f"B-{self.published % 7}"
            payload = processed(eventId=f"e{self.published}", serialNumber=serial)
            self._publisher.publish("iotprocessed", payload)
            self.published += 1


def kept(program: Program) -> list[str]:
    url = f"{program.address('dashboard')}/api/clicks.ndjson"
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own
        return [json.loads(line)["eventId"] for line in answer]


def snapshot(program: Program, query: str = "") -> dict[str, Any]:
    with connect(f"ws://127.0.0.1:{program.port('dashboard')}/ws{query}") as client:
        message: dict[str, Any] = json.loads(client.recv(timeout=DEADLINE))
    return message


def test_every_click_is_kept_once_though_the_dashboard_is_killed_at_random_moments(
    start: Start, broker: Mosquitto, publisher: Listener
) -> None:
    chance = random.Random(6)
    program = start_dashboard(start, broker)
    program.address("dashboard")
    with Pressing(publisher) as pressing:
        for _ in range(KILLS):
            pressing.wait_for(pressing.published + BETWEEN_KILLS + chance.randrange(100))
            program.send(signal.SIGKILL)
            program.end()
            program = start_dashboard(start, broker)
            program.address("dashboard")
        pressing.wait_for(pressing.published + BETWEEN_KILLS)
    wanted = [f"e{number}" for number in range(pressing.published)]
    eventually(lambda: len(kept(program)) >= len(wanted), what="all have come")
    assert Counter(kept(program)) == Counter(wanted)


def test_what_comes_while_no_dashboard_runs_is_there_when_one_runs_again(
    start: Start, broker: Mosquitto, publisher: Listener
) -> None:
    program = start_dashboard(start, broker)
    program.address("dashboard")
    publisher.publish("iotprocessed", processed(eventId="before"))
    eventually(lambda: kept(program) == ["before"], what="the first is kept")
    seen = snapshot(program)
    program.stop()
    publisher.publish("iotprocessed", processed(eventId="meanwhile"))
    again = start_dashboard(start, broker)
    eventually(lambda: kept(again) == ["before", "meanwhile"], what="the second has come")
    resumed = snapshot(again, f"?epoch={seen['epoch']}&after={seen['clicks'][-1]['id']}")
    assert resumed["resumed"]
    assert [row["eventId"] for row in resumed["clicks"]] == ["meanwhile"]
