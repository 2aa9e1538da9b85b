"""The access table: who may publish where, and subscribe to what."""

import pytest

from broker.access import Rights, covers, rights_of
from iot_button.accounts_file import Account, Role
from iot_button.topics import Topics

TOPICS = Topics()


def rights(role: Role, *, prefix: str = "") -> Rights:
    serial = "DOOR" if role is Role.BUTTON else None
    return rights_of(Account(name="x", role=role, serial_number=serial), Topics(prefix))


PUBLISH = {  # topic: who may
    "iotbutton/DOOR": "button function dashboard operator admin",
    "iotbutton/DOOR/status": "button function admin",
    "iotbutton/DOOR/action": "button function admin",
    "homeassistant/device/iotbutton_DOOR/config": "button function admin",
    "iotbutton/DOOR/receipt": "function admin",
    "iotbutton/OTHER": "function dashboard operator admin",
    "iotbutton/OTHER/status": "function admin",
    "homeassistant/device/iotbutton_OTHER/config": "function admin",
    "iotbutton": "function admin",
    "iotbutton/DOOR/": "function admin",
    "iotprocessed": "function admin",
    "deadletter/enrich": "function admin",
    "$SYS/broker/version": "",
    "$share/a/b": "",
}
SUBSCRIBE = {
    "iotbutton/DOOR/receipt": "button function dashboard operator admin",
    "iotbutton/OTHER/receipt": "function dashboard operator admin",
    "iotbutton/+/receipt": "function dashboard operator admin",
    "iotbutton/DOOR/#": "function admin",
    "iotbutton/DOOR/+": "function admin",
    "+/DOOR/receipt": "function admin",
    "iotbutton/#": "function admin",
    "iotbutton/+": "function dashboard operator admin",
    "iotbutton/+/status": "function dashboard operator admin",
    "iotprocessed": "function dashboard operator admin",
    "iotprocessed/#": "function admin",
    "deadletter/+": "function dashboard operator admin",
    "deadletter/#": "function admin",
    "iotfunctions/#": "function dashboard operator admin",
    "#": "function admin",
    "+": "function admin",
    "$SYS/#": "dashboard operator admin",
    "$SYS/broker/+": "dashboard operator admin",
    "$CONTROL/#": "",
    "$share/g/iotprocessed": "",
}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("topic", "who"), PUBLISH.items())
def test_who_may_publish(role: Role, topic: str, who: str) -> None:
    assert rights(role).may_publish(topic) == (role.value in who.split())


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("topic_filter", "who"), SUBSCRIBE.items())
def test_who_may_subscribe(role: Role, topic_filter: str, who: str) -> None:
    assert rights(role).may_subscribe(topic_filter) == (role.value in who.split())


@pytest.mark.parametrize("role", [Role.BUTTON, Role.FUNCTION, Role.DASHBOARD])
def test_with_a_prefix_nobody_but_admins_leaves_it(role: Role) -> None:
    assert not rights(role, prefix="home").may_publish("iotbutton/DOOR")
    assert not rights(role, prefix="home").may_subscribe("iotprocessed")


def test_a_button_without_a_serial_number_may_nothing() -> None:
    nobody = rights_of(Account(name="x", role=Role.BUTTON), TOPICS)
    assert not nobody.publish
    assert not nobody.subscribe


@pytest.mark.parametrize(
    ("allowed", "wanted", "whole"),
    [
        ("a/#", "a", True),
        ("a/#", "a/+/b/#", True),
        ("a/+", "a/#", False),
        ("a/+", "a/b/c", False),
        ("a/+/c", "a/b/c", True),
        ("a/b", "a/+", False),
        ("+/b", "+/b", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS", True),
    ],
)
def test_a_filter_covers_another_when_it_matches_all_of_it(
    allowed: str, wanted: str, whole: bool
) -> None:
    assert covers(allowed, wanted) is whole
