"""Handlers that do what handlers do, and what they should not."""

# ruff: noqa: ARG001, T201 - handlers print, and take an event whether they need it or not

import atexit
import decimal
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

logging.basicConfig(level=logging.DEBUG)  # does nothing, as on AWS
log = logging.getLogger(__name__)


def echo(event: Any, _context: Any) -> Any:
    return event


def says_what_it_knows(event: Any, context: Any) -> Any:
    return {
        "id": context.aws_request_id,
        "name": context.function_name,
        "memory": context.memory_limit_in_mb,
        "remaining": context.get_remaining_time_in_millis(),
        "client": repr(context.client_context),
        "identity": repr(context.identity),
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "arguments": sys.argv[1:],
        "folder": str(Path.cwd()),
        "first path": sys.path[0],
        "modules": [
            name for name in ("context", "log", "functions", "iot_button") if name in sys.modules
        ],
    }


def raises(event: Any, _context: Any) -> NoReturn:
    _raise(event)


def _raise(event: Any) -> NoReturn:
    match event:
        case {"exit": status}:
            sys.exit(status)
        case {"message": str(message), "times": int(times)}:
            raise LookupError(message * times)
        case {"name": str(name)}:
            raise _by_name(name)
        case _:
            raise UnprintableError


def _by_name(name: str) -> BaseException:
    builtins: dict[str, Any] = vars(__import__("builtins"))
    error: BaseException = builtins[name]("by name")
    return error


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def recurses(event: Any, context: Any) -> Any:
    return recurses(event, context)


def recurses_by_turns(event: Any, context: Any) -> Any:
    return _other_turn(event, context)


def _other_turn(event: Any, context: Any) -> Any:
    return recurses_by_turns(event, context)


def takes_all_memory(_event: Any, _context: Any) -> Any:
    return len(bytearray(2**62))


def returns(event: Any, _context: Any) -> Any:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    round_about: list[Any] = []
    round_about.append(round_about)
    return {
        "nan": float("nan"),
        "infinity": [float("inf")],
        "bytes": b"x",
        "set": {1},
        "deep": deep,
        "round": round_about,
        "surrogate": "\ud800",
        "decimal": [decimal.Decimal("1.5"), decimal.Decimal(7)],
        "decimal nan": decimal.Decimal("nan"),
        "words": "Grüße 😀",
        "nothing": None,
    }[event]


def returns_letters(event: int, _context: Any) -> str:
    return "x" * event


def prints(event: Any, context: Any) -> None:
    print("out", event)
    print("err", event, file=sys.stderr)
    context.log("said")
    log.warning("careful: %s", event)
    log.info("not shown")


def prints_without_newline(event: Any, _context: Any) -> None:
    print(event, end="")


def writes_bytes(_event: Any, _context: Any) -> None:
    print("ahead", flush=True)
    os.write(1, b"\xff\xfe\n")
    print("a lone \ud800")


def logs_badly(_event: Any, _context: Any) -> None:
    log.error("%d", "no number")


def leaves_a_thread(event: Any, _context: Any) -> Any:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    subprocess.Popen(["sleep", "60"])
    return event


def forks_and_returns(event: Any, _context: Any) -> Any:
    return [event, os.fork() == 0]


def closes_its_output(event: Any, _context: Any) -> Any:
    sys.stdout.close()
    os.close(2)
    return event


def closes_what_is_not_its_own(_event: Any, _context: Any) -> Any:
    os.closerange(3, 256)
    mine = [open(f"mine-{n}", "wb") for n in range(20)]  # noqa: PTH123, SIM115
    return [file.fileno() for file in mine]


def closes_everything(_event: Any, _context: Any) -> None:
    os.closerange(3, 65_536)
    opened.extend(open(f"mine-{n}", "wb") for n in range(20))  # noqa: PTH123, SIM115


opened: list[Any] = []


def waits(event: float, _context: Any) -> None:
    Path("waiting").touch()
    time.sleep(event)


def ends_the_process(_event: Any, _context: Any) -> None:
    os._exit(7)


def uses_memory(event: int, _context: Any) -> int:
    return len(bytearray(event))


def promises(event: str, _context: Any) -> None:
    atexit.register(Path(event).touch)
