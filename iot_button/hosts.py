"""Whether an HTTP request asks for this machine: every server of ours checks it."""

import re

from iot_button.settings import is_loopback

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,253})(:[0-9]{1,5})?")


def is_own_host(header: str, *, configured: str) -> bool:
    """Whether a Host header names this machine's loopback or the configured host, at any port."""
    match = _HOST.fullmatch(header)
    if match is None:
        return False
    name = match[1].strip("[]").lower()
    return is_loopback(name) or name == configured.lower()
