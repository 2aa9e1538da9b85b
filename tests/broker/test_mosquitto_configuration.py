"""mosquitto with a configuration of ours: what it holds, whom it lets in, and what changes do."""

import json
import logging
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from broker.certificate_files import key_pem, pem
from broker.certificates import ServerCertificates, open_authority
from broker.mosquitto import MosquittoBroker
from broker.mosquitto_configuration import MAX_INFLIGHT, Listeners, configuration
from iot_button.errors import IotButtonError
from iot_button.messages import Session
from iot_button.settings import BrokerAddress, BrokerSettings, Settings
from tests.broker.mosquitto_house import House, Visitor, at
from tests.conftest import Start
from tests.support import DEADLINE, Program, eventually, is_listening, require_program

Run = Callable[..., MosquittoBroker]
ANN, BOB = ("ann", "a secret"), ("bob", "another")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start a mosquitto of ours on free ports; all end with the test."""
    require_program("mosquitto", "mosquitto")
    with ExitStack() as stack:

        def start(**options: Any) -> MosquittoBroker:
            free: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "websocket_port": 0}
            free["directory"] = tmp_path / "mosquitto"
            return stack.enter_context(MosquittoBroker(**(free | options)))

        yield start


def identity(state_dir: Path, serial_number: str) -> Path:
    """Give a device a certificate; return the file with it and its key."""
    certificate, key = open_authority(state_dir).issue(serial_number)
    path = state_dir / f"{serial_number}.pem"
    path.write_bytes(pem(certificate) + key_pem(key))
    return path


def wait_out(address: BrokerAddress) -> None:
    """Wait until one is refused."""
    with Visitor(address) as visitor:
        eventually(lambda: visitor.is_refused, what="it is refused")


def test_with_accounts_nobody_comes_in_without_one_and_what_is_denied_is_not_delivered(
    run: Run,
) -> None:
    broker = run(accounts=House(ann="a secret"))
    for account in (None, ("ann", "wrong"), ("", ""), ("eve", "a secret")):
        wait_out(at(broker.port, account=account))
    with Visitor(at(broker.port, account=ANN), "#") as ann:
        ann.ready()
        ann.publish("denied", b"no")
        ann.publish("allowed", b"yes")
        assert ann.next() == b"yes"


def test_an_account_that_is_removed_is_out_within_a_second_and_others_are_back(run: Run) -> None:
    house = House(ann="a secret", bob="another")
    broker = run(accounts=house)
    with (
        Visitor(at(broker.port, account=ANN), "t") as ann,
        Visitor(at(broker.port, account=BOB)) as bob,
        Visitor(at(broker.port, account=BOB), "t", session=Session.KEPT, client_id="b") as kept,
    ):
        for visitor in (ann, bob, kept):
            visitor.ready()
        since = time.monotonic()
        house.passwords = {"ann": "a secret"}
        assert bob.wait_lost(since) < 1.0
        assert kept.wait_lost(since) < 1.0
        eventually(lambda: bob.is_refused, what="it is refused when it comes back")
        eventually(lambda: ann.times_ready == 2, what="the other one is back")
        ann.publish("t", b"still here")
        assert ann.next() == b"still here"


def test_a_new_account_comes_in_and_an_old_password_does_not(run: Run) -> None:
    house = House(ann="a secret")
    broker = run(accounts=house)
    with Visitor(at(broker.port, account=ANN)) as ann:
        ann.ready()
        house.passwords = {"ann": "a new secret", "bob": "another"}
        ann.wait_lost(0)
        eventually(lambda: ann.is_refused, what="the old password is refused")
    with Visitor(at(broker.port, account=BOB)) as bob:
        bob.ready()


def test_what_was_closed_is_not_opened_when_the_last_account_goes(run: Run) -> None:
    accounts: list[Any] = [House(ann="a secret")]
    broker = run(accounts=lambda: accounts[0] and accounts[0]())
    with Visitor(at(broker.port, account=ANN)) as ann:
        ann.ready()
        accounts[0] = None
        ann.wait_lost(0)
    wait_out(at(broker.port))


def test_the_first_account_closes_what_was_open(run: Run) -> None:
    accounts: list[Any] = [None]
    broker = run(accounts=lambda: accounts[0] and accounts[0]())
    with Visitor(at(broker.port)) as stranger:
        stranger.ready()
        accounts[0] = House(ann="a secret")
        stranger.wait_lost(0)
        eventually(lambda: stranger.is_refused, what="a stranger is refused")


def test_messages_that_wait_outlive_a_change_of_accounts_and_a_restart(run: Run) -> None:
    house = House(ann="a secret", bob="another")
    broker = run(accounts=house)
    address = at(broker.port, account=ANN)
    with Visitor(address, "t", session=Session.KEPT, client_id="away") as away:
        away.ready()
    with Visitor(address) as sender:
        sender.ready().publish("t", b"1")
    broker.stop()
    broker = run(
        accounts=house, port=broker.port
    )  # the session comes from disk, without a password
    with Visitor(at(broker.port, account=BOB)) as bob:
        bob.ready()
        house.passwords = {"ann": "a secret"}
        bob.wait_lost(0)
    with Visitor(address) as sender:
        sender.ready().publish("t", b"2")
    with Visitor(address, "t", session=Session.KEPT, client_id="away") as away:
        assert [away.next(), away.next()] == [b"1", b"2"]


def test_nothing_acknowledged_is_lost_while_accounts_change(run: Run) -> None:
    house = House(ann="a secret", bob="another")
    broker = run(accounts=house)
    address = at(broker.port, account=ANN)
    acknowledged: list[bytes] = []
    with (
        Visitor(address, "t", session=Session.KEPT, client_id="kept") as listener,
        Visitor(address) as sender,
    ):
        listener.ready()
        for number in range(1, 6):
            sender.ready()
            house.passwords = {"ann": "a secret"} | ({"bob": "another"} if number % 2 else {})
            house.passwords |= {f"new{number}": "another"}
            while listener.times_ready <= number:
                payload = b"%d" % len(acknowledged)
                sender.publish("t", payload)
                acknowledged.append(payload)
        received = {listener.next()}
        while received != set(acknowledged):
            received.add(listener.next())


def test_a_certificate_is_an_account_and_a_revoked_one_is_out_within_seconds(
    run: Run, tmp_path: Path
) -> None:
    door, bell = identity(tmp_path, "DOOR"), identity(tmp_path, "BELL")
    certificates = ServerCertificates.open(tmp_path)
    ca = certificates.files.ca
    house = House(DOOR="no password of these is ever used", BELL="so be it")
    broker = run(accounts=house, certificates=certificates, tls_port=0, websocket_tls_port=0)
    assert broker.tls_port
    wait = Visitor(at(broker.tls_port, ca=ca, certificate=bell), "t", client_id="BELL")
    with wait as visitor, Visitor(at(broker.tls_port, ca=ca, certificate=door), "t") as lost:
        visitor.ready()
        lost.ready()
        visitor.publish("t", b"hello")
        assert lost.next() == b"hello"
        since = time.monotonic()
        open_authority(tmp_path).revoke("DOOR")
        assert lost.wait_lost(since) < 1.0
        eventually(lambda: visitor.times_ready == 2, what="the other one is back")
        assert lost.times_ready == 1
        assert not lost.connection.is_ready
    assert not is_let_in(broker.tls_port, ca)
    assert is_let_in(broker.tls_port, ca, certificate=bell)
    assert not is_let_in(broker.tls_port, ca, certificate=door)


def test_a_running_broker_hears_of_account_remove_and_of_provision_revoke(
    start: Start, tmp_path: Path
) -> None:
    require_program("mosquitto", "mosquitto")
    done(start("provision", "DOOR", "--out", str(tmp_path)))
    added = start("account", "add", "ann", "--admin")
    done(added)
    ann = ("ann", json.loads(added.printed[0])["password"])
    broker = start(
        *("broker", "--broker", "mosquitto", "--port", "0", "--websocket-port", "0"),
        *("--tls-port", "0"),
    )
    door = BrokerAddress(
        host="127.0.0.1",
        port=broker.port("mqtts"),
        tls=True,
        ca_file=str(tmp_path / "ca.pem"),
        certificate_file=str(tmp_path / "DOOR.pem"),
        key_file=str(tmp_path / "DOOR.key"),
    )
    with (
        Visitor(at(broker.port("mqtt"), account=ann), "#") as person,
        Visitor(door) as button,
    ):
        person.ready()
        button.ready().publish("iotbutton/DOOR", b"a click")
        assert person.next() == b"a click"
        done(start("provision", "--revoke", "DOOR"))
        assert button.wait_lost(time.monotonic()) < 1.0
        eventually(lambda: person.times_ready > 1, what="the other one is back")
        done(start("account", "remove", "ann"))
        eventually(lambda: person.is_refused, what="it is refused", deadline=2.0)
        assert button.times_ready == 1


def done(program: Program) -> None:
    """Wait until a program has ended well."""
    assert program.end() == 0, program.said


CONNECT = bytes.fromhex("100c00044d5154540402000a0000")


def is_let_in(port: int, ca: Path, *, certificate: Path | None = None) -> bool:
    """Whether a CONNECT over TLS is answered with yes."""
    context = ssl.create_default_context(cafile=str(ca))
    if certificate is not None:
        context.load_cert_chain(certificate)
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as client:
                client.sendall(CONNECT)
                return client.recv(4) == bytes.fromhex("20020000")
        except OSError:  # TLS 1.3 tells after the handshake
            return False


def test_a_new_server_certificate_is_shown(run: Run, tmp_path: Path) -> None:
    certificates = ServerCertificates.open(tmp_path)
    broker = run(certificates=certificates, tls_port=0, websocket_tls_port=0)
    ports = (broker.tls_port or 0, broker.websocket_tls_port or 0)
    before = [served(port) for port in ports]
    certificates.files.server.unlink()  # made anew when it is looked at
    eventually(
        lambda: not set(before) & {served(port) for port in ports}, what="both show a new one"
    )


def served(port: int) -> str:
    """Return the certificate that a server shows, as PEM; empty while it starts anew."""
    try:
        return ssl.get_server_certificate(("127.0.0.1", port), timeout=DEADLINE)
    except OSError:
        return ""


def test_it_listens_at_its_address_and_at_no_other(run: Run) -> None:
    certificates = None
    broker = run(host="127.0.0.5", certificates=certificates)
    for port in (broker.port, broker.websocket_port):
        assert not is_listening(port)  # at 127.0.0.1


def test_a_mosquitto_that_listens_everywhere_is_stopped(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Listeners, "for_websockets", property(lambda self: self.address))
    with pytest.raises(IotButtonError, match=r"at every address, not at 127\.0\.0\.1 alone"):
        run()


def test_its_files_are_for_us_alone_and_nothing_secret_is_in_a_log(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    broker = run(accounts=House(ann="a secret"))
    wait_out(at(broker.port, account=("ann", "a wrong secret")))
    broker.stop()
    folder = tmp_path / "mosquitto"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("mosquitto.conf", "passwords", "access"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert "secret" not in (folder / "mosquitto.conf").read_text() + caplog.text


def test_the_function_runtime_has_fewer_handshakes_open_than_mosquitto_allows() -> None:
    settings = Settings(state_dir="/", broker=BrokerSettings(use="mosquitto"))
    assert 0 < settings.handshakes < MAX_INFLIGHT


PUBLISHERS, EACH, WINDOW = 4, 500, 200


def test_the_default_queue_loses_what_was_acknowledged_and_ours_does_not(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = run(directory=tmp_path / "ours")
    sent, received = acknowledged_and_received(ours.port)
    assert received == sent
    monkeypatch.setattr("broker.mosquitto_files.configuration", with_the_default_queue)
    default = run(directory=tmp_path / "default")
    sent, received = acknowledged_and_received(default.port)
    assert len(received) < len(sent)


def with_the_default_queue(**options: Any) -> str:
    text = configuration(**options)
    assert "max_queued_messages 1000000000\n" in text
    return text.replace("max_queued_messages 1000000000\n", "")


def acknowledged_and_received(port: int) -> tuple[list[bytes], list[bytes]]:
    """Publish from several clients while a persistent subscriber is slow; return both, sorted."""
    with Visitor(at(port), "t", "end", session=Session.KEPT, client_id="slow") as slow:
        slow.ready().may_read.clear()
        sent = sorted(publish_all(port))
        slow.may_read.set()
        with Visitor(at(port)) as sender:
            sender.ready()
            received: list[bytes] = []
            while b"end" not in received:  # in order: what has not come before it does not come
                sender.publish("end", b"end")
                received.append(slow.next())
                while not slow.messages.empty():
                    received.append(slow.next())
    return sent, sorted(payload for payload in received if payload != b"end")


def publish_all(port: int) -> list[bytes]:
    """Publish from several clients at a time, and return what was acknowledged."""
    sent: list[bytes] = []

    def publish(number: int) -> None:
        free = threading.Semaphore(WINDOW)
        with Visitor(at(port)) as publisher:
            publisher.ready()
            for index in range(EACH):
                payload = b"%d-%d" % (number, index)
                assert free.acquire(timeout=DEADLINE)

                def acknowledged(payload: bytes = payload) -> None:
                    sent.append(payload)
                    free.release()

                publisher.connection.publish("t", payload, on_acknowledged=acknowledged)
            publisher.connection.drain(DEADLINE)

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(PUBLISHERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * DEADLINE)
    return sent
