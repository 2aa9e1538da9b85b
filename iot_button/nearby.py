"""MQTT brokers that announce themselves on the local network, by mDNS (RFC 6763)."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iot_button.errors import IotButtonError
from iot_button.hosts import in_url

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

KINDS: Final = ("_mqtt._tcp.local.", "_secure-mqtt._tcp.local.")
_MOST: Final = 20
"""Brokers that are told of. Anyone on the network can announce as many as they like."""


@dataclass(frozen=True, slots=True, order=True)
class Nearby:
    """A broker as it announces itself: what a stranger says, made printable and no more."""

    name: str
    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        scheme = "mqtts" if self.tls else "mqtt"
        return f"{self.name} at {scheme}://{in_url(self.host)}:{self.port}"


def look_around(seconds: float, *, interfaces: Sequence[str] | None = None) -> list[Nearby]:
    """Return the brokers that answer within a time, 20 at most.

    Args:
        seconds: how long to wait for answers; 2 at least, since one on this machine answers only
            the second question, a second after the first.
        interfaces: addresses to ask on; None: all of this machine's.

    Raises:
        IotButtonError: mDNS cannot be spoken here.
        ImportError: zeroconf is not installed.
    """
    from zeroconf import Error, InterfaceChoice, ServiceBrowser, Zeroconf

    where = InterfaceChoice.All if interfaces is None else [*interfaces]
    found: dict[tuple[str, str], None] = {}
    lock = threading.Lock()

    def on_change(service_type: str, name: str, **_more: object) -> None:
        with lock:
            if len(found) < _MOST:
                found[service_type, name] = None

    try:
        with Zeroconf(interfaces=where) as zeroconf:
            deadline = time.monotonic() + seconds
            browser = ServiceBrowser(zeroconf, [*KINDS], handlers=[on_change])
            threading.Event().wait(seconds * 0.8)
            browser.cancel()
            with lock:
                names = list(found)
            answers = [_ask(zeroconf, kind, name, deadline) for kind, name in names]
    except (OSError, RuntimeError, Error) as error:
        reason = str(error) or type(error).__name__  # not all of the library's say anything
        raise IotButtonError(f"mDNS cannot be spoken here: {reason}") from error
    return sorted(one for one in answers if one is not None)


def _ask(zeroconf: "Zeroconf", kind: str, name: str, deadline: float) -> Nearby | None:
    left = max(0.05, deadline - time.monotonic())
    info: ServiceInfo | None = zeroconf.get_service_info(kind, name, timeout=round(left * 1000))
    if info is None or not info.port or not (addresses := info.parsed_addresses()):
        return None
    shown = "".join(one if one.isprintable() else "?" for one in name.removesuffix(f".{kind}"))
    return Nearby(name=shown[:63], host=addresses[0], port=info.port, tls=kind == KINDS[1])
