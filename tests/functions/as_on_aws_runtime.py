"""A runtime with the functions of `as_on_aws/`, which AWS's own client talks to."""

import contextlib
import http.client
import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]

from tests.support import DEADLINE, Listener, Program

FOLDER = Path(__file__).with_name("as_on_aws")


class Runtime:
    """A running function runtime, its broker's port and a client of its Lambda API."""

    def __init__(self, broker: Program, program: Program) -> None:
        self.port = broker.port("mqtt")
        self.url = program.address("http")
        self.client = boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )

    def invoke(self, name: str, event: Any = None) -> tuple[Any, str | None, str]:
        """Invoke a function; return its result, the kind of its error, and its log."""
        answer = self.client.invoke(FunctionName=name, LogType="Tail", Payload=json.dumps(event))
        log = b64decode(answer["LogResult"]).decode()
        return json.load(answer["Payload"]), answer.get("FunctionError"), log

    def administer(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the administration: with a body a POST, otherwise a GET."""
        if body is None:
            return self.ask("GET", f"/-/{path}")[1]
        return self.ask("POST", f"/-/{path}", json.dumps(body))[1]

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        """Send a request to the HTTP side; return the status and the answer's JSON."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.load(answer)

    def function(self, name: str) -> dict[str, Any]:
        """Return how a function does."""
        functions: list[dict[str, Any]] = self.administer("functions")["functions"]
        return next(function for function in functions if function["name"] == name)

    @contextlib.contextmanager
    def listener(self, *topics: str) -> Iterator[Listener]:
        """Hear what is published to topics."""
        with Listener(self.port, *topics) as listener:
            yield listener


@contextlib.contextmanager
def running(
    *, environment: Mapping[str, str], directory: Path, mosquitto: bool = True, **more: str
) -> Iterator[Runtime]:
    """Run a broker and the functions; settings as environment variables."""
    chosen = ("--broker", "mosquitto") if mosquitto else ()
    ports = ("--port", "0", "--websocket-port", "0")
    programs = []
    settings = dict(environment) | more
    try:
        broker = Program("broker", *chosen, *ports, environment=settings, directory=directory)
        programs.append(broker)
        address = broker.address("mqtt")
        arguments = ("functions", "--manifest", str(FOLDER), "--broker", address)
        program = Program(*arguments, environment=settings, directory=directory)
        programs.append(program)
        runtime = Runtime(broker, program)
        with contextlib.closing(runtime.client):
            yield runtime
    finally:
        for program in reversed(programs):
            program.stop()
