"""How often somebody may be wrong before they have to wait."""

import ipaddress
import time
from collections.abc import Callable
from typing import Final, TypeVar

Key = TypeVar("Key")

_ALLOWED: Final = 5
"""Wrong passwords in a row for one name that cost nothing."""
_LONGEST: Final = 30.0
_BURST: Final = 10.0
"""Wrong passwords from one address at once, whatever the names."""
_FORGIVEN: Final = 0.5
"""Of these, forgiven a second: one device with an old password shuts out none of its neighbours."""
_MOST: Final = 10_000


class Patience:
    """Counts failures of each address with a name, and of each address.

    Never of a name alone: then a stranger could lock its owner out. Of an IPv6 address its network
    counts (64 bits, RFC 4291, section 2.5.1): whoever has one of its addresses has them all.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._names: dict[tuple[str, str], tuple[float, float]] = {}
        self._addresses: dict[str, tuple[float, float]] = {}

    def is_over(self, address: str, name: str) -> bool:
        """Whether one has to wait.

        With one name 1 s, then twice as long each time, at most 30 s; with any until its address
        has been forgiven one.
        """
        network = _network(address)
        count, last = self._names.get((network, name), (0.0, 0.0))
        beyond = count - _ALLOWED
        if beyond >= 0 and self._clock() < last + min(_LONGEST, 2.0 ** min(beyond, 10.0)):
            return True
        return self._level(network) > _BURST - 1.0

    def hear(self, address: str, name: str) -> None:
        """Count a failure."""
        network, now = _network(address), self._clock()
        level = self._level(network)
        _put(self._addresses, network, (level + 1.0, now))
        count, last = self._names.get((network, name), (0.0, now))
        if now - last > 4 * _LONGEST:
            count = 0.0
        _put(self._names, (network, name), (count + 1.0, now))

    def _level(self, network: str) -> float:
        level, since = self._addresses.get(network, (0.0, 0.0))
        return max(0.0, level - _FORGIVEN * (self._clock() - since))


def _put(kept: dict[Key, tuple[float, float]], key: Key, value: tuple[float, float]) -> None:
    """Keep a value as the newest, and let the oldest go where there are too many."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > _MOST:
        del kept[next(iter(kept))]


def _network(address: str) -> str:
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return str(parsed.ipv4_mapped or parsed.packed[:8].hex())
