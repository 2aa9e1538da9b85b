"""Payloads that are no clicks, as a broken button sends them."""

import enum
import json
import random
from typing import Any

from iot_button.errors import NotAClickError
from iot_button.events import MAX_PAYLOAD_BYTES, decode_click


class Damage(enum.Enum):
    """How a payload is damaged."""

    CUT = "it ends too soon"
    FLIPPED = "some bits are flipped"
    WRONG_TYPE = "a field is of another type"
    TOO_BIG = "it is longer than a click may be"
    WRONG_SERIAL = "it names another button"


_WRONG_VALUES: dict[str, tuple[Any, ...]] = {
    "serialNumber": (7, None, ["SIM-0001"], "", "a/b"),
    "batteryVoltage": ("low", [2875], -1, True),
    "clickType": ("TRIPLE", 1, None, "single"),
    "eventId": (1, [], "", "an id"),
    "clickedAt": (1700000000, "yesterday", {}),
}


def damage(payload: bytes, *, serial_number: str, rng: random.Random) -> bytes:
    """Return what is left of a click's payload: never a click of that button."""
    kind = rng.choice(list(Damage))
    while _is_click(damaged := _damaged(payload, kind, rng), serial_number):
        pass  # a flipped bit in a battery's digits makes another click
    return damaged


def _damaged(payload: bytes, kind: Damage, rng: random.Random) -> bytes:
    if kind is Damage.CUT:
        return payload[: rng.randrange(len(payload))]
    if kind is Damage.FLIPPED:
        return _flipped(payload, rng)
    if kind is Damage.TOO_BIG:
        return payload.ljust(MAX_PAYLOAD_BYTES + rng.randrange(1, 10_000))
    fields = json.loads(payload)
    if kind is Damage.WRONG_SERIAL:
        fields["serialNumber"] += "-ANOTHER"
    else:
        name = rng.choice(sorted(fields))
        fields[name] = rng.choice(_WRONG_VALUES[name])
    return json.dumps(fields).encode()


def _flipped(payload: bytes, rng: random.Random) -> bytes:
    flipped = bytearray(payload)
    for position in rng.sample(range(len(payload)), k=min(rng.randint(1, 8), len(payload))):
        flipped[position] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _is_click(payload: bytes, serial_number: str) -> bool:
    try:
        decode_click(payload, serial_number=serial_number)
    except NotAClickError:
        return False
    return True
