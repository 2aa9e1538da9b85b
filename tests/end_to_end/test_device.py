"""A device as a process of its own, a microcontroller's line before it and real brokers behind."""

import json
import signal
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.board import Board
from iot_button.messages import Message
from tests.conftest import Start
from tests.ground.fake_broker import PUBLISH, FakeBroker
from tests.support import DEADLINE, Listener, Program, eventually, free_port

RunDevice = Callable[..., Program]


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def run_device(start: Start, board: Board) -> RunDevice:
    """Start the device on the board's line, and wait until it has opened that."""

    def run(port: int, *options: str, **more: str) -> Program:
        heard = board.hellos
        program = start(
            *("device", "serial", "--port", board.port, "--serial", "DOOR"),
            *("--double-window", "0", "--broker", f"mqtt://127.0.0.1:{port}", *options),
            **more,
        )
        program.wait_for("^ready device serial=DOOR")
        eventually(lambda: board.hellos > heard, what="the device opens the line")
        return program

    return run


@pytest.fixture
def functions(broker: Program, start: Start) -> Program:
    program = start("functions", "--broker", broker.address("mqtt"))
    program.wait_for("^ready")
    return program


@pytest.fixture
def processed(broker: Program) -> Iterator[Listener]:
    with Listener(broker.port("mqtt"), "iotprocessed") as listener:
        yield listener


def taken(program: Program, count: int) -> list[dict[str, str]]:
    """Return the clicks that a device has told to be on its disk, when there are so many."""
    eventually(lambda: len(program.printed) >= count, what=f"{count} clicks are taken")
    return [json.loads(line) for line in program.printed]


def body(message: Message) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(message.payload)
    return decoded


def status(port: int, is_so: Callable[[dict[str, object]], bool], what: str) -> dict[str, object]:
    """Return the button's retained status when it is so."""

    def look() -> dict[str, object] | None:
        with Listener(port, "iotbutton/DOOR/status") as listener:
            said: dict[str, object] = json.loads(listener.next().payload)
        return said if is_so(said) else None

    found = eventually(look, what=what)
    assert found is not None
    return found


@pytest.mark.usefixtures("functions")
def test_a_press_comes_out_processed_and_leaves_the_outbox(
    broker: Program,
    processed: Listener,
    board: Board,
    run_device: RunDevice,
) -> None:
    device = run_device(broker.port("mqtt"))
    assert board.press(timeout=DEADLINE)
    (click,) = taken(device, 1)
    came = body(processed.next())
    assert came["eventId"] == click["eventId"]
    assert uuid.UUID(came["eventId"]).version == 7
    assert (came["serialNumber"], came["clickType"]) == ("DOOR", "SINGLE")
    assert came["clickedAt"] == click["clickedAt"] <= came["timestamp"]
    board.wait_for("LIGHT processed")
    said = status(broker.port("mqtt"), lambda it: it["waiting"] == 0, "nothing waits")
    assert said["state"] == "online"
    assert said["driver"] == "serial"


def test_clicks_of_a_time_without_broker_come_in_order_when_there_is_one(
    start: Start, board: Board, run_device: RunDevice
) -> None:
    port = free_port()
    device = run_device(port)
    for _ in range(30):
        assert board.press(timeout=DEADLINE)
    clicks = taken(device, 30)
    start("broker", "--port", str(port), "--websocket-port", "0").wait_for("^ready")
    with Listener(port, "iotbutton/+", "iotprocessed") as listener:
        start("functions", "--broker", f"mqtt://127.0.0.1:{port}").wait_for("^ready")
        came: list[str] = []
        while len(set(came)) < 30:
            message = listener.next(deadline=30)
            if message.topic == "iotprocessed":
                came.append(body(message)["eventId"])
    assert set(came) == {click["eventId"] for click in clicks}
    ids = [click["eventId"] for click in clicks]
    assert ids == sorted(ids)


def test_a_click_outlives_the_device_that_took_it(
    broker: Program,
    start: Start,
    processed: Listener,
    board: Board,
    run_device: RunDevice,
) -> None:
    device = run_device(broker.port("mqtt"))  # no function runs: nothing is done
    assert board.press(timeout=DEADLINE)
    (click,) = taken(device, 1)
    device.send(signal.SIGKILL)
    device.end()
    start("functions", "--broker", broker.address("mqtt")).wait_for("^ready")
    again = run_device(broker.port("mqtt"))
    again.wait_for("waiting=1$")
    assert body(processed.next())["eventId"] == click["eventId"]
    status(broker.port("mqtt"), lambda it: it["waiting"] == 0, "its receipt has come")


