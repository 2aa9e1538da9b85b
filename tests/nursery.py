"""A process that has imported most of `iot-button`, and forks itself for each program of a test.

A program of a test is a process of its own all the same: its own environment, folder, pipes,
signals and end. What it saves is reading some hundred modules again, a third of a second of
processor time each, a thousand times. Run by `Nursery` as `python -m tests.nursery FD`.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import resource
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_IMPORTED = (
    "uvloop",
    "broker.account_command",
    "broker.command",
    "broker.embedded",
    "broker.provision_command",
    "dashboard.command",
    "device_sim.commands.device.group",
    "device_sim.commands.press",
    "device_sim.commands.simulate",
    "functions.command",
    "functions.runtime.service",
    "iot_button.cli",
)
"""What most programs need."""
_ASKED_FOR_AT_THE_END = ("abc", "codecs", "encodings", "io", "os", "threading", "warnings")
_born_with: list[str] = []
_NUMBER = struct.Struct("q")
_LARGEST_REQUEST = 1 << 20
_STREAMS = 3  # what a request brings: standard input, output, error; and where to tell of its end


class Newborn:
    """A program that the nursery made: the part of `subprocess.Popen` that the tests use."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self._ending = threading.Lock()
        self.pid = self._number()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises `subprocess.TimeoutExpired`."""
        with self._ending:
            if self.returncode is None:
                if not _is_readable(self._told, timeout):
                    raise subprocess.TimeoutExpired("iot-button", timeout or 0)
                self.returncode = self._number()
                self._told.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _number(self) -> int:
        number: int
        (number,) = _NUMBER.unpack(self._told.recv(_NUMBER.size, socket.MSG_WAITALL))
        return number


class Nursery:
    """The nursery of this process, begun at the first program."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None

    def bear(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        streams: Sequence[int],
    ) -> Newborn:
        """Start `iot-button ARGUMENTS`; `streams` are its three standard ones."""
        ours, theirs = socket.socketpair()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)  # some tests lower it for a program
        request = [list(arguments), dict(environment), str(directory), limits]
        with theirs, self._lock:
            if self._control is None:
                self._control = self._begin()
            fds = [*streams, theirs.fileno()]
            socket.send_fds(self._control, [json.dumps(request).encode()], fds)
        return Newborn(ours)

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST_REQUEST)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.nursery", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
            )
        atexit.register(self._close, ours, process)
        return ours

    @staticmethod
    def _close(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
        control.close()  # this ends it
        process.wait()


def is_of_this_python(environment: Mapping[str, str]) -> bool:
    """Whether a program of this environment would find the modules that the nursery has found."""

    def of_python(settings: Mapping[str, str]) -> dict[str, str]:
        apart = ("PYTHONUNBUFFERED", "PYTEST")
        return {k: v for k, v in settings.items() if k.startswith("PYTHON") and k not in apart}

    return of_python(environment) == of_python(os.environ)


def _is_readable(readable: socket.socket, timeout: float | None) -> bool:
    poll = select.poll()
    poll.register(readable, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


def _prepare() -> None:
    for module in _IMPORTED:
        with contextlib.suppress(ImportError):  # what only some machines have
            importlib.import_module(module)
    _leave_unfreed()
    # A collection in a new program would copy every page of what was imported: 150 ms.
    gc.collect()
    gc.freeze()


def _leave_unfreed() -> None:
    """Have no program free what it was born with: to do so copies each page of it, 35 ms.

    What is its own is freed, and its threads and streams end, as ever.
    """
    kept = {"__main__", *sys.builtin_module_names, *_ASKED_FOR_AT_THE_END}
    _born_with.extend(name for name in sys.modules if name.partition(".")[0] not in kept)
    modules = [sys.modules[name] for name in _born_with]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(modules))


def _forget() -> None:
    for name in _born_with:
        sys.modules.pop(name, None)


def _wait_for_birth(control: socket.socket) -> list[Any]:
    """Answer requests; return in each new program, with what it shall run."""
    while True:
        data, fds, _flags, _address = socket.recv_fds(control, _LARGEST_REQUEST, _STREAMS + 1)
        if not data:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            return _mind(json.loads(data), fds)
        for fd in fds:
            os.close(fd)


def _mind(request: list[Any], fds: list[int]) -> list[Any]:
    """Fork the program, where this returns; in its parent tell of it and of its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, told = fds
    pid = os.fork()
    if pid == 0:
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
        os.closerange(_STREAMS, max(fds) + 1)
        return request
    for fd in (*streams, 0, 1, 2):
        os.close(fd)
    os.write(told, _NUMBER.pack(pid))
    _pid, status = os.waitpid(pid, 0)
    os.write(told, _NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(
    arguments: list[str], environment: dict[str, str], directory: str, limits: tuple[int, int]
) -> None:
    """Have this process be as if it had been started as `python -m iot_button ARGUMENTS`."""
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.stdin = io.TextIOWrapper(io.BufferedReader(_standard(0, "<stdin>", "r")))
    # Write-through, as PYTHONUNBUFFERED has it.
    out, err = _standard(1, "<stdout>", "w"), _standard(2, "<stderr>", "w")
    sys.stdout = io.TextIOWrapper(out, write_through=True)
    sys.stderr = io.TextIOWrapper(err, errors="backslashreplace", write_through=True)
    sys.argv = ["iot_button", *arguments]


def _standard(fd: int, name: str, mode: str) -> io.FileIO:
    file = io.FileIO(fd, mode)
    file.name = name  # click knows them by it
    return file


def main() -> None:
    """Import what most need, then become each program that is asked for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the minders
    atexit.register(_forget)  # before any other, so that it runs after all of them
    _prepare()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        request = _wait_for_birth(control)
    _become(*request)
    runpy.run_module("iot_button", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
