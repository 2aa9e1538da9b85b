"""The bridge with TLS, client certificates and ALPN; and a broker that hangs up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.certificates import ClientCertificates, ServerCertificates, common_name, server_context
from tests.broker.bridged import Mosquitto, SmallBroker, summary
from tests.broker.handshakes import button
from tests.conftest import Start
from tests.support import Listener, eventually, free_port

THERE = r"connected to the remote broker"


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "ours")
    yield broker
    broker.kill()


@pytest.fixture
def server(tmp_path: Path) -> ServerCertificates:
    """The certificates of the other side."""
    return ServerCertificates.open(tmp_path / "theirs")


def options(ours: Mosquitto, server: ServerCertificates, port: int) -> tuple[str, ...]:
    return (
        *("bridge", "--broker", ours.address, "--to", f"mqtts://localhost:{port}"),
        *("--topic", "iotbutton/+ out", "--ca-file", str(server.files.ca)),
    )


def test_a_client_certificate_and_alpn_are_shown(
    tmp_path: Path, start: Start, ours: Mosquitto, server: ServerCertificates
) -> None:
    context = server_context(server.files, clients=ClientCertificates.REQUIRED)
    context.set_alpn_protocols(["mqtt", "x-amzn-mqtt-ca"])
    certificate = str(button(tmp_path / "theirs", "GATEWAY-1"))
    with SmallBroker(context=context) as other, Listener(ours.port) as here:
        program = start(
            *options(ours, server, other.port),
            *("--certificate-file", certificate, "--alpn", "x-amzn-mqtt-ca"),
        )
        program.wait_for(THERE)
        here.publish("iotbutton/B1", b"1")
        eventually(lambda: other.topics, what="a message came")
        assert summary(program)["forwarded"] == 1
    assert other.protocols == ["x-amzn-mqtt-ca"]
    assert [common_name(peer) for peer in other.certificates] == ["GATEWAY-1"]


def test_mosquitto_knows_the_bridge_by_its_certificate(
    tmp_path: Path, start: Start, ours: Mosquitto, server: ServerCertificates
) -> None:
    port = free_port()
    other = Mosquitto(
        tmp_path / "other",
        f"listener {port} 127.0.0.1",
        f"cafile {server.files.ca}",
        f"certfile {server.files.server}",
        f"keyfile {server.files.key}",
        "require_certificate true",
    )
    try:
        without = start(*options(ours, server, port))
        without.wait_for("no connection to .* yet")
        without.stop()
        certificate = str(button(tmp_path / "theirs", "GATEWAY-1"))
        program = start(*options(ours, server, port), "--certificate-file", certificate)
        program.wait_for(THERE)
        with Listener(other.port, "#") as there, Listener(ours.port) as here:
            here.publish("iotbutton/B1", b"1")
            assert there.next().topic == "iotbutton/B1"
    finally:
        other.kill()


def test_a_broker_that_nobody_has_signed_for_gets_nothing(
    tmp_path: Path, start: Start, ours: Mosquitto, server: ServerCertificates
) -> None:
    strangers = ServerCertificates.open(tmp_path / "strangers")
    context = server_context(strangers.files, clients=ClientCertificates.NONE)
    with SmallBroker(context=context) as other:
        program = start(*options(ours, server, other.port))
        said = program.wait_for("no connection to .* yet").string
        assert "certificate verify failed" in said
    assert other.topics == []


def test_a_message_at_which_the_other_broker_hangs_up_is_set_aside(
    start: Start, ours: Mosquitto
) -> None:
    with SmallBroker(hangs_up_at="a/bad") as other, Listener(ours.port) as here:
        program = start(
            *("bridge", "--broker", ours.address, "--to", f"mqtt://127.0.0.1:{other.port}"),
            *("--topic", "a/# out"),
        )
        program.wait_for(THERE)
        for topic in ("a/1", "a/bad", "a/2"):
            here.publish(topic, b"x")
        program.wait_for("'a/bad' is set aside", deadline=90)
        eventually(lambda: "a/2" in other.topics, what="the next message goes on", deadline=30)
        counts = summary(program)
    assert counts["droppedBecause"] == {"refused": 1}
    assert (counts["forwarded"], counts["waiting"]) == (2, 0)


def test_a_broker_that_takes_nothing_loses_us_one_message_at_most(
    start: Start, ours: Mosquitto
) -> None:
    """Here the first is set aside, and the second stays, however often the connection ends."""
    with SmallBroker(hangs_up_at="a/bad") as other, Listener(ours.port) as here:
        program = start(
            *("bridge", "--broker", ours.address, "--to", f"mqtt://127.0.0.1:{other.port}"),
            *("--topic", "a/# out"),
        )
        program.wait_for(THERE)
        here.publish("a/bad", b"1")
        here.publish("a/bad", b"2")
        program.wait_for("'a/bad' is set aside", deadline=90)
        before = len(other.topics)
        eventually(lambda: len(other.topics) > before + 2, what="it is tried on", deadline=60)
        assert summary(program)["waiting"] == 1
