"""Latencies in buckets: a histogram that is added to and merged, and percentiles out of it.

Up to 16 ms a bucket for each millisecond, above it eight to each doubling: a percentile is at most
6.25 % off. A day's histogram has some 100 bytes, whatever its count.
"""

from collections.abc import Sequence

import msgspec

Histogram = dict[int, int]
"""How many latencies each bucket has. No Counter: it takes several times as long to make."""

_EXACT = 16
_PART_BITS = 3  # 2**3 buckets to a doubling
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[int, int]).decode


def bucket(milliseconds: int) -> int:
    """Return the bucket of a latency, which is not negative."""
    if milliseconds < _EXACT:
        return milliseconds
    shift = milliseconds.bit_length() - 1 - _PART_BITS
    return _EXACT + ((shift - 1) << _PART_BITS) + (milliseconds >> shift) - (1 << _PART_BITS)


def middle(number: int) -> int:
    """Return the milliseconds in the middle of a bucket."""
    if number < _EXACT:
        return number
    shift, part = divmod(number - _EXACT, 1 << _PART_BITS)
    lowest = (part + (1 << _PART_BITS)) << (shift + 1)
    return lowest + (1 << shift)


_NONE = bucket(5 * 365 * 86_400_000)
"""Five years. Histograms from before clocks that were never set were left out have longer ones."""


def encode(histogram: Histogram) -> bytes | None:
    """Return a histogram for the disk; None for an empty one."""
    return _encode(histogram) if histogram else None


def merge(histogram: Histogram, data: bytes | None) -> None:
    """Add what was encoded to a histogram."""
    for number, count in _decode(data).items() if data else ():
        if number < _NONE:
            histogram[number] = histogram.get(number, 0) + count


def count(histogram: Histogram) -> int:
    """Return how many latencies a histogram has."""
    return sum(histogram.values())


def percentiles(histogram: Histogram, wanted: Sequence[float]) -> list[int | None]:
    """Return a latency in milliseconds for each wanted share (0 to 1, rising); None of nothing."""
    total = count(histogram)
    if not total:
        return [None] * len(wanted)
    found: list[int | None] = []
    seen = 0
    for number, some in sorted(histogram.items()):
        seen += some
        while len(found) < len(wanted) and seen >= wanted[len(found)] * total:
            found.append(middle(number))
    return found
