"""The driver for microcontrollers, on real pseudo-terminals: what it reads, and what it writes."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from device_sim.drivers.base import Light, Presence
from device_sim.drivers.serial_garbage import QUIET
from device_sim.drivers.serial_search import Where
from device_sim.drivers.usb_serial import UsbSerialDriver
from iot_button.events import ClickType
from tests.device_sim.edge_trains import TRAINS, Rules, random_train
from tests.device_sim.serial_board import Board
from tests.device_sim.sink import Recorder, opened


class Line:
    """A driver whose port is a name that boards are plugged into, one after the other."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.name = directory / "usb-Some_Board-if00"
        self.now = 100.0
        self.driver = UsbSerialDriver(Where(port=str(self.name)), clock=lambda: self.now)
        self.recorder = stack.enter_context(opened(self.driver))
        self.board = self.plug_in()

    def plug_in(self, *, is_reading: bool = True) -> Board:
        """Plug another board in, and wait until the driver has asked it, if it reads."""
        online = self.count(Presence.ONLINE)
        self.board = Board(self.recorder.loop, name=self.name, is_reading=is_reading)
        self._stack.callback(self.board.unplug)
        self.until(lambda: self.board.is_asked or not is_reading)
        self.until(lambda: self.count(Presence.ONLINE) > online)
        return self.board

    def unplug(self) -> None:
        """Unplug, and wait until the driver has noticed."""
        offline = self.count(Presence.OFFLINE)
        self.board.unplug()
        self.until(lambda: self.count(Presence.OFFLINE) > offline)

    def count(self, presence: Presence) -> int:
        return self.recorder.of("present").count(presence)

    def until(self, condition: Callable[[], object]) -> None:
        self.recorder.run_until(condition, what="what the test waits for")

    def hear(self, *lines: str) -> list[tuple[object, ...]]:
        """Send lines and return what they led to; a click word after them says that all is in."""
        return self.hear_bytes("".join(f"{line}\n" for line in lines).encode())

    def hear_bytes(self, data: bytes) -> list[tuple[object, ...]]:
        start = len(self.recorder.said)
        self.board.send_bytes(data + b"\nDOUBLE\n")
        self.until(lambda: ("clicked", ClickType.DOUBLE) in self.recorder.said[start:])
        return self.recorder.said[start:-1]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with ExitStack() as stack:
        yield Line(tmp_path, stack)


def test_edges_with_numbers_have_the_boards_own_moments(line: Line) -> None:
    assert line.hear("D 4294967290", "U 104") == [("edge", True, 0.0), ("edge", False, 0.110)]


def test_edges_without_numbers_have_the_moments_at_which_they_come(line: Line) -> None:
    assert line.hear("D") == [("edge", True, 100.0)]
    line.now = 100.3
    assert line.hear("U") == [("edge", False, 100.3)]


def test_edges_of_both_forms_do_not_make_one_gesture(line: Line) -> None:
    assert line.hear("D 5", "U") == [("edge", True, 0.0), ("start_over",), ("edge", False, 100.0)]


@pytest.mark.parametrize("word", ["SINGLE", "LONG"])
def test_a_click_word_is_a_click(line: Line, word: str) -> None:
    assert line.hear(word) == [("clicked", ClickType[word])]


def test_a_payload_is_handed_on_as_it_came(line: Line) -> None:
    payload = '{"clickType": "LONG", "batteryVoltage": "1716mV"}'
    assert line.hear_bytes(payload.encode() + b"\r\n") == [("sent", payload.encode())]
    assert line.driver.garbage.count == 0


def test_a_payload_that_is_no_click_is_counted(line: Line) -> None:
    line.recorder.takes_payloads = False
    assert line.hear("{}") == [("sent", b"{}")]
    assert line.driver.garbage.count == 1


def test_battery_and_firmware_are_known_once_they_were_said(line: Line) -> None:
    assert (line.driver.battery(), line.driver.firmware()) == (None, None)
    line.hear("HELLO iot-button pico 1.0", "BATTERY 2875mV")
    assert (line.driver.battery(), line.driver.firmware()) == (2875, "pico 1.0")


def test_a_second_hello_says_that_the_board_began_anew(line: Line) -> None:
    assert line.hear("HELLO iot-button x", "D 9000") == [("edge", True, 0.0)]
    assert line.hear("HELLO iot-button x", "D 20") == [("start_over",), ("edge", True, 0.0)]


def test_a_board_sleeps_until_its_next_line(line: Line) -> None:
    assert line.hear("SLEEP", "SLEEP", "D") == [
        ("present", Presence.SLEEPING),
        ("present", Presence.ONLINE),
        ("edge", True, 100.0),
    ]


def test_comments_are_for_the_log_alone(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="device_sim")
    assert line.hear("#ring \x1b[31mfull\u2028") == []
    assert line.driver.garbage.count == 0
    assert r"the device says: 'ring \x1b[31mfull\u2028'" in caplog.messages


