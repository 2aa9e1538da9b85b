"""The bridge while a broker is away, or it is killed itself: nothing is lost, and order is kept."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_button.messages import Session
from tests.broker.bridged import Mosquitto, arrivals, click, in_order, kill, summary
from tests.conftest import Start
from tests.storage import small_disk
from tests.support import Listener, Program, eventually, free_port

READY = r"^ready bridge to="
THERE = r"connected to the remote broker"
BUTTONS = tuple(f"B{number}" for number in range(10))


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "other")
    yield broker
    broker.kill()


def bridged(start: Start, broker: str, other: Mosquitto, *options: str) -> Program:
    """Start a bridge for clicks and wait until our broker is connected."""
    program = start(
        *("bridge", "--broker", broker, "--to", other.address, "--topic", "iotbutton/+ out"),
        *options,
    )
    program.wait_for(READY)
    return program


def children(pid: int) -> list[int]:
    """Return the process ids of a process's children, of all its threads."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]


def words(pid: int) -> list[str]:
    """Return a process's command line."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def watching(other: Mosquitto) -> Listener:
    """A subscriber whose session outlives the other broker's death."""
    return Listener(other.port, "iotbutton/+", session=Session.UNTIL_STOP)


def press(here: Listener, numbers: range) -> None:
    """Let each button click so many times; return when our broker has them."""
    acknowledged = threading.Semaphore(0)
    for number in numbers:
        for serial in BUTTONS:
            here.connection.publish(
                f"iotbutton/{serial}",
                click(serial, number),
                on_acknowledged=acknowledged.release,
            )
    for _ in range(len(numbers) * len(BUTTONS)):
        assert acknowledged.acquire(timeout=30)


def test_an_outage_of_the_other_broker_loses_nothing(
    start: Start, broker: Program, other: Mosquitto
) -> None:
    program = bridged(start, broker.address("mqtt"), other)
    program.wait_for(THERE)
    with Listener(broker.port("mqtt")) as here, watching(other) as there:
        press(here, range(3))
        arriving = arrivals(there, 330)
        arrived = [next(arriving) for _ in range(30)]
        other.kill()
        press(here, range(3, 30))
        other.start()
        press(here, range(30, 33))
        assert in_order(arrived + list(arriving))
    said = " ".join(program.said)
    assert said.count("lost the broker") == 1
    assert said.count("connected to the remote broker") == 2
    counts = summary(program)
    assert (counts["waiting"], counts["dropped"]) == (0, 0)
    assert counts["forwarded"] == 330


def test_a_bridge_that_is_killed_meanwhile_loses_nothing(
    start: Start, broker: Program, other: Mosquitto
) -> None:
    address = broker.address("mqtt")
    with Listener(broker.port("mqtt")) as here, watching(other) as there:
        program = bridged(start, address, other)
        program.wait_for(THERE)
        other.kill()
        press(here, range(10))
        kill(program)
        press(here, range(10, 20))  # while there is no bridge
        program = bridged(start, address, other)
        press(here, range(20, 30))
        kill(program)
        other.start()
        program = bridged(start, address, other)
        assert in_order(list(arrivals(there, 300)))


def test_a_bridge_that_is_killed_while_it_forwards_loses_nothing(
    start: Start, broker: Program, other: Mosquitto
) -> None:
    address = broker.address("mqtt")
    program = bridged(start, address, other)
    program.wait_for(THERE)
    with Listener(broker.port("mqtt")) as here, watching(other) as there:
        for begin in range(0, 40, 10):
            press(here, range(begin, begin + 10))
            kill(program)
            program = bridged(start, address, other)
        assert in_order(list(arrivals(there, 400)))


def test_an_outage_of_our_broker_loses_nothing(start: Start, other: Mosquitto) -> None:
    port = str(free_port())
    run_it = ("broker", "--port", port, "--websocket-port", "0")
    ours = start(*run_it)
    ours.address("mqtt")
    program = bridged(start, f"mqtt://127.0.0.1:{port}", other)
    program.wait_for(THERE)
    with watching(other) as there, Listener(int(port)) as here:
        for begin in range(0, 30, 10):
            press(here, range(begin, begin + 10))
            kill(ours)
            ours = start(*run_it)
            ours.address("mqtt")
        assert in_order(list(arrivals(there, 300)))


