"""What a client may send, read strictly (MQTT 3.1.1, sections 2 and 3), and what it is answered.

Pure functions on bytes; whatever breaks a rule is a `MalformedError` and nothing else. PUBLISH and
the acknowledgements that go out are made by `iot_button.packets`, as both sides send these.
"""

from collections.abc import Generator, Sized
from typing import Final

import msgspec

from broker.gate.fields import Body, text
from broker.gate.frames import MalformedError
from iot_button.packets import encoded_length

CONNECT: Final = 1
PUBLISH: Final = 3
PUBACK: Final = 4
PUBREC: Final = 5
PUBREL: Final = 6
PUBCOMP: Final = 7
SUBSCRIBE: Final = 8
UNSUBSCRIBE: Final = 10
PINGREQ: Final = 12
DISCONNECT: Final = 14

PINGRESP: Final = b"\xd0\x00"
ACCEPTED: Final = 0
UNKNOWN_PROTOCOL_LEVEL: Final = 1
IDENTIFIER_REJECTED: Final = 2
UNAVAILABLE: Final = 3
NOT_AUTHORIZED: Final = 5
FAILURE: Final = 0x80

_FLAGS: Final = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}
"""The lower bits of a packet's first byte (2.2.2); 0 for the kinds that are not here."""
_MOST_LEVELS: Final = 200
_MOST_FILTERS: Final = 20_000
"""Of one packet. A session may have as many; to let go of 300,000 takes 10 ms, all at once."""


