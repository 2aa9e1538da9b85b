"""The embedded broker's packet reader under any bytes: right packets, or one kind of error."""

import itertools
from collections.abc import Callable, Generator
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.gate import fields
from broker.gate import packets as reader
from broker.gate.frames import Frames, MalformedError
from tests.broker import wire_packets as packets
from tests.broker.wire_packets import Will, field

T = TypeVar("T")
LIMIT = 100_000
FUZZ = settings(max_examples=400, deadline=None)

text = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
)
topics = text.filter(lambda name: bool(name) and not set("+#") & set(name))
ids = st.integers(1, 65_535)
payloads = st.binary(max_size=300)
wills = st.builds(Will, topic=topics, payload=payloads, qos=st.integers(0, 2), retain=st.booleans())


@st.composite
def connects(draw: st.DrawFn) -> bytes:
    username = draw(st.none() | text)
    return packets.connect(
        draw(text),
        clean=draw(st.booleans()),
        keep_alive=draw(st.integers(0, 65_535)),
        will=draw(st.none() | wills),
        username=username,
        password=None if username is None else draw(st.none() | text),
    )


@st.composite
def publishes(draw: st.DrawFn) -> bytes:
    qos = draw(st.integers(0, 2))
    return packets.publish(
        draw(topics),
        draw(payloads),
        qos=qos,
        packet_id=draw(ids),
        retain=draw(st.booleans()),
        duplicate=bool(qos) and draw(st.booleans()),
    )


