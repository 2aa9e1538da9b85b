"""The broker that all peers meet on, and the load generator beside it."""

import contextlib
import json
import os
import pwd
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.pipeline.processes import check_running, last_words, running
from broker.mosquitto import find_program
from iot_button.errors import IotButtonError

HOST = "127.0.0.1"
START_TIMEOUT = 10.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A broker with nothing in it, and a load generator that is connected to it."""

    port: int
    broker: "subprocess.Popen[str]"
    load: "LoadGenerator"


@contextlib.contextmanager
def stage(directory: Path, *, load_program: Path, event_ids: bool) -> Iterator[Stage]:
    """Start both; they end with the block."""
    port = _free_port()
    configuration = directory / "mosquitto.conf"
    configuration.write_text(mosquitto_configuration(port))
    command = [find_program(), "-c", str(configuration)]
    log = directory / "mosquitto.log"
    with running(command, log=log, environment=os.environ) as broker:
        _wait_until_listening(port, broker, log)
        words = [str(load_program), HOST, str(port), *(["--event-ids"] if event_ids else [])]
        log = directory / "load.log"
        with running(words, log=log, environment=os.environ, talks=True) as process:
            load = LoadGenerator(process, log=log)
            load.read(START_TIMEOUT)
            yield Stage(port=port, broker=broker, load=load)


def mosquitto_configuration(port: int) -> str:
    """Return mosquitto.conf (mosquitto.conf(5), version 2.0) for all peers alike."""
    return f"""\
listener {port} {HOST}
allow_anonymous true
user {pwd.getpwuid(os.getuid()).pw_name}
set_tcp_nodelay true
# Its default of 1,000 drops what it has acknowledged.
max_queued_messages 0
# Its default of 20 would hold back whoever acknowledges an input only after its output.
max_inflight_messages 1000
persistence false
log_dest stderr
log_type error
log_type warning
"""


class LoadGenerator:
    """bench/peers/load.c as a process: a command in, an answer out. Times are in seconds."""

    def __init__(self, process: "subprocess.Popen[str]", *, log: Path) -> None:
        self._process = process
        self._log = log

    def ask(self, command: str, *, deadline: float) -> dict[str, float]:
        """Run one command (see load.c) and return its figures."""
        self.write(command)
        return self.read(deadline)

    def write(self, command: str) -> None:
        """Start a command; its answer is for `read` to take."""
        assert self._process.stdin is not None  # noqa: S101 - it is a PIPE
        with contextlib.suppress(BrokenPipeError):  # it has ended: reading says so
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()

    def has_answer(self, within: float) -> bool:
        """Wait for an answer. Each is one line, so none can be waiting in Python's own buffer."""
        assert self._process.stdout is not None  # noqa: S101 - it is a PIPE
        return bool(select.select([self._process.stdout], [], [], within)[0])

    def read(self, deadline: float) -> dict[str, float]:
        """Return the next answer."""
        assert self._process.stdout is not None  # noqa: S101 - it is a PIPE
        line = self._process.stdout.readline() if self.has_answer(deadline) else ""
        if not line:
            raise IotButtonError(
                f"the load generator gave no answer within {deadline:g} s",
                mend=last_words(self._log),
            )
        figures: dict[str, float] = json.loads(line)
        return figures


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until_listening(port: int, broker: "subprocess.Popen[str]", log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError as error:
            check_running(broker, name="mosquitto", log=log)
            if time.monotonic() > end:
                raise IotButtonError("mosquitto does not listen", mend=last_words(log)) from error
            time.sleep(0.005)
        else:
            return
