"""MQTT 3.1.1 packets as bytes, right ones and, where a test asks for it, wrong ones."""

from dataclasses import dataclass
from typing import Final

CONNECT: Final = 1
CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
PUBREC: Final = 5
PUBREL: Final = 6
PUBCOMP: Final = 7
SUBSCRIBE: Final = 8
SUBACK: Final = 9
UNSUBSCRIBE: Final = 10
UNSUBACK: Final = 11
PINGREQ: Final = 12
PINGRESP: Final = 13
DISCONNECT: Final = 14

PING: Final = b"\xc0\x00"
GOODBYE: Final = b"\xe0\x00"


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet that was received. `body`: what follows its length."""

    kind: int
    flags: int
    body: bytes

    @property
    def packet_id(self) -> int:
        """Return the packet id of an acknowledgement, a SUBACK or an UNSUBACK."""
        return int.from_bytes(self.body[:2], "big")

    @property
    def message(self) -> "Received":
        """Read it as a PUBLISH (3.3)."""
        assert self.kind == PUBLISH, self
        qos = self.flags >> 1 & 3
        end = 2 + int.from_bytes(self.body[:2], "big")
        start = end + (2 if qos else 0)
        return Received(
            topic=self.body[2:end].decode(),
            payload=self.body[start:],
            qos=qos,
            packet_id=int.from_bytes(self.body[end:start], "big"),
            retained=bool(self.flags & 1),
            duplicate=bool(self.flags & 8),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A PUBLISH that was received. `packet_id`: 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int
    packet_id: int
    retained: bool
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """The will in a CONNECT."""

    topic: str
    payload: bytes = b"gone"
    qos: int = 1
    retain: bool = False


def field(data: str | bytes) -> bytes:
    """Return a string or binary field: its length in two bytes, and itself (1.5.3)."""
    raw = data.encode() if isinstance(data, str) else data
    return len(raw).to_bytes(2, "big") + raw


def packet(first: int, body: bytes = b"") -> bytes:
    """Return a packet with its length (2.2.3), whatever its first byte is."""
    length, encoded = len(body), bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes([first]) + bytes(encoded) + body


def connect(
    client_id: str | bytes = "",
    *,
    clean: bool = True,
    keep_alive: int = 60,
    will: Will | None = None,
    username: str | None = None,
    password: str | None = None,
    name: str = "MQTT",
    level: int = 4,
    more_flags: int = 0,
) -> bytes:
    """Return a CONNECT (3.1). `keep_alive`: seconds; `more_flags`: set beside the right ones."""
    flags = more_flags | (2 if clean else 0)
    payload = field(client_id)
    if will is not None:
        flags |= 4 | will.qos << 3 | (32 if will.retain else 0)
        payload += field(will.topic) + field(will.payload)
    if username is not None:
        flags |= 128
        payload += field(username)
    if password is not None:
        flags |= 64
        payload += field(password)
    return packet(
        0x10, field(name) + bytes([level, flags]) + keep_alive.to_bytes(2, "big") + payload
    )


def publish(
    topic: str | bytes,
    payload: bytes = b"",
    *,
    qos: int = 0,
    packet_id: int = 0,
    retain: bool = False,
    duplicate: bool = False,
) -> bytes:
    """Return a PUBLISH (3.3)."""
    first = 0x30 | qos << 1 | (1 if retain else 0) | (8 if duplicate else 0)
    return packet(first, field(topic) + (number(packet_id) if qos else b"") + payload)


def acknowledge(kind: int, packet_id: int) -> bytes:
    """Return a PUBACK, PUBREC, PUBREL or PUBCOMP (3.4 to 3.7)."""
    return packet(kind << 4 | (2 if kind == PUBREL else 0), number(packet_id))


def subscribe(packet_id: int, *wanted: tuple[str | bytes, int]) -> bytes:
    """Return a SUBSCRIBE (3.8) for topic filters with their QoS."""
    filters = b"".join(field(topic_filter) + bytes([qos]) for topic_filter, qos in wanted)
    return packet(0x82, number(packet_id) + filters)


def unsubscribe(packet_id: int, *unwanted: str | bytes) -> bytes:
    """Return an UNSUBSCRIBE (3.10)."""
    return packet(0xA2, number(packet_id) + b"".join(map(field, unwanted)))


def number(value: int) -> bytes:
    """Return two bytes."""
    return value.to_bytes(2, "big")