subscribes = st.builds(
    lambda number, wanted: packets.subscribe(number, *wanted),
    ids,
    st.lists(st.tuples(text, st.integers(0, 2)), min_size=1, max_size=5),
)
unsubscribes = st.builds(
    lambda number, unwanted: packets.unsubscribe(number, *unwanted),
    ids,
    st.lists(text, min_size=1, max_size=5),
)
acknowledgements = st.builds(packets.acknowledge, st.sampled_from([4, 5, 6, 7]), ids)
right = st.one_of(
    connects(),
    publishes(),
    subscribes,
    unsubscribes,
    acknowledgements,
    st.sampled_from([packets.PING, packets.GOODBYE]),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return right packets in which some bytes are others, more or fewer."""
    stream = bytearray(b"".join(draw(st.lists(right, min_size=1, max_size=4))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(stream)))
        stream[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(stream)


streams = st.one_of(st.binary(max_size=400), damaged())


def frames(pieces: list[bytes], limit: int = LIMIT) -> tuple[list[tuple[int, bytes]], bool]:
    """Return the packets in a stream that comes in pieces, and whether it broke a rule."""
    cutter, found = Frames(limit), []
    try:
        for piece in pieces:
            for one in cutter.feed(piece):
                found.append(one)
    except MalformedError:
        return found, True
    return found, False


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(places)]


def finished(steps: Generator[None, None, T]) -> T:
    """Return what steps come to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value


def read(first: int, body: bytes) -> object:
    """Read a packet as the gate does."""
    kind = first >> 4
    if kind == packets.CONNECT:
        return reader.connect(first, body)
    if kind == packets.PUBLISH:
        return reader.publish(first, body, {})
    reader.check_flags(first)
    if kind == packets.SUBSCRIBE:
        return finished(reader.subscribe(body))
    if kind == packets.UNSUBSCRIBE:
        return finished(reader.unsubscribe(body))
    return reader.packet_id(body)


@FUZZ
@given(streams, st.lists(st.integers(0, 400), max_size=8))
@example(b"\xff" * 5, [1, 2, 3, 4])
@example(b"\x30\x80\x80\x80\x80", [4])
def test_pieces_make_the_same_packets_as_the_whole(data: bytes, cuts: list[int]) -> None:
    assert frames(pieces_of(data, cuts)) == frames([data])


@FUZZ
@given(st.lists(right, max_size=6))
def test_bytes_one_by_one_make_the_packets_that_were_sent(sent: list[bytes]) -> None:
    data = b"".join(sent)
    found, is_broken = frames([data[n : n + 1] for n in range(len(data))])
    assert not is_broken
    assert [packets.packet(*one) for one in found] == sent


@FUZZ
@given(right, st.integers(2, 60))
def test_a_packet_beyond_the_limit_is_an_error_before_it_is_here(sent: bytes, limit: int) -> None:
    found, is_broken = frames([sent[:5]], limit)
    if len(sent) > limit:
        assert is_broken
    else:
        assert not is_broken
        assert len(found) == (len(sent) <= 5)


@FUZZ
@given(streams)
def test_whatever_comes_is_a_packet_or_malformed(data: bytes) -> None:
    found, _is_broken = frames([data])
    for first, body in found:
        try:
            read(first, body)
        except MalformedError:
            return


@FUZZ
@given(st.integers(0, 255), st.binary(max_size=60))
def test_any_body_under_any_first_byte_is_a_packet_or_malformed(first: int, body: bytes) -> None:
    readers: list[Callable[[], object]] = [
        lambda: read(first, body),
        lambda: reader.connect(0x10, body),
        lambda: reader.publish(0x30 | first & 15, body, {}),
        lambda: finished(reader.subscribe(body)),
        lambda: finished(reader.unsubscribe(body)),
        lambda: fields.text(body),
        lambda: reader.topic_name(body),
    ]
    for one in readers:
        try:
            one()
        except MalformedError:
            continue


@FUZZ
@given(
    connects() | st.builds(lambda rest: b"\x10\x14\x00\x04MQTT\x04" + rest, st.binary(max_size=20))
)
def test_a_connect_that_is_read_means_the_bytes_that_came(sent: bytes) -> None:
    first, body = sent[0], sent[sent.index(b"\x00\x04MQTT") :]
    try:
        got = reader.connect(first, body)
    except MalformedError:
        return
    flags = got.clean_session * 2 | (got.username is not None) * 128
    flags |= (got.password is not None) * 64
    fields = [field(got.client_id)]
    if got.will is not None:
        flags |= 4 | got.will.qos << 3 | got.will.retain * 32
        fields += [field(got.will.topic), field(got.will.payload)]
    fields += [field(one) for one in (got.username, got.password) if one is not None]
    head = field("MQTT") + bytes([4, flags]) + packets.number(got.keep_alive)
    assert head + b"".join(fields) == body


@FUZZ
@given(
    st.integers(0x30, 0x3F), st.builds(lambda t, rest: field(t) + rest, text, payloads) | payloads
)
def test_a_publish_that_is_read_means_the_bytes_that_came(first: int, body: bytes) -> None:
    try:
        got = reader.publish(first, body, {})
    except MalformedError:
        return
    assert packets.packet(first, body) == packets.publish(
        got.topic,
        got.payload,
        qos=got.qos,
        packet_id=got.packet_id,
        retain=got.retain,
        duplicate=got.duplicate,
    )
    assert got.topic
    assert not set("+#\0") & set(got.topic)
    assert (got.packet_id > 0) == (got.qos > 0)


@FUZZ
@given(subscribes | damaged())
def test_a_subscribe_that_is_read_means_the_bytes_that_came(sent: bytes) -> None:
    for _first, body in frames([sent])[0]:
        try:
            number, wanted = finished(reader.subscribe(body))
        except MalformedError:
            continue
        assert packets.subscribe(number, *wanted) == packets.packet(0x82, body)
        assert finished(reader.subscribe(body)) == (number, wanted)


@FUZZ
@given(unsubscribes | damaged())
def test_an_unsubscribe_that_is_read_means_the_bytes_that_came(sent: bytes) -> None:
    for _first, body in frames([sent])[0]:
        try:
            number, unwanted = finished(reader.unsubscribe(body))
        except MalformedError:
            continue
        assert packets.unsubscribe(number, *unwanted) == packets.packet(0xA2, body)


@FUZZ
@given(topics, publishes(), st.booleans())
def test_topics_that_are_known_change_nothing(name: str, sent: bytes, again: bool) -> None:
    known: dict[bytes, str] = {name.encode(): name}
    for first, body in frames([sent * (2 if again else 1)])[0]:
        assert reader.publish(first, body, known) == reader.publish(first, body, {})


@FUZZ
@given(st.text(alphabet="a/+#$", max_size=8))
@example("")
@example("#")
@example("+/+/#")
def test_a_filter_is_one_by_the_letter_of_the_standard(name: str) -> None:
    levels = name.split("/")
    by_the_letter = bool(name) and all(
        level in ("+", "") or not set("+#") & set(level) or (level == "#" and is_last)
        for level, is_last in zip(levels, [False] * (len(levels) - 1) + [True], strict=True)
    )
    assert reader.is_filter(name) == by_the_letter


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 200, 16_380, 16_384])
def test_a_suback_has_a_length_of_its_own(size: int) -> None:
    ((first, body),) = frames([reader.suback(7, b"\x01" * size)])[0]
    assert (first, body) == (0x90, b"\x00\x07" + b"\x01" * size)
