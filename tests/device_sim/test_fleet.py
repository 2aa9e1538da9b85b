"""A fleet on real brokers: connections of its own, faults, and a broker that goes away."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from device_sim import fleet as fleets
from device_sim.faults import Faults, parse_fault
from device_sim.fleet import Fleet
from device_sim.schedule import Mix, Press, presses
from iot_button.errors import IotButtonError
from iot_button.settings import BrokerSettings, Settings
from tests.conftest import Start
from tests.end_to_end.conftest import FREE_PORTS, children
from tests.ground.mosquitto_child import MosquittoChild
from tests.support import Listener, Program, eventually, require_program


@pytest.fixture
def pipeline(mosquitto: Program, start: Start) -> Program:
    """mosquitto with the functions behind it; returns the broker."""
    start("functions", "--broker", mosquitto.address("mqtt")).wait_for("^ready")
    return mosquitto


def simulate(start: Start, broker: Program, *options: str) -> dict[str, Any]:
    """Simulate with faults for a while, and return the summary."""
    simulated = start(
        *("simulate", "--broker", broker.address("mqtt"), "--seed", "5"),
        *("--rate", "60", "--duration", "1.5", *options),
    )
    assert simulated.end(deadline=60) == 0, simulated.said
    summary: dict[str, Any] = json.loads(simulated.printed[-1])
    return summary


def expected(devices: int, *, mix: Mix = Mix.PEOPLE) -> list[Press]:
    """Return the presses that `simulate` carries out."""
    schedule = presses(devices=devices, rate=60, seed=5, mix=mix)
    return list(itertools.takewhile(lambda press: press.at <= 1.5, schedule))


def taken(listener: Listener, count: int) -> list[dict[str, Any]]:
    """Return so many messages, decoded."""
    return [json.loads(listener.next().payload) for _ in range(count)]


def assert_all_processed(summary: dict[str, Any]) -> None:
    assert summary["processed"] == summary["acknowledged"] == summary["sent"] > 50
    assert summary["acknowledgedNotProcessed"] == summary["repeated"] == 0


def test_a_button_that_is_cut_off_comes_back_and_nothing_is_lost(
    pipeline: Program, start: Start
) -> None:
    with Listener(pipeline.port("mqtt"), "iotprocessed") as listener:
        summary = simulate(start, pipeline, "--fault", "drop@10,20,30")
        events = taken(listener, summary["sent"])
        assert listener.is_empty
    assert summary["dropped"] == summary["reconnected"] == 3
    assert_all_processed(summary)
    assert len({event["eventId"] for event in events}) == summary["sent"]


def test_a_frozen_button_hears_and_says_nothing(pipeline: Program, start: Start) -> None:
    options = ("--devices", "1", "--settle", "0.5", "--fault", "freeze@1:3600")
    summary = simulate(start, pipeline, *options)
    assert summary["frozen"] == 1
    assert summary["sent"] == len(expected(1))
    # The first has gone out; its acknowledgement is not read, and no other click is sent.
    assert (summary["acknowledged"], summary["processed"]) == (0, 1)


def test_a_button_that_thaws_sends_what_waited(pipeline: Program, start: Start) -> None:
    summary = simulate(start, pipeline, "--devices", "2", "--fault", "freeze@5,6,40:0.4")
    assert summary["frozen"] == 3
    assert summary["reconnected"] == 0
    assert_all_processed(summary)


def test_a_duplicate_has_the_same_id_and_is_processed_once(pipeline: Program, start: Start) -> None:
    port = pipeline.port("mqtt")
    with Listener(port, "iotbutton/+") as clicks, Listener(port, "iotprocessed") as processed:
        summary = simulate(start, pipeline, "--fault", "duplicate@3,4,50")
        ids = [click["eventId"] for click in taken(clicks, summary["sent"] + 3)]
        taken(processed, summary["sent"])
        assert clicks.is_empty
        assert processed.is_empty
    assert summary["duplicated"] == 3
    assert_all_processed(summary)
    # Which come first is up to the connections: each button has one of its own.
    assert sorted(Counter(ids).values())[-4:] == [1, 2, 2, 2]


def test_a_click_that_is_held_back_comes_after_the_next_of_its_button(
    pipeline: Program, start: Start
) -> None:
    schedule = expected(1)
    with Listener(pipeline.port("mqtt"), "iotbutton/+") as listener:
        summary = simulate(start, pipeline, "--devices", "1", "--fault", "reorder@5,6,20")
        clicks = taken(listener, summary["sent"])
    # While one is held back, the next goes out whatever its own fault would have been.
    for first in (5, 20):
        schedule[first - 1], schedule[first] = schedule[first], schedule[first - 1]
    assert [click["batteryVoltage"] for click in clicks] == [
        f"{press.battery_millivolts}mV" for press in schedule
    ]
    assert summary["reordered"] == 2
    assert_all_processed(summary)


def test_damaged_clicks_become_dead_letters_and_the_others_are_processed(
    pipeline: Program, start: Start
) -> None:
    script = ",".join(map(str, range(1, 31)))
    with Listener(pipeline.port("mqtt"), "deadletter/enrich") as listener:
        summary = simulate(start, pipeline, "--fault", f"corrupt@{script}")
        letters = taken(listener, 30)
        assert listener.is_empty
    assert summary["corrupted"] == summary["deadLettered"] == 30
    assert summary["sent"] == len(expected(5)) - 30
    assert_all_processed(summary)
    assert all(letter["requestContext"]["condition"] == "NotAClick" for letter in letters)


def test_damaged_clicks_that_nobody_notices_are_told(mosquitto: Program, start: Start) -> None:
    simulated = start(
        *("simulate", "--broker", mosquitto.address("mqtt"), "--rate", "60", "--duration", "0.5"),
        *("--fault", "corrupt=1", "--settle", "0.5"),
    )
    assert simulated.end() == 1
    summary = json.loads(simulated.printed[-1])
    assert summary["sent"] == summary["deadLettered"] == 0 < summary["corrupted"]
    problem = f"{summary['corrupted']} damaged ones did not become dead letters"
    assert simulated.said[-2] == f"iot-button: {problem}"


def test_the_same_seed_brings_the_same_clicks_and_faults(pipeline: Program, start: Start) -> None:
    faults = ("drop=0.1", "freeze=0.1:0.1", "duplicate=0.1", "reorder=0.2", "corrupt=0.1")
    options = itertools.chain.from_iterable(("--fault", fault) for fault in faults)
    arguments = ("--devices", "3", *options)
    first, second = (simulate(start, pipeline, *arguments) for _ in "ab")
    counted = ("sent", "dropped", "frozen", "duplicated", "reordered", "corrupted", "deadLettered")
    assert [first[name] for name in counted] == [second[name] for name in counted]
    assert all(first[name] > 0 for name in counted)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--fault", "burn=1"), "'burn' is no kind of fault"),
        (("--fault", "drop=2"), "a share is 0 to 1, and not 2"),
        (("--fault", "drop=0.6", "--fault", "corrupt=0.6"), "the shares add up to 1.2"),
        (("--mix", "odd"), "'odd' is not one of 'even', 'people'"),
        (("--devices", "10001"), "10001 is not in the range 1<=x<=10000"),
    ],
)
def test_wrong_usage_is_told_in_one_line(
    start: Start, options: tuple[str, ...], problem: str
) -> None:
    simulated = start("simulate", *options)
    assert simulated.end() == 2
    assert problem in simulated.said[-1]


def connections(pid: int, port: int) -> int:
    """Return how many connections a process has to a port of loopback."""
    sockets = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    there = f"0100007F:{port:04X}"
    return sum(row[2] == there and f"socket:[{row[9]}]" in sockets for row in rows)


def threads(pid: int) -> int:
    found = re.search(r"^Threads:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_300_buttons_have_connections_of_their_own_and_no_threads(
    broker: Program, start: Start
) -> None:
    simulated = start(
        "simulate", "--broker", broker.address("mqtt"), "--devices", "300", "--settle", "0"
    )
    simulated.wait_for("^ready simulate", deadline=60)
    pid = simulated.process.pid
    port = broker.port("mqtt")
    # One more sees processed clicks; one that was given up and made again may be about to close.
    eventually(lambda: connections(pid, port) == 300 + 1, what="one connection each")
    # The loop's, and the one that waits for signals; a connecting one may be about to end.
    eventually(lambda: threads(pid) <= 3, what="the connecting threads end")
    simulated.send(signal.SIGINT)
    assert simulated.end() == 130


@pytest.mark.parametrize("use", ["amqtt", "mosquitto"])
def test_all_buttons_come_back_after_the_broker_was_killed(use: str, start: Start) -> None:
    if use == "mosquitto":
        require_program("mosquitto", "mosquitto")
    program = start("up", *FREE_PORTS, "--no-dashboard", "--broker", use)
    port = int(program.wait_for(r"^ready up .*\bmqtt=\S+:(\d+)", deadline=30)[1])
    simulated = start(
        *("simulate", "--broker", f"mqtt://127.0.0.1:{port}", "--devices", "300"),
        *("--rate", "60", "--duration", "6", "--settle", "20"),
    )
    simulated.wait_for("^ready simulate", deadline=60)
    with Listener(port, "iotprocessed") as listener:
        taken(listener, 50)
    os.kill(children(program.process.pid)["broker"], signal.SIGKILL)
    program.wait_for("^broker is ready again")
    pid = simulated.process.pid
    eventually(lambda: connections(pid, port) == 301, what="all have come back")
    status = simulated.end(deadline=60)
    summary = json.loads(simulated.printed[-1])
    assert summary["acknowledged"] == summary["sent"] > 200
    assert summary["reconnected"] == 300
    # One line tells of the broker, and not 301.
    assert len([line for line in simulated.said if "lost" in line]) == 1
    if use == "amqtt":  # mosquitto 2.0.11 acknowledges before it saves
        assert (status, summary["acknowledgedNotProcessed"]) == (0, 0)


def test_a_broker_that_takes_fewer_is_told_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleets, "CONNECT_TIMEOUT", 1.0)
    child = MosquittoChild(tmp_path, "max_connections 20")
    child.start()
    settings = Settings(state_dir=str(tmp_path), broker=BrokerSettings(use=str(child.address)))
    fleet = Fleet(settings, devices=50, presses=presses(devices=50, rate=1), faults=Faults())
    with pytest.raises(IotButtonError) as caught:
        fleet.run(duration=1, settle=0)
    child.stop()
    # mosquitto 2.0.11 takes one more than it says.
    assert re.match(r"(19|20) of 50 buttons could connect to mqtt:", caught.value.problem)
    assert "max_connections" in caught.value.mend


def limited(
    limit: str, *options: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Simulate where only so many files may be open."""
    command = [sys.executable, "-m", "iot_button", "simulate", *options]
    return subprocess.run(
        ["sh", "-c", f'ulimit {limit} && exec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )


def test_a_limit_of_open_files_is_raised_where_it_can_be(
    mosquitto: Program, environment: dict[str, str]
) -> None:
    options = ("--broker", mosquitto.address("mqtt"), "--devices", "100", "--duration", "0.1")
    ended = limited("-Sn 90", *options, "--settle", "0", environment=environment)
    assert "ready simulate" in ended.stderr


def test_a_limit_of_open_files_that_is_too_low_is_told_with_what_mends_it(
    environment: dict[str, str],
) -> None:
    ended = limited("-n 90", "--devices", "100", environment=environment)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "iot-button: 200 files have to be open at once, and the limit is 90",
        "  raise it before the start: ulimit -n 200 (in a systemd unit: LimitNOFILE=200)",
    ]


def test_damaged_clicks_too_wait_for_a_broker_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleets, "MOST_UNDER_WAY", 20)
    child = MosquittoChild(tmp_path)
    child.start()
    sent = list[int]()

    def stop_when_it_waits(fleet: Fleet) -> None:
        sent.append(fleet.damaged.sent)
        if sent[-1] > 200 or (sent[-1] and sent[-2:] == sent[-1:] * 2):
            fleet.ask_to_stop()

    fleet = Fleet(
        Settings(state_dir=str(tmp_path), broker=BrokerSettings(use=str(child.address))),
        devices=2,
        presses=presses(devices=2, rate=1000, seed=1),
        faults=Faults([parse_fault("corrupt=1")], seed=1),
        on_progress=stop_when_it_waits,
    )
    fleet.run(duration=None, settle=0, on_ready=child.kill)
    assert 0 < fleet.damaged.sent <= 20
