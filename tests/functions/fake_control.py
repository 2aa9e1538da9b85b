"""A runtime in memory, whose handlers are Python callables and run on the caller's thread.

It keeps the promises of `functions.runtime.control.Control`; what it cannot do is isolate.
"""

import contextlib
import http.client
import io
import json
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]

from functions.runtime.control import (
    DeadLetter,
    FunctionMetrics,
    FunctionStatus,
    Histogram,
    Invocation,
    LogLine,
    State,
    ThrottledError,
    UnknownFunctionError,
)
from functions.runtime.http.deployment import Deployment
from functions.runtime.http.server import HttpSide, listen
from functions.runtime.manifest.model import FunctionSpec, HttpRoute, Place
from iot_button.errors import BrokerUnreachableError, IotButtonError
from iot_button.settings import FunctionsSettings
from tests.support import DEADLINE

Handler = Callable[[Any, Any], Any]
PLACE = Place(Path("serverless.yml"), 1)


class Context:
    """As much of Lambda's context as the tests look at."""

    def __init__(self, request_id: str, client_context: Mapping[str, Any] | None) -> None:
        self.aws_request_id = request_id
        self.client_context = client_context


class _Function:
    def __init__(self, spec: FunctionSpec, handler: Handler) -> None:
        self.spec = spec
        self.handler = handler
        self.state = State.ACTIVE
        self.limit = spec.reserved_concurrency or 2
        self.running = 0
        self.invocations = self.errors = self.throttles = self.received = 0
        self.durations: list[float] = []
        self.waiting: list[bytes] = []
        self.dead: list[DeadLetter] = []
        self.logs: list[LogLine] = []


class FakeControl:
    """A `Control`. `published` holds what was; `is_broker_away` lets every publish fail.

    `waiting_readers`: the threads that ever waited for a log line.
    """

    def __init__(self, handlers: Mapping[str, Handler], *specs: FunctionSpec) -> None:
        named = {spec.name: spec for spec in specs}
        self._functions = {
            name: _Function(named.get(name) or spec(name), handler)
            for name, handler in handlers.items()
        }
        self._changed = threading.Condition()
        self._last_dead = 0
        self.published: list[tuple[str, bytes, int, bool]] = []
        self.queued: list[tuple[str, bytes]] = []
        self.is_broker_away = False
        self.waiting_readers: set[int] = set()

    def functions(self) -> Sequence[FunctionStatus]:
        return [_status(function) for function in self._functions.values()]

    def invoke(
        self, name: str, event: bytes, *, client_context: Mapping[str, Any] | None = None
    ) -> Invocation:
        function = self._find(name)
        with self._changed:
            if function.state is not State.ACTIVE or function.running >= function.limit:
                function.throttles += 1
                raise ThrottledError(f"{name} has no free concurrency")
            function.running += 1
        try:
            return self._run(function, event, client_context)
        finally:
            with self._changed:
                function.running -= 1

    def invoke_later(self, name: str, event: bytes) -> str:
        function = self._find(name)
        function.received += 1
        self.queued.append((name, event))
        if function.state is State.PAUSED:
            function.waiting.append(event)
        elif self._run(function, event, None).function_error is not None:
            self.add_dead_letter(name, json.loads(event))
        return str(uuid.uuid4())

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        if self.is_broker_away:
            raise BrokerUnreachableError("mqtt://127.0.0.1:1", "no PUBACK within 5 s")
        self.published.append((topic, payload, qos, retain))

    def throttle(self, name: str, concurrency: int | None) -> None:
        function = self._find(name)
        function.limit = 2 if concurrency is None else concurrency
        function.state = State.KILLED if concurrency == 0 else State.ACTIVE

    def pause(self, name: str) -> None:
        self._find(name).state = State.PAUSED

    def resume(self, name: str) -> None:
        function = self._find(name)
        function.state = State.ACTIVE
        while function.waiting:
            self._run(function, function.waiting.pop(0), None)

    def dead_letters(self, name: str, *, limit: int = 100) -> Sequence[DeadLetter]:
        return self._find(name).dead[-limit:]

    def redrive(self, name: str, *, id: int | None = None) -> int:  # noqa: A002 - as in Control
        function = self._find(name)
        chosen = [letter for letter in function.dead if id in (None, letter.id)]
        if id is not None and not chosen:
            raise IotButtonError(f"{name} has no dead letter {id}")
        function.dead = [letter for letter in function.dead if letter not in chosen]
        for letter in chosen:
            self.queued.append((name, json.dumps(letter.record["requestPayload"]).encode()))
        return len(chosen)

    def logs(
        self, name: str, *, after: int = 0, limit: int = 1000, wait: float = 0
    ) -> Sequence[LogLine]:
        function = self._find(name)
        if wait:
            self.waiting_readers.add(threading.get_ident())

        def found() -> list[LogLine]:
            return [line for line in function.logs if line.number > after][-limit:]

        with self._changed:
            self._changed.wait_for(found, timeout=wait)
            return found()

    def metrics(self) -> Sequence[FunctionMetrics]:
        return [_metrics(function) for function in self._functions.values()]

    def add_dead_letter(self, name: str, event: Any) -> None:
        """Let an event of a function be a dead letter."""
        self._last_dead += 1
        record = {"version": "1.0", "requestPayload": event}
        letter = DeadLetter(id=self._last_dead, moment=time.time(), record=record)
        self._find(name).dead.append(letter)

    def log(self, name: str, *texts: str, request_id: str = "") -> None:
        """Let a function write lines."""
        function = self._find(name)
        with self._changed:
            for text in texts:
                number = len(function.logs) + 1
                line = LogLine(number=number, moment=time.time(), request_id=request_id, text=text)
                function.logs.append(line)
            self._changed.notify_all()

    def _find(self, name: str) -> _Function:
        if name not in self._functions:
            raise UnknownFunctionError(name, list(self._functions))
        return self._functions[name]

    def _run(
        self, function: _Function, event: bytes, client_context: Mapping[str, Any] | None
    ) -> Invocation:
        request_id = str(uuid.uuid4())
        written = io.StringIO()
        start = time.monotonic()
        error = None
        with contextlib.redirect_stdout(written):
            try:
                context = Context(request_id, client_context)
                result = json.dumps(function.handler(json.loads(event), context))
            except Exception as failure:  # noqa: BLE001 - any failure of a handler is its answer
                error = "Unhandled"
                result = json.dumps(_error_response(failure, request_id))
        duration = time.monotonic() - start
        function.invocations += 1
        function.errors += error is not None
        function.durations.append(duration)
        lines = [
            f"START RequestId: {request_id} Version: $LATEST",
            *written.getvalue().splitlines(),
        ]
        lines += [f"END RequestId: {request_id}", f"REPORT RequestId: {request_id}"]
        self.log(function.spec.name, *lines, request_id=request_id)
        return Invocation(
            request_id=request_id,
            payload=result.encode(),
            function_error=error,
            log_tail="\n".join(lines) + "\n",
            duration=duration,
            init_duration=None,
        )


