"""What both brokers promise: the embedded one and mosquitto."""

import contextlib
import json
import os
import signal
import socket
import subprocess
from pathlib import Path

from iot_button.messages import Session
from tests.conftest import Start
from tests.support import (
    DEADLINE,
    Listener,
    Program,
    eventually,
    is_listening,
    require_program,
)

CLICK = "iotbutton/G030JF055364XVRB"
CLICK_FIELDS = {"serialNumber": "G030JF055364XVRB", "clickType": "SINGLE"}


LOOPBACK = "0100007F"  # 127.0.0.1, in the machine's byte order
LOOPBACK_AS_6 = "0000000000000000FFFF00000100007F"


def test_ready_means_that_a_subscriber_can_connect(broker: Program) -> None:
    with Listener(broker.port("mqtt"), "a/+") as listener:
        listener.publish("a/b", b"hello")
        assert listener.next().payload == b"hello"


def test_both_ports_are_on_loopback_alone(broker: Program) -> None:
    for name in ("mqtt", "websocket"):
        assert addresses_listening(broker.port(name)) <= {LOOPBACK, LOOPBACK_AS_6}


def addresses_listening(port: int) -> set[str]:
    """Return the addresses, as the kernel writes them, at which someone listens on a port."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, _, listening_port = line.split()[1].rpartition(":")
            if int(listening_port, 16) == port and line.split()[3] == "0A":  # TCP_LISTEN
                found.add(address)
    assert found
    return found


def test_the_ready_line_names_the_websocket_port(broker: Program) -> None:
    assert is_listening(broker.port("websocket"))


def test_a_taken_port_is_one_error_that_says_what_to_do(
    broker: Program, start: Start, tmp_path: Path
) -> None:
    taken = broker.port("mqtt")
    use = "mosquitto" if "mosquitto" in broker.arguments else "amqtt"
    second = start(
        *("broker", "--broker", use, "--port", str(taken), "--websocket-port", "0"),
        *("--state-dir", str(tmp_path / "second")),
    )
    assert second.end() == 1
    assert second.said == [
        f"iot-button: port {taken} on 127.0.0.1 is taken by another program (broker.port)",
        f"  use the broker that is already there: --broker mqtt://127.0.0.1:{taken}, "
        "or choose another port: --port 0 picks a free one",
    ]


def test_sigterm_ends_it_in_order_and_frees_its_ports(broker: Program) -> None:
    ports = broker.port("mqtt"), broker.port("websocket")
    with Listener(ports[0], "a"):
        broker.send(signal.SIGTERM)
        assert broker.end() == 0
    assert not any(map(is_listening, ports))


def test_ctrl_c_ends_it_with_status_130(broker: Program) -> None:
    broker.send(signal.SIGINT)
    assert broker.end() == 130


def test_a_client_that_stopped_reading_does_not_hold_up_the_end(broker: Program) -> None:
    with Listener(broker.port("mqtt"), "flood") as stalled, Listener(broker.port("mqtt")) as other:
        connection = stalled.connection
        connection._client.loop_stop()  # noqa: SLF001 - stop reading, keep the socket open
        for _ in range(200):
            other.connection.publish("flood", bytes(20_000))
        other.connection.drain(15.0)
        broker.send(signal.SIGTERM)
        assert broker.end(deadline=5.0) == 0


def test_the_port_of_a_killed_broker_can_be_taken_at_once(amqtt: Program, start: Start) -> None:
    port = amqtt.port("mqtt")
    with Listener(port, "a"):
        amqtt.send(signal.SIGKILL)
        amqtt.end()
        again = start("broker", "--port", str(port), "--websocket-port", "0")
        assert again.port("mqtt") == port


def test_messages_for_a_session_that_is_away_come_later_in_order_and_not_retained(
    broker: Program,
) -> None:
    port = broker.port("mqtt")
    with Listener(port, CLICK, session=Session.KEPT, client_id="away"):
        pass
    with Listener(port) as sender:
        for number in range(50):
            sender.publish(CLICK, json.dumps(number))
    with Listener(port, CLICK, session=Session.KEPT, client_id="away") as back:
        messages = [back.next() for _ in range(50)]
    assert [json.loads(m.payload) for m in messages] == list(range(50))
    assert not any(m.retained for m in messages)


def test_clicks_are_held_for_a_function_that_has_never_been_there(start: Start) -> None:
    broker = start("broker", "--port", "0", "--websocket-port", "0", "--hold-clicks")
    port = broker.port("mqtt")
    with Listener(port, "iotprocessed") as listener:
        for number in range(20):
            listener.publish(CLICK, json.dumps(CLICK_FIELDS | {"eventId": f"n{number}"}))
        start("functions", "--broker", broker.address("mqtt")).wait_for("^ready")
        events = {json.loads(listener.next().payload)["eventId"] for _ in range(20)}
    assert events == {f"n{number}" for number in range(20)}  # each environment starts in its time


def test_retained_messages_go_to_those_alone_who_subscribed_to_them(broker: Program) -> None:
    port = broker.port("mqtt")
    publish = require_program("mosquitto_pub", "mosquitto-clients")
    command = [publish, "-p", str(port), "-r", "-q", "1", "-t", "kept/one", "-m", "x"]
    with Listener(port, "kept/+") as asked, Listener(port, "other") as other:
        subprocess.run(command, check=True, timeout=DEADLINE)
        assert asked.next().topic == "kept/one"
        with Listener(port, "foo") as newcomer:
            newcomer.publish("foo", b"first")
            assert newcomer.next().topic == "foo"
        with Listener(port, "kept/#") as late:
            assert late.next().retained
        assert other.is_empty


def test_a_packet_that_is_too_large_ends_that_connection_alone(broker: Program) -> None:
    port = broker.port("mqtt")
    with (
        Listener(port, "a") as listener,
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client,
    ):
        client.sendall(bytes.fromhex("100d00044d5154540402003c000162"))
        assert client.recv(4) == bytes.fromhex("20020000")
        with contextlib.suppress(ConnectionError):
            client.sendall(bytes.fromhex("30ffffff7f000161") + bytes(100_000))
            assert client.recv(1) == b""
        listener.publish("a", b"still here")
        assert listener.next().payload == b"still here"


def test_mosquitto_does_not_outlive_a_broker_that_is_killed(mosquitto: Program) -> None:
    require_program("setpriv", "util-linux")
    port = mosquitto.port("mqtt")
    mosquitto.send(signal.SIGKILL)
    mosquitto.end()
    eventually(lambda: not is_listening(port), what="mosquitto ends")


def test_listening_beyond_loopback_is_refused_with_the_mend(start: Start) -> None:
    program = start("broker", "--port", "0", IOT_BUTTON_BROKER_HOST="0.0.0.0")
    assert program.end() == 2
    assert "beyond loopback" in program.said[0]
    assert "--broker mqtts://HOST:PORT" in program.said[1]


def test_a_broker_that_runs_elsewhere_is_not_started(start: Start) -> None:
    program = start("broker", "--broker", "mqtt://127.0.0.1:1")
    assert program.end() == 1
    assert "nothing to start" in program.said[0]


def test_mosquitto_killed_under_us_ends_the_broker_with_a_reason(mosquitto: Program) -> None:
    children = Path(f"/proc/{mosquitto.process.pid}/task/{mosquitto.process.pid}/children")
    child = int(eventually(lambda: children.read_text().split(), what="mosquitto's process")[0])
    os.kill(child, signal.SIGKILL)
    assert mosquitto.end() == 1
    assert "mosquitto ended by itself" in "\n".join(mosquitto.said)
