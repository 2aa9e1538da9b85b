"""Asking a running function runtime over HTTP."""

import contextlib
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from functions.commands.output import clean
from iot_button.errors import IotButtonError
from iot_button.hosts import in_url
from iot_button.settings import FunctionsSettings

if TYPE_CHECKING:
    import http.client

TIMEOUT = 10.0
"""Seconds that an answer may take."""


class NoRuntimeError(IotButtonError):
    """Nobody answers where the function runtime should be."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"no function runtime answers at {url}",
            mend="start one with `iot-button up`, or name its port with --functions-port",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the runtime answered. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """Asks one runtime, over one connection at a time. `abort`, from any thread, ends a wait."""

    def __init__(self, settings: FunctionsSettings) -> None:
        self._host = settings.host
        self._port = settings.port
        self._connection: http.client.HTTPConnection | None = None
        self._is_aborted = False
        self.url = f"http://{in_url(settings.host)}:{settings.port}"

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        Raises:
            NoRuntimeError: no answer within `timeout` seconds, or not of HTTP.
        """
        import http.client  # not above: the runtime, which has these commands, starts without it

        try:
            connection = self._connect(timeout)
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=found, body=response.read())
        except (OSError, http.client.HTTPException) as error:
            raise NoRuntimeError(self.url) from error
        finally:
            self._close()

    def administer(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str | int | float] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout: float = TIMEOUT,
    ) -> dict[str, Any]:
        """Ask the runtime's administration (`/-/...`) and return the object it answers.

        Raises:
            NoRuntimeError: nobody answers, or somebody else.
            IotButtonError: what the runtime says is wrong.
        """
        target = "/-/" + "/".join(quote(part, safe="") for part in path)
        if query:
            target += "?" + urlencode(query)
        data = None if body is None else json.dumps(body).encode()
        answer = self.ask(method, target, body=data, timeout=timeout)
        found = self._object(answer)
        if answer.status != 200:
            raise IotButtonError(
                clean(str(found.get("error", f"the runtime answered {answer.status}"))),
                mend=clean(str(found.get("mend", ""))),
            )
        return found

    def functions(self) -> list[dict[str, Any]]:
        """Return all functions as they are."""
        found: list[dict[str, Any]] = self.administer("GET", "functions")["functions"]
        return found

    def abort(self) -> None:
        """Let a wait in `ask`, and every later one, fail at once."""
        self._is_aborted = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _connect(self, timeout: float) -> "http.client.HTTPConnection":
        import http.client

        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        connection.connect()
        self._connection = connection
        if self._is_aborted:
            raise ConnectionAbortedError
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _object(self, answer: Answer) -> dict[str, Any]:
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):  # port 3000 is popular
            raise IotButtonError(
                f"what answers at {self.url} is no function runtime",
                mend="name the runtime's port with --functions-port",
            )
        return found