def test_what_comes_in_waits_for_our_broker(tmp_path: Path, start: Start) -> None:
    ours, other = Mosquitto(tmp_path / "ours"), Mosquitto(tmp_path / "other")
    rule = ("--topic", "iotbutton/+ in")
    try:
        program = start("bridge", "--broker", ours.address, "--to", other.address, *rule)
        program.wait_for(THERE)
        with Listener(ours.port, "iotbutton/+", session=Session.UNTIL_STOP) as here:
            ours.stop()
            with Listener(other.port) as there:
                press(there, range(5))
            ours.start()
            assert in_order(list(arrivals(here, 50)))
    finally:
        ours.kill()
        other.kill()


def test_a_full_queue_keeps_the_oldest_and_counts_the_rest(
    start: Start, broker: Program, other: Mosquitto
) -> None:
    with watching(other) as there, Listener(broker.port("mqtt")) as here:
        other.stop()
        program = bridged(start, broker.address("mqtt"), other, "--queue-size", "20")
        press(here, range(5))
        program.wait_for("20 messages wait for the remote broker, and no more may.*dropped")
        other.start()
        program.wait_for(THERE)
        program.wait_for("room again")
        assert {number for _, number in arrivals(there, 20)} == {0, 1}
        press(here, range(5, 6))
        assert {number for _, number in arrivals(there, 10)} == {5}
    counts = summary(program)
    assert counts["droppedBecause"] == {"full": 30}
    assert (counts["forwarded"], counts["dropped"], counts["waiting"]) == (30, 30, 0)


def test_a_full_queue_can_leave_the_newest_with_our_broker(
    start: Start, broker: Program, other: Mosquitto
) -> None:
    options = ("--queue-size", "20", "--when-full", "hold")
    with watching(other) as there, Listener(broker.port("mqtt")) as here:
        other.stop()
        program = bridged(start, broker.address("mqtt"), other, *options)
        press(here, range(30))
        program.wait_for("left with the local broker")
        other.start()
        assert in_order(list(arrivals(there, 300)))
    assert summary(program)["dropped"] == 0


def test_a_full_disk_takes_nothing_and_loses_nothing(
    tmp_path: Path, start: Start, broker: Program, other: Mosquitto
) -> None:
    with small_disk(tmp_path / "small", size="2m") as folder:
        program = bridged(start, broker.address("mqtt"), other, "--state-dir", str(folder))
        program.wait_for(THERE)
        ballast = folder / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        with Listener(broker.port("mqtt")) as here, watching(other) as there:
            press(here, range(30))
            program.wait_for("Nothing is taken until it can be")
            ballast.unlink()
            assert in_order(list(arrivals(there, 300)))
        assert summary(program)["waiting"] == 0
    assert not any("Traceback" in line for line in program.said)


def test_what_waits_is_said_at_the_end(start: Start, broker: Program, other: Mosquitto) -> None:
    other.kill()
    program = bridged(start, broker.address("mqtt"), other)
    with Listener(broker.port("mqtt")) as here:
        press(here, range(1))
        program.wait_for("no connection to .* yet")
        counts = summary(program)
        assert (counts["waiting"], counts["forwarded"]) == (10, 0)
        other.start()
        with watching(other) as there:
            again = bridged(start, broker.address("mqtt"), other)
            assert len(list(arrivals(there, 10))) == 10
            assert summary(again)["forwarded"] == 10


def test_up_starts_the_bridges_of_the_settings_again_when_they_die(
    tmp_path: Path, start: Start, other: Mosquitto
) -> None:
    (tmp_path / "iot-button.toml").write_text(
        f'[[bridge]]\nto = "{other.address}"\ntopics = ["iotprocessed out"]\n'
    )
    ports = ("--port", "0", "--websocket-port", "0")
    system = start("up", "--no-dashboard", *ports)
    assert system.address("bridge") == other.address
    with Listener(other.port, "iotprocessed") as there, Listener(system.port("mqtt")) as here:
        here.publish("iotbutton/B1", '{"serialNumber":"B1","clickType":"SINGLE"}')
        assert there.next().topic == "iotprocessed"
        [bridge] = [pid for pid in children(system.process.pid) if "bridge" in words(pid)]
        os.kill(bridge, signal.SIGKILL)
        system.wait_for("bridge is ready again")
        here.publish("iotbutton/B1", '{"serialNumber":"B1","clickType":"DOUBLE"}')
        # Killed right behind its delivery, the first may come twice.
        eventually(lambda: b"DOUBLE" in there.next().payload, what="the second click goes out")
