"""The same broker settings, carried out by a mosquitto child process."""

import contextlib
import logging
import os
import pwd
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

from broker.listening import MAX_PACKET_BYTES, bind, port_of
from iot_button.errors import IotButtonError, PortTakenError, StopTimeoutError

log = logging.getLogger(__name__)

START_TIMEOUT = 5.0


def find_program() -> str:
    """Return mosquitto's path. Debian keeps it in /usr/sbin, which is not on a user's PATH.

    Raises:
        IotButtonError: it is not installed; the message says what installs it.
    """
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise IotButtonError(
            "mosquitto is not installed",
            mend="install it: sudo apt install mosquitto, or leave --broker out: "
            "the broker of our own needs nothing",
        )
    return path


def configuration(*, host: str, port: int, websocket_port: int, directory: Path) -> str:
    """Return mosquitto.conf for these settings (mosquitto.conf(5), version 2.0)."""
    return f"""\
# Written at each start by iot-button; changes are lost.
per_listener_settings false
allow_anonymous true
# As root mosquitto would change to a user that cannot write here.
user {pwd.getpwuid(os.getuid()).pw_name}

listener {port} {host}
# Here an interface, not an address: mosquitto 2.0.11 listens for WebSockets everywhere otherwise.
listener {websocket_port} {_loopback_interface()}
protocol websockets

# Nagle's algorithm costs 44 ms a message.
set_tcp_nodelay true
# The default queue of 1,000 drops acknowledged messages of a client that is away or slow.
max_queued_messages 0

# Sessions and waiting messages are on disk at each change. That writes what waits anew for each
# message: good for some 500 clicks/s, and less while many wait. To save once a second is faster
# and loses, when mosquitto is killed, what was acknowledged within it (both measured).
persistence true
persistence_location {directory}/
autosave_on_changes true
autosave_interval 1
# A session that nobody came back to is not kept for ever.
persistent_client_expiration 2m
max_packet_size {MAX_PACKET_BYTES}

log_dest stderr
log_timestamp false
log_type error
log_type warning
"""


def _loopback_interface() -> str:
    names = [name for _index, name in socket.if_nameindex()]
    return next((name for name in ("lo", "lo0") if name in names), "lo")


_NEVER_GIVEN = range(15_000, 32_768)
"""Ports below those of Linux's ip_local_port_range (ip(7)), and macOS's."""
_TRIES = 50


class MosquittoBroker:
    """A mosquitto child process, from `with` to the end of its block.

    Args:
        host: the loopback address to listen on.
        port: for MQTT; 0 picks a free one, and the attribute then holds it.
        websocket_port: for MQTT over WebSocket; likewise.
        directory: where its configuration and its database lie; made when missing.
        on_failure: called, on a thread, when mosquitto ends without being told to.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        websocket_port: int,
        directory: Path,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self.host = host
        self.port = port
        self.websocket_port = websocket_port
        self._directory = directory
        self._on_failure = on_failure
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        program = find_program()
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            problem = f"the state directory {self._directory} cannot be made: {error.strerror}"
            raise IotButtonError(problem, mend="name another one with --state-dir DIR") from error
        # mosquitto cannot tell which free port it took: we pick, let go, and name it.
        with (
            _bind(self.host, self.port, setting="broker.port") as mqtt,
            _bind(self.host, self.websocket_port, setting="broker.websocket_port") as websocket,
        ):
            self.port, self.websocket_port = port_of(mqtt), port_of(websocket)
        file = self._directory / "mosquitto.conf"
        file.write_text(
            configuration(
                host=self.host,
                port=self.port,
                websocket_port=self.websocket_port,
                directory=self._directory.resolve(),
            )
        )
        self._child = subprocess.Popen(
            [*_ended_with_us(), program, "-c", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._child.stderr is not None  # noqa: S101 - for the type checker: it is a PIPE
        threading.Thread(target=self._watch, args=(self._child.stderr,), daemon=True).start()
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self, timeout: float = 3.0) -> None:
        """Let mosquitto write its database and end.

        Raises:
            StopTimeoutError: it had to be killed after `timeout` seconds.
        """
        self._stopping.set()
        self._child.terminate()
        try:
            self._child.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self._child.kill()
            self._child.wait()
            raise StopTimeoutError("mosquitto", timeout) from error

    def _watch(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                log.warning("mosquitto: %s", line.rstrip())
        status = self._child.wait()
        if not self._stopping.is_set():
            log.error("mosquitto ended by itself (status %d)", status)
            self._on_failure()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        for port in (self.port, self.websocket_port):
            while not _answers(self.host, port):
                if self._child.poll() is not None:
                    raise IotButtonError(
                        f"mosquitto did not start (status {self._child.returncode}); "
                        "its reason is above"
                    )
                if time.monotonic() > deadline:
                    raise IotButtonError(f"mosquitto does not answer on port {port}")
                time.sleep(0.01)


def _bind(host: str, port: int, *, setting: str) -> socket.socket:
    """Bind a socket; for port 0 to one that no outgoing connection is given.

    What the system gives for 0 is of the range that it gives to connections too: with many of them
    about, one takes the port between our letting it go and mosquitto's taking it (seen).
    """
    for _ in range(_TRIES if port == 0 else 0):
        with contextlib.suppress(PortTakenError):
            return bind(host, random.choice(_NEVER_GIVEN), setting=setting)  # noqa: S311 - no secret
    return bind(host, port, setting=setting)


def _ended_with_us() -> list[str]:
    """Have the kernel end mosquitto when we are killed; where that is not known, nothing."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True
