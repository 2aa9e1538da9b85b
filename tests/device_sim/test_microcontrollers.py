"""The example programs for microcontrollers, run for real, against the real driver."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from device_sim.drivers.base import Light
from device_sim.drivers.serial_search import Where
from device_sim.drivers.usb_serial import UsbSerialDriver
from tests.conftest import Start
from tests.device_sim.edge_trains import Rules, random_train
from tests.device_sim.sink import Recorder, opened
from tests.device_sim.sketch_board import SketchBoard, arduino, micropython
from tests.support import Listener, Program, eventually

Boot = Callable[..., "Bench"]
WRAP = 2**32


class Bench:
    """A board with its driver."""

    def __init__(self, board: SketchBoard, stack: ExitStack) -> None:
        self.board = stack.enter_context(board)
        self.driver = UsbSerialDriver(Where(port=board.path))
        self.recorder: Recorder = stack.enter_context(opened(self.driver))
        self.until(self.driver.firmware)

    def until(self, condition: Callable[[], object]) -> None:
        self.recorder.run_until(condition, what="what the test waits for")

    def edges_after(self, count: int) -> list[tuple[bool, int]]:
        """Wait for so many edges; return them with their milliseconds since the first."""
        self.until(lambda: len(self.recorder.edges) >= count)
        assert len(self.recorder.edges) == count
        told = [said for said in self.recorder.said if said[0] == "edge"]
        return [(bool(said[1]), round(1000 * float(str(said[2])))) for said in told]

    def show(self, light: Light, **seen: tuple[int, ...]) -> None:
        """Show a light, and wait until pins are set so."""
        self.driver.show(light)
        for name, values in seen.items():
            pins = self.board.pins.colours if name == "colours" else (self.board.pins.led,)
            self.until(lambda: self.board.see(*pins) == values)  # noqa: B023


@pytest.fixture(params=["arduino", "micropython"])
def boot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Boot]:
    """Boot a kind of board: by default with one LED; with colours; with a battery."""
    is_arduino = request.param == "arduino"
    with ExitStack() as stack:

        def boot_one(*, colours: bool = False, battery: bool = False) -> Bench:
            if is_arduino:
                options = ["RGB_LED=1"] * colours + ["BATTERY_LINES=1"] * battery
                return Bench(arduino(tmp_path, *options), stack)
            changes = {} if colours else {"LED_PINS": '"LED"'}
            changes |= {"BATTERY_PIN": "28"} if battery else {}
            return Bench(micropython(tmp_path, **changes), stack)

        yield boot_one


@pytest.fixture
def bench(boot: Boot) -> Bench:
    return boot()


def test_a_board_says_hello_when_it_is_asked(bench: Bench) -> None:
    assert bench.driver.firmware() in {"arduino 1.0", "micropython 1.0"}
    assert bench.driver.garbage.count == 0


def test_presses_come_with_the_boards_own_moments(bench: Bench) -> None:
    edges = [(True, 1000), (False, 1001), (True, 1003), (False, 1250)]
    bench.board.press(*edges)
    assert bench.edges_after(4) == [(level, moment - 1000) for level, moment in edges]


@pytest.mark.parametrize("start_at", [2**30 - 100, WRAP - 100])
def test_its_moments_go_on_where_its_clocks_wrap(bench: Bench, start_at: int) -> None:
    for moment in range(0, start_at, 2**29 - 1):  # a board looks at its clock more often
        bench.board.do(f"at {moment}", f"see {bench.board.pins.led}")
    bench.board.press((True, start_at), (False, (start_at + 250) % WRAP))
    assert bench.edges_after(2) == [(True, 0), (False, 250)]


def test_no_press_is_lost_while_the_line_is_busy(bench: Bench) -> None:
    edges = [(number % 2 == 0, 1000 + 7 * number) for number in range(60)]
    bench.board.do("stall 1")
    bench.board.press(*edges)
    bench.board.do("stall 0")
    assert bench.edges_after(60) == [(level, moment - 1000) for level, moment in edges]


def test_more_changes_than_the_board_can_keep_end_with_how_the_contact_is(bench: Bench) -> None:
    edges = [(number % 2 == 0, 1000 + number) for number in range(501)]
    bench.board.do("stall 1")
    bench.board.press(*edges)
    bench.board.do("stall 0")
    bench.until(lambda: len(bench.recorder.edges) > 60 and bench.recorder.edges[-1])
    levels = bench.recorder.edges
    assert levels == [number % 2 == 0 for number in range(len(levels))]
    bench.board.press((False, 2000))
    bench.until(lambda: not bench.recorder.edges[-1])


def test_a_press_from_before_the_start_is_seen(bench: Bench) -> None:
    bench.board.do("stall 1", "at 5000", f"pin {bench.board.pins.button} 0", "stall 0")
    assert bench.edges_after(1) == [(True, 0)]


def test_colours_say_what_the_light_says(boot: Boot) -> None:
    bench = boot(colours=True)
    bench.board.do("at 0")
    bench.show(Light.CONNECTING, colours=(255, 255, 255))
    bench.show(Light.TAKEN, colours=(255, 80, 0))
    bench.show(Light.OFF, colours=(0, 0, 0))
    bench.show(Light.QUEUED, colours=(255, 80, 0))
    bench.show(Light.PUBLISHED, colours=(0, 255, 0))
    bench.show(Light.FAILED, colours=(255, 0, 0))
    bench.show(Light.OFF, colours=(0, 0, 0))
    bench.show(Light.PROCESSED, colours=(0, 255, 0))
    bench.board.do("at 250")
    assert bench.board.see(*bench.board.pins.colours) == (0, 255, 0)
    bench.show(Light.PUBLISHED, colours=(0, 0, 0))
    bench.show(Light.FAILED, colours=(255, 0, 0))
    bench.show(Light.CONNECTING, colours=(0, 0, 0))


def test_one_led_has_a_rhythm_for_each_state(bench: Bench) -> None:
    rhythms = set()
    for light in Light:
        bench.board.do("at 0")
        bench.driver.show(Light.FAILED if light is Light.OFF else Light.OFF)
        bench.show(light, led=(0 if light is Light.OFF else 255,))
        seen: list[int] = []
        for eighth in range(8):
            bench.board.do(f"at {125 * eighth}")
            seen += bench.board.see(bench.board.pins.led)
        rhythms.add(tuple(seen))
    assert len(rhythms) == len(Light)
    assert {(0,) * 8, (255,) * 8} < rhythms


def test_the_battery_is_told(boot: Boot) -> None:
    bench = boot(battery=True)
    pin = bench.board.pins.battery
    is_pico = bench.board.pins.battery == 28
    bench.board.do(f"adc {pin} {32_768 if is_pico else 512}", "at 700000")
    bench.until(bench.driver.battery)
    assert bench.driver.battery() == (3300 if is_pico else 5000)


def test_random_trains_mean_the_same_as_by_the_definition(bench: Bench) -> None:
    sent = 0
    for number in range(30):
        train = random_train(number)
        began = 100_000 * (number + 1)
        edges = [(level, began + round(1000 * moment)) for level, moment in train.edges]
        for edge in edges:
            bench.board.press(edge)
        sent += len(edges)
        told = bench.edges_after(sent)[-len(edges) :]
        gestures = Rules().recogniser()
        found = [gesture for level, ms in told for gesture in gestures.edge(level, ms / 1000)]
        found += gestures.advance(told[-1][1] / 1000 + 10)
        assert [gesture.click_type for gesture in found] == train.clicks


def test_a_press_on_a_board_is_processed(amqtt: Program, start: Start, tmp_path: Path) -> None:
    broker = amqtt.address("mqtt")
    start("functions", "--broker", broker).wait_for("^ready")
    with arduino(tmp_path) as board, Listener(amqtt.port("mqtt"), "iotprocessed") as processed:
        options = ("--broker", broker, "--port", board.path, "--serial", "DOOR")
        device = start("device", "serial", *options)
        device.wait_for("^ready device serial=DOOR driver=serial-")
        board.press((True, 1000), (False, 3000))
        click = json.loads(processed.next().payload)
        eventually(lambda: device.printed, what="the click is printed")
        assert device.stop() == 0
    assert (click["serialNumber"], click["clickType"]) == ("DOOR", "LONG")
    assert json.loads(device.printed[0])["eventId"] == click["eventId"]


def test_a_port_that_is_none_ends_the_command_with_its_mend(start: Start) -> None:
    device = start("device", "serial", "--port", "/dev/null")
    assert device.end() == 1
    assert device.said == [
        "iot-button: /dev/null is no serial port",
        "  ls /dev/serial/by-id shows those that are; name one with --port",
    ]
