"""What the bridge's tests share: mosquittos that can be killed, and a small broker."""

import contextlib
import json
import os
import pwd
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from iot_button import packets
from tests.support import (
    DEADLINE,
    Listener,
    Program,
    eventually,
    free_port,
    is_listening,
    require_program,
)

CONNACK, SUBACK, PINGRESP = b"\x20\x02\x00\x00", 0x90, b"\xd0\x00"


class Mosquitto:
    """A mosquitto of its own, whose port and database outlive its end."""

    def __init__(self, directory: Path, *lines: str) -> None:
        self._program = require_program("mosquitto", "mosquitto")
        self.port = free_port()
        self._directory = directory
        directory.mkdir()
        directory.chmod(0o777)  # mosquitto gives root's rights up
        self.configuration = directory / "mosquitto.conf"
        account = [] if any("password_file" in line for line in lines) else ["true"]
        self.configuration.write_text(
            "\n".join(
                [
                    f"user {pwd.getpwuid(os.getuid()).pw_name}",  # as root it would be another
                    f"listener {self.port} 127.0.0.1",
                    *(f"allow_anonymous {value}" for value in account),
                    "persistence true",
                    f"persistence_location {directory}/",
                    "autosave_on_changes true",
                    "autosave_interval 1",
                    "max_queued_messages 0",
                    "set_tcp_nodelay true",
                    *lines,
                    "",
                ]
            )
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process = subprocess.Popen(
            [self._program, "-c", str(self.configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            eventually(lambda: is_listening(self.port), what="mosquitto listens")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it in order: killed, it may have lost a subscription that it has just granted."""
        self.process.terminate()
        self.process.wait(DEADLINE)

    @property
    def address(self) -> str:
        """Where it is, for the command line."""
        return f"mqtt://127.0.0.1:{self.port}"


class SmallBroker:
    """A broker that takes everything, acknowledges it, and delivers nothing; one thread a client.

    Args:
        context: for TLS.
        hangs_up_at: ends the connection at a message on this topic, as some brokers do.
    """

    def __init__(self, *, context: ssl.SSLContext | None = None, hangs_up_at: str = "") -> None:
        self._context = context
        self._hangs_up_at = hangs_up_at
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.protocols: list[str | None] = []
        self.certificates: list[Any] = []
        self.topics: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "SmallBroker":
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as files:
            files.enter_context(client)
            if self._context is not None:
                secure = self._context.wrap_socket(client, server_side=True)
                client = files.enter_context(secure)
                self.protocols.append(secure.selected_alpn_protocol())
                self.certificates.append(secure.getpeercert())
            with client.makefile("rb") as stream:
                while self._answer(client, stream.read(1), stream):
                    pass

    def _answer(self, client: socket.socket, header: bytes, stream: Any) -> bool:
        if not header:
            return False
        body = stream.read(stream.read(1)[0])  # no packet of these tests is longer than 127 bytes
        kind = header[0] & 0xF0
        if kind == 0x10:
            client.sendall(CONNACK)
        elif kind == 0x80:
            client.sendall(bytes([SUBACK, 3]) + body[:2] + b"\x01")
        elif kind == 0xC0:
            client.sendall(PINGRESP)
        elif kind == packets.PUBLISH:
            end = 2 + (body[0] << 8 | body[1])
            self.topics.append(body[2:end].decode())
            if self.topics[-1] == self._hangs_up_at:
                return False
            client.sendall(packets.acknowledgement(packets.PUBACK, body[end] << 8 | body[end + 1]))
        return kind != 0xE0


def click(serial: str, number: int) -> bytes:
    """Return a click's payload, with an id and a number."""
    event_id = f"01936d2a-7c1e-7b6a-9f53-{hash(serial) & 0xFFFF:04x}{number:08x}"
    return json.dumps({"serialNumber": serial, "eventId": event_id, "number": number}).encode()


def arrivals(listener: Listener, count: int) -> Iterator[tuple[str, int]]:
    """Yield the first arrivals of so many clicks: topic and number."""
    seen: set[tuple[str, int]] = set()
    while len(seen) < count:
        message = listener.next(deadline=30.0)
        key = (message.topic, json.loads(message.payload)["number"])
        if key not in seen:
            seen.add(key)
            yield key


def in_order(arrived: Sequence[tuple[str, int]]) -> bool:
    """Whether the clicks of each button arrived in order, none missing."""
    topics = {topic for topic, _ in arrived}
    return all(
        numbers == list(range(len(numbers)))
        for numbers in ([n for topic, n in arrived if topic == t] for t in topics)
    )


def kill(program: Program) -> None:
    """Kill a program with SIGKILL, and close its pipes."""
    os.kill(program.process.pid, signal.SIGKILL)
    program.stop()


def summary(program: Program) -> dict[str, Any]:
    """Stop a bridge, and return what it says at its end."""
    assert program.stop() == 0
    value: dict[str, Any] = json.loads(program.printed[-1])
    return value
