"""Brokers that announce themselves, as the doctor sees them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from zeroconf import NotRunningException, ServiceInfo, Zeroconf

from iot_button.errors import IotButtonError
from iot_button.nearby import KINDS, Nearby, look_around
from tests.conftest import Start
from tests.support import aside, eventually

LOOPBACK = ["127.0.0.1"]


@pytest.fixture
def neighbour() -> Iterator[Zeroconf]:
    zeroconf = aside(lambda: Zeroconf(interfaces=LOOPBACK))
    yield zeroconf
    zeroconf.close()


def announce(zeroconf: Zeroconf, name: str, *, kind: str = KINDS[0], port: int = 1883) -> None:
    service = ServiceInfo(
        kind, f"{name}.{kind}", port=port, parsed_addresses=["192.0.2.1"], server="x.local."
    )
    zeroconf.register_service(service)


def seen(*names: str, how_many: int = 1) -> list[Nearby]:
    """Return the brokers of these names, once there are so many; others may be about too."""

    def found() -> list[Nearby]:
        around = aside(lambda: look_around(2.0, interfaces=LOOPBACK))
        ours = [one for one in around if one.name in names]
        return ours if len(ours) >= how_many else []

    return eventually(found, what=f"{names} on the network", deadline=30)


def test_brokers_that_announce_themselves_are_seen(neighbour: Zeroconf) -> None:
    announce(neighbour, "one")
    announce(neighbour, "one", kind=KINDS[1], port=8883)
    found = seen("one", how_many=2)
    assert found == [
        Nearby(name="one", host="192.0.2.1", port=1883, tls=False),
        Nearby(name="one", host="192.0.2.1", port=8883, tls=True),
    ]
    assert str(found[-1]) == "one at mqtts://192.0.2.1:8883"


def test_a_strangers_name_carries_nothing_to_the_terminal(neighbour: Zeroconf) -> None:
    announce(neighbour, "evil\u202e\u009b31m")
    assert seen("evil??31m")


def test_where_nobody_can_be_asked_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_more: object) -> Zeroconf:
        raise OSError(19, "No such device")

    monkeypatch.setattr("zeroconf.Zeroconf", fail)
    with pytest.raises(IotButtonError, match="mDNS cannot be spoken here"):
        look_around(0.1)


def test_a_failure_of_the_library_is_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_what: object, **_more: object) -> None:
        raise NotRunningException

    monkeypatch.setattr("zeroconf.ServiceBrowser", fail)
    with pytest.raises(IotButtonError, match="mDNS cannot be spoken here"):
        aside(lambda: look_around(0.1, interfaces=LOOPBACK))


def test_the_doctor_tells_of_them(start: Start) -> None:
    doctor = start("doctor", "--json", IOT_BUTTON_BROKER_PORT="1", IOT_BUTTON_DASHBOARD_PORT="1")
    doctor.end()
    (found,) = [f for f in map(json.loads, doctor.printed) if f["subject"] == "brokers nearby"]
    assert found["state"] in ("ok", "off")


def test_the_doctor_names_the_extra_that_is_missing(start: Start, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'zeroconf' else find(name, *more)\n"
    )
    doctor = start("doctor", "--json", PYTHONPATH=str(tmp_path))
    doctor.end()
    (found,) = [f for f in map(json.loads, doctor.printed) if f["subject"] == "brokers nearby"]
    assert found["state"] == "absent"
    assert "iot-button[discovery]" in found["mend"]
