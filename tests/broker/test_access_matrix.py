"""Who may read and write what at a broker that runs, with accounts as the command makes them."""

import secrets

import pytest

from tests.broker import wire_packets as packets
from tests.broker.guarded import (
    EVERYONE,
    NOT_AUTHORIZED,
    Build,
    Enter,
    House,
    answer,
    payloads,
    received,
    say,
)
from tests.broker.wire import Wire
from tests.broker.wire_packets import Will
from tests.broker.wire_streams import TcpStream

WRITES = {  # topic: who may publish on it
    "iotbutton/DOOR": "door function dashboard admin",
    "iotbutton/DOOR/status": "door function admin",
    "iotbutton/DOOR/action": "door function admin",
    "iotbutton/DOOR/receipt": "function admin",
    "iotbutton/DOOR/anything": "function admin",
    "iotbutton/BELL": "bell function dashboard admin",
    "iotbutton/BELL/status": "bell function admin",
    "iotbutton/BELL/receipt": "function admin",
    "homeassistant/device/iotbutton_DOOR/config": "door function admin",
    "homeassistant/device/iotbutton_BELL/config": "bell function admin",
    "iotprocessed": "function admin",
    "deadletter/enrich": "function admin",
    "iotfunctions/enrich/status": "function admin",
    "elsewhere": "function admin",
    "$SYS/broker/uptime": "",
    "$else/where": "",
}
READS = {  # topic: who may read it
    "iotbutton/DOOR": "function dashboard admin",
    "iotbutton/DOOR/status": "function dashboard admin",
    "iotbutton/DOOR/action": "function admin",
    "iotbutton/DOOR/receipt": "door function dashboard admin",
    "iotbutton/BELL": "function dashboard admin",
    "iotbutton/BELL/status": "function dashboard admin",
    "iotbutton/BELL/receipt": "bell function dashboard admin",
    "homeassistant/device/iotbutton_DOOR/config": "function admin",
    "iotprocessed": "function dashboard admin",
    "deadletter/enrich": "function dashboard admin",
    "iotfunctions/enrich/status": "function dashboard admin",
    "elsewhere": "function admin",
    "elsewhere/DOOR/receipt": "function admin",
}
FILTERS = {  # what is asked for: who may have all of it
    "#": "function admin",
    "+": "function admin",
    "+/#": "function admin",
    "+/+/receipt": "function admin",
    "+/DOOR/receipt": "function admin",
    "iotbutton/#": "function admin",
    "iotbutton/+": "function dashboard admin",
    "iotbutton/+/receipt": "function dashboard admin",
    "iotbutton/+/status": "function dashboard admin",
    "iotbutton/DOOR/#": "function admin",
    "iotbutton/DOOR/+": "function admin",
    "iotbutton/DOOR/receipt": "door function dashboard admin",
    "iotbutton/DOOR/receipt/#": "function admin",
    "iotbutton/BELL": "function dashboard admin",
    "iotprocessed": "function dashboard admin",
    "deadletter/#": "function admin",
    "iotfunctions/#": "function dashboard admin",
    "homeassistant/#": "function admin",
    "elsewhere": "function admin",
}


@pytest.fixture(scope="module", params=["amqtt", "mosquitto"])
def house(request: pytest.FixtureRequest, build: Build) -> House:
    """Each broker in turn, with an account of each role, for all tests that change no account."""
    return build(request.param)


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a filter matches a topic that has no `$` in front (MQTT 3.1.1, 4.7)."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted, levels = wanted[:-1], levels[: len(wanted) - 1]
    return len(wanted) == len(levels) and all(
        one in ("+", level) for one, level in zip(wanted, levels, strict=True)
    )


@pytest.mark.parametrize("name", EVERYONE)
def test_each_publishes_on_its_own_topics_and_on_no_others(
    house: House, enter: Enter, name: str
) -> None:
    watcher = enter(house, "admin")
    watcher.subscribe(("#", 0), ("$SYS/#", 0), ("$else/#", 0))
    came = {}
    for topic in WRITES:
        payload = secrets.token_bytes(8)
        say(house, name, topic, payload)
        came[topic] = payload in payloads(watcher)
    assert came == {topic: name in who.split() for topic, who in WRITES.items()}


@pytest.mark.parametrize("qos", [0, 2])
def test_the_quality_of_service_opens_nothing(house: House, enter: Enter, qos: int) -> None:
    watcher = enter(house, "admin")
    watcher.subscribe(("#", 0))
    say(house, "door", "iotbutton/BELL", b"forged", qos=qos)
    say(house, "door", "iotbutton/DOOR", b"real", qos=qos)
    assert payloads(watcher) == [b"real"]


