"""Recorded edges again: as gestures at once, and as a button in real time."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from device_sim.bounce import Edge
from device_sim.drivers.replay import ReplayDriver
from device_sim.finger import Finger
from device_sim.gestures import Gesture
from device_sim.recognizer import Recognizer
from iot_button.events import ClickType
from iot_button.settings import DeviceSettings
from tests.conftest import Start
from tests.device_sim.edge_trains import Rules, expected, random_train
from tests.device_sim.sink import Recorder, opened
from tests.support import Listener, Program

RECORDING = """\
# a single, a double of three presses that bounce, and a long press
0.000 D
0.120 U
2.000 D
2.003 U
2.005 D
2.100 U
2.300 D
2.400 U
2.500 D
2.510 U    # shorter than the bounce time
4.000 D
6.000 U
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "edges.txt"
    path.write_text(RECORDING)
    return path


@pytest.fixture
def replay(start: Start, recording: Path) -> Callable[..., Program]:
    def one(*options: str) -> Program:
        program = start("device", "replay", str(recording), *options)
        program.end()
        return program

    return one


def found(program: Program) -> list[tuple[str, int, float, float]]:
    gestures = [json.loads(line) for line in program.printed]
    return [(g["clickType"], g["presses"], g["pressedAt"], g["moment"]) for g in gestures]


# As gestures.


def test_replay_prints_the_gestures_of_a_file_and_asks_no_broker(
    replay: Callable[..., Program],
) -> None:
    program = replay("--broker", "mqtt://127.0.0.1:1")
    assert program.process.returncode == 0
    assert found(program) == [
        ("SINGLE", 1, 0.0, 0.52),
        ("DOUBLE", 2, 2.0, 2.3),
        ("LONG", 1, 4.0, 5.5),
    ]
    assert program.said == ["12 edges, 3 gestures"]


def test_options_and_the_settings_file_say_what_a_gesture_is(
    replay: Callable[..., Program], tmp_path: Path
) -> None:
    (tmp_path / "iot-button.toml").write_text('[device]\nlong_at = "release"\nextended = true\n')
    assert found(replay("--hold-time", "1.9"))[1:] == [("DOUBLE", 3, 2.0, 2.91), ("LONG", 1, 4, 6)]
    kinds = [kind for kind, *_ in found(replay("--double-window", "0", "--bounce-time", "0.001"))]
    assert kinds == [*["SINGLE"] * 5, "LONG"]  # a bounce is a press now


def test_a_contact_left_closed_is_held_for_ever(
    replay: Callable[..., Program], recording: Path
) -> None:
    recording.write_text("3 D\n")
    assert found(replay()) == [("LONG", 1, 3.0, 4.5)]
    assert found(replay("--long-at", "release")) == []


def test_a_file_without_edges_has_no_gestures(
    replay: Callable[..., Program], recording: Path
) -> None:
    recording.write_text("# nothing came\n")
    program = replay()
    assert (program.process.returncode, program.printed) == (0, [])
    assert program.said == ["0 edges, 0 gestures"]


def test_standard_input_is_read_as_a_file(start: Start) -> None:
    program = start("device", "replay", "-")
    assert (program.end(), program.said) == (0, ["0 edges, 0 gestures"])


def test_a_wrong_line_is_named_and_nothing_is_printed(
    replay: Callable[..., Program], recording: Path
) -> None:
    recording.write_text(RECORDING + "5.0 U\n")
    program = replay()
    assert (program.process.returncode, program.printed) == (1, [])
    assert program.said == [
        f"iot-button: {recording}, line 14: 5 s is before 6 s, where the last edge was",
        "  mend that line, or remove it",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere.txt",),
        (".",),
        (),
        ("-", "--speed", "2"),
        ("-", "--publish", "--speed", "0.5"),
        ("-", "--publish", "--speed", "nan"),
        ("-", "--publish", "--until-stdin-closes"),
        ("-", "--hold-time", "0"),
    ],
)
def test_wrong_usage_is_status_2_and_no_trace(start: Start, arguments: tuple[str, ...]) -> None:
    program = start("device", "replay", *arguments)
    assert program.end() == 2
    assert program.said
    assert not any("Traceback" in line for line in program.said)


# As a button.


def test_the_driver_tells_every_edge_with_its_own_moment_and_ends() -> None:
    edges = [Edge(*edge) for edge in random_train(3).edges]
    with opened(ReplayDriver(edges, speed=1000)) as sink:
        sink.run_until(lambda: ("ended",) in sink.said, what="the end")
    assert sink.said == [*(("edge", *edge) for edge in edges), ("ended",)]


def test_a_driver_without_edges_ends_at_once() -> None:
    with opened(ReplayDriver([])) as sink:
        sink.run_until(lambda: sink.said, what="the end")
    assert sink.said == [("ended",)]


def test_a_closed_driver_tells_nothing_more() -> None:
    driver, told = ReplayDriver([Edge(True, 5.0), Edge(False, 5.0)]), list[float]()

    def close_at_once(_is_pressed: bool, moment: float) -> None:
        told.append(moment)
        driver.close()
        sink.loop.stop()  # after this turn, to which the second edge would belong

    with opened(driver) as sink:
        sink.edge = close_at_once  # type: ignore[method-assign, assignment]
        sink.loop.run()
    assert told == [5.0]
    ReplayDriver([]).close()  # one that was never opened


class _Recognised(Recorder):
    """Makes gestures of the edges on the loop's timers, as a device does."""

    def __init__(self, settings: DeviceSettings) -> None:
        super().__init__()
        self.gestures: list[Gesture] = []
        self.recogniser = Recognizer(self.loop, settings, on_gesture=self.gestures.append)

    def edge(self, is_pressed: bool, moment: float) -> None:
        super().edge(is_pressed, moment)
        self.recogniser.edge(is_pressed, moment)

    @property
    def is_done(self) -> bool:
        return ("ended",) in self.said and not self.recogniser.is_busy


@pytest.mark.parametrize("speed", [1.0, 40.0])
def test_gestures_on_timers_are_those_of_the_file_whatever_the_speed(speed: float) -> None:
    rules = Rules(bounce_time=0.002, double_window=0.03, hold_time=0.07)
    settings = DeviceSettings(bounce_time=0.002, double_window=0.03, hold_time=0.07)
    finger = Finger(rate=100, seed=5, bounce_time=0.002, double_window=0.03, hold_time=0.07)
    edges = [edge for click in itertools.islice(finger.clicks(), 12) for edge in click.edges]
    with _Recognised(settings) as sink:
        driver = ReplayDriver(edges, speed=speed)
        driver.open(sink.loop, sink)
        sink.run_until(lambda: sink.is_done, what="the last gesture")
        driver.close()
    assert sink.gestures == expected(edges, rules)
    assert {gesture.click_type for gesture in sink.gestures} == set(ClickType)


def test_publish_makes_clicks_of_the_file_and_ends_when_they_are_done(
    replay: Callable[..., Program], amqtt: Program
) -> None:
    with Listener(amqtt.port("mqtt"), "iotbutton/DOOR") as listener:
        program = replay(
            *("--publish", "--speed", "8", "--broker", amqtt.address("mqtt")),
            *("--serial", "DOOR", "--done-at", "broker"),
        )
        assert program.process.returncode == 0, program.said
        clicks = [json.loads(listener.next().payload) for _ in range(3)]
    assert [click["clickType"] for click in clicks] == ["SINGLE", "DOUBLE", "LONG"]
    assert len({click["eventId"] for click in clicks}) == 3
    assert [json.loads(line)["eventId"] for line in program.printed] == [
        click["eventId"] for click in clicks
    ]
