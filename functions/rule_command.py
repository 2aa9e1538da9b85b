"""`iot-button rule test`: what a rule makes of a message, without a broker."""

import json
import os
import sys
import time
from pathlib import Path

import click

from functions.runtime.rules import (
    NO_MATCH,
    RuleMessage,
    compile_rule,
    fault_of_filter,
    topic_matches,
)
from iot_button.console import say

_EXAMPLE = """\b
Example:
  iot-button rule test --topic iotbutton/BUTTON-1 --payload '{"clickType": "SINGLE"}' \\
    --sql "SELECT *, topic(2) AS serial FROM 'iotbutton/+' WHERE clickType = 'SINGLE'"
"""


def _topic_name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if set(value) & set("+#") or fault_of_filter(value):
        raise click.BadParameter(f"{value!r} is no topic name: it has levels, and no + or #")
    return value


@click.group(epilog=_EXAMPLE)
def command() -> None:
    """Try an AWS IoT rule on a message."""


@command.command(epilog=_EXAMPLE)
@click.option("--sql", metavar="SQL", required=True, help="The rule, as a manifest has it.")
@click.option(
    "--topic",
    metavar="TOPIC",
    default="iotbutton/G030JF055364XVRB",
    show_default=True,
    callback=_topic_name,
    help="The message's topic.",
)
@click.option("--payload", metavar="JSON", help="The message's payload; - is standard input. [{}]")
@click.option(
    "--payload-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Read the payload from a file; - is standard input.",
)
@click.option("--client-id", metavar="ID", help="What clientid() is. [n/a]")
def test(
    sql: str, topic: str, payload: str | None, payload_file: Path | None, client_id: str | None
) -> None:
    """Print the event that a rule makes of a message, as one JSON line.

    Exit status: 1 when the rule does not take the message, or cannot read its payload; 2 when the
    rule is wrong.
    """
    if payload is not None and payload_file is not None:
        raise click.UsageError("--payload and --payload-file are one too many")
    rule = compile_rule(sql)
    if not topic_matches(rule.topic_filter, topic):
        say(f"no match: FROM '{rule.topic_filter}' does not match the topic {topic}")
        sys.exit(1)
    message = RuleMessage(
        topic=topic,
        payload=_payload(payload, payload_file),
        moment=time.time(),
        client_id=client_id,
    )
    event = rule.apply(message)
    if event is NO_MATCH:
        say("no match: WHERE is not true")
        sys.exit(1)
    # ASCII only: text from a device could otherwise carry control characters to the terminal.
    click.echo(json.dumps(event, separators=(",", ":"), allow_nan=False))


def _payload(text: str | None, file: Path | None) -> bytes:
    if text == "-" or file == Path("-"):
        return sys.stdin.buffer.read()
    if file is not None:
        return file.read_bytes()
    return os.fsencode("{}" if text is None else text)