@pytest.mark.parametrize("name", EVERYONE)
def test_each_reads_what_it_may_whatever_it_asks_for(house: House, enter: Enter, name: str) -> None:
    admin = enter(house, "admin")
    readable = {topic for topic, who in READS.items() if name in who.split()}
    got, expected = {}, {}
    for topic_filter, who in FILTERS.items():
        reader = enter(house, name)
        granted = reader.subscribe((topic_filter, 0))
        for topic in READS:
            admin.publish(topic, topic.encode())
        got[topic_filter] = {message.topic for message in received(reader)}
        wanted = {topic for topic in READS if matches(topic_filter, topic)}
        may_have_it = name in who.split()
        if house.is_mosquitto:
            expected[topic_filter] = wanted & readable
        else:
            assert granted == [0 if may_have_it else 0x80], topic_filter
            expected[topic_filter] = wanted if may_have_it else set()
            assert not may_have_it or wanted <= readable, topic_filter
        reader.disconnect()
    assert got == expected


@pytest.mark.parametrize("name", EVERYONE)
def test_how_the_broker_does_is_for_dashboards_and_admins(
    house: House, enter: Enter, name: str
) -> None:
    reader = enter(house, name)
    if not house.is_mosquitto:
        enter(house, "admin").subscribe(("$SYS/#", 0))
    reader.subscribe(("$SYS/#", 0))
    if name in ("dashboard", "admin"):
        assert reader.message().topic.startswith("$SYS/")
    else:
        assert received(reader) == []


def test_retained_messages_are_for_those_who_may_read_them(house: House, enter: Enter) -> None:
    enter(house, "bell").publish("iotbutton/BELL/status", b"at home", retain=True)
    for topic_filter in ("iotbutton/BELL/status", "iotbutton/#", "+/+/status", "#"):
        stranger = enter(house, "door")
        stranger.subscribe((topic_filter, 0))
        assert received(stranger) == []
    reader = enter(house, "dashboard")
    reader.subscribe(("iotbutton/+/status", 0))
    assert [message.retained for message in received(reader)] == [True]
    enter(house, "admin").publish("iotbutton/BELL/status", b"", retain=True)


def test_a_retained_message_on_anothers_topic_is_not_kept(house: House, enter: Enter) -> None:
    bell = enter(house, "bell")
    bell.publish("iotbutton/BELL/status", b"online", retain=True)
    say(house, "door", "iotbutton/BELL/status", b"forged", retain=True)
    say(house, "door", "iotbutton/BELL/status", b"", retain=True)
    say(house, "door", "iotbutton/DOOR/receipt", b"forged", retain=True)
    reader = enter(house, "admin")
    reader.subscribe(("iotbutton/#", 0))
    assert payloads(reader) == [b"online"]
    bell.publish("iotbutton/BELL/status", b"", retain=True)


@pytest.mark.parametrize("retain", [False, True])
def test_a_will_on_anothers_topic_never_comes(house: House, enter: Enter, retain: bool) -> None:
    watcher = enter(house, "admin")
    watcher.subscribe(("iotbutton/#", 0), ("$SYS/forged", 0))
    for topic in ("iotbutton/BELL", "iotbutton/BELL/status", "iotbutton/DOOR/receipt"):
        _die(house, "door", Will(topic=topic, payload=b"forged", retain=retain))
    _die(house, "door", Will(topic="iotbutton/DOOR/status", payload=b"own", retain=retain))
    assert watcher.message().payload == b"own"
    late = enter(house, "admin")
    late.subscribe(("iotbutton/#", 0))
    assert payloads(late) == ([b"own"] if retain else [])
    say(house, "door", "iotbutton/DOOR/status", b"", retain=True)


def _die(house: House, name: str, will: Will) -> None:
    """Connect with a will, and be gone without a word; or be refused, as mosquitto does."""
    with Wire(TcpStream(house.broker.port("mqtt"))) as wire:
        password = house.accounts[name]
        wire.send(packets.connect("", will=will, username=name, password=password))
        if wire.expect(packets.CONNACK).body[1] == 0:
            wire.stream.abort()


@pytest.mark.parametrize("way", ["mqtt", "websocket"])
@pytest.mark.parametrize(
    ("username", "password"),
    [
        (None, None),
        ("", ""),
        ("door", None),
        ("door", ""),
        ("door", "wrong"),
        ("nobody", "wrong"),
        ("_house", ""),
    ],
)
def test_nobody_comes_in_without_the_password(
    house: House, username: str | None, password: str | None, way: str
) -> None:
    assert answer(house, username, password, way=way) == NOT_AUTHORIZED


@pytest.mark.parametrize("way", ["mqtt", "websocket"])
def test_the_password_lets_in(house: House, way: str) -> None:
    assert answer(house, "door", house.accounts["door"], way=way) == 0
    assert answer(house, "door", house.accounts["bell"], way=way) == NOT_AUTHORIZED


def test_a_session_is_its_accounts_alone(house: House, enter: Enter) -> None:
    if house.is_mosquitto:
        pytest.skip("mosquitto 2.0.11 lets any account take over any client id")
    owner = enter(house, "door", "of-the-door", clean=False)
    with Wire(TcpStream(house.broker.port("mqtt"))) as thief:
        password = house.accounts["bell"]
        thief.send(packets.connect("of-the-door", username="bell", password=password))
        assert thief.expect(packets.CONNACK).body[1] == 2
    owner.settle()  # and it is not disturbed
