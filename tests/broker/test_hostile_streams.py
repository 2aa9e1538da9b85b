"""Damaged streams against running brokers: each hurts its own connection at most."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.broker import wire_packets as packets
from tests.broker.test_packet_fuzz import damaged
from tests.broker.wire import Wire
from tests.broker.wire_streams import TcpStream
from tests.support import Program

LIVE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@LIVE
@given(before=damaged(), after=damaged(), is_cut=st.booleans())
def test_a_damaged_stream_hurts_no_other_connection(
    standing: Program, before: bytes, after: bytes, is_cut: bool
) -> None:
    port = standing.port("mqtt")
    for start, stream in ((packets.connect("hostile", clean=False), after), (b"", before)):
        wire = Wire(TcpStream(port))
        with contextlib.suppress(ConnectionError):  # closed while we send
            wire.send(start + stream)
        if is_cut:
            wire.stream.abort()
        else:
            wire.stream.close()
    with Wire(TcpStream(port)) as other:
        other.connect()
        other.subscribe(("others/go/on", 1))
        other.send(packets.publish("others/go/on", b"x", qos=1, packet_id=1))
        assert {other.next().kind, other.next().kind} == {packets.PUBACK, packets.PUBLISH}
        other.send(packets.GOODBYE)


@pytest.fixture(autouse=True, scope="module")
def nothing_is_said_of_errors(standing: Program) -> object:
    """Check at the end that no exception was hidden: our broker says each on standard error."""
    yield
    if "mosquitto" not in standing.arguments:
        said = "\n".join(standing.said)
        assert "Traceback" not in said
        assert "a connection failed" not in said
