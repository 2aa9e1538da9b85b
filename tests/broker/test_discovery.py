"""Finding the broker by mDNS, on loopback."""

import importlib.util
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from zeroconf import ServiceInfo, Zeroconf

from broker import discovery, machine_names
from broker.discovery import PLAIN, SECURE, Announcement
from iot_button.errors import IotButtonError, SettingError
from tests.broker.guarded import added
from tests.conftest import Start
from tests.support import DEADLINE, aside, eventually

LOOPBACK = ["127.0.0.1"]


@pytest.fixture
def asker() -> Iterator[Zeroconf]:
    zeroconf = aside(lambda: Zeroconf(interfaces=LOOPBACK))
    yield zeroconf
    zeroconf.close()


def announced(name: str, port: int = 1234, tls_port: int | None = None) -> Announcement:
    return Announcement(
        name=name, host="127.0.0.1", port=port, tls_port=tls_port, interfaces=LOOPBACK
    )


def ask(asker: Zeroconf, kind: str, name: str, *, seconds: float = DEADLINE) -> ServiceInfo | None:
    return asker.get_service_info(kind, f"{name}.{kind}", timeout=round(seconds * 1000))


def test_a_broker_is_found_by_name_with_its_ports_until_it_ends(asker: Zeroconf) -> None:
    with announced("a test", 1234, 4321):
        plain, secure = ask(asker, PLAIN, "a test"), ask(asker, SECURE, "a test")
        assert plain is not None
        assert secure is not None
        assert (plain.port, secure.port) == (1234, 4321)
        assert plain.parsed_addresses() == LOOPBACK
        assert plain.properties[b"protocol"] == b"3.1.1"
        assert plain.properties[b"tls"] == b"4321"
        assert b"version" in plain.properties
        assert plain.server == f"{machine_names.host_name()}.local."

    def is_forgotten() -> bool:
        return asker.cache.current_entry_with_name_and_alias(PLAIN, f"a test.{PLAIN}") is None

    eventually(is_forgotten, what="the goodbye")
    with aside(lambda: Zeroconf(interfaces=LOOPBACK)) as another:
        assert ask(another, PLAIN, "a test", seconds=0.5) is None


def test_without_tls_there_is_no_secure_service(asker: Zeroconf) -> None:
    with announced("plain only"):
        plain = ask(asker, PLAIN, "plain only")
        assert plain is not None
        assert b"tls" not in plain.properties
        assert ask(asker, SECURE, "plain only", seconds=0.5) is None


def test_a_name_that_is_taken_gets_a_number(asker: Zeroconf) -> None:
    with announced("twins", 1):
        assert ask(asker, PLAIN, "twins") is not None
        with announced("twins", 2):
            other = ask(asker, PLAIN, "twins-2")
            assert other is not None
            assert other.port == 2
        first = ask(asker, PLAIN, "twins")
        assert first is not None
        assert first.port == 1


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("iot-button on pi.home.lan", "iot-button on pi home lan"),
        ("x" * 100, "x" * 58),
        ("ä" * 60, "ä" * 29),
        ("a\x00\n\x1b[2Jb", "a[2Jb"),
        ("...", "iot-button"),
    ],
)
def test_any_name_is_one_label(asker: Zeroconf, name: str, label: str) -> None:
    with announced(name):
        assert ask(asker, PLAIN, label) is not None


def test_it_stops_at_once_while_it_still_asks_whether_its_name_is_free() -> None:
    begin = time.monotonic()
    with announced("short"):
        pass
    assert time.monotonic() - begin < 2.5
    assert not any(thread.name == "mdns" for thread in threading.enumerate())


def test_it_is_announced_anew_when_the_addresses_change(
    asker: Zeroconf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    here: list[machine_names.Address] = []
    monkeypatch.setattr(machine_names, "addresses", lambda: list(here))
    monkeypatch.setattr(discovery, "_LOOK", 0.05)
    with Announcement(name="late", host="0.0.0.0", port=1234):
        eventually(lambda: "no address but loopback's" in caplog.text, what="what is missing")
        here.append(ipaddress.IPv4Address("127.0.0.1"))
        assert ask(asker, PLAIN, "late") is not None
        here.append(ipaddress.IPv4Address("127.0.0.2"))

        def is_there() -> bool:
            found = ask(asker, PLAIN, "late")
            return found is not None and "127.0.0.2" in found.parsed_addresses()

        eventually(is_there, what="the new address")
    assert len(caplog.records) == 1, caplog.text


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", ["192.0.2.1"]),
        ("::", ["192.0.2.1", "2001:db8::1"]),
        ("192.0.2.9", ["192.0.2.9"]),
    ],
)
def test_what_is_announced_is_what_is_listened_on(
    monkeypatch: pytest.MonkeyPatch, host: str, expected: list[str]
) -> None:
    both = [ipaddress.ip_address(one) for one in ("192.0.2.1", "2001:db8::1")]
    monkeypatch.setattr(machine_names, "addresses", lambda: both)
    announcement = Announcement(name="x", host=host, port=1)
    assert announcement._reachable() == expected  # noqa: SLF001 - no network here has these


def test_a_broker_on_loopback_cannot_be_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        with pytest.raises(SettingError, match="no other machine reaches it"):
            Announcement(name="x", host=host, port=1)
    own = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.1.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: own)
    with pytest.raises(SettingError, match="no other machine reaches it"):
        Announcement(name="x", host="raspberrypi", port=1)  # as Debian's /etc/hosts has it


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(IotButtonError, match="zeroconf is not installed") as missing:
        Announcement(name="x", host="0.0.0.0", port=1)
    assert missing.value.mend == "install it: pip install 'iot-button[discovery]'"


def test_the_command_says_what_announcing_needs(start: Start) -> None:
    broker = start("broker", "--port", "0", "--websocket-port", "0", "--announce")
    assert broker.end() == 2
    assert "no other machine reaches it" in broker.said[0]
    assert "iot-button account add" in broker.said[1]


@pytest.mark.skipif(not machine_names.addresses(), reason="this machine has no network")
def test_the_command_announces_a_broker_with_accounts_and_ends_in_time(
    start: Start, environment: dict[str, str]
) -> None:
    added(environment, "me", "--admin")
    beyond = {"IOT_BUTTON_BROKER_HOST": "0.0.0.0"}
    broker = start("broker", "--port", "0", "--websocket-port", "0", "--announce", **beyond)
    broker.address("mqtt")
    begin = time.monotonic()
    assert broker.stop() == 0
    assert time.monotonic() - begin < 5
    assert not any("announce" in line or "Traceback" in line for line in broker.said)
