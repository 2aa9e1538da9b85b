"""What settings are made of."""

import ipaddress
from typing import Annotated

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=31_536_000)]
SessionLength = Annotated[float, msgspec.Meta(ge=10, le=31_536_000)]
Delays = Annotated[tuple[Seconds, ...], msgspec.Meta(min_length=1)]


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
