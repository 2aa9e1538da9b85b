"""What this machine is called, and the addresses of its network interfaces."""

import ctypes
import ctypes.util
import ipaddress
import socket
import sys
import threading
from collections.abc import Iterator

from iot_button.setting_checks import HOST_NAME

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MOST_ADDRESSES = 100
"""A host of containers has thousands; a certificate is sent at each handshake."""


def host_name() -> str:
    """Return the machine's name without its domain, in lower case; `localhost` if it has none."""
    name = socket.gethostname().lower().removesuffix(".local").rstrip(".")
    return name if HOST_NAME.fullmatch(name) else "localhost"


def addresses() -> list[Address]:
    """Return the addresses by which others can reach this machine, loopback's own not among them.

    IPv6 link-local addresses are left out: they mean nothing without an interface.
    """
    found = {a for a in _of_interfaces() if not (a.is_loopback or a.is_unspecified)}
    usable = [a for a in found if not (a.version == 6 and a.is_link_local)]
    return sorted(usable, key=lambda a: (a.version, a))[:_MOST_ADDRESSES]


def is_known(name: str, *, timeout: float = 2.0) -> bool:
    """Whether a name or address leads anywhere; also where nobody says so within `timeout` s.

    The system's resolver knows no timeout of its own that one could set.
    """
    unknown = threading.Event()

    def ask() -> None:
        try:
            socket.getaddrinfo(name, None)
        except (OSError, UnicodeError):  # the second of a label beyond 63 letters
            unknown.set()

    thread = threading.Thread(target=ask, name="resolver", daemon=True)
    thread.start()
    thread.join(timeout)
    return not unknown.is_set()


class _Interface(ctypes.Structure):
    """The beginning of `struct ifaddrs`, getifaddrs(3): the same on Linux and macOS."""


_Interface._fields_ = [
    ("next", ctypes.POINTER(_Interface)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
]


def _of_interfaces() -> Iterator[Address]:
    library = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    first = ctypes.POINTER(_Interface)()
    if library.getifaddrs(ctypes.byref(first)) != 0:
        return
    try:
        entry = first
        while bool(entry):  # a null pointer is false
            if entry.contents.address:
                yield from _of_structure(entry.contents.address)
            entry = entry.contents.next
    finally:
        library.freeifaddrs(first)


def _of_structure(pointer: int) -> Iterator[Address]:
    """Read a `struct sockaddr`: BSD has its length in front of the family, Linux has not."""
    begin = ctypes.string_at(pointer, 2)
    family = begin[1] if sys.platform == "darwin" else int.from_bytes(begin, sys.byteorder)
    if family == socket.AF_INET:
        yield ipaddress.IPv4Address(ctypes.string_at(pointer + 4, 4))
    elif family == socket.AF_INET6:
        yield ipaddress.IPv6Address(ctypes.string_at(pointer + 8, 16))
