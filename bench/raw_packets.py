"""The packets of `bench/raw_mqtt.py`: what a client sends, and the messages that come."""

import struct
from collections.abc import Iterable
from typing import NamedTuple


class Message(NamedTuple):
    """A PUBLISH that came (3.3). `packet_id`: 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int
    packet_id: int
    duplicate: bool
    retained: bool


def decode_publish(first: int, body: bytes) -> Message:
    """Return a PUBLISH's parts."""
    end = 2 + (body[0] << 8 | body[1])
    qos, packet_id, start = first >> 1 & 3, 0, end
    if qos:
        packet_id, start = body[end] << 8 | body[end + 1], end + 2
    topic = body[2:end].decode()
    return Message(topic, body[start:], qos, packet_id, bool(first & 8), bool(first & 1))


def text(value: str | bytes) -> bytes:
    """Return a string as MQTT writes it (1.5.3)."""
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("!H", len(data)) + data


def packet(first: int, body: bytes) -> bytes:
    """Return any packet, its length in as few bytes as it takes (2.2.3)."""
    length, encoded = len(body), bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes([first]) + bytes(encoded) + body


def connect_packet(
    client_id: str,
    *,
    clean: bool = True,
    keep_alive: int = 0,
    account: tuple[str, str] | None = None,
) -> bytes:
    """Return a CONNECT (3.1). `keep_alive`: seconds; 0: none. `account`: a name and a password."""
    flags = (2 if clean else 0) | (0xC0 if account else 0)
    start = text("MQTT") + bytes([4, flags]) + struct.pack("!H", keep_alive)
    return packet(0x10, start + b"".join(map(text, (client_id, *(account or ())))))


def subscribe_packet(packet_id: int, filters: Iterable[str], qos: int) -> bytes:
    """Return a SUBSCRIBE (3.8)."""
    wanted = b"".join(text(name) + bytes([qos]) for name in filters)
    return packet(0x82, struct.pack("!H", packet_id) + wanted)


def unsubscribe_packet(packet_id: int, filters: Iterable[str]) -> bytes:
    """Return an UNSUBSCRIBE (3.10)."""
    return packet(0xA2, struct.pack("!H", packet_id) + b"".join(map(text, filters)))
