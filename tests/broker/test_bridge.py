"""The bridge between two real brokers: what goes over, under which name, and what does not."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.broker.bridged import Mosquitto, click, summary
from tests.conftest import Start
from tests.support import Listener, Program

READY = r"^ready bridge to="
THERE = r"connected to the remote broker"


@dataclass(frozen=True)
class Ours:
    """Our broker: where it is."""

    port: int

    @property
    def address(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


@pytest.fixture
def ours(broker: Program) -> Ours:
    """Each of our brokers in turn."""
    return Ours(broker.port("mqtt"))


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "other")
    yield broker
    broker.kill()


@pytest.fixture
def bridge(start: Start, ours: Ours, other: Mosquitto) -> "Bridge":
    return Bridge(start, ours, other)


class Bridge:
    """Starts bridges between the two."""

    def __init__(self, start: Start, ours: Ours, other: Mosquitto) -> None:
        self._start = start
        self._ours = ours
        self._other = other

    def __call__(self, *rules: str, options: tuple[str, ...] = (), **more: str) -> Program:
        topics = [word for rule in rules for word in ("--topic", rule)]
        program = self._start(
            *("bridge", "--broker", self._ours.address, "--to", self._other.address),
            *topics,
            *options,
            **more,
        )
        program.wait_for(READY)
        program.wait_for(THERE)
        return program


def test_a_topic_goes_out(bridge: Bridge, ours: Ours, other: Mosquitto) -> None:
    program = bridge("iotprocessed out")
    with Listener(other.port, "#") as there, Listener(ours.port) as here:
        here.publish("iotprocessed", b"1")
        message = there.next()
    assert (message.topic, message.payload, message.qos) == ("iotprocessed", b"1", 1)
    assert summary(program)["forwarded"] == 1


def test_a_topic_comes_in(bridge: Bridge, ours: Ours, other: Mosquitto) -> None:
    bridge("iotbutton/+/receipt in")
    with Listener(ours.port, "#") as here, Listener(other.port) as there:
        there.publish("iotbutton/B1/receipt", b"{}")
        assert here.next().topic == "iotbutton/B1/receipt"


def test_what_no_rule_names_stays(bridge: Bridge, ours: Ours, other: Mosquitto) -> None:
    bridge("a/# out", "b in")
    with Listener(other.port, "#") as there, Listener(ours.port) as here:
        here.publish("b", b"not out")
        here.publish("c", b"not at all")
        here.publish("a", b"out")
        assert there.next().topic == "a"


def test_prefixes_are_changed_on_the_way(bridge: Bridge, ours: Ours, other: Mosquitto) -> None:
    bridge("up/# out home/ site/7/", "down/# in home/ site/7/", '"" out one two')
    with Listener(other.port, "#") as there, Listener(ours.port, "home/down/#") as here:
        here.publish("home/up/x", b"1")
        assert there.next().topic == "site/7/up/x"
        there.publish("site/7/down/y/z", b"2")
        assert here.next().topic == "home/down/y/z"
        assert there.next().topic == "site/7/down/y/z"
        here.publish("one", b"3")
        assert there.next().topic == "two"


def test_nothing_is_sent_back(bridge: Bridge, ours: Ours, other: Mosquitto) -> None:
    """At QoS 1, with payloads that are all equal, as the AWS IoT Button sends them."""
    program = bridge("a/# both")
    with Listener(ours.port, "a/#") as here, Listener(other.port, "a/#") as there:
        for _ in range(20):
            here.publish("a/from-here", b"same")
            there.publish("a/from-there", b"same")
        here.publish("a/last", b"")
        there.publish("a/last-of-there", b"")
        came_here = [here.next().topic for _ in range(42)]
        came_there = [there.next().topic for _ in range(42)]
        here.publish("a/after", b"")
        assert here.next().topic == "a/after"
        assert there.next().topic == "a/after"
    for came in (came_here, came_there):
        assert (came.count("a/from-here"), came.count("a/from-there")) == (20, 20)
    assert summary(program)["forwarded"] == 43


def test_nothing_is_sent_back_under_another_name(
    bridge: Bridge, ours: Ours, other: Mosquitto
) -> None:
    bridge("x/# out", "# in mirror/")
    with Listener(ours.port, "#") as here, Listener(other.port) as there:
        here.publish("x/1", b"ours")
        there.publish("y", b"theirs")
        assert [here.next().topic for _ in range(2)] == ["x/1", "mirror/y"]


def test_a_ring_of_two_bridges_carries_a_click_once(
    bridge: Bridge, ours: Ours, other: Mosquitto
) -> None:
    first = bridge("iotbutton/+ both", options=("--name", "first"))
    second = bridge("iotbutton/+ both", options=("--name", "second"))
    with Listener(ours.port, "#") as here, Listener(other.port, "#") as there:
        here.publish("iotbutton/B1", click("B1", 0))
        # Each forwards it, and sees on the other side what the other bridge has made of it.
        assert [there.next().topic for _ in range(2)] == ["iotbutton/B1"] * 2
        there.publish("iotbutton/B2", click("B2", 0))
        assert [here.next().topic for _ in range(3)] == ["iotbutton/B1"] + ["iotbutton/B2"] * 2
        counts = [summary(program) for program in (first, second)]
        assert here.is_empty
    assert [(count["forwarded"], count["waiting"]) for count in counts] == [(2, 0)] * 2


def test_a_state_is_retained_there_and_an_event_is_not(
    bridge: Bridge, ours: Ours, other: Mosquitto
) -> None:
    bridge("iotbutton/# out")
    with Listener(ours.port) as here, Listener(other.port, "#") as there:
        here.publish("iotbutton/B1/status", b'{"state":"online"}')
        here.publish("iotbutton/B1", click("B1", 0))
        assert {there.next().topic for _ in range(2)} == {"iotbutton/B1/status", "iotbutton/B1"}
    with Listener(other.port, "#") as late:
        message = late.next()
        assert (message.topic, message.retained) == ("iotbutton/B1/status", True)
        late.publish("end", b"")
        assert late.next().topic == "end"


def test_a_retained_click_is_not_pressed_again(
    bridge: Bridge, ours: Ours, other: Mosquitto
) -> None:
    with Listener(ours.port) as here, Listener(other.port, "#") as there:
        here.connection.publish("iotbutton/B1", click("B1", 0), retain=True)
        here.publish("iotbutton/B2/status", b"{}")
        program = bridge("iotbutton/# out")
        here.publish("iotbutton/B1", click("B1", 1))
        assert json.loads(there.next().payload)["number"] == 1
    assert summary(program)["droppedBecause"] == {"retained": 1}


def test_a_message_that_is_too_large_is_counted(
    bridge: Bridge, ours: Ours, other: Mosquitto
) -> None:
    program = bridge("a/# out")
    with Listener(ours.port) as here, Listener(other.port, "#") as there:
        here.publish("a/1", b"x" * 131_073)
        here.publish("a/2", b"x" * 131_072)
        assert there.next().topic == "a/2"
    assert summary(program)["droppedBecause"] == {"too large": 1}


def test_the_account_comes_from_the_environment(tmp_path: Path, start: Start) -> None:
    passwords = tmp_path / "passwords"
    ours = Mosquitto(tmp_path / "ours")
    # mosquitto_passwd's own form of "secret".

    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "bridge", "secret"], check=True)
    passwords.chmod(0o644)
    other = Mosquitto(tmp_path / "other", "allow_anonymous false", f"password_file {passwords}")
    arguments = ("bridge", "--broker", ours.address, "--to", other.address, "--topic", "a out")
    try:
        wrong = start(*arguments, "--username", "bridge", IOT_BUTTON_BRIDGE_PASSWORD="wrong")
        refusal = wrong.wait_for("refuses us")
        assert "username and password_file" in refusal.string
        assert "wrong" not in refusal.string
        wrong.stop()
        right = start(*arguments, "--username", "bridge", IOT_BUTTON_BRIDGE_PASSWORD="secret")
        right.wait_for(THERE)
        right.stop()
        (tmp_path / "secret").write_text("secret\n")
        start(*arguments, "--username", "bridge", "--password-file", "secret").wait_for(THERE)
    finally:
        ours.kill()
        other.kill()
