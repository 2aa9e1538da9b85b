"""An input device as the button: found, taken, pressed, gone and back."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device_sim.drivers.base import DriverError, Presence
from device_sim.drivers.evdev import EvdevDriver
from device_sim.drivers.evdev_devices import InputDevices, facts
from device_sim.drivers.evdev_events import EVENT
from device_sim.drivers.uevents import Uevents
from iot_button.events import ClickType
from tests.conftest import Start
from tests.device_sim.input_devices import (
    ENTER,
    PRESS,
    RELEASE,
    REPEAT,
    VOLUME_UP,
    Machine,
    Pipe,
    PlayedDevice,
    dropped,
    key,
)
from tests.device_sim.sink import Recorder, opened
from tests.support import eventually

NOBODY = 65534
UEVENT = Path("/sys/class/mem/null/uevent")
CLICK = key(PRESS, at=5.0) + key(RELEASE, at=5.1)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    made = Pipe(tmp_path / "button")
    yield made
    made.unplug()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path) as made:
        yield made


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedDevice]:
    made = PlayedDevice(monkeypatch)
    yield made
    made.close()


def until(sink: Recorder, edges: list[bool]) -> None:
    sink.run_until(lambda: sink.edges == edges, what=f"edges {edges}")


def until_present(sink: Recorder, *presences: Presence) -> None:
    sink.run_until(lambda: sink.of("present") == list(presences), what=f"{presences}")


def moments(sink: Recorder) -> list[float]:
    return [float(str(said[2])) for said in sink.said if said[0] == "edge"]


def assert_refused(driver: EvdevDriver, problem: str, mend: str) -> None:
    with Recorder() as sink:
        with pytest.raises(DriverError, match=problem) as refused:
            driver.open(sink.loop, sink)
        assert mend in refused.value.mend
        driver.close()
        assert sink.edges == []


# Presses.


def test_a_key_is_pressed_and_released_by_its_own_clock(device: PlayedDevice) -> None:
    with opened(EvdevDriver(str(device.path))) as sink:
        device.send(key(PRESS, at=100.25) + key(REPEAT, at=101.0) + key(RELEASE, at=101.75))
        until(sink, [True, False])
        assert moments(sink) == [100.25, 101.75]
        assert device.grabs == 1


def test_half_an_event_waits_for_its_other_half(pipe: Pipe) -> None:
    with opened(EvdevDriver(str(pipe.path))) as sink:
        data = CLICK
        pipe.send(data[:30])
        sink.run_until(lambda: sink.edges == [True], what="the first edge")
        pipe.send(data[30:61])
        pipe.send(data[61:])
        until(sink, [True, False])


def test_a_pipes_moments_are_moved_to_now_and_keep_their_distance(pipe: Pipe) -> None:
    with opened(EvdevDriver(str(pipe.path))) as sink:
        before = time.monotonic()
        pipe.send(key(PRESS, at=5e8) + key(RELEASE, at=5e8 + 1.25))
        until(sink, [True, False])
        down, up = moments(sink)
        assert before <= down <= time.monotonic()
        assert up - down == pytest.approx(1.25)


def test_several_keys_and_several_devices_are_one_button(machine: Machine) -> None:
    keyboard = machine.plug(1, "AB Shutter3 Keyboard")
    control = machine.plug(2, "AB Shutter3 Consumer Control")
    seen: list[object] = []
    driver = EvdevDriver(
        "ab shutter", devices=machine.devices, on_event=lambda *event: seen.append(event)
    )
    with opened(driver) as sink:
        steps = (
            (keyboard, key(PRESS, ENTER) + key(PRESS)),
            (keyboard, key(RELEASE)),
            (control, key(PRESS)),
            (keyboard, key(RELEASE, ENTER)),
        )
        sent = 0
        for sender, data in steps:
            sender.send(data)
            sent += len(data) // EVENT.size
            sink.run_until(lambda: len(seen) == sent, what="the events")  # noqa: B023 - at once
            assert sink.edges == [True]
        control.send(key(RELEASE))
        until(sink, [True, False])


def test_events_of_two_devices_come_in_the_order_of_their_moments(machine: Machine) -> None:
    keyboard = machine.plug(1, "AB Shutter3 Keyboard")
    control = machine.plug(2, "AB Shutter3 Consumer Control")
    keyboard.send(key(PRESS, at=0.0) + key(RELEASE, at=10.0))
    control.send(key(PRESS, at=0.0) + key(RELEASE, at=20.0))
    with opened(EvdevDriver("AB", devices=machine.devices)) as sink:
        until(sink, [True, False])
        down, up = moments(sink)
        assert up - down == pytest.approx(20.0, abs=1.0)


def test_only_the_keys_that_are_named_count(pipe: Pipe) -> None:
    with opened(EvdevDriver(str(pipe.path), counted={VOLUME_UP})) as sink:
        pipe.send(key(PRESS, ENTER) + key(RELEASE, ENTER) + CLICK)
        until(sink, [True, False])


@pytest.mark.parametrize(("held", "edges"), [({VOLUME_UP}, [True]), (set(), [True, False])])
def test_after_lost_events_the_button_is_what_the_kernel_says(
    device: PlayedDevice, held: set[int], edges: list[bool]
) -> None:
    with opened(EvdevDriver(str(device.path))) as sink:
        device.held = held
        device.send(key(PRESS) + dropped() + key(RELEASE, ENTER))
        until(sink, edges)


def test_what_is_held_when_it_opens_is_no_press(device: PlayedDevice) -> None:
    device.held = {VOLUME_UP}
    with opened(EvdevDriver(str(device.path))) as sink:
        device.send(key(REPEAT) + key(RELEASE) + key(PRESS, at=1.0))
        until(sink, [True])


# Coming and going.


def test_a_device_that_is_not_there_yet_is_waited_for(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(EvdevDriver("Shutter", devices=machine.devices)) as sink:
        assert sink.said == [("present", Presence.OFFLINE)]
        assert "waiting for it" in caplog.text
        machine.plug(3, "Some Mouse")
        shutter = machine.plug(4, "AB Shutter3")
        until_present(sink, Presence.OFFLINE, Presence.ONLINE)
        shutter.send(CLICK)
        until(sink, [True, False])


def test_a_device_that_has_gone_comes_back_under_another_number(machine: Machine) -> None:
    machine.plug(4, "AB Shutter3")
    with opened(EvdevDriver("AB*", devices=machine.devices)) as sink:
        machine.unplug(4)
        until_present(sink, Presence.ONLINE, Presence.OFFLINE)
        machine.plug(7, "AB Shutter3").send(CLICK)
        until_present(sink, Presence.ONLINE, Presence.OFFLINE, Presence.ONLINE)
        until(sink, [True, False])
        assert ("start_over",) not in sink.said  # which would forget a click half told


def test_a_device_that_goes_while_it_is_pressed_is_released(machine: Machine) -> None:
    machine.plug(4, "AB Shutter3")
    with opened(EvdevDriver("AB Shutter3", devices=machine.devices)) as sink:
        machine.pipes[4].send(key(PRESS))
        until(sink, [True])
        machine.unplug(4)
        until(sink, [True, False])


def test_one_of_two_devices_that_goes_leaves_the_button_there(machine: Machine) -> None:
    machine.plug(1, "AB Shutter3 Keyboard")
    control = machine.plug(2, "AB Shutter3 Consumer Control")
    with opened(EvdevDriver("Shutter3", devices=machine.devices)) as sink:
        machine.unplug(1)
        control.send(CLICK)
        until(sink, [True, False])
        assert sink.of("present") == [Presence.ONLINE]


def test_the_press_that_woke_a_device_counts_though_it_was_before_we_had_it(
    tmp_path: Path, device: PlayedDevice
) -> None:
    link = tmp_path / "by-id"
    with opened(EvdevDriver(str(link))) as sink:
        assert sink.said == [("present", Presence.OFFLINE)]
        device.held = {VOLUME_UP}
        link.symlink_to(device.path)
        until(sink, [True])
        device.send(key(RELEASE, at=time.monotonic() + 0.1))
        until(sink, [True, False])


def test_a_waking_can_be_a_click_by_itself(machine: Machine) -> None:
    driver = EvdevDriver("AB", devices=machine.devices, wake_is_click=True)
    with opened(driver) as sink:
        machine.plug(1, "AB Shutter3")
        machine.plug(2, "AB Shutter3 Keyboard")
        sink.run_until(lambda: sink.of("clicked"), what="a click")
        assert sink.of("clicked") == [ClickType.SINGLE]
        assert sink.edges == []


def test_a_waking_that_tells_of_its_press_is_no_click_of_its_own(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device_sim.drivers.evdev.WAKE", 0.2)
    driver = EvdevDriver("AB", devices=machine.devices, wake_is_click=True)
    with opened(driver) as sink:
        machine.plug(1, "AB Shutter3").send(CLICK)
        until(sink, [True, False])
        over = time.monotonic() + 0.3
        sink.run_until(lambda: time.monotonic() > over, what="the time of a waking is over")
        assert sink.of("clicked") == []


def test_a_waking_press_that_is_still_held_is_no_click_of_its_own(
    tmp_path: Path, device: PlayedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device_sim.drivers.evdev.WAKE", 0.2)
    link = tmp_path / "by-id"
    with opened(EvdevDriver(str(link), wake_is_click=True)) as sink:
        device.held = {VOLUME_UP}
        link.symlink_to(device.path)
        until(sink, [True])
        over = time.monotonic() + 0.3
        sink.run_until(lambda: time.monotonic() > over, what="the time of a waking is over")
        assert sink.of("clicked") == []


def test_another_device_that_got_the_path_is_not_the_button(
    tmp_path: Path, device: PlayedDevice
) -> None:
    link = tmp_path / "event5"
    link.symlink_to(device.path)
    with opened(EvdevDriver(str(link))) as sink:
        link.unlink()
        again = device.unplug()
        until_present(sink, Presence.ONLINE, Presence.OFFLINE)
        device.name = "The keyboard you type on"
        link.symlink_to(again)
        over = time.monotonic() + 0.2
        sink.run_until(lambda: time.monotonic() > over, what="several looks")
        assert sink.of("present")[-1] is Presence.OFFLINE
        device.name = "AB Shutter3"
        until_present(sink, Presence.ONLINE, Presence.OFFLINE, Presence.ONLINE)
        assert device.grabs == 2


@pytest.mark.skipif(not os.access(UEVENT, os.W_OK), reason="only root may speak for the kernel")
def test_what_the_kernel_says_of_hardware_is_heard() -> None:
    heard: list[bool] = []
    with Recorder() as sink:
        uevents = Uevents(lambda: heard.append(True))
        uevents.open(sink.loop)
        UEVENT.write_text("change")
        sink.run_until(lambda: heard, what="a uevent")
        uevents.close()


# What cannot be had.


def test_what_is_no_input_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file", Path(os.devnull)):
        assert_refused(EvdevDriver(str(path)), f"{path} .*it is no input device", "--list")


def test_a_device_that_another_program_has_is_refused(device: PlayedDevice) -> None:
    device.is_taken = True
    assert_refused(EvdevDriver(str(device.path)), "another program has it", "end that program")


def test_a_device_without_keys_is_refused(device: PlayedDevice) -> None:
    device.keys = set()
    assert_refused(EvdevDriver(str(device.path)), "'AB Shutter3' has no keys", "--list")


def test_without_the_right_to_read_the_way_out_is_named(pipe: Pipe) -> None:
    pipe.path.chmod(0)
    with as_nobody():
        assert_refused(EvdevDriver(str(pipe.path)), "Permission denied", "usermod -aG input $USER")


def test_what_cannot_be_had_later_is_said_once_and_tried_again(
    tmp_path: Path, device: PlayedDevice, caplog: pytest.LogCaptureFixture
) -> None:
    link = tmp_path / "by-id"
    with opened(EvdevDriver(str(link))) as sink:
        device.is_taken = True
        link.symlink_to(device.path)
        sink.run_until(lambda: "another program has it" in caplog.text, what="a complaint")
        over = time.monotonic() + 0.2
        sink.run_until(lambda: time.monotonic() > over, what="several looks")
        assert caplog.text.count("another program has it") == 1
        device.is_taken = False
        until_present(sink, Presence.OFFLINE, Presence.ONLINE)


def test_a_machine_without_input_devices_says_so(tmp_path: Path) -> None:
    nowhere = InputDevices(listed=tmp_path / "none", nodes=tmp_path)
    assert_refused(EvdevDriver("AB", devices=nowhere), "no input devices", "device keyboard")


# Which device.


def test_devices_with_keys_are_listed_in_order(machine: Machine) -> None:
    machine.plug(10, "AB Shutter3", address="ff:ff:c1:20:aa:bb")
    machine.plug(9, "Lid Switch", keys="0")
    machine.plug(2, "Keyboard", keys="10000 0 0")
    found = [facts(device) for device in machine.devices.all()]
    assert [fact["name"] for fact in found] == ["Keyboard", "AB Shutter3"]
    assert found[1] == {
        "path": str(machine.pipes[10].path),
        "name": "AB Shutter3",
        "address": "ff:ff:c1:20:aa:bb",
        "readable": True,
    }


@pytest.mark.parametrize(
    "wanted", ["AB Shutter3", "shutter", "ab *", "*3", "FF:FF:C1:20:AA:BB", "[AB]? Shut*"]
)
def test_a_device_is_meant_by_a_part_a_pattern_or_an_address(machine: Machine, wanted: str) -> None:
    machine.plug(1, "Keyboard")
    pipe = machine.plug(2, "AB Shutter3", address="ff:ff:c1:20:aa:bb")
    assert machine.devices.find(wanted) == [pipe.path]


@pytest.mark.parametrize(
    ("wanted", "label"),
    [
        ("AB Shutter3", "evdev-AB-Shutter3"),
        ("/dev/input/event5", "evdev-event5"),
        ("AB*", "evdev-AB"),
        ("/dev/input/by-id/usb-Some_Maker_Some_Switch-event-kbd", "evdev-usb-Some_Maker_-"),
        ("快门", "evdev-"),
    ],
)
def test_the_label_is_a_word_that_tells_buttons_apart(wanted: str, label: str) -> None:
    found = EvdevDriver(wanted).label
    assert found.startswith(label)
    assert len(found) <= 30
    assert found.replace("-", "").replace("_", "").isalnum()
    assert found.isascii()


def test_long_names_that_begin_alike_have_labels_of_their_own() -> None:
    names = [f"/dev/input/by-id/usb-Some_Maker_Some_Switch-event-if0{number}" for number in (1, 2)]
    assert len({EvdevDriver(name).label for name in names}) == 2


# The command.


def test_a_press_becomes_a_click_on_standard_output(pipe: Pipe, start: Start) -> None:
    ours = ("--input", str(pipe.path), "--key", "volumeup", "--serial", "DOOR")
    program = start("device", "evdev", *ours, "--broker", "mqtt://127.0.0.1:9")
    program.wait_for("^ready device serial=DOOR driver=evdev-button")
    pipe.send(CLICK)
    (line,) = eventually(lambda: program.printed, what="a click")
    assert json.loads(line)["clickType"] == "SINGLE"


def test_show_tells_which_keys_come(pipe: Pipe, start: Start) -> None:
    program = start("device", "evdev", "--show", "--input", str(pipe.path))
    program.wait_for("^ready device show=")
    pipe.send(CLICK + key(REPEAT, 705))
    eventually(lambda: len(program.printed) == 3, what="three key events")
    shown = [json.loads(line) for line in program.printed]
    assert [(line["key"], line["code"], line["action"]) for line in shown] == [
        ("KEY_VOLUMEUP", 115, "press"),
        ("KEY_VOLUMEUP", 115, "release"),
        ("705", 705, "repeat"),
    ]
    assert program.stop() == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name the button with --input"),
        (("--input", "*"), "name the button with --input"),
        (("--input", "AB", "--key", "VOLUMNE"), "'VOLUMNE' is no key that is known by name"),
    ],
)
def test_wrong_usage_is_told_with_what_is_right(
    start: Start, options: tuple[str, ...], said: str
) -> None:
    program = start("device", "evdev", *options)
    assert program.end() == 2
    assert said in "\n".join(program.said)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Have no more rights than anyone, where we are root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
