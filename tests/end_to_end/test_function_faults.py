"""A user's function while everything is killed: each click ends, and at most once.

The runtime gets `kill -9` three times, its workers all the time, and clicks come at 200 a second.
"""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from iot_button.events import new_event_id, utc_now
from iot_button.messages import Message, Session
from tests.end_to_end.conftest import Up, children
from tests.support import Listener, Program, eventually, require_program

CLICKS = 800
PER_SECOND = 200
KILLS = (200, 400, 600)
MANIFEST = """
service: faults
provider: {name: aws, runtime: python3.11, timeout: 1, memorySize: 128}
functions:
  mine:
    handler: handler.lambda_handler
    events:
      - iot: {sql: "SELECT * FROM 'iotbutton/+'"}
custom: {iot-button: {results: {mine: iotprocessed}}}
"""
HANDLER = """
import random
import time


def lambda_handler(event, context):
{fault}
    return event
"""


@dataclass
class Outcome:
    """How often each click was published where, by event id.

    `how`: of each processed one, its DUP flag, connection and packet id, as evidence.
    """

    processed: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    receipts: dict[str, str] = field(default_factory=dict)
    how: dict[str, list[tuple[bool, int, int]]] = field(default_factory=dict)

    def take(self, message: Message) -> None:
        content = json.loads(message.payload)
        if message.topic == "iotprocessed":
            self.how.setdefault(content["eventId"], []).append(
                (message.duplicate, message.delivery.connection_number, message.delivery.packet_id)
            )
            self.processed[content["eventId"]] += 1
        elif message.topic.startswith("deadletter/"):
            self.dead[content["requestPayload"]["eventId"]] += 1
        else:
            self.receipts[content["eventId"]] = content["outcome"]

    def has(self, ids: set[str]) -> bool:
        return ids <= self.processed.keys() | self.dead.keys() and ids <= self.receipts.keys()


def workers(runtime: int) -> list[int]:
    """Return the execution environments of a runtime."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            stat = (process / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(stat[1]) == runtime and stat[0] != "Z":
            found.append(int(process.name))
    return found


class Killer:
    """Kills workers at random, and the runtime when it is told to."""

    def __init__(self, program: Program) -> None:
        self._up = program.process.pid
        self._chance = random.Random(2_000)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._kill_workers)

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def kill_runtime(self) -> None:
        runtime = eventually(
            lambda: children(self._up).get("functions", 0), what="the runtime is back"
        )
        os.kill(runtime, signal.SIGKILL)

    def _kill_workers(self) -> None:
        while not self._over.wait(self._chance.uniform(0.4, 1.4)):
            runtime = children(self._up).get("functions")
            for worker in workers(runtime) if runtime else ():
                if self._chance.random() < 0.7:
                    try:
                        os.kill(worker, signal.SIGKILL)
                    except ProcessLookupError:
                        continue


def send(publisher: Listener, ids: list[str], killer: Killer) -> None:
    """Publish a click for each id at QoS 1, at the rate of the test."""
    pause = threading.Event()
    for number, event_id in enumerate(ids):
        serial = f"button-{number % 10}"
        click = {"serialNumber": serial, "clickType": "SINGLE", "eventId": event_id}
        publisher.connection.publish(f"iotbutton/{serial}", json.dumps(click).encode())
        if number in KILLS:
            killer.kill_runtime()
        pause.wait(1 / PER_SECOND)
    publisher.connection.drain(30)


def run(up: Up, folder: Path, fault: str) -> tuple[set[str], Outcome]:
    """Run the function under fire until each click has its end; return their ids, and the ends."""
    require_program("mosquitto", "mosquitto")
    folder.mkdir()
    (folder / "serverless.yml").write_text(MANIFEST)
    (folder / "handler.py").write_text(HANDLER.format(fault=fault))
    program = up(
        *("--broker", "mosquitto", "--no-dashboard", "--functions", str(folder)),
        IOT_BUTTON_FUNCTIONS_RETRY_DELAYS="0.2,0.4",
    )
    port = program.port("mqtt")
    outcome = Outcome()
    ids = [new_event_id(utc_now()) for _ in range(CLICKS)]
    topics = ("iotprocessed", "deadletter/#", "iotbutton/+/receipt")
    with (
        Listener(port, *topics, session=Session.UNTIL_STOP) as listener,
        Listener(port) as publisher,
    ):
        with Killer(program) as killer:
            send(publisher, ids, killer)

        collect(listener, outcome, set(ids))
        # A repeat would have been on its way before this one.
        mark = new_event_id(utc_now())
        click = {"serialNumber": "button-0", "clickType": "SINGLE", "eventId": mark}
        publisher.publish("iotbutton/button-0", json.dumps(click))
        collect(listener, outcome, {mark})
    return {*ids, mark}, outcome


def collect(listener: Listener, outcome: Outcome, ids: set[str]) -> None:
    """Take messages until all these clicks have their end and their receipt."""
    end = time.monotonic() + 60
    while not outcome.has(ids):
        if time.monotonic() > end:
            pytest.fail(f"not each click has its end and its receipt: {without_end(ids, outcome)}")
        if not listener.is_empty:
            outcome.take(listener.next())
        else:
            threading.Event().wait(0.01)


def without_end(ids: set[str], outcome: Outcome) -> str:
    ended = outcome.processed.keys() | outcome.dead.keys()
    some = [(e, outcome.receipts.get(e)) for e in sorted(ids - ended)]
    untold = sorted(ids & ended - outcome.receipts.keys())
    return f"{len(some)} have none: {some[:5]}; {len(untold)} have no receipt: {untold[:5]}"


def check(ids: set[str], outcome: Outcome) -> None:
    """Each click is processed or a dead letter, never both, and never twice."""
    assert outcome.processed.keys() | outcome.dead.keys() == ids
    assert outcome.processed.keys() & outcome.dead.keys() == set()
    counts = outcome.processed + outcome.dead
    twice = {e: outcome.how.get(e) for e, count in counts.items() if count != 1}
    assert twice == {}, twice
    said = dict.fromkeys(outcome.processed, "processed") | dict.fromkeys(outcome.dead, "deadletter")
    assert outcome.receipts == said


def test_each_click_is_processed_exactly_once_while_everything_is_killed(
    up: Up, tmp_path: Path
) -> None:
    ids, outcome = run(up, tmp_path / "service", "")
    check(ids, outcome)


def test_each_click_of_a_handler_that_fails_one_time_in_four_is_processed_or_a_dead_letter(
    up: Up, tmp_path: Path
) -> None:
    fault = "    if random.random() < 0.25:\n        raise ValueError('one in four')"
    ids, outcome = run(up, tmp_path / "service", fault)
    check(ids, outcome)
    assert 0 < len(outcome.dead) < CLICKS / 10


@pytest.mark.timeout(240)
def test_each_click_of_a_handler_that_hangs_one_time_in_fifty_has_its_end(
    up: Up, tmp_path: Path
) -> None:
    fault = "    if random.random() < 0.02:\n        time.sleep(60)"
    ids, outcome = run(up, tmp_path / "service", fault)
    check(ids, outcome)
    assert len(outcome.processed) > CLICKS * 0.99
