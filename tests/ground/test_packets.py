"""MQTT packets of the short path: what is written can be read, also by paho's own rules."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_button import packets
from iot_button.messages import Delivery, Message
from iot_button.mqtt.reader import Reader

TOPICS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=50
)
MESSAGES = st.builds(
    lambda topic, payload, qos, packet_id, retain, duplicate: Message(
        topic, payload, qos, retain, duplicate, Delivery(3, packet_id if qos else 0)
    ),
    TOPICS,
    st.binary(max_size=400),
    st.sampled_from([0, 1, 2]),
    st.integers(1, 65_535),
    st.booleans(),
    st.booleans(),
)
ACKNOWLEDGEMENTS = st.tuples(
    st.sampled_from([packets.PUBACK, packets.PUBREC, packets.PUBCOMP]), st.integers(1, 65_535)
)


def encoded(message: Message) -> bytes:
    return packets.publish(
        message.topic.encode(),
        message.payload,
        qos=message.qos,
        packet_id=message.delivery.packet_id,
        retain=message.retained,
        duplicate=message.duplicate,
    )


class Heard:
    """What a reader hands on, in order."""

    def __init__(self) -> None:
        self.all: list[object] = []
        self.reader = Reader(
            3,
            on_message=self.all.append,
            on_acknowledgement=lambda kind, packet_id, _: self.all.append((kind, packet_id)),
            on_other=self._other,
        )

    def _other(self, packet: bytes) -> bool:
        self.all.append(packet)
        return True


@given(
    sequence=st.lists(MESSAGES | ACKNOWLEDGEMENTS | st.just(b"\xd0\x00"), max_size=12),
    cuts=st.lists(st.integers(0, 6_000), max_size=20),
)
def test_packets_are_read_as_they_were_written_in_pieces_of_any_size(
    sequence: list[Message | tuple[int, int] | bytes], cuts: list[int]
) -> None:
    stream = b"".join(
        encoded(item)
        if isinstance(item, Message)
        else item
        if isinstance(item, bytes)
        else packets.acknowledgement(*item)
        for item in sequence
    )
    heard = Heard()
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, end in itertools.pairwise(places):
        heard.reader.feed(stream[start:end])
    assert heard.all == sequence


@pytest.mark.parametrize("size", [0, 1, 120, 127, 128, 16_383, 16_384, 100_000, 1_000_000])
def test_a_message_of_any_length_is_read_byte_by_byte_or_at_once(size: int) -> None:
    message = Message("a/b", b"x" * size, 1, False, False, Delivery(3, 9))
    stream = encoded(message)
    heard = Heard()
    heard.reader.feed(stream)
    step = max(1, size // 1_000)
    for start in range(0, len(stream), step):
        heard.reader.feed(stream[start : start + step])
    assert heard.all == [message, message]


def test_a_message_longer_than_mqtt_can_say_is_refused() -> None:
    payload = bytes(packets.MOST_BYTES)
    with pytest.raises(ValueError, match="longer than MQTT"):
        packets.publish(b"a", payload, qos=1, packet_id=1)


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x40\x00",  # a PUBACK without a packet id
        b"\x50\x01\x00",
        b"\x70\x00",
        b"\x32\x00",  # a PUBLISH without a topic
        b"\x32\x03\x00\x01a",  # without a packet id
        b"\x30\x03\x00\x09a",  # a topic longer than its packet
        b"\x30\x04\x00\x02\xff\xfe",  # a topic that is not UTF-8
    ],
)
def test_what_breaks_the_protocol_is_a_value_error_and_nothing_else(stream: bytes) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - many reasons
        Heard().reader.feed(stream)
    assert str(caught.value)


@given(stream=st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_value_error(stream: bytes) -> None:
    heard = Heard()
    try:
        heard.reader.feed(stream)
    except ValueError:
        return
    assert heard.all is not None
