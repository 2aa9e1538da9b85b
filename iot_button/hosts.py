"""Whether an HTTP request asks for this machine: every server of ours checks it."""

import contextlib
import re
import socket

from iot_button.setting_types import is_loopback

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,253})(:[0-9]{1,5})?")


def host_of(header: str) -> str | None:
    """Return the name or address in a Host header, in lower case; None: it is none."""
    match = _HOST.fullmatch(header)
    return match[1].strip("[]").lower() if match is not None else None


def is_own_host(header: str, *, configured: str) -> bool:
    """Whether a Host header names this machine's loopback or the configured host, at any port."""
    name = host_of(header)
    return name is not None and (is_loopback(name) or name == configured.lower())


def in_url(host: str) -> str:
    """Return a host as it stands in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def reachable(host: str) -> str:
    """Return where to ask for what listens on `host`: for all addresses, this machine's own one.

    That is the one it uses towards the network; loopback's, where it is on none. Nothing is sent.
    """
    if host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
        return host
    # An address for documentation (RFC 5737): a route there is that to everywhere.
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"
