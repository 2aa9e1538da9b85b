"""Connections that say nothing, on each port: counted, few, and soon gone, with all they took."""

import gc
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from broker.account_door import AccountDoor
from broker.certificates import ServerCertificates
from broker.embedded import EmbeddedBroker
from broker.gate.limits import Limits
from iot_button.settings import Settings
from iot_button.tls import CertificateFiles
from tests.broker import wire_packets as packets
from tests.support import DEADLINE, eventually

PORTS = ("port", "tls_port", "websocket_port", "websocket_tls_port")
HELLO = bytes.fromhex("1603010200010001fc0303")
"""The begin of a TLS handshake."""
TAKEN = {"Doorstep", "StreamLink", "Client", "SSLProtocol", "SSLObject"}
"""Kinds of objects that a connection is made of."""

Run = Callable[..., EmbeddedBroker]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run a broker with all four ports and such limits."""
    names = Settings(state_dir=str(tmp_path)).topic_names
    with ExitStack() as stack:

        def run_one(**limits: float) -> EmbeddedBroker:
            broker = EmbeddedBroker(
                host="127.0.0.1",
                port=0,
                tls_port=0,
                websocket_port=0,
                websocket_tls_port=0,
                certificates=ServerCertificates.open(tmp_path),
                journal=tmp_path / "journal.db",
                door=AccountDoor(tmp_path, names, open_without_accounts=True),
                limits=Limits(**limits),  # type: ignore[arg-type]
            )
            return stack.enter_context(broker)

        yield run_one


@contextmanager
def silent(port: int, *, count: int = 1) -> Iterator[list[socket.socket]]:
    """Connect, and say nothing."""
    with ExitStack() as stack:
        made = (socket.create_connection(("127.0.0.1", port), DEADLINE) for _ in range(count))
        yield [stack.enter_context(one) for one in made]


def assert_closed(connection: socket.socket) -> None:
    with suppress(ConnectionResetError):
        while connection.recv(4096):
            pass


def client_of(tmp_path: Path) -> ssl.SSLContext:
    """Return a client's context that trusts the broker."""
    return ssl.create_default_context(cafile=CertificateFiles.of(tmp_path).ca)


@pytest.mark.parametrize("port", PORTS)
def test_of_too_many_who_say_nothing_the_oldest_goes(run: Run, port: str) -> None:
    broker = run(newcomers=3)
    with silent(getattr(broker, port), count=3) as first:
        eventually(lambda: broker.figures.connections == 3, what="all are counted")
        with silent(getattr(broker, port)):
            assert_closed(first[0])
            assert broker.figures.refused == {"too many newcomers": 1}
            assert broker.figures.connections == 3
    eventually(lambda: broker.figures.connections == 0, what="those who went are not counted")
    assert broker.figures.connections_total == 4


@pytest.mark.parametrize("said", [b"", HELLO], ids=["nothing", "half a hello"])
@pytest.mark.parametrize("port", PORTS[1:])
def test_who_finishes_no_handshake_is_closed_in_time(run: Run, port: str, said: bytes) -> None:
    broker = run(connect_timeout=0.3)
    with silent(getattr(broker, port)) as (one,):
        one.sendall(said)
        assert_closed(one)
    eventually(lambda: broker.figures.connections == 0, what="it is not counted any more")
    assert sum(broker.figures.refused.values()) <= 1
    assert set(broker.figures.refused) <= {"connect timeout"}


def test_who_finishes_the_handshake_and_says_nothing_has_no_more_time(
    run: Run, tmp_path: Path
) -> None:
    broker = run(connect_timeout=0.3)
    context = client_of(tmp_path)
    with (
        silent(broker.tls_port or 0) as (one,),
        context.wrap_socket(one, server_hostname="127.0.0.1") as secure,
    ):
        assert_closed(secure)
    assert broker.figures.refused == {"connect timeout": 1}
    eventually(lambda: broker.figures.connections == 0, what="it is not counted any more")


def test_a_connect_that_comes_with_the_end_of_the_handshake_is_answered(
    run: Run, tmp_path: Path
) -> None:
    """A client with TLS 1.3 may send both at once, and then waits for its CONNACK."""
    broker = run()
    come, gone = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_of(tmp_path).wrap_bio(come, gone, server_hostname="127.0.0.1")
    with silent(broker.tls_port or 0) as (one,):
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        one.sendall(gone.read())
        while not tls.version():
            come.write(one.recv(65_536))
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
        tls.write(packets.connect("early"))
        one.sendall(gone.read())
        answer = b""
        while not answer:
            come.write(one.recv(65_536))
            with suppress(ssl.SSLWantReadError):
                answer = tls.read(4)
    assert answer == b"\x20\x02\x00\x00"
    eventually(lambda: broker.figures.connections == 0, what="it is gone")
    assert broker.figures.connections_total == 1


def taken() -> Counter[str]:
    """Return how many objects there are of the kinds that a connection is made of."""
    return Counter(name for o in gc.get_objects() if (name := type(o).__name__) in TAKEN)


@pytest.mark.parametrize("said", [b"", HELLO, b"GET / HTTP/1.1\r\n\r\n"], ids=["", "hello", "no"])
@pytest.mark.parametrize("who", ["client", "broker"])
def test_a_handshake_that_is_not_finished_leaves_nothing_to_the_garbage_collector(
    run: Run, said: bytes, who: str
) -> None:
    """An error, where it was raised, and what had waited there kept 60 KB of each."""
    broker = run(connect_timeout=0.3 if who == "broker" else 10.0)
    gc.collect()
    gc.disable()
    try:
        before = taken()
        with silent(broker.tls_port or 0, count=5) as connections:
            for one in connections:
                one.sendall(said)
            eventually(lambda: broker.figures.connections_total == 5, what="all have come")
            if who == "broker":
                list(map(assert_closed, connections))
        eventually(lambda: taken() == before, what=f"all of it is freed: {taken()}, {before}")
        assert broker.figures.connections == 0
    finally:
        gc.enable()
