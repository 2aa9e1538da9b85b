"""Bytes that break MQTT 3.1.1, each in a way of its own."""

import random

from bench.raw_packets import connect_packet

MALFORMED = (
    b"\x00\x00",  # kinds that do not exist
    b"\xf0\x00",
    b"\x20\x02\x00\x00",  # packets that only a server sends
    b"\x90\x03\x00\x01\x00",
    b"\xd0\x00",
    connect_packet("again"),  # a second CONNECT
    b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
    b"\x36\x07\x00\x01a\x00\x01xx",  # QoS 3
    b"\x32\x05\x00\x01a\x00\x00",  # packet id 0
    b"\x30\x02\x00\x09",  # a topic longer than its packet
    b"\x30\x05\x00\x03a/+",  # wildcards in a topic
    b"\x30\x05\x00\x03a\x00b",  # U+0000
    b"\x30\x04\x00\x02\xff\xfe",  # not UTF-8
    b"\x30\x05\x00\x03\xed\xa0\x80",  # a surrogate
    b"\x30\x02\x00\x00",  # an empty topic
    b"\x80\x06\x00\x01\x00\x01a\x00",  # SUBSCRIBE with wrong flags
    b"\x82\x02\x00\x01",  # with nothing to subscribe to
    b"\x82\x06\x00\x01\x00\x01a\x03",  # QoS 3
    b"\x82\x08\x00\x01\x00\x03a#b\x00",  # a wrong filter
    b"\xa2\x02\x00\x01",  # UNSUBSCRIBE from nothing
    b"\x40\x00",  # acknowledgements without a packet id, and of another length
    b"\x40\x05\x00\x01\x00\x00\x00",
    b"\x60\x02\x00\x01",  # PUBREL with wrong flags
    b"\xc0\x01\x00",  # PINGREQ with a body
    b"\xe3\x00",  # DISCONNECT with flags
    b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),  # TLS
)


def garbage(random_: random.Random) -> bytes:
    """Return one thing that is no MQTT, or nearly is."""
    chosen = bytearray(random_.choice(MALFORMED))
    what = random_.randrange(3)
    if what == 1:
        chosen[random_.randrange(len(chosen))] = random_.randrange(256)
    elif what == 2:
        chosen = bytearray(random_.randbytes(random_.randrange(1, 200)))
    return bytes(chosen)