class Will(msgspec.Struct, frozen=True, gc=False):
    """What is published for a client that goes without a DISCONNECT (3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """A CONNECT. `keep_alive`: seconds; 0: none."""

    client_id: str
    clean_session: bool
    keep_alive: int
    will: Will | None = None
    username: str | None = None
    password: bytes | None = None


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A PUBLISH. `packet_id`: 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    duplicate: bool
    packet_id: int


class UnknownLevelError(MalformedError):
    """A CONNECT of another version than 3.1.1; it is answered with return code 1 (3.1.2-2)."""


def topic_name(data: bytes) -> str:
    """Decode a topic name (4.7.3): not empty, no wildcards."""
    name = text(data)
    if not name or "+" in name or "#" in name:
        raise MalformedError("a topic name that is empty or has wildcards (3.3.2-2, 4.7.3-1)")
    if name.count("/") >= _MOST_LEVELS:
        raise MalformedError(f"a topic name of more than {_MOST_LEVELS} levels")
    return name


def check_flags(first: int) -> None:
    """Check the reserved bits of a packet that is no PUBLISH (2.2.2-1)."""
    if first & 15 != _FLAGS.get(first >> 4, 0):
        raise MalformedError("a packet with reserved bits set (2.2.2-2)")


def check_first_byte(data: bytes) -> None:
    """Check that what a connection begins with can become a CONNECT (3.1.0-1): HTTP cannot."""
    if data not in (b"", b"\x10"):
        raise MalformedError("a first packet that is no CONNECT (3.1.0-1)")


def connect(first: int, data: bytes) -> Connect:
    """Read a CONNECT (3.1).

    Raises:
        UnknownLevelError: of another protocol level than 4.
        MalformedError: it breaks a rule.
    """
    if first != CONNECT << 4:
        raise MalformedError("a first packet that is no CONNECT (3.1.0-1)")
    body = Body(data)
    name = body.binary()
    if name not in (b"MQTT", b"MQIsdp"):
        raise MalformedError("an unknown protocol name (3.1.2-1)")
    if body.byte() != 4 or name != b"MQTT":  # MQIsdp is that of 3.1
        raise UnknownLevelError("an MQTT version other than 3.1.1 (3.1.2-2)")
    flags, keep_alive = body.byte(), body.number()
    _check_connect_flags(flags)
    client_id = body.text()
    will = None
    if flags & 4:
        topic = topic_name(body.binary())
        will = Will(topic, body.binary(), flags >> 3 & 3, bool(flags & 32))
    username = body.text() if flags & 128 else None
    password = body.binary() if flags & 64 else None
    body.ends()
    return Connect(
        client_id=client_id,
        clean_session=bool(flags & 2),
        keep_alive=keep_alive,
        will=will,
        username=username,
        password=password,
    )


def _check_connect_flags(flags: int) -> None:
    has_will, will_qos, will_retain = flags & 4, flags >> 3 & 3, flags & 32
    if flags & 1:
        raise MalformedError("a CONNECT with its reserved bit set (3.1.2-3)")
    if will_qos == 3 or (not has_will and (will_qos or will_retain)):
        raise MalformedError("a CONNECT with wrong flags of a will (3.1.2-11, -13, -14, -15)")
    if flags & 64 and not flags & 128:
        raise MalformedError("a CONNECT with a password and no user name (3.1.2-22)")


def publish(first: int, data: bytes, known_topics: dict[bytes, str]) -> Publish:
    """Read a PUBLISH (3.3). `known_topics`: those that were found right before; it is added to."""
    qos = first >> 1 & 3
    if qos == 3 or (not qos and first & 8) or len(data) < 2:
        raise MalformedError("a PUBLISH with wrong flags (3.3.1-2, -4)")
    at = 2 + (data[0] << 8 | data[1])
    name = data[2:at]
    packet_id = 0
    if qos:
        at += 2
        packet_id = int.from_bytes(data[at - 2 : at], "big")
        if not packet_id:
            raise MalformedError("a PUBLISH with packet id 0 (2.3.1-1)")
    if at > len(data):
        raise MalformedError("a PUBLISH shorter than its fields")
    topic = known_topics.get(name)
    if topic is None:
        topic = topic_name(name)
        if len(known_topics) < 256 and len(name) < 256:
            known_topics[name] = topic
    return Publish(topic, data[at:], qos, bool(first & 1), bool(first & 8), packet_id)


def packet_id(data: bytes) -> int:
    """Read a PUBACK, PUBREC, PUBREL or PUBCOMP (3.4 to 3.7)."""
    if len(data) != 2:
        raise MalformedError("an acknowledgement that is not two bytes")
    return data[0] << 8 | data[1]


def subscribe(data: bytes) -> Generator[None, None, tuple[int, list[tuple[str, int]]]]:
    """Read a SUBSCRIBE (3.8), a filter at a step: its packet id, and topic filters with their QoS.

    Raises:
        MalformedError: it breaks a rule.
    """
    body = Body(data)
    number, wanted = _nonzero(body.number()), []
    while not body.is_at_end:
        topic_filter, qos = body.text(), body.byte()
        if qos > 2:
            raise MalformedError("a SUBSCRIBE with a QoS above 2 (3.8.3-4)")
        wanted.append((topic_filter, qos))
        _check_count(wanted)
        yield
    if not wanted:
        raise MalformedError("a SUBSCRIBE without a topic filter (3.8.3-3)")
    return number, wanted


def unsubscribe(data: bytes) -> Generator[None, None, tuple[int, list[str]]]:
    """Read an UNSUBSCRIBE (3.10), a filter at a step: its packet id and topic filters.

    Raises:
        MalformedError: it breaks a rule.
    """
    body = Body(data)
    number, unwanted = _nonzero(body.number()), []
    while not body.is_at_end:
        unwanted.append(body.text())
        _check_count(unwanted)
        yield
    if not unwanted:
        raise MalformedError("an UNSUBSCRIBE without a topic filter (3.10.3-2)")
    return number, unwanted


def _check_count(filters: Sized) -> None:
    if len(filters) > _MOST_FILTERS:
        raise MalformedError(f"a packet of more than {_MOST_FILTERS} topic filters")


def _nonzero(number: int) -> int:
    if not number:
        raise MalformedError("a packet id of 0 (2.3.1-1)")
    return number


def is_filter(topic_filter: str) -> bool:
    """Whether a text is a topic filter (4.7.1)."""
    levels = topic_filter.split("/")
    return (
        bool(topic_filter)
        and len(levels) <= _MOST_LEVELS
        and all(level == "+" or "+" not in level for level in levels)
        and all("#" not in level for level in levels[:-1])
        and (levels[-1] == "#" or "#" not in levels[-1])
    )


def connack(return_code: int, *, session_present: bool = False) -> bytes:
    """Return a CONNACK (3.2)."""
    return bytes((0x20, 2, session_present, return_code))


def suback(number: int, return_codes: bytes | bytearray) -> bytes:
    """Return a SUBACK (3.9)."""
    length = encoded_length(len(return_codes) + 2)
    return b"\x90" + length + number.to_bytes(2, "big") + return_codes


def unsuback(number: int) -> bytes:
    """Return an UNSUBACK (3.11)."""
    return b"\xb0\x02" + number.to_bytes(2, "big")