def spec(name: str, *routes: tuple[str, str, str], **more: Any) -> FunctionSpec:
    """Return a function's record; a route is method, path, form."""
    return FunctionSpec(
        name=name,
        handler=f"{name}.lambda_handler",
        root=Path(),
        place=PLACE,
        routes=tuple(
            HttpRoute(method=method, path=path, form=form, place=PLACE)  # type: ignore[arg-type]
            for method, path, form in routes
        ),
        **more,
    )


@contextlib.contextmanager
def http_side(control: FakeControl, *, port: int = 0, **deployment: str) -> Iterator[HttpSide]:
    """Serve a control on a port of loopback, ready.

    It builds its routes with `ast`, on a thread; CPython 3.11 cannot do that on two at once ("AST
    constructor recursion depth mismatch"), and hypothesis does on ours.
    """
    listener = listen(FunctionsSettings(port=port))
    side = HttpSide(listener, control, Deployment(**deployment))
    side.start()
    try:
        with contextlib.suppress(OSError, http.client.HTTPException):  # some cannot be served
            ask(side, "GET", "/-/functions")
        yield side
    finally:
        side.stop(10)


class Reply:
    """What a server answered. `headers` has lower-case names."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.body = response.read()
        self.pairs = response.getheaders()
        self.headers = {name.lower(): value for name, value in self.pairs}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    side: HttpSide, method: str, path: str, body: bytes | str | None = None, **headers: str
) -> Reply:
    """Send one request on a connection of its own; `_` in a header's name stands for `-`."""
    connection = http.client.HTTPConnection(side.url.removeprefix("http://"), timeout=DEADLINE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        return Reply(connection.getresponse())
    finally:
        connection.close()


@contextlib.contextmanager
def aws_client(side: HttpSide, service: str, *, attempts: int = 1) -> Iterator[Any]:
    """A boto3 client of a service that a side serves."""
    client = boto3.client(
        service,
        endpoint_url=side.url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": attempts}),
    )
    try:
        yield client
    finally:
        client.close()


def _error_response(failure: Exception, request_id: str) -> dict[str, Any]:
    return {
        "errorMessage": str(failure),
        "errorType": type(failure).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(failure.__traceback__),
    }


def _status(function: _Function) -> FunctionStatus:
    return FunctionStatus(
        spec=function.spec,
        state=function.state,
        concurrency_limit=function.limit,
        environments=1,
        running=function.running,
        waiting=len(function.waiting),
        oldest_waiting=1.5 if function.waiting else None,
        dead_letters=len(function.dead),
    )


def _metrics(function: _Function) -> FunctionMetrics:
    bounds = (0.1, 1.0)
    below = sum(duration <= 0.1 for duration in function.durations)
    rest = len(function.durations) - below
    none = Histogram(bounds=bounds, counts=(0, 0, 0), total=0.0)
    return FunctionMetrics(
        name=function.spec.name,
        invocations=function.invocations,
        errors=function.errors,
        throttles=function.throttles,
        async_events_received=function.received,
        async_events_dropped=0,
        dead_letter_errors=0,
        concurrent_executions=function.running,
        duration=Histogram(bounds=bounds, counts=(below, rest, 0), total=sum(function.durations)),
        init_duration=none,
        async_event_age=none,
    )
