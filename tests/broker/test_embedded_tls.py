"""The embedded broker with TLS: who comes with a certificate, and who with a password."""

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect as open_websocket
from websockets.typing import Subprotocol

from tests import support
from tests.broker.wire import Wire
from tests.broker.wire_streams import TcpStream
from tests.conftest import Start
from tests.support import DEADLINE, Program

CONNECT = bytes.fromhex("100d00044d5154540402003c000161")

Run = Callable[..., str]
Secure = Callable[..., Wire]


class TlsStream(TcpStream):
    """A TLS connection to a port of loopback. `serial`: whose certificate it shows, if any."""

    def __init__(self, port: int, folder: Path, serial: str | None) -> None:
        super().__init__(port)
        context = ssl.create_default_context(cafile=folder / "ca.pem")
        if serial is not None:
            context.load_cert_chain(folder / f"{serial}.pem", folder / f"{serial}.key")
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run `iot-button ARGUMENTS`, and return what it printed."""

    def run_one(*arguments: str) -> str:
        ended = support.run(*arguments, environment=environment, directory=tmp_path)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run_one


@pytest.fixture
def broker(run: Run, start: Start) -> Program:
    """A broker with TLS on free ports, and a certificate for the button DOOR."""
    run("provision", "DOOR", "--out", "DOOR")
    return start(
        *("broker", "--port", "0", "--websocket-port", "0", "--tls-port", "0"),
        IOT_BUTTON_BROKER_WEBSOCKET_TLS_PORT="0",
    )


@pytest.fixture
def secure(broker: Program, tmp_path: Path) -> Iterator[Secure]:
    """Open a TLS connection."""
    wires: list[Wire] = []

    def open_one(serial: str | None = None) -> Wire:
        wire = Wire(TlsStream(broker.port("mqtts"), tmp_path / "DOOR", serial))
        wires.append(wire)
        return wire

    yield open_one
    for wire in wires:
        wire.stream.close()


def test_a_certificate_is_the_account_of_its_button(secure: Secure) -> None:
    button = secure("DOOR")
    button.connect("door")
    assert button.subscribe(("iotbutton/DOOR/receipt", 1), ("iotbutton/#", 1)) == [1, 0x80]
    button.publish("iotbutton/DOOR", b"{}", qos=1)


def test_without_a_certificate_an_account_is_needed(secure: Secure, run: Run) -> None:
    with pytest.raises(AssertionError, match="return code 5"):
        secure().connect("nobody")
    account = json.loads(run("account", "add", "me", "--admin"))
    secure().connect("me", username=account["username"], password=account["password"])


def test_a_revoked_certificate_ends_its_connection_and_is_refused(secure: Secure, run: Run) -> None:
    button = secure("DOOR")
    button.connect("door")
    run("provision", "--revoke", "DOOR")
    button.expect_closed()
    with pytest.raises((ssl.SSLError, ConnectionError, pytest.fail.Exception)):
        secure("DOOR").connect("door")


def test_plain_bytes_on_the_tls_port_end_that_connection_alone(
    broker: Program, secure: Secure
) -> None:
    plain = TcpStream(broker.port("mqtts"))
    plain.send(CONNECT)
    while plain.receive(DEADLINE):
        pass
    plain.close()
    secure("DOOR").connect("door")


def test_a_page_speaks_through_a_websocket_with_tls(broker: Program, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=tmp_path / "DOOR" / "ca.pem")
    with open_websocket(
        broker.address("secureWebsocket"),
        subprotocols=[Subprotocol("mqtt")],
        ssl=context,
        open_timeout=DEADLINE,
        close_timeout=1,
    ) as websocket:
        websocket.send(CONNECT)
        assert websocket.recv(timeout=DEADLINE) == bytes.fromhex("20020005")
