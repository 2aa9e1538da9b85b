"""How often somebody may be wrong before they have to wait."""

import pytest

from iot_button.patience import Patience


def test_patience_with_one_name_grows_again_with_time() -> None:
    now = 0.0
    patience = Patience(lambda: now)
    who = ("192.0.2.1", "name")
    for _ in range(5):
        assert not patience.is_over(*who)
        patience.hear(*who)
    assert patience.is_over(*who)
    assert not patience.is_over("192.0.2.1", "another")
    assert not patience.is_over("192.0.2.2", "name")
    now = 1.5
    assert not patience.is_over(*who)
    patience.hear(*who)
    now = 3.0
    assert patience.is_over(*who)
    now = 200.0
    assert not patience.is_over(*who)


def test_one_device_with_an_old_password_shuts_out_none_of_its_neighbours() -> None:
    now = 0.0
    patience = Patience(lambda: now)
    for _ in range(1000):
        now += 3.0
        if not patience.is_over("192.0.2.1", "old"):
            patience.hear("192.0.2.1", "old")
        assert not patience.is_over("192.0.2.1", "neighbour")


@pytest.mark.parametrize(
    ("addresses", "is_one"),
    [
        (["2001:db8::%x", "2001:db8::f:%x"], True),
        (["2001:db8:0:%x::1"], False),
        (["192.0.2.%d"], False),
        (["::ffff:192.0.2.%d"], False),
        (["fe80::%x%%eth0"], True),
    ],
)
def test_an_ipv6_network_counts_as_one(addresses: list[str], is_one: bool) -> None:
    patience = Patience(lambda: 0.0)
    for number in range(1, 21):
        for address in addresses:
            patience.hear(address % number, f"name{number}")
    assert patience.is_over(addresses[0] % 99, "new") is is_one
