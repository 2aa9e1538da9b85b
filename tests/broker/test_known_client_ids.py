"""A client id is no secret: who knows one, and may not have it, neither silences nor empties it."""

from collections.abc import Callable

import pytest

from tests.broker import wire_packets as packets
from tests.broker.conftest import Dial
from tests.broker.guarded import added
from tests.broker.wire import Wire
from tests.conftest import Start
from tests.support import Program, require_program

FREE = ("broker", "--port", "0", "--websocket-port", "0")


@pytest.fixture
def passwords(environment: dict[str, str]) -> dict[str, str]:
    """Two accounts, and their passwords."""
    roles = {"owner": "--admin", "neighbour": "--function"}
    return {name: added(environment, name, role) for name, role in roles.items()}


@pytest.fixture(params=["amqtt", "mosquitto"])
def guarded(request: pytest.FixtureRequest, passwords: dict[str, str], start: Start) -> Program:
    """Each broker in turn, with accounts."""
    assert passwords  # made before it starts
    if request.param == "mosquitto":
        require_program("mosquitto", "mosquitto")
    broker = start(*FREE, "--broker", request.param)
    broker.address("mqtt")
    return broker


Owner = Callable[[str], Wire]


@pytest.fixture
def owner(guarded: Program, dial: Dial, passwords: dict[str, str]) -> Owner:
    """Connect as the account "owner" with a session to keep."""

    def connect(client_id: str) -> Wire:
        wire = dial(guarded)
        wire.connect(client_id, clean=False, username="owner", password=passwords["owner"])
        return wire

    return connect


STRANGERS: dict[str, tuple[str | None, str | None]] = {
    "a wrong password": ("owner", "wrong"),
    "no password": ("owner", None),
    "an empty password": ("owner", ""),
    "an unknown account": ("nobody", "x"),
    "no account": (None, None),
}


def refusal(wire: Wire, connect: bytes) -> list[bytes]:
    """Return the CONNACKs of a CONNECT that is refused."""
    wire.send(connect)
    return [packet.body for packet in wire.expect_closed()]


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_connect_that_is_refused_does_not_touch_the_session(
    guarded: Program, dial: Dial, owner: Owner, stranger: str, clean: bool
) -> None:
    """Before authentication, it silenced the live subscriber or deleted its queue."""
    username, password = STRANGERS[stranger]
    connect = packets.connect("known", clean=clean, username=username, password=password)
    listener, sender = owner("known"), owner("sender")
    listener.subscribe(("a", 1))
    sender.publish("a", b"not acknowledged")
    listener.message()
    assert refusal(dial(guarded), connect) in ([b"\0\5"], [b"\0\4"])
    sender.publish("a", b"still heard")
    assert listener.take().payload == b"still heard"
    listener.disconnect()
    sender.publish("a", b"still kept")
    assert refusal(dial(guarded), connect) in ([b"\0\5"], [b"\0\4"])
    back = owner("known")
    assert [back.take().payload, back.take().payload] == [b"not acknowledged", b"still kept"]
    back.expect_nothing()


@pytest.mark.parametrize("clean", [True, False])
def test_another_account_does_not_get_the_session_of_a_client_id(
    guarded: Program, dial: Dial, owner: Owner, passwords: dict[str, str], clean: bool
) -> None:
    if "mosquitto" in guarded.arguments:
        pytest.xfail("mosquitto 2.0.11 gives a session to any account that names its client id")
    listener, sender = owner("known"), owner("sender")
    listener.subscribe(("a", 1))
    connect = packets.connect(
        "known", clean=clean, username="neighbour", password=passwords["neighbour"]
    )
    assert refusal(dial(guarded), connect) == [b"\0\2"]
    sender.publish("a", b"still heard")
    assert listener.take().payload == b"still heard"


def test_a_connect_that_takes_long_to_be_checked_is_answered_once(
    guarded: Program, dial: Dial, passwords: dict[str, str]
) -> None:
    wire = dial(guarded)
    connect = packets.connect("eager", username="owner", password=passwords["owner"])
    wire.send(connect + packets.subscribe(1, ("a", 1)) + packets.publish("a", b"x") + packets.PING)
    kinds = [wire.next().kind for _ in range(4)]
    assert kinds[0] == packets.CONNACK
    assert set(kinds[1:]) == {packets.SUBACK, packets.PUBLISH, packets.PINGRESP}


def test_nothing_that_a_refused_client_sends_behind_its_connect_counts(
    guarded: Program, dial: Dial, owner: Owner
) -> None:
    listener = owner("listener")
    listener.subscribe(("#", 1))
    connect = packets.connect("x", username="owner", password="wrong", clean=False)
    forged = packets.publish("a", b"forged", qos=1, packet_id=1, retain=True)
    assert len(refusal(dial(guarded), connect + forged)) == 1
    owner("end").publish("a", b"end")
    assert listener.take().payload == b"end"


def test_the_will_of_a_refused_client_is_not_published(
    guarded: Program, dial: Dial, owner: Owner
) -> None:
    listener = owner("listener")
    listener.subscribe(("#", 1))
    will = packets.Will(topic="a", payload=b"forged")
    assert len(refusal(dial(guarded), packets.connect("x", will=will, username="owner"))) == 1
    owner("end").publish("a", b"end")
    assert listener.take().payload == b"end"
