"""The `enrich` function: a click gets a title, a time and an IP address.

Standard library only, so that this file runs here and on AWS Lambda unchanged.
"""

import socket
import time
from datetime import UTC, datetime
from typing import Any

TITLE = "Demo event assembled by lambda python function"

# Documentation addresses (RFC 5737, RFC 3849). A UDP socket that is "connected" to one sends
# nothing; it only asks the routing table which of our own addresses would be used.
_FAR_AWAY = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Return the processed click of a click; the caller publishes it."""
    processed = {
        "title": TITLE,
        "timestamp": _now(),
        "ipAddress": _address.get(),
        "serialNumber": event["serialNumber"],
        "batteryVoltage": event["batteryVoltage"],
        "clickType": event["clickType"],
    }
    for optional in ("eventId", "clickedAt"):
        if optional in event:
            processed[optional] = event[optional]
    return processed


class _RecentAddress:
    """`host_address` as it was at most 5 s ago: a laptop changes networks.

    Asking takes longer than all else that is done here.
    """

    HOLDS = 5.0

    def __init__(self) -> None:
        self._value = ""
        self._asked_at = 0.0

    def get(self) -> str:
        now = time.monotonic()
        if not self._value or now - self._asked_at >= self.HOLDS:
            self._value, self._asked_at = host_address(), now
        return self._value


_address = _RecentAddress()


def host_address() -> str:
    """Return this host's first address that is not loopback, or `127.0.0.1` if it has no other."""
    for family, far_away in _FAR_AWAY:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((far_away, 9))
                return str(probe.getsockname()[0])
        except OSError:
            continue  # no such family, or no route; a host on a closed network has no default route
    return _address_of_an_interface() or "127.0.0.1"


def _address_of_an_interface() -> str | None:
    try:
        import fcntl  # Linux and macOS only
    except ImportError:
        return None
    get_address = 0x8915  # SIOCGIFADDR, netdevice(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _index, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(probe, get_address, name.encode()[:15].ljust(256, b"\0"))
            except OSError:
                continue  # an interface without an IPv4 address
            address = socket.inet_ntoa(answer[20:24])
            if not address.startswith("127."):
                return address
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
