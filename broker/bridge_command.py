"""`iot-button bridge`: forward topics to and from other brokers."""

import contextlib
import os
from typing import Any

import click

from broker.bridge.addresses import check_elsewhere, with_password_from
from broker.bridge.bridge import Bridge
from iot_button.bridge_settings import BridgeSettings, read_bridge
from iot_button.console import emit, say_ready
from iot_button.errors import BrokerUnreachableError, IotButtonError
from iot_button.lifetime import Lifetime
from iot_button.loop import Loop
from iot_button.options import takes_settings, until_stdin_closes
from iot_button.settings import Settings

CONNECT_TIMEOUT = 10.0
_LAST_ANSWERS = 1.0
"""Seconds at the end for the answers to what is under way: it arrives once then, not twice."""


@click.command(
    epilog="Example: iot-button bridge --to mqtts://broker.example.com:8883 "
    "--topic 'iotprocessed out' --topic 'iotbutton/+ both'"
)
@click.option(
    "--to", metavar="mqtt[s]://HOST:PORT", help="The other broker. [the [[bridge]] tables]"
)
@click.option(
    "--topic",
    "topics",
    multiple=True,
    metavar="RULE",
    help="PATTERN [in|out|both [LOCAL-PREFIX [REMOTE-PREFIX]]]; may be given more than once.",
)
@click.option("--name", help="Names its queue on disk. [made from HOST and PORT]")
@click.option("--client-id", help="Our name at the other broker. [drawn once, and kept]")
@click.option(
    "--username", help="The account there; its password: IOT_BUTTON_BRIDGE_PASSWORD, or a file."
)
@click.option("--password-file", metavar="FILE", help="Holds the password.")
@click.option("--ca-file", metavar="FILE", help="PEM: whom we believe. [the system's CAs]")
@click.option("--certificate-file", metavar="FILE", help="PEM: what we show of ourselves.")
@click.option("--key-file", metavar="FILE", help="PEM: its private key.")
@click.option("--alpn", metavar="NAME", help="What TLS is told that we speak.")
@click.option(
    "--queue-size",
    type=click.IntRange(1, 10_000_000),
    metavar="N",
    help="Messages that may wait on disk, for each direction. [100000]",
)
@click.option(
    "--when-full",
    type=click.Choice(["drop", "hold"]),
    help="Whether the newest are then dropped, or left with the broker they come from. [drop]",
)
@until_stdin_closes
@takes_settings
def command(settings: Settings, until_stdin_closes: bool, **options: Any) -> None:
    """Forward topics between our broker and others, through outages, until Ctrl-C.

    Without --to it runs the bridges of the settings file, one [[bridge]] table for each. What waits
    lies on disk. At the end one JSON line for each bridge says what became of the messages.
    """
    bridges = _bridges(settings, options)
    for bridge in bridges:
        check_elsewhere(bridge, settings)
    _Run(settings, bridges).run(until_stdin_closes=until_stdin_closes)


class _Run:
    """All bridges of one process, on one loop."""

    def __init__(self, settings: Settings, bridges: tuple[BridgeSettings, ...]) -> None:
        self._settings = settings
        self._settings_of_bridges = bridges
        self._loop = Loop()
        self._bridges: list[Bridge] = []
        self._is_ready = False
        self._problem: IotButtonError | None = None

    def run(self, *, until_stdin_closes: bool) -> None:
        """Run until asked to stop."""
        asked = lambda: self._loop.call_from_thread(self._begin_to_stop)  # noqa: E731
        with (
            contextlib.closing(self._loop),
            Lifetime(until_stdin_closes=until_stdin_closes, on_asked=asked),
        ):
            with contextlib.ExitStack() as bridges:
                for bridge in self._settings_of_bridges:
                    ours = Bridge(self._loop, self._settings, bridge, on_ready=self._became_ready)
                    self._bridges.append(bridges.enter_context(ours))
                for ours in self._bridges:
                    ours.open()
                self._loop.call_later(CONNECT_TIMEOUT, self._give_up)
                self._loop.run()
                summaries = [ours.summary() for ours in self._bridges]
            if self._problem is not None:
                raise self._problem
            for summary in summaries:
                emit(summary)

    def _became_ready(self) -> None:
        """Say so once, when our own broker is there for all; another may be away."""
        if not self._is_ready and all(ours.local.was_ready for ours in self._bridges):
            self._is_ready = True
            say_ready("bridge", to=",".join(str(ours.address) for ours in self._bridges))

    def _give_up(self) -> None:
        if not self._is_ready:
            stream = next(o.local.stream for o in self._bridges if not o.local.was_ready)
            self._problem = BrokerUnreachableError(str(stream.address), stream.problem)
            self._loop.stop()

    def _begin_to_stop(self) -> None:
        for ours in self._bridges:
            ours.ask_to_stop()
        self._loop.call_later(_LAST_ANSWERS, self._loop.stop)
        self._loop.at_end_of_turn(self._stop_when_idle)

    def _stop_when_idle(self) -> None:
        if all(ours.is_idle for ours in self._bridges):
            self._loop.stop()


def _bridges(settings: Settings, options: dict[str, Any]) -> tuple[BridgeSettings, ...]:
    given = {key: value for key, value in options.items() if value not in (None, ())}
    if "to" in given:
        if "topics" not in given:
            raise click.UsageError("say what is to be forwarded: --topic 'iotprocessed out'")
        if not all(given["topics"]):
            raise click.UsageError("--topic '' names no topics; write --topic 'iotprocessed out'")
        return (with_password_from(os.environ, read_bridge(given)),)
    if given:
        raise click.UsageError("these options describe the bridge of --to mqtts://HOST:PORT")
    if not settings.bridge:
        raise click.UsageError(
            "there is no bridge: name a broker with --to mqtts://HOST:PORT and --topic RULE, "
            "or write a [[bridge]] table into the settings file"
        )
    return settings.bridge
