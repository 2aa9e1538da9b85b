"""A broker that runs with accounts as the command makes them, and clients that log in."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from iot_button.accounts_file import AccountFile, Role
from tests.broker import wire_packets as packets
from tests.broker.wire import Wire
from tests.broker.wire_streams import TcpStream, WebSocketStream
from tests.support import DEADLINE, Program, require_program, run

ROLES = {
    "door": ("--button", "DOOR"),
    "bell": ("--button", "BELL"),
    "function": ("--function",),
    "dashboard": ("--dashboard",),
    "admin": ("--admin",),
}
EVERYONE = tuple(ROLES)
NOT_AUTHORIZED = 5


@dataclass(frozen=True, slots=True)
class House:
    """A broker that runs, and the accounts of its installation."""

    broker: Program
    environment: dict[str, str]
    accounts: dict[str, str]
    """Passwords by name."""

    @property
    def is_mosquitto(self) -> bool:
        """For what 2.0.11 itself does differently: it grants any filter, and holds back."""
        return "mosquitto" in self.broker.arguments

    def account(self, *arguments: str) -> str:
        """Run `iot-button account ARGUMENTS` and return what it prints."""
        return run_account(self.environment, *arguments)


def run_account(environment: dict[str, str], *arguments: str) -> str:
    ended = run("account", *arguments, environment=environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def added(environment: dict[str, str], name: str, role: str, serial_number: str = "") -> str:
    """Make an account as the command does, without a process of its own; return its password."""
    password = secrets.token_urlsafe(15)
    AccountFile(Path(environment["HOME"], ".local", "state", "iot-button")).add(
        name,
        role=Role(role.removeprefix("--")),
        serial_number=serial_number or None,
        password=password,
    )
    return password


def arguments_of(kind: str) -> tuple[str, ...]:
    if kind == "mosquitto":
        require_program("mosquitto", "mosquitto")
    return ("broker", "--broker", kind, "--port", "0", "--websocket-port", "0")


def environment_of(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("IOT_BUTTON_", "XDG_"))}
    return kept | {"HOME": str(home), "PYTHONUNBUFFERED": "1", "IOT_BUTTON_FUNCTIONS_PORT": "0"}


def answer(house: House, username: str | None, password: str | None, *, way: str = "mqtt") -> int:
    """Return the return code with which one is answered; -1 where nobody answers."""
    try:
        websocket = way == "websocket"
        stream = WebSocketStream(house.broker.address(way)) if websocket else None
        with Wire(stream or TcpStream(house.broker.port("mqtt"))) as wire:
            wire.send(packets.connect("", username=username, password=password))
            connack = wire.stream.receive(DEADLINE)
    except OSError:
        return -1
    return connack[3] if len(connack) == 4 else -1


def say(
    house: House, name: str, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
) -> None:
    """Publish on a connection of its own, and wait until the broker has read it.

    mosquitto 2.0.11 acknowledges what it drops, as ours does, and then hangs up; the standard
    allows both (3.3.5-2).
    """
    with Wire(TcpStream(house.broker.port("mqtt"))) as wire:
        wire.connect("", username=name, password=house.accounts[name])
        packet_id = 1 if qos else 0
        data = packets.publish(topic, payload, qos=qos, packet_id=packet_id, retain=retain)
        if qos == 2:
            data += packets.acknowledge(packets.PUBREL, packet_id)
        wire.send(data + packets.GOODBYE)
        wire.expect_closed()


def received(wire: Wire) -> list[packets.Received]:
    """Return what has come, at QoS 0, of what others have had the acknowledgement for."""
    wire.send(packets.PING)
    messages = []
    while (found := wire.next()).kind != packets.PINGRESP:
        messages.append(found.message)
    return messages


def payloads(wire: Wire) -> list[bytes]:
    return [message.payload for message in received(wire)]


Build = Callable[..., House]
Enter = Callable[..., Wire]
