"""`iot-button functions logs`: what a function wrote."""

import re
import time
from typing import Any

import click

from functions.commands.client import TIMEOUT, Client, NoRuntimeError
from functions.commands.output import clean, is_terminal, print_json, print_text, timestamp
from iot_button.console import say
from iot_button.lifetime import Lifetime
from iot_button.options import functions_port, takes_settings
from iot_button.settings import Settings

_WAIT = 20.0
_RETRY = 0.5
_BATCH = 10_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _since(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no length of time, such as 30s, 5m, 2h or 1d")
    return int(match[1]) * _UNITS[match[2]]


@click.command("logs", epilog="Example: iot-button functions logs enrich -f")
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines, until Ctrl-C.")
@click.option(
    "--since", metavar="TIME", callback=_since, help="Only lines this young: 30s, 5m, 2h, 1d."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line each, on a terminal too.")
@functions_port
@takes_settings
def command(
    settings: Settings, name: str, follow: bool, since: float | None, as_json: bool
) -> None:
    """Print what a function wrote, and its START, END and REPORT lines.

    Text on a terminal, one JSON line for each otherwise. The runtime keeps the newest lines only.
    """
    reader = _Reader(
        Client(settings.functions),
        name,
        oldest=0.0 if since is None else time.time() - since,
        as_json=as_json or not is_terminal(),
    )
    if not follow:
        reader.read(wait=0.0)
        return
    with Lifetime(on_asked=reader.client.abort) as lifetime:
        reader.follow(lifetime)


class _Reader:
    """Reads a function's lines on from where it was, and prints them."""

    def __init__(self, client: Client, name: str, *, oldest: float, as_json: bool) -> None:
        self.client = client
        self._name = name
        self._oldest = oldest
        self._as_json = as_json
        self._after = 0
        self._run: str | None = None

    def read(self, *, wait: float) -> bool:
        """Print what there is, or comes within `wait` seconds; return whether it is a new run."""
        query: dict[str, Any] = {"after": self._after, "limit": _BATCH, "wait": wait}
        if self._run is not None:
            query["run"] = self._run
        path = ("functions", self._name, "logs")
        answer = self.client.administer("GET", *path, query=query, timeout=wait + TIMEOUT)
        is_new = self._run not in (None, answer["run"])
        if is_new:
            self._after = 0
        self._run = answer["run"]
        self._print(answer["lines"])
        return is_new

    def follow(self, lifetime: Lifetime) -> None:
        """Print lines as they come, also after the runtime was started again."""
        is_lost = False
        while not lifetime.is_over:
            asked_at = time.monotonic()
            before = self._after
            try:
                is_new = self.read(wait=_WAIT)
            except NoRuntimeError:
                if lifetime.wait(0):
                    return
                if self._run is None:
                    raise
                if not is_lost:
                    say("the function runtime has gone; waiting for it to come back")
                is_lost = True
                lifetime.wait(_RETRY)
                continue
            if is_new and not is_lost:
                say("the function runtime was started again")
            is_lost = False
            if self._after == before and time.monotonic() - asked_at < _WAIT / 2:
                lifetime.wait(_RETRY)  # too many followers for each to wait there

    def _print(self, lines: list[dict[str, Any]]) -> None:
        if lines and 0 < self._after < lines[0]["number"] - 1:
            say(f"{lines[0]['number'] - 1 - self._after} lines came too fast and are left out")
        for line in lines:
            self._after = line["number"]
            if line["moment"] >= self._oldest:
                self._print_line(line)

    def _print_line(self, line: dict[str, Any]) -> None:
        at = timestamp(line["moment"])
        if self._as_json:
            print_json({"timestamp": at, "requestId": line["requestId"], "text": line["text"]})
        else:
            print_text(f"{at} {clean(line['text'])}")
