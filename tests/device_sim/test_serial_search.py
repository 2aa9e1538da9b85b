"""How the driver for microcontrollers finds its port, and what it says where it cannot."""

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from device_sim.commands.device.serial import command
from device_sim.drivers.base import DriverError, Presence
from device_sim.drivers.serial_opening import open_port
from device_sim.drivers.serial_ports import UsbId, UsbPort, usb_ports
from device_sim.drivers.serial_search import Where
from device_sim.drivers.usb_serial import UsbSerialDriver
from iot_button.events import ClickType
from tests.device_sim.serial_board import Board
from tests.device_sim.sink import Recorder

UNO = UsbId(0x2341, 0x0043)
PICO = UsbId(0x2E8A, 0x0005)
PHONE = UsbId(0x18D1, 0x4EE1)
FOUND: list[object] = [Presence.ONLINE]


class Bus:
    """What is plugged in, and a driver that looks there for its board."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.recorder = stack.enter_context(Recorder())
        self.ports: list[UsbPort] = []
        self.driver: UsbSerialDriver | None = None

    def plug_in(self, usb_id: UsbId) -> Board:
        board = Board(self.recorder.loop)
        self._stack.callback(board.unplug)
        self.ports.append(UsbPort(board.path, usb_id))
        return board

    def look(self, *, usb_id: UsbId | None = None, answer_timeout: float = 60.0) -> None:
        where = Where(usb_id=usb_id, answer_timeout=answer_timeout, list_ports=lambda: self.ports)
        self.driver = UsbSerialDriver(where)
        self._stack.callback(self.driver.close)
        self.driver.open(self.recorder.loop, self.recorder)

    def until_found(self, board: Board) -> None:
        """Wait until a board is the driver's, and heard."""
        self.recorder.run_until(lambda: "LIGHT off" in board.heard, what="the light is told")
        board.send("SINGLE")
        self.recorder.run_until(lambda: self.recorder.of("clicked"), what="a click")


@pytest.fixture
def bus() -> Iterator[Bus]:
    with ExitStack() as stack:
        yield Bus(stack)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if r.levelno == logging.WARNING]


def test_a_lone_board_of_a_known_kind_is_it_without_a_hello(bus: Bus) -> None:
    bus.plug_in(PHONE)
    board = bus.plug_in(PICO)
    bus.look()
    bus.until_found(board)
    assert bus.recorder.of("present") == FOUND


