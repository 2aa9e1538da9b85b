"""Asks the function runtime, which is another process, over its HTTP side."""

import http.client
import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from iot_button.errors import IotButtonError
from iot_button.hosts import in_url
from iot_button.settings import FunctionsSettings

T = TypeVar("T")

TIMEOUT: Final = 2.0
"""Seconds without a byte after which nobody answers."""
MOST_BYTES: Final = 16 * 1024 * 1024
"""The longest answer that is read."""
MOST_LETTERS: Final = 100
MOST_LINES: Final = 1000

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to ask instead


class NoRuntimeError(IotButtonError):
    """Nobody answers where the function runtime should be, or somebody else."""


class RefusedError(IotButtonError):
    """The runtime does not do what it was asked. `status`: its own, 404 or 503 above all."""

    def __init__(self, problem: str, *, status: int) -> None:
        super().__init__(problem)
        self.status = status


class FunctionStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the runtime says that one function is."""

    name: str
    state: str
    handler: str
    timeout: float
    memory_size: int
    concurrency_limit: int
    environments: int
    running: int
    waiting: int
    oldest_waiting: float | None
    dead_letters: int
    rules: list[str]
    schedules: list[str]
    routes: list[str]


class LogLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A line of a function's log. `moment`: seconds since 1970."""

    number: int
    moment: float
    request_id: str
    text: str


class LogLines(msgspec.Struct, frozen=True):
    """Lines, oldest first. `run`: one start of the runtime; numbers begin anew with the next."""

    run: str
    lines: list[LogLine]


class Letter(msgspec.Struct, frozen=True):
    """A dead letter. `record`: of an on-failure destination, as AWS Lambda has it."""

    id: int
    moment: float
    record: msgspec.Raw


class _Functions(msgspec.Struct, frozen=True):
    functions: list[FunctionStatus]


class _Letters(msgspec.Struct, frozen=True, rename="camel"):
    dead_letters: list[Letter]


class _Redriven(msgspec.Struct, frozen=True):
    redriven: int


class _Problem(msgspec.Struct, frozen=True):
    error: str
    mend: str  # what else answers in JSON has an error, too


class RuntimeClient:
    """Asks one runtime. A connection for each request, so any number of threads may.

    Args:
        settings: where it is.
    """

    def __init__(self, settings: FunctionsSettings) -> None:
        self._host = _EVERYWHERE.get(settings.host, settings.host)
        self._port = settings.port
        self.url = f"http://{in_url(self._host)}:{self._port}"

    def functions(self) -> list[FunctionStatus]:
        """Return all functions as they are.

        Raises:
            NoRuntimeError: nobody answers; so does every method here.
        """
        return self._administer("GET", "functions", kind=_Functions).functions

    def metrics(self) -> str:
        """Return the runtime's metrics in Prometheus's text form."""
        status, body = self._ask("GET", "/metrics", headers={"Accept": "text/plain"})
        if status != 200:
            raise self._stranger()
        return body.decode(errors="replace")

    def logs(self, name: str, *, after: int, run: str | None, limit: int) -> LogLines:
        """Return lines with a number above `after`, of all of them where `run` is another one."""
        query = {"after": after, "limit": limit} | ({} if run is None else {"run": run})
        return self._administer("GET", "functions", name, "logs", query=query, kind=LogLines)

    def dead_letters(self, name: str) -> list[Letter]:
        """Return the newest dead letters, oldest first."""
        path, query = ("functions", name, "dead-letters"), {"limit": MOST_LETTERS}
        return self._administer("GET", *path, query=query, kind=_Letters).dead_letters

    def redrive(self, name: str, letter: int | None) -> int:
        """Queue the event of one dead letter again, or of all (None); return how many."""
        path, body = ("functions", name, "redrive"), {"id": letter}
        return self._administer("POST", *path, body=body, kind=_Redriven).redriven

    def pause(self, name: str) -> None:
        """Keep a function's events on the disk from now on."""
        self._administer("POST", "functions", name, "pause", body={}, kind=FunctionStatus)

    def resume(self, name: str) -> None:
        """Run them."""
        self._administer("POST", "functions", name, "resume", body={}, kind=FunctionStatus)

    def throttle(self, name: str, concurrency: int | None) -> None:
        """Set how many may run at a time; 0: the kill switch, None: as in the manifest."""
        path, body = ("functions", name, "throttle"), {"concurrency": concurrency}
        self._administer("POST", *path, body=body, kind=FunctionStatus)

    def _administer(
        self,
        method: str,
        *path: str,
        kind: type[T],
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> T:
        target = "/-/" + "/".join(quote(part, safe="") for part in path)
        target += f"?{urlencode(query)}" if query else ""
        data = None if body is None else json.dumps(body).encode()
        status, answer = self._ask(method, target, data)
        try:
            if status == 200:
                return msgspec.json.decode(answer, type=kind)
            problem = msgspec.json.decode(answer, type=_Problem).error
        except (ValueError, RecursionError) as error:
            raise self._stranger() from error
        raise RefusedError(problem, status=status)

    def _ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)
        try:
            connection.request(method, target, body, dict(headers or {}))
            response = connection.getresponse()
            answer = response.read(MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise NoRuntimeError(
                f"the function runtime is not reachable at {self.url}: "
                "is `iot-button functions` running, with its port on?"
            ) from error
        finally:
            connection.close()
        if len(answer) > MOST_BYTES:
            raise self._stranger()
        return response.status, answer

    def _stranger(self) -> NoRuntimeError:
        return NoRuntimeError(
            f"what answers at {self.url} is no function runtime of ours: "
            "the setting functions.port says where one is"
        )