def test_garbage_is_counted_and_told_of_once_a_burst(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    garbage = [b"\x1b]0;you\x07", b"\xff\xfe\n\x00\x00", b"x" * 5000, b"d", b"HELLO world"] * 20
    assert line.hear_bytes(b"\n".join(garbage)) == []
    assert line.driver.garbage.count == 120
    line.now += QUIET
    line.hear("again")
    warnings = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert all(message.isascii() and message.isprintable() for message in warnings)
    assert r"b'\x1b]0;you\x07' (number 1;" in warnings[0]
    assert "b'again' (number 121;" in warnings[1]


def test_the_light_is_written_back(line: Line) -> None:
    line.until(lambda: line.board.heard == ["HELLO?", "LIGHT off"])
    for light in (Light.TAKEN, Light.PUBLISHED, Light.PROCESSED):
        line.driver.show(light)
        line.until(lambda: line.board.heard[-1] == f"LIGHT {light}")  # noqa: B023
    assert line.board.heard[2:] == ["LIGHT taken", "LIGHT published", "LIGHT processed"]


def test_a_board_that_begins_anew_is_told_its_light_again(line: Line) -> None:
    line.driver.show(Light.TAKEN)
    line.until(lambda: line.board.heard[-1] == "LIGHT taken")
    line.board.send("HELLO iot-button x")
    line.until(lambda: line.board.heard.count("LIGHT taken") == 2)


def test_closing_the_driver_turns_the_light_off() -> None:
    with Recorder() as recorder:
        board = Board(recorder.loop)
        driver = UsbSerialDriver(Where(port=board.path))
        driver.open(recorder.loop, recorder)
        driver.show(Light.FAILED)
        recorder.run_until(lambda: "LIGHT failed" in board.heard, what="the light")
        driver.close()
        recorder.run_until(lambda: board.heard[-1] == "LIGHT off", what="the light is off")
        board.unplug()


def test_a_board_that_does_not_read_blocks_nothing_and_gets_the_newest_light(line: Line) -> None:
    line.unplug()
    deaf = line.plug_in(is_reading=False)
    lights = [Light.TAKEN, Light.PUBLISHED, Light.PROCESSED, Light.OFF] * 5000

    def show_next() -> None:  # one a turn of the loop
        if lights:
            line.driver.show(lights.pop())
            line.recorder.loop.call_later(0, show_next)

    show_next()
    line.until(lambda: not lights)
    line.driver.show(Light.FAILED)
    assert line.hear("SINGLE") == [("clicked", ClickType.SINGLE)]
    deaf.read()
    line.until(lambda: deaf.heard[-1] == "LIGHT failed")
    assert len(deaf.heard) < 10_000
    assert {*deaf.heard} <= {"HELLO?", *(f"LIGHT {light}" for light in Light)}


def test_every_line_of_three_replugs_is_there(line: Line) -> None:
    for plugged in range(4):
        if plugged:
            line.unplug()
            line.plug_in()
        line.board.send(*(f"BATTERY {100 * plugged + number}" for number in range(100)))
        line.hear(*(["SINGLE"] * 100))
        assert line.driver.battery() == 100 * plugged + 99
    assert line.recorder.of("clicked").count(ClickType.SINGLE) == 400
    assert line.driver.garbage.count == 0


def test_an_unplug_is_told_of_and_begins_anew(line: Line) -> None:
    line.hear("D 9000")
    start = len(line.recorder.said)
    line.unplug()
    line.plug_in()
    assert line.recorder.said[start:] == [
        ("start_over",),  # the press is not taken for a long one
        ("present", Presence.OFFLINE),
        ("start_over",),
        ("present", Presence.ONLINE),
    ]
    assert line.hear("U 5") == [("edge", False, 0.0)]


def test_a_press_that_ended_before_the_unplug_is_not_forgotten_at_once(line: Line) -> None:
    line.hear("D 9000", "U 9100")
    start = len(line.recorder.said)
    line.unplug()
    assert line.recorder.said[start:] == [("present", Presence.OFFLINE)]


def test_a_line_that_an_unplug_cuts_off_is_counted_and_not_joined_to_the_next(line: Line) -> None:
    line.board.send_bytes(b"SIN")
    line.hear_bytes(b"")  # "SIN" and the end of a line: garbage
    line.board.send_bytes(b"SINGLE\nSIN")
    line.until(lambda: ("clicked", ClickType.SINGLE) in line.recorder.said)
    line.unplug()
    line.plug_in()
    assert line.hear("GLE") == []
    assert line.recorder.of("clicked").count(ClickType.SINGLE) == 1
    assert line.driver.garbage.count == 3


def test_an_unplug_is_warned_of_once(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    line.until(lambda: line.board.heard)
    line.hear("SINGLE")
    caplog.clear()
    line.unplug()
    for _ in range(3):  # further looks, which find nothing
        delays: list[object] = []
        line.recorder.loop.call_later(0.1, lambda: delays.append(1))  # noqa: B023
        line.until(lambda: delays)  # noqa: B023
    (warning,) = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert "usb-Some_Board-if00 went away: " in warning


def test_random_trains_at_full_speed_mean_the_same_as_by_the_definition(line: Line) -> None:
    trains = [random_train(seed) for seed in range(TRAINS)]
    line.hear("HELLO iot-button x")
    start = len(line.recorder.said)
    for number, train in enumerate(trains):
        began = 4_294_960_000 + 7 * number  # the counter wraps in most
        line.board.send(
            "HELLO iot-button x",
            *(
                f"{'D' if is_pressed else 'U'} {(began + round(1000 * moment)) % 2**32}"
                for is_pressed, moment in train.edges
            ),
        )
    line.hear()
    told: list[list[tuple[bool, float]]] = []
    for kind, *values in line.recorder.said[start:-1]:
        if kind == "start_over":
            told.append([])
        else:
            is_pressed, moment = values
            assert isinstance(is_pressed, bool)
            assert isinstance(moment, float)
            told[-1].append((is_pressed, moment))
    assert len(told) == TRAINS
    assert [clicks_of(edges) for edges in told] == [train.clicks for train in trains]


def clicks_of(edges: list[tuple[bool, float]]) -> list[ClickType]:
    gestures = Rules().recogniser()
    found = [gesture for edge in edges for gesture in gestures.edge(*edge)]
    found += gestures.advance(edges[-1][1] + 10)
    return [gesture.click_type for gesture in found]
