"""Free ports for mosquitto, which cannot say which one it took; and where it listens in truth."""

import contextlib
import ipaddress
import random
import socket
import sys
from pathlib import Path

from broker.listening import bind
from iot_button.errors import PortTakenError

_NEVER_GIVEN = range(15_000, 32_768)
"""Ports below those of Linux's ip_local_port_range (ip(7)), and macOS's."""
_TRIES = 50
_TIMEOUT = 1.0
_LISTENS = "0A"  # TCP_LISTEN, as /proc/net/tcp has it (proc(5))


def bind_free(host: str, port: int, *, setting: str) -> socket.socket:
    """Bind a socket; for port 0 to one that no outgoing connection is given.

    What the system gives for 0 is of the range that it gives to connections too: with many of them
    about, one takes the port between our letting it go and mosquitto's taking it (seen).

    Raises:
        PortTakenError, IotButtonError: as `listening.bind` does.
    """
    for _ in range(_TRIES if port == 0 else 0):
        with contextlib.suppress(PortTakenError):
            return bind(host, random.choice(_NEVER_GIVEN), setting=setting)  # noqa: S311 - no secret
    return bind(host, port, setting=setting)


def accepts(host: str, port: int) -> bool:
    """Whether someone listens there."""
    try:
        socket.create_connection((host, port), timeout=_TIMEOUT).close()
    except OSError:
        return False
    return True


def is_open_to_all(port: int) -> bool:
    """Whether someone listens on a port at every address; False where /proc does not tell."""
    return any(address.is_unspecified for address in _listening(port))


def _listening(port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    found = []
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, _, state, *_ = line.split()
            address, _, its_port = local.partition(":")
            if state == _LISTENS and int(its_port, 16) == port:
                found.append(_address(address))
    return found


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address of /proc/net: words of 32 bits in the machine's order."""
    data = bytes.fromhex(text)
    if sys.byteorder == "little":
        data = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
    return ipaddress.ip_address(data)
