"""A mosquitto of a test's own: on a free port, and to be killed and started again there."""

import os
import signal
import socket
import subprocess
from pathlib import Path

from iot_button.settings import BrokerAddress
from tests.support import DEADLINE, eventually, free_port, is_listening, require_program


class MosquittoChild:
    """mosquitto as a child process, its configuration and state under one directory."""

    def __init__(self, directory: Path, *extra: str, anonymous: bool = True) -> None:
        self.program = require_program("mosquitto", "mosquitto")
        self.port = free_port()
        self.address = BrokerAddress(host="127.0.0.1", port=self.port)
        self.log = directory / "mosquitto.log"
        self._config = directory / "mosquitto.conf"
        self._database = directory / "mosquitto.db"
        self._process: subprocess.Popen[bytes] | None = None
        lines = (
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {str(anonymous).lower()}",
            "set_tcp_nodelay true",
            "max_queued_messages 0",
            "persistence true",
            f"persistence_location {directory}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            "log_type all",
            # mosquitto gives up root for the user `mosquitto`, who may not write here.
            *(["user root"] if os.geteuid() == 0 else []),
            *extra,
        )
        self._config.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, "-c", str(self._config)], stdout=log, stderr=log
            )
        eventually(self._answers, what="mosquitto listens")

    def wait_saved(self, text: str) -> None:
        """Wait until a topic filter, say, is on disk: mosquitto acknowledges it before that."""
        eventually(
            lambda: self._database.exists() and text.encode() in self._database.read_bytes(),
            what=f"{text} is saved",
        )

    def kill(self) -> None:
        """Kill it as a power cut would; nothing is saved."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it hold its sockets and do nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def publish(self, topic: str, payload: str, *, qos: int = 1, retain: bool = False) -> None:
        subprocess.run(
            [
                *(require_program("mosquitto_pub", "mosquitto-clients"), "-h", "127.0.0.1"),
                *("-p", str(self.port), "-q", str(qos), "-t", topic, "-m", payload),
                *(["-r"] if retain else []),
            ],
            check=True,
            timeout=DEADLINE,
        )

    def take_over(self, client_id: str) -> bool:
        """Connect once as another, so that the broker hangs up on them; was there a session?"""
        name = client_id.encode()
        variable = b"\x00\x04MQTT\x04\x00\x00\x3c" + len(name).to_bytes(2) + name
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as connection:
            connection.sendall(b"\x10" + bytes([len(variable)]) + variable)
            kind, _length, session_present, refused = connection.recv(4, socket.MSG_WAITALL)
            assert (kind, refused) == (0x20, 0)
            connection.sendall(b"\xe0\x00")  # DISCONNECT
            return bool(session_present)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        return is_listening(self.port)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self.thaw()
        self._process.send_signal(number)
        self._process.wait(DEADLINE)
        self._process = None