@pytest.mark.parametrize("error", [TypeError("int() argument: None"), OSError(5, "I/O error")])
def test_a_board_that_goes_while_the_ports_are_listed_does_not_end_the_search(
    bus: Bus, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = bus.plug_in(PICO)
    looks = []

    def comports() -> list[SimpleNamespace]:
        looks.append(board)
        if len(looks) < 4:
            raise error
        return [SimpleNamespace(device=board.path, vid=PICO.vendor, pid=PICO.product)]

    monkeypatch.setattr("serial.tools.list_ports.comports", comports)
    driver = UsbSerialDriver(Where())
    driver.open(bus.recorder.loop, bus.recorder)
    bus.recorder.run_until(lambda: "LIGHT off" in board.heard, what="it was found in the end")
    assert bus.recorder.of("present") == [Presence.OFFLINE, Presence.ONLINE]
    driver.close()


def test_of_several_boards_the_one_that_says_hello_is_it(bus: Bus) -> None:
    printer, button = bus.plug_in(UNO), bus.plug_in(PICO)
    bus.look()
    bus.recorder.run_until(lambda: printer.is_asked and button.is_asked, what="both were asked")
    assert bus.recorder.said == []
    printer.send("start", "echo:HELLO?", "HELLO world", "D 5")
    button.send("D 17", "HELLO iot-button pico 1.0", "U 40", "SINGLE")
    bus.recorder.run_until(lambda: bus.recorder.of("clicked"), what="a click")
    assert bus.recorder.said == [
        ("start_over",),
        ("present", Presence.ONLINE),
        ("edge", True, 0.0),  # nothing of the one that is it gets lost
        ("edge", False, 0.023),
        ("clicked", ClickType.SINGLE),
    ]
    assert button.heard.count("HELLO?") == 1
    assert not any(line.startswith("LIGHT") for line in printer.heard)
    open_port(printer.path, baud=9600).close()  # given back


def test_boards_that_do_not_answer_are_asked_again(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    boards = bus.plug_in(UNO), bus.plug_in(UNO)
    bus.look(answer_timeout=0.05)
    bus.recorder.run_until(lambda: boards[0].heard.count("HELLO?") > 2, what="asked again")
    assert bus.recorder.said == [("present", Presence.OFFLINE)]
    (warning,) = warnings(caplog)
    assert warning.startswith("of several boards none says hello: /dev/")
    assert "--port" in warning
    bus.ports.pop()
    bus.until_found(boards[0])
    assert bus.recorder.of("present") == [Presence.OFFLINE, Presence.ONLINE]


def test_boards_that_are_unplugged_while_they_are_asked_are_looked_for_again(bus: Bus) -> None:
    boards = bus.plug_in(UNO), bus.plug_in(UNO)
    bus.look()
    bus.recorder.run_until(lambda: all(b.is_asked for b in boards), what="both were asked")
    bus.ports.clear()
    for board in boards:
        board.unplug()
    bus.recorder.run_until(lambda: bus.recorder.of("present"), what="their end is noticed")
    assert bus.recorder.of("present") == [Presence.OFFLINE]
    bus.until_found(bus.plug_in(UNO))


def test_a_usb_id_chooses_the_board_also_of_an_unknown_kind(bus: Bus) -> None:
    bus.plug_in(UNO)
    board = bus.plug_in(PHONE)
    bus.look(usb_id=PHONE)
    bus.until_found(board)


def test_ports_of_unknown_kinds_are_left_alone_and_named(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    phone = bus.plug_in(PHONE)
    bus.look()
    assert warnings(caplog) == [
        f"a known board on USB is not there; there are {phone.path} (18d1:4ee1); waiting for it "
        "(plug it in, or name its port with --port)"
    ]
    bus.until_found(bus.plug_in(UNO))
    assert phone.heard == []


def test_an_absent_port_is_waited_for_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = tmp_path / "serial" / "by-id" / "usb-Board"
    with Recorder() as recorder:
        driver = UsbSerialDriver(Where(port=str(name)))
        driver.open(recorder.loop, recorder)
        later: list[bool] = []
        recorder.loop.call_later(0.4, lambda: later.append(True))  # some looks
        recorder.run_until(lambda: later, what="some looks")
        assert recorder.said == [("present", Presence.OFFLINE)]
        assert warnings(caplog) == [f"{name} is not there; waiting for it"]
        name.parent.mkdir(parents=True)
        board = Board(recorder.loop, name=name)
        recorder.run_until(lambda: board.is_asked, what="it is found")
        assert recorder.of("present") == [Presence.OFFLINE, Presence.ONLINE]
        driver.close()
        board.unplug()


def test_a_port_in_use_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    with Recorder() as recorder:
        board = Board(recorder.loop)
        other = open_port(board.path, baud=9600)
        driver = UsbSerialDriver(Where(port=board.path))
        driver.open(recorder.loop, recorder)
        assert recorder.said == [("present", Presence.OFFLINE)]
        assert f"{board.path} is in use by another program" in warnings(caplog)[0]
        other.close()
        recorder.run_until(lambda: board.is_asked, what="it is found")
        driver.close()
        board.unplug()


@contextmanager
def no_right_to(path: str) -> Iterator[None]:
    """Take the right to open a device away, from root too."""
    mode = Path(path).stat().st_mode
    Path(path).chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)
        Path(path).chmod(mode)


def test_without_the_right_to_a_port_the_mend_is_named() -> None:
    importlib.import_module("serial")  # where nobody may not read it
    with Recorder() as recorder:
        board = Board(recorder.loop)
        with no_right_to(board.path), pytest.raises(DriverError) as caught:
            UsbSerialDriver(Where(port=board.path)).open(recorder.loop, recorder)
        board.unplug()
    assert caught.value.problem == f"{board.path} may not be opened"
    assert caught.value.mend.startswith("sudo usermod -aG ")
    assert caught.value.mend.endswith(" $USER, then log in again")


@pytest.mark.parametrize("kind", ["file", "directory", "null"])
def test_what_is_no_serial_port_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    path = {"file": tmp_path / "file", "directory": tmp_path, "null": Path("/dev/null")}[kind]
    with (
        Recorder() as recorder,
        pytest.raises(DriverError, match=f"^{path} is no serial port\n"),
    ):
        UsbSerialDriver(Where(port=str(path))).open(recorder.loop, recorder)


def test_a_rate_that_the_port_cannot_run_at_is_refused() -> None:
    with Recorder() as recorder:
        board = Board(recorder.loop)
        with pytest.raises(DriverError, match="--baud"):
            UsbSerialDriver(Where(port=board.path, baud=-1)).open(recorder.loop, recorder)
        board.unplug()


@pytest.mark.parametrize("where", [Where(), Where(port="/dev/ttyACM0")])
def test_without_pyserial_the_mend_is_named(where: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with (
        Recorder() as recorder,
        pytest.raises(DriverError, match=r"\n.*pip install.*\[serial\]"),
    ):
        UsbSerialDriver(where).open(recorder.loop, recorder)


def test_no_file_stays_open_where_opening_fails() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    driver = UsbSerialDriver(Where(port="/dev/null"))
    for _ in range(3):
        with Recorder() as recorder, pytest.raises(DriverError):
            driver.open(recorder.loop, recorder)
        driver.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_ports_are_those_that_pyserial_knows_behind_usb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listing = importlib.import_module("serial.tools.list_ports")
    found = [
        SimpleNamespace(device="/dev/ttyUSB0", vid=0x1A86, pid=0x7523),
        SimpleNamespace(device="/dev/ttyS0", vid=None, pid=None),
        SimpleNamespace(device="/dev/ttyACM0", vid=0x18D1, pid=0x4EE1),
    ]
    monkeypatch.setattr(listing, "comports", lambda: found)
    ports = usb_ports()
    assert ports == [
        UsbPort("/dev/ttyACM0", PHONE),
        UsbPort("/dev/ttyUSB0", UsbId(0x1A86, 0x7523)),
    ]
    assert [port.is_known_board for port in ports] == [False, True]


@pytest.mark.parametrize(
    ("where", "label"),
    [
        (Where(), "serial"),
        (Where(port="/dev/ttyACM0"), "serial-ttyACM0"),
        (
            Where(port="/dev/serial/by-id/usb-Raspberry_Pi_Pico_%_E6614C311B7-if00"),
            "serial-_Pico_-_E6614C311B7-if00",
        ),
        (Where(usb_id=PICO), "serial-2e8a-0005"),
    ],
)
def test_the_label_tells_ports_apart(where: Where, label: str) -> None:
    assert UsbSerialDriver(where).label == label


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--usb-id", "2e8a"], "is not of the form 2e8a:0005"),
        (["--usb-id", "2e8a:0005", "--port", "/dev/ttyACM0"], "exclude each other"),
        (["--baud", "fast"], "not a valid integer"),
    ],
)
def test_wrong_options_of_the_command_are_refused(options: list[str], problem: str) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 2
    assert problem in result.output


def test_the_command_has_help_with_an_example() -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0
    assert "Example: iot-button device serial --port /dev/ttyACM0" in result.output
