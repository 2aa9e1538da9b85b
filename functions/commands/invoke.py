"""`iot-button functions invoke`: run a function once."""

import base64
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from functions.commands.client import Answer, Client
from functions.commands.output import clean, print_json
from iot_button.console import say
from iot_button.errors import IotButtonError
from iot_button.options import functions_port, takes_settings
from iot_button.settings import Settings

_TIMEOUT = 16 * 60.0
"""Longer than AWS Lambda lets any function run (15 minutes)."""


def _payload(_context: click.Context, _option: click.Parameter, value: str) -> bytes:
    try:
        if value == "-":
            data = sys.stdin.buffer.read()
        else:
            data = Path(value[1:]).read_bytes() if value.startswith("@") else value.encode()
        json.loads(data)
    except OSError as error:
        raise click.BadParameter(f"{value[1:]!r} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"this is no JSON: {error}") from error
    return data


@click.command("invoke", epilog="Example: iot-button functions invoke enrich --payload @click.json")
@click.argument("name")
@click.option(
    "--payload",
    metavar="JSON|@FILE|-",
    default="{}",
    show_default=True,
    callback=_payload,
    help="The event; @FILE reads a file, - standard input.",
)
@click.option("--async", "is_async", is_flag=True, help="Queue the event, and do not wait.")
@click.option("--log", "wants_log", is_flag=True, help="Show what the handler wrote, on stderr.")
@functions_port
@takes_settings
def command(settings: Settings, name: str, payload: bytes, is_async: bool, wants_log: bool) -> None:
    """Run a function once and print its response as one JSON line.

    Where the handler failed, that is its error response, and the exit status is 1. With --async the
    request id is printed, and retries and dead letters are as for any event.
    """
    headers = {"Content-Type": "application/json"}
    headers["X-Amz-Invocation-Type"] = "Event" if is_async else "RequestResponse"
    if wants_log:
        headers["X-Amz-Log-Type"] = "Tail"
    client = Client(settings.functions)
    path = f"/2015-03-31/functions/{quote(name, safe='')}/invocations"
    answer = client.ask("POST", path, body=payload, headers=headers, timeout=_TIMEOUT)
    if answer.status not in (200, 202):
        raise _failure(client, name, answer)
    _show_log(answer)
    if is_async:
        print_json({"requestId": answer.headers.get("x-amzn-requestid")})
        return
    print_json(_decoded(client, answer))
    if "x-amz-function-error" in answer.headers:
        click.get_current_context().exit(1)


def _show_log(answer: Answer) -> None:
    log = base64.b64decode(answer.headers.get("x-amz-log-result", ""))
    for line in log.decode(errors="replace").splitlines():
        say(clean(line))


def _failure(client: Client, name: str, answer: Answer) -> IotButtonError:
    kind = answer.headers.get("x-amzn-errortype", "")
    if kind == "ResourceNotFoundException":
        known = ", ".join(clean(function["name"]) for function in client.functions())
        return IotButtonError(
            f"there is no function {name!r}", mend=f"there are: {known or 'none'}"
        )
    if kind == "TooManyRequestsException":
        return IotButtonError(
            f"{clean(name)} takes no more: all of its concurrency is in use, or it is paused or "
            "throttled to 0",
            mend="`iot-button functions list` shows which; --async queues the event instead",
        )
    found = _decoded(client, answer)
    message = found.get("message") or found.get("Message") if isinstance(found, dict) else None
    return IotButtonError(clean(str(message or f"the runtime answered {answer.status}")))


def _decoded(client: Client, answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise IotButtonError(
            f"what answers at {client.url} is no function runtime",
            mend="name the runtime's port with --functions-port",
        ) from None
