"""The same dashboard under gunicorn: a master that starts its one worker again, should it die.

One worker, with a thread for each browser that watches: all browsers have one record of what came.
Everything is begun in the worker, after the fork; nothing of it would survive that.
"""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.workers.gthread import ThreadWorker

from dashboard.gate import Gate
from dashboard.live import MAX_CLIENTS, Hub
from dashboard.server import BACKLOG, REQUEST_TIMEOUT, url
from dashboard.work import at_work
from iot_button.console import is_verbose, say, say_ready
from iot_button.errors import IotButtonError
from iot_button.lifetime import INTERRUPTED
from iot_button.settings import Settings

OTHER_THREADS: Final = 50
"""For requests, beside those for browsers that watch."""

GRACE: Final = 4.0
"""Seconds that the worker has to stop; it takes 1."""

_STDIN: Final = 0


class Server(BaseApplication):  # type: ignore[misc]
    """A dashboard to `run` on a listening socket, which from here on is gunicorn's.

    Args:
        settings: the installation's.
        listener: connections wait in it.
        until_stdin_closes: also stop when standard input ends.
    """

    def __init__(
        self, settings: Settings, listener: socket.socket, *, until_stdin_closes: bool
    ) -> None:
        self._settings = settings
        self._address = url(settings.dashboard, listener)
        self._descriptor = listener.detach()  # gunicorn takes another one of it, and closes this
        self._until_stdin_closes = until_stdin_closes
        self._stack = contextlib.ExitStack()
        self._hub: Hub | None = None
        self._farewell: threading.Thread | None = None
        super().__init__()

    def run(self) -> None:
        """Serve until somebody stops us; the worker's failures at its start are ours."""
        master, process = Master(self), os.getpid()
        try:
            master.run()
        except SystemExit as end:
            if os.getpid() != process:  # the worker, whose status is the master's to read
                raise
            if master.is_interrupted:
                sys.exit(INTERRUPTED)
            sys.exit(1 if end.code == Arbiter.APP_LOAD_ERROR else end.code)

    def load_config(self) -> None:
        """Tell gunicorn how we want it."""
        for key, value in {
            "bind": f"fd://{self._descriptor}",
            "worker_class": Worker,
            "workers": 1,
            "threads": MAX_CLIENTS + OTHER_THREADS,
            "worker_connections": MAX_CLIENTS + 2 * OTHER_THREADS,
            "backlog": BACKLOG,
            # A connection that is kept would hold up the stop for 2 s.
            "keepalive": 0,
            "timeout": int(REQUEST_TIMEOUT),
            "graceful_timeout": int(GRACE),
            "forwarded_allow_ips": "",  # whom to believe is a setting of ours: dashboard.proxies
            "control_socket_disable": True,
            "logger_class": Log,
            "post_worker_init": self._begin,
            "worker_exit": self._end,
        }.items():
            self.cfg.set(key, value)

    def load(self) -> Flask:
        """Return the application, for the worker."""
        try:
            gate = Gate(self._settings)
            work = self._stack.enter_context(
                at_work(self._settings, gate, stop=_stop, is_over=lambda: False)
            )
        except IotButtonError as error:
            say(f"iot-button: {error}")
            sys.exit(Arbiter.APP_LOAD_ERROR)
        self._stack.enter_context(gate)
        self._hub = work.hub
        for kind in (ParseException, NoMoreData):
            work.app.register_error_handler(kind, _bad_body)
        return work.app

    def _begin(self, worker: "Worker") -> None:
        self._farewell = threading.Thread(target=self._say_farewell, args=(worker,), daemon=True)
        self._farewell.start()
        if self._until_stdin_closes:
            threading.Thread(target=_stop_with_stdin, name="stdin", daemon=True).start()
        say_ready("dashboard", dashboard=self._address)

    def _say_farewell(self, worker: "Worker") -> None:
        """Tell browsers when the worker stops: it waits for their threads, and they for us."""
        if self._hub is not None:
            with self._hub:
                while worker.alive:
                    worker.is_asked.wait(1.0)

    def _end(self, _master: Arbiter, worker: "Worker") -> None:
        if self._farewell is not None:
            worker.is_asked.set()
            worker.alive = False
            self._farewell.join(GRACE)
        try:
            self._stack.close()
        except IotButtonError as error:
            say(f"iot-button: {error}")


class Master(Arbiter):  # type: ignore[misc]
    """The master: Ctrl-C and the end of its terminal stop it in order; it has one worker."""

    is_interrupted = False

    def handle_int(self) -> None:
        """Stop, and say by the exit status that it was Ctrl-C."""
        self.is_interrupted = True
        self.handle_term()

    def handle_hup(self) -> None:
        """Stop: a second worker beside the first could not open the history."""
        self.handle_term()

    def handle_ttin(self) -> None:
        """Do nothing: there is one worker."""

    def handle_usr2(self) -> None:
        """Do nothing: two masters cannot share a history."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """The worker. Ctrl-C reaches it too, and is no reason to leave browsers without a word."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_asked = threading.Event()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop in order."""
        super().handle_exit(sig, frame)
        self.is_asked.set()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop in order."""
        self.handle_exit(sig, frame)


class Log(Logger):  # type: ignore[misc]
    """What gunicorn has to say goes where our own messages go, its failures only."""

    def setup(self, cfg: Any) -> None:
        """Send it to the root logger; a bad request is not worth a line."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.loglevel = logging.DEBUG if is_verbose() else logging.ERROR
        self.error_log.setLevel(self.loglevel)
        self.error_log.propagate = True
        self.error_log.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether we have not said it ourselves already."""
    is_refused_start = isinstance(record.args, tuple) and Arbiter.APP_LOAD_ERROR in record.args
    return not is_refused_start and not str(record.msg).startswith(("Reason: ", "Shutting down: "))


def _bad_body(_error: Exception) -> tuple[dict[str, str], int]:
    return {"error": "the body of this request breaks off, or is none"}, 400


def _stop() -> None:
    os.kill(os.getppid(), signal.SIGTERM)


def _stop_with_stdin() -> None:
    with contextlib.suppress(OSError):
        while os.read(_STDIN, 4096):
            pass
    _stop()
