"""Handlers that behave well, badly and slowly, for the tests of what is as on AWS."""

import os
import sys
import time
from collections import defaultdict
from typing import Any

_attempts: dict[str, list[str]] = defaultdict(list)
_calls = 0


def echo(event: Any, _context: Any) -> Any:
    return event


def third_time(event: Any, context: Any) -> list[str]:
    """Fail twice, then return the request ids of all attempts."""
    ids = _attempts[event["id"]]
    ids.append(context.aws_request_id)
    if len(ids) < 3:
        raise RuntimeError("not yet")
    return ids


def fails(event: Any, _context: Any) -> None:
    raise ValueError(f"no use for {event}")


def slow(event: Any, _context: Any) -> Any:
    time.sleep(event["seconds"])
    return event | {"process": os.getpid()}


def counts(event: Any, _context: Any) -> list[int]:
    """Return how often this environment was asked, and its process; fail where told to."""
    global _calls  # noqa: PLW0603 - what stays from one invocation to the next is the point
    _calls += 1
    if event.get("fail"):
        raise ValueError("told to")
    return [_calls, os.getpid()]


def crashes(event: Any, _context: Any) -> None:
    os._exit(event["status"])


def prints(event: Any, _context: Any) -> None:
    print("a" * event["bytes"])  # noqa: T201
    print("last line")  # noqa: T201


def takes_memory(event: Any, _context: Any) -> list[int]:
    return [len(bytearray(event["bytes"])), os.getuid(), *sys.version_info[:2]]


def slow_page(_event: Any, _context: Any) -> None:
    time.sleep(60)
