"""How a button is, retained on its status topic: for dashboards, Home Assistant, and its owner."""

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from device_sim.drivers.base import Presence
from iot_button.events import format_instant, format_millivolts, utc_now
from iot_button.loop import Loop, Timer

REFRESH_EVERY = 300.0
"""Seconds after which it is said again, for `lastSeen`."""
_GATHER = 1.0
SETTLING = 30.0
"""Seconds after a connection in which the broker may still publish the will of the one before.

It does when it finds that one dead: after 1.5 times the keep-alive (3.1.2.10). amqtt does not end
it when we connect anew (seen with 0.12.1), as 3.1.4 wants.
"""
_SETTLE_EVERY = 10.0
_VERSION = version("iot-button")
_WIRELESS = Path("/proc/net/wireless")  # iwconfig(8); there is none without a wireless network

OFFLINE = msgspec.json.encode({"state": Presence.OFFLINE})
"""The will: all that can be said when we are gone."""


class Status:
    """Publishes the status when something has changed, and regularly.

    Presence is told at once, the rest is gathered for a second. After a connection it is said
    more often for `SETTLING` seconds: the will of the one before may have come behind it.

    Args:
        facts: returns what is to be said beside state and time.
        publish: publishes a payload, retained; called only between `connected` and `lost`.
    """

    def __init__(
        self, loop: Loop, *, facts: Callable[[], dict[str, Any]], publish: Callable[[bytes], None]
    ) -> None:
        self._loop = loop
        self._facts = facts
        self._publish = publish
        self._presence = Presence.ONLINE
        self._timer: Timer | None = None
        self._is_connected = False
        self._settled_at = 0.0
        self._is_gathering = False

    def present(self, presence: Presence) -> None:
        """Note whether the button's hardware answers."""
        if presence is not self._presence:
            self._presence = presence
            self._send()

    def changed(self) -> None:
        """Note that a fact has changed."""
        if not self._is_gathering:
            self._is_gathering = True
            self._send_in(_GATHER)

    def connected(self) -> None:
        """Say how things are: the broker may have published our will meanwhile."""
        self._is_connected = True
        self._settled_at = time.monotonic() + SETTLING
        self._send()

    def lost(self) -> None:
        """Say nothing while there is no broker."""
        self._is_connected = False

    def close(self) -> None:
        """Say that the button goes."""
        if self._timer is not None:
            self._timer.cancel()
        self._presence = Presence.OFFLINE
        if self._is_connected:
            self._publish(self._payload())

    def _send(self) -> None:
        self._is_gathering = False
        is_settled = time.monotonic() >= self._settled_at
        self._send_in(REFRESH_EVERY if is_settled else _SETTLE_EVERY)
        if self._is_connected:
            self._publish(self._payload())

    def _send_in(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay, self._send)

    def _payload(self) -> bytes:
        said = {"state": self._presence, **self._facts(), "lastSeen": format_instant(utc_now())}
        return msgspec.json.encode(
            {name: value for name, value in said.items() if value is not None}
        )


def facts(
    *, driver: str, firmware: str | None, battery: int | None, waiting: int, given_up: int
) -> dict[str, Any]:
    """Return a status's facts in their form on the wire; None where something is not known."""
    return {
        "driver": driver,
        "firmware": firmware,
        "version": _VERSION,
        "batteryVoltage": format_millivolts(battery),
        "rssi": signal_strength(),
        "waiting": waiting,
        "givenUp": given_up,
    }


def signal_strength(path: Path = _WIRELESS) -> int | None:
    """Return the wireless network's signal in dBm; None where there is none, or nobody knows."""
    try:
        lines = path.read_text("ascii", "replace").splitlines()[2:]
        level = float(lines[0].split()[3]) if lines else 0.0
    except (OSError, ValueError, IndexError):
        return None
    return round(level) if -1000 < level < 0 else None
