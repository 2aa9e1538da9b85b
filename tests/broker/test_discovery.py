"""Finding the broker by mDNS, on loopback."""

from collections.abc import Iterator

import pytest
from zeroconf import ServiceInfo, Zeroconf

from broker.discovery import PLAIN, SECURE, Announcement
from iot_button.errors import SettingError
from tests.conftest import Start

LOOPBACK = ["127.0.0.1"]


@pytest.fixture
def asker() -> Iterator[Zeroconf]:
    zeroconf = Zeroconf(interfaces=LOOPBACK)
    yield zeroconf
    zeroconf.close()


def ask(asker: Zeroconf, kind: str, name: str) -> ServiceInfo | None:
    return asker.get_service_info(kind, f"{name}.{kind}", timeout=5000)


def test_a_broker_is_found_by_name_with_its_ports_until_it_ends(asker: Zeroconf) -> None:
    with Announcement(
        name="a test", host="127.0.0.1", port=1234, tls_port=4321, interfaces=LOOPBACK
    ):
        plain, secure = ask(asker, PLAIN, "a test"), ask(asker, SECURE, "a test")
    assert plain is not None
    assert secure is not None
    assert (plain.port, secure.port) == (1234, 4321)
    assert plain.parsed_addresses() == LOOPBACK
    assert plain.properties[b"protocol"] == b"3.1.1"


def test_a_broker_on_loopback_cannot_be_announced() -> None:
    with pytest.raises(SettingError, match="no other machine reaches it"):
        Announcement(name="x", host="127.0.0.1", port=1)


def test_the_command_says_what_announcing_needs(start: Start) -> None:
    broker = start("broker", "--port", "0", "--websocket-port", "0", "--announce")
    assert broker.end() == 2
    assert "no other machine reaches it" in broker.said[0]
    assert "iot-button account add" in broker.said[1]
