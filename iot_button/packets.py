"""The packets that both sides of a connection send: PUBLISH and its acknowledgements.

Pure functions on bytes (MQTT 3.1.1, 2.2 and 3.3 to 3.7; MQTT 5.0 has the same, and properties).
"""

from typing import Final

PUBLISH: Final = 0x30
PUBACK: Final = 0x40
PUBREC: Final = 0x50
PUBREL: Final = 0x62  # its lower bits are fixed, 3.6.1
PUBCOMP: Final = 0x70
RETAIN: Final = 0x01
DUPLICATE: Final = 0x08

MOST_BYTES = 268_435_455
"""The longest that a packet can be after its length (2.2.3)."""


def publish(
    topic: bytes,
    payload: bytes,
    *,
    qos: int,
    packet_id: int,
    retain: bool = False,
    duplicate: bool = False,
    properties: bytes = b"",
) -> bytes:
    """Return a PUBLISH. `packet_id` does not appear at QoS 0.

    `properties` are MQTT 5's, with their length before them; 3.1.1 has none.

    Raises:
        ValueError: when it would be longer than MQTT can say.
    """
    header = PUBLISH | qos << 1 | (RETAIN if retain else 0) | (DUPLICATE if duplicate else 0)
    length = 2 + len(topic) + (2 if qos else 0) + len(properties) + len(payload)
    if length > MOST_BYTES:
        raise ValueError(f"a message of {length} bytes is longer than MQTT can send")
    start = b"%c%b%c%c%b" % (
        header,
        encoded_length(length),
        len(topic) >> 8,
        len(topic) & 255,
        topic,
    )
    if qos:
        return b"%b%c%c%b%b" % (start, packet_id >> 8, packet_id & 255, properties, payload)
    return start + properties + payload


def acknowledgement(kind: int, packet_id: int) -> bytes:
    """Return a PUBACK, PUBREC, PUBREL or PUBCOMP."""
    return b"%c\x02%c%c" % (kind, packet_id >> 8, packet_id & 255)


def frame_at(buffer: bytes | bytearray, position: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `position` starts and stops; None: not all is here.

    The stop may lie beyond the buffer: then that much is still to come.

    Raises:
        ValueError: when its length is not one (2.2.3: at most four bytes).
    """
    length, shift = 0, 0
    for index in range(position + 1, min(position + 5, len(buffer))):
        byte = buffer[index]
        length |= (byte & 127) << shift
        if byte < 128:
            return index + 1, index + 1 + length
        shift += 7
    if len(buffer) >= position + 5:
        raise ValueError("a packet's length has more than four bytes")
    return None


def encoded_length(length: int) -> bytes:
    """Return a packet's remaining length as it stands in front of it (2.2.3)."""
    if length < 128:
        return b"%c" % length
    encoded = bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)
