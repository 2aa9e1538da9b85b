"""Who may publish on which topic, and subscribe to which: one table for every broker.

| role | publishes | subscribes to |
|---|---|---|
| button | its own clicks, status and actions, and its entry in Home Assistant | its own receipts |
| function | everything but `$...`: what a function publishes, its manifest says | the same |
| dashboard | clicks, as its page has a button | what is processed or has failed, clicks, statuses,
  how functions are, and `$SYS` |
| operator | what a dashboard does | the same |
| admin | everything but `$...` | everything |

A will and a retained message are publications as any other.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from iot_button.accounts_file import Account, Role
from iot_button.topics import Topics

HOME_ASSISTANT = "homeassistant"
"""Home Assistant's own default for its discovery prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Topic filters: what may be published on, and subscribed to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]

    def may_publish(self, topic: str) -> bool:
        """Whether a topic is among those."""
        return any(covers(one, topic) for one in self.publish)

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether all that a filter matches is among those."""
        return any(covers(one, topic_filter) for one in self.subscribe)


def rights_of(account: Account, topics: Topics) -> Rights:
    """Return what an account may."""
    if account.role is Role.BUTTON:
        return _of_a_button(account.serial_number or "", topics)
    if account.role in (Role.DASHBOARD, Role.OPERATOR):
        return Rights(
            publish=(topics.clicks,),
            subscribe=(
                topics.processed,
                topics.clicks,
                *(make("+") for make in (topics.status, topics.receipt, topics.dead_letter)),
                topics.full("iotfunctions/#"),
                "$SYS/#",
            ),
        )
    everything = topics.full("#")
    if account.role is Role.FUNCTION:
        return Rights(publish=(everything,), subscribe=(everything,))
    return Rights(publish=("#",), subscribe=("#", "$SYS/#"))


def _of_a_button(serial: str, topics: Topics) -> Rights:
    if not serial:
        return Rights(publish=(), subscribe=())
    return Rights(
        publish=(
            topics.click(serial),
            topics.status(serial),
            topics.action(serial),
            f"{HOME_ASSISTANT}/device/{topics.home_assistant_id(serial)}/config",
        ),
        subscribe=(topics.receipt(serial),),
    )


def covers(allowed: str, wanted: str) -> bool:
    """Whether one topic filter matches all that another one does (MQTT 3.1.1, 4.7)."""
    if wanted.startswith("$") and not allowed.startswith("$"):
        return False  # a wildcard in front does not reach there (4.7.2-1)
    ours, theirs = allowed.split("/"), wanted.split("/")
    for number, level in enumerate(ours):
        if level == "#":
            return True
        if number >= len(theirs) or theirs[number] == "#":
            return False
        if level not in ("+", theirs[number]):
            return False
    return len(ours) == len(theirs)


def acl_file(accounts: Iterable[Account], topics: Topics) -> str:
    """Return the table as mosquitto's acl_file (mosquitto.conf(5))."""
    lines = ["# Written by iot-button from its accounts; changes are lost."]
    for account in accounts:
        rights = rights_of(account, topics)
        lines += ["", f"user {account.name}"]
        lines += [f"topic write {one}" for one in rights.publish]
        lines += [f"topic read {one}" for one in rights.subscribe]
    return "\n".join(lines) + "\n"


def password_file(accounts: Iterable[Account]) -> str:
    """Return the accounts' passwords as mosquitto's password_file."""
    hashed = [f"{one.name}:{one.mosquitto}\n" for one in accounts if one.mosquitto]
    return "".join(hashed)
