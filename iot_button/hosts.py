"""Whether an HTTP request asks for this machine: every server of ours checks it."""

import re

from iot_button.settings import is_loopback

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,253})(:[0-9]{1,5})?")


def host_of(header: str) -> str | None:
    """Return the name or address in a Host header, in lower case; None: it is none."""
    match = _HOST.fullmatch(header)
    return match[1].strip("[]").lower() if match is not None else None


def is_own_host(header: str, *, configured: str) -> bool:
    """Whether a Host header names this machine's loopback or the configured host, at any port."""
    name = host_of(header)
    return name is not None and (is_loopback(name) or name == configured.lower())
