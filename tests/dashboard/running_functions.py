"""A function runtime whose HTTP side is the real one, and a dashboard's client of it."""

import contextlib
import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from functions.runtime.control import DeadLetter
from iot_button.settings import FunctionsSettings
from tests.functions.fake_control import FakeControl, http_side
from tests.functions.fake_control import spec as spec_of
from tests.support import DEADLINE

HOSTILE = "<img src=x onerror=alert(1)>\u202e"
REQUEST_ID = "8d3f1b1e-0b0a-4c9b-9d3e-5a1b2c3d4e5f"


def handle(event: Any, _context: Any) -> Any:
    """Fail where it is asked to."""
    if event == "fail":
        raise ValueError(HOSTILE)
    return event


class Runtime(FakeControl):
    """A runtime in memory with the functions enrich and slow."""

    def __init__(self) -> None:
        super().__init__({"enrich": handle, "slow": handle}, spec_of("enrich"), spec_of("slow"))
        self.settings = FunctionsSettings()

    def redrive(self, name: str, *, id: int | None = None) -> int:  # noqa: A002 - as in Control
        """Queue events again; none where there is no such dead letter, as the real one does."""
        is_there = id is None or any(letter.id == id for letter in self.dead_letters(name))
        return super().redrive(name, id=id) if is_there else 0

    def fail(self, payload: Any, *, message: str = HOSTILE) -> None:
        """Let an invocation of enrich be a dead letter."""
        function = self._find("enrich")
        self._last_dead += 1
        record = {
            "version": "1.0",
            "requestContext": {
                "requestId": REQUEST_ID,
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": payload,
            "responsePayload": {"errorMessage": message, "errorType": "ValueError"},
        }
        function.dead.append(DeadLetter(id=self._last_dead, moment=time.time(), record=record))


@contextlib.contextmanager
def running() -> Iterator[Runtime]:
    """Serve a runtime; `settings` say where."""
    runtime = Runtime()
    with http_side(runtime) as side:
        runtime.settings = FunctionsSettings(port=urlsplit(side.url).port or 0)
        # Once it answers, its routes are made: two threads that make some (ast.parse) get into each
        # other's way in Python 3.11 (AST constructor recursion depth mismatch).
        urllib.request.urlopen(f"{side.url}/metrics", timeout=DEADLINE).close()  # noqa: S310
        yield runtime


def click_event(number: int) -> bytes:
    """Return an event as bytes."""
    return json.dumps({"serialNumber": f"B-{number}"}).encode()
