"""`iot-button device`: its help, its outbox, forgetting a button, and a second start."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from device_sim.moments import Moments
from device_sim.outbox import Outbox
from tests.conftest import Start
from tests.device_sim.workbench import SERIAL, click
from tests.storage import no_file_above
from tests.support import Listener, Program

Ids = list[str]
NEVER = ("--rate", "0.000001", "--seed", "1")  # presses itself once in a dozen days


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def fill(state: Path, *, waiting: int, given_up: int = 0, serial: str = SERIAL) -> Ids:
    """Make an outbox on the disk; return the ids of its clicks, those given up first."""
    moments = Moments()
    with Outbox(state / "device" / f"{serial}.db", size=1_000, moments=moments) as outbox:
        for number in range(waiting + given_up):
            id_ = outbox.put(click(note=f"{number}"), moments.ago(0.0))
            kept = outbox.get(id_)
            if number < given_up and kept is not None:
                outbox.give_up(kept)
        return [kept.event_id for up in (True, False) for kept in outbox.entries(given_up=up)]


def device(start: Start, state: Path, *arguments: str) -> Program:
    program = start("device", *arguments, "--state-dir", str(state))
    program.end()
    return program


def shown(program: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in program.printed]


def test_the_group_lists_every_subcommand_without_loading_it(start: Start) -> None:
    helped = start("device", "--help")
    assert helped.end() == 0
    text = "\n".join(helped.printed)
    for name in ("gpio", "serial", "keyboard", "evdev", "simulated", "replay", "outbox", "forget"):
        assert f"\n  {name} " in text
    assert "Example: iot-button device gpio --pin 17" in text


def test_an_unknown_driver_is_wrong_usage(start: Start) -> None:
    program = start("device", "telepathy")
    assert program.end() == 2
    assert "telepathy" in "\n".join(program.said)


def test_the_outbox_shows_what_waits_and_what_was_given_up(start: Start, state: Path) -> None:
    given_up, *waiting = fill(state, waiting=2, given_up=1)
    program = device(start, state, "outbox")
    assert program.process.returncode == 0
    assert [(line["state"], line["eventId"]) for line in shown(program)] == [
        ("waiting", waiting[0]),
        ("waiting", waiting[1]),
        ("givenUp", given_up),
    ]
    assert all(line["clickedAt"].endswith("Z") for line in shown(program))
    assert program.said[-1].startswith("2 wait, 1 were given up: ")


def test_what_was_given_up_waits_once_more_when_asked(start: Start, state: Path) -> None:
    ids = fill(state, waiting=1, given_up=2)
    program = device(start, state, "outbox", "--retry", "--serial", SERIAL)
    assert program.said == ["2 clicks wait once more"]
    lines = shown(device(start, state, "outbox"))
    assert [(line["state"], line["eventId"]) for line in lines] == [("waiting", id_) for id_ in ids]


def test_one_click_is_told_of_as_one(start: Start, state: Path) -> None:
    fill(state, waiting=0, given_up=1)
    assert device(start, state, "outbox", "--retry").said == ["1 click waits once more"]
    assert device(start, state, "outbox", "--drop").said == ["0 clicks removed"]


def test_what_was_given_up_is_removed_when_asked_and_nothing_else(
    start: Start, state: Path
) -> None:
    ids = fill(state, waiting=1, given_up=2)
    assert device(start, state, "outbox", "--drop").said == ["2 clicks removed"]
    assert [line["eventId"] for line in shown(device(start, state, "outbox"))] == ids[2:]


def test_retry_and_drop_exclude_each_other(start: Start, state: Path) -> None:
    ids = fill(state, waiting=0, given_up=1)
    assert device(start, state, "outbox", "--drop", "--retry").process.returncode == 2
    assert [line["eventId"] for line in shown(device(start, state, "outbox"))] == ids


def test_the_outbox_of_no_button_says_so(start: Start, state: Path) -> None:
    program = device(start, state, "outbox")
    assert program.process.returncode == 1
    assert program.said == [
        f"iot-button: there is no outbox in {state}/device",
        "  no button has run here yet",
    ]


def test_of_several_buttons_one_is_to_be_named(start: Start, state: Path) -> None:
    fill(state, waiting=1, serial="DOOR")
    fill(state, waiting=2, serial="GATE")
    (state / "device" / "GATE.db.damaged-1").write_bytes(b"")
    program = device(start, state, "outbox")
    assert program.process.returncode == 1
    assert program.said[-1] == "  name one with --serial: DOOR, GATE"
    assert len(shown(device(start, state, "outbox", "--serial", "GATE"))) == 2
    missing = device(start, state, "outbox", "--serial", "BELL")
    assert missing.process.returncode == 1
    assert missing.said[-1] == "  name one with --serial: DOOR, GATE"
    assert not (state / "device" / "BELL.db").exists()


@pytest.mark.parametrize("command", ["outbox", "forget"])
@pytest.mark.parametrize("serial", ["../DOOR", "+", "", "x" * 65])
def test_what_is_no_serial_number_is_refused(
    start: Start, state: Path, command: str, serial: str
) -> None:
    program = device(start, state, command, "--serial", serial)
    assert program.process.returncode in (1, 2)
    text = "\n".join(program.said)
    assert "serial_number" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("option", ["--retry", "--drop"])
def test_what_cannot_be_written_is_not_said_to_be_done(
    start: Start, state: Path, option: str
) -> None:
    ids = fill(state, waiting=0, given_up=3)
    with no_file_above(1):
        program = device(start, state, "outbox", option)
    assert program.process.returncode == 1
    text = "\n".join(program.said)
    assert "clicks" not in text
    assert "Traceback" not in text
    assert [line["eventId"] for line in shown(device(start, state, "outbox"))] == ids


def run_button(start: Start, state: Path, broker: Program, *options: str) -> Program:
    """Run a button that as good as never presses itself, until it is ready."""
    address = broker.address("mqtt")
    program = start(
        "device", "simulated", *NEVER, "--serial", SERIAL, "--broker", address,
        "--state-dir", str(state), *options,
    )  # fmt: skip
    program.wait_for("^ready device")
    return program


def test_a_second_start_of_the_same_button_says_what_to_do(
    start: Start, state: Path, amqtt: Program
) -> None:
    first = run_button(start, state, amqtt)
    second = start("device", "simulated", *NEVER, "--serial", SERIAL, "--state-dir", str(state))
    assert second.end() == 1
    assert second.said == [
        f"iot-button: the button {SERIAL} runs already on this machine",
        "  give this one another serial number: --serial SERIAL",
    ]
    assert second.printed == []
    first.send(signal.SIGTERM)
    assert first.end() == 0


def test_the_outbox_of_a_running_button_is_left_to_it(
    start: Start, state: Path, amqtt: Program
) -> None:
    run_button(start, state, amqtt)
    for option in ([], ["--retry"], ["--drop"]):
        program = device(start, state, "outbox", *option)
        assert program.process.returncode == 1
        assert program.said == [
            f"iot-button: the button {SERIAL} runs",
            "  stop it first; its status topic says how many clicks wait",
        ]


def test_a_killed_button_can_be_started_again_at_once(
    start: Start, state: Path, amqtt: Program
) -> None:
    first = run_button(start, state, amqtt)
    os.kill(first.process.pid, signal.SIGKILL)
    first.end()
    assert run_button(start, state, amqtt).process.poll() is None


def test_what_waits_from_before_is_published_at_the_start_and_said_at_the_end(
    start: Start, state: Path, amqtt: Program
) -> None:
    ids = fill(state, waiting=3)
    with Listener(amqtt.port("mqtt"), f"iotbutton/{SERIAL}") as listener:
        button = run_button(start, state, amqtt)
        assert button.wait_for(r"waiting=(\d+)")[1] == "3"
        came = [json.loads(listener.next().payload)["eventId"] for _ in ids]
        assert came == ids
        button.send(signal.SIGTERM)
        assert button.end() == 0
    assert button.said[-1] == "3 clicks are on disk; what waits is sent at the next start"


def test_forgetting_takes_status_and_announcement_off_the_broker(
    start: Start, state: Path, mosquitto: Program
) -> None:
    topics = f"iotbutton/{SERIAL}/status", "homeassistant/#"
    ids = fill(state, waiting=1)
    with Listener(mosquitto.port("mqtt"), *topics) as listener:
        button = run_button(start, state, mosquitto, "--home-assistant")
        said = [listener.next(), listener.next()]
        assert {message.topic.split("/")[0] for message in said} == {"iotbutton", "homeassistant"}
        button.stop()
    forgot = device(
        start, state, "forget", "--serial", SERIAL, "--broker", mosquitto.address("mqtt")
    )
    assert forgot.process.returncode == 0
    assert forgot.said == [f"{mosquitto.address('mqtt')} has forgotten {SERIAL}"]
    with Listener(mosquitto.port("mqtt"), *topics, "mark") as listener:
        listener.publish("mark", b"")
        assert listener.next().topic == "mark"  # what is retained would have come before
    assert [line["eventId"] for line in shown(device(start, state, "outbox"))] == ids


def test_forgetting_one_button_leaves_the_others(
    start: Start, state: Path, broker: Program
) -> None:
    with Listener(broker.port("mqtt")) as publisher:
        for serial in ("DOOR", "GATE"):
            retained = f"iotbutton/{serial}/status", b'{"state":"offline"}'
            publisher.connection.publish(*retained, retain=True)
        publisher.connection.drain(10.0)
    device(start, state, "forget", "--serial", "DOOR", "--broker", broker.address("mqtt"))
    with Listener(broker.port("mqtt"), "iotbutton/+/status", "mark") as listener:
        assert listener.next().topic == "iotbutton/GATE/status"
        listener.publish("mark", b"")
        assert listener.next().topic == "mark"


def test_forgetting_without_a_broker_says_where_there_is_none(start: Start, state: Path) -> None:
    program = device(start, state, "forget", "--serial", SERIAL, "--broker", "mqtt://127.0.0.1:1")
    assert program.process.returncode == 1
    text = "\n".join(program.said)
    assert "127.0.0.1:1" in text
    assert "Traceback" not in text
    assert "forgotten" not in text


def test_which_button_is_to_be_forgotten_has_to_be_said(start: Start, state: Path) -> None:
    program = device(start, state, "forget")
    assert program.process.returncode == 2
    assert "--serial" in "\n".join(program.said)
