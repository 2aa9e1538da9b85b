"""Hosts in addresses, and the ready lines that name them."""

import socket

import pytest

from iot_button.hosts import in_url, reachable
from tests.conftest import Start


@pytest.mark.parametrize(
    ("host", "shown"), [("::1", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("pi.local", "pi.local")]
)
def test_only_an_ipv6_address_has_brackets_in_a_url(host: str, shown: str) -> None:
    assert in_url(host) == shown


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_what_listens_everywhere_is_reached_at_an_address_of_this_machine(host: str) -> None:
    with socket.socket() as listener:
        listener.bind((reachable(host), 0))  # nobody can bind to another machine's


def test_what_listens_at_one_address_is_reached_there() -> None:
    assert [reachable(host) for host in ("::1", "pi.local")] == ["::1", "pi.local"]


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as listener:
            listener.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_part_takes_the_ipv6_address_of_a_brokers_ready_line(start: Start) -> None:
    arguments = ("broker", "--port", "0", "--websocket-port", "0")
    broker = start(*arguments, IOT_BUTTON_BROKER_HOST="::1")
    line = broker.wait_for("^ready broker .*")[0]
    addresses = dict(word.split("=", 1) for word in line.split()[2:])
    assert set(addresses) == {"mqtt", "websocket"}
    assert all("://[::1]:" in address for address in addresses.values()), line
    tail = start("tail", "--broker", addresses["mqtt"])
    assert f"broker={addresses['mqtt']}" in tail.wait_for("^ready tail .*")[0]