def test_a_click_waits_for_its_function_also_where_the_broker_forgets_it(
    amqtt: Program, start: Start, board: Board, run_device: RunDevice
) -> None:
    with Listener(amqtt.port("mqtt"), "iotbutton/+", "iotprocessed") as listener:
        run_device(amqtt.port("mqtt"))
        assert board.press(timeout=DEADLINE)
        first = listener.next()  # acknowledged, with nobody there to keep it for
        assert first.topic == "iotbutton/DOOR"
        start("functions", "--broker", amqtt.address("mqtt")).wait_for("^ready")
        came = listener.next(deadline=30)
        while came.topic != "iotprocessed":
            came = listener.next(deadline=30)
    assert body(came)["eventId"] == body(first)["eventId"]


def test_without_a_runtime_a_click_can_be_done_when_the_broker_has_it(
    broker: Program, board: Board, run_device: RunDevice
) -> None:
    run_device(broker.port("mqtt"), "--done-at", "broker")
    assert board.press(timeout=DEADLINE)
    board.wait_for("LIGHT processed")
    status(broker.port("mqtt"), lambda it: it["waiting"] == 0, "nothing waits")


def test_where_the_broker_is_the_end_no_receipts_are_asked_for(
    run_device: RunDevice,
) -> None:
    with FakeBroker() as strict:  # whose accounts may publish and nothing else
        run_device(strict.address.port, "--done-at", "broker")
        with strict.accept_5() as peer:
            header, rest = peer._packets.get(timeout=DEADLINE)  # noqa: SLF001 - SUBSCRIBE too
            assert (header & 0xF0, b"DOOR/status" in rest) == (PUBLISH, True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_device_that_goes_is_offline_for_all_to_see(
    broker: Program, run_device: RunDevice, number: signal.Signals
) -> None:
    device = run_device(broker.port("mqtt"))
    status(broker.port("mqtt"), lambda it: it["state"] == "online", "it is online")
    device.send(number)
    assert device.end() == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    status(broker.port("mqtt"), lambda it: it["state"] == "offline", "it is offline")


def test_a_full_outbox_refuses_the_newest_with_a_red_light(
    board: Board, run_device: RunDevice
) -> None:
    device = run_device(free_port(), IOT_BUTTON_DEVICE_OUTBOX_SIZE="2")
    assert board.press(timeout=DEADLINE)
    assert board.press(timeout=DEADLINE)
    board.say("D 9000", "U 9050")
    board.wait_for("LIGHT failed")
    device.wait_for("a SINGLE click was refused: the outbox is full: 2 clicks wait")
    assert len(taken(device, 2)) == 2


def test_presses_are_counted_where_that_is_wanted(
    broker: Program, board: Board, run_device: RunDevice
) -> None:
    with Listener(broker.port("mqtt"), "iotbutton/+") as clicks:
        run_device(broker.port("mqtt"), "--double-window", "0.4", "--extended")
        board.say("D 1000", "U 1050", "D 1200", "U 1250", "D 1400", "U 1450")
        came = body(clicks.next())
    assert (came["clickType"], came["presses"]) == ("DOUBLE", 3)


@pytest.mark.usefixtures("functions")
def test_home_assistant_hears_of_a_click_once_and_not_retained(
    broker: Program, board: Board, run_device: RunDevice
) -> None:
    port = broker.port("mqtt")
    announcement, action = "homeassistant/device/+/config", "iotbutton/DOOR/action"
    with Listener(port, announcement) as configs, Listener(port, action) as actions:
        run_device(port, "--home-assistant", "--name", "Front door")
        assert board.press(timeout=DEADLINE)
        assert body(actions.next())["action"] == "single"
        status(port, lambda it: it["waiting"] == 0, "it is done")
        assert actions.is_empty
        assert configs.next().payload != configs.next().payload  # two steps, neither of them twice
        assert configs.is_empty
    with Listener(port, "homeassistant/device/+/config", "iotbutton/DOOR/action") as retained:
        announced = retained.next()
        assert announced.topic == "homeassistant/device/iotbutton_DOOR/config"
        assert announced.retained
        assert json.loads(announced.payload)["device"]["name"] == "Front door"
        retained.publish("iotbutton/DOOR/action", b"the end")
        assert retained.next().payload == b"the end"


def test_the_same_button_does_not_run_twice(
    start: Start, board: Board, run_device: RunDevice
) -> None:
    port = free_port()
    run_device(port)
    second = start("device", "serial", "--port", board.port, "--serial", "DOOR")
    assert second.end(deadline=DEADLINE) == 1
    second.wait_for("the button DOOR runs already on this machine")
    second.wait_for("--serial SERIAL")
