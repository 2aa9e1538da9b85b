"""The settings of the bridges: `[[bridge]]` in the settings file, one table for each.

    [[bridge]]
    to = "mqtts://broker.example.com:8883"
    topics = ["iotprocessed out", "iotbutton/+ both"]

The environment cannot hold them: they are lists of tables.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from iot_button.bridge_rules import routes
from iot_button.errors import SettingError

PASSWORD_VARIABLE = "IOT_BUTTON_BRIDGE_PASSWORD"  # noqa: S105 - where it is, not what it is
"""The password of a bridge that the command line names."""

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class BridgeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One bridge from our broker to another one.

    `to`: the other broker: mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS.
    `topics`: what is forwarded: PATTERN [in|out|both [LOCAL-PREFIX [REMOTE-PREFIX]]].
    `name`: names its queue on disk; where it is not given, it is made from host and port.
    `client_id`: our name at the other broker; None: one that is drawn once, and kept.
    `username`, `password`, `password_file`: the account there.
    `ca_file`, `certificate_file`, `key_file`: PEM: whom we believe, and what we show of ourselves.
    `alpn`: what TLS is told that we speak; AWS IoT Core wants `x-amzn-mqtt-ca` on port 443, and is
    told it there without this.
    `queue_size`: messages that may wait on disk, for each direction.
    `message_size`: bytes of payload; a longer message is dropped. (AWS IoT Core takes 131,072.)
    `when_full`: what becomes of the newest when the queue is full: `drop`: it is lost, and counted;
    `hold`: it is not acknowledged, so that the broker that it comes from keeps it, within its own
    limits.
    `retained`: filters, by our broker's names, of what is published retained; None: the status
    topics of buttons and functions. Anything else is an event, and is never retained.
    """

    to: _Text
    topics: Annotated[tuple[_Text, ...], msgspec.Meta(min_length=1)]
    name: str = ""
    client_id: _Text | None = None
    username: _Text | None = None
    password: str | None = None
    password_file: _Text | None = None
    ca_file: _Text | None = None
    certificate_file: _Text | None = None
    key_file: _Text | None = None
    alpn: _Text | None = None
    queue_size: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100_000
    message_size: Annotated[int, msgspec.Meta(ge=1, le=16_777_216)] = 131_072
    when_full: Literal["drop", "hold"] = "drop"
    retained: tuple[_Text, ...] | None = None

    def __repr__(self) -> str:
        return f"BridgeSettings({self.called})"  # no password in a log

    @property
    def url(self) -> SplitResult:
        """The parts of `to`."""
        return urlsplit(self.to)

    @property
    def called(self) -> str:
        """The name, given or made."""
        if self.name:
            return self.name
        host = re.sub(r"[^A-Za-z0-9_-]", "-", self.url.hostname or "")[:50]
        return f"{host}-{self.url.port or (8883 if self.url.scheme == 'mqtts' else 1883)}"


def read_bridge(values: Mapping[str, object]) -> BridgeSettings:
    """Return the settings of one bridge, checked.

    Raises:
        SettingError: naming the key; a value is shown only where it can be no password.
    """
    try:
        bridge = msgspec.convert(values, BridgeSettings, strict=False)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        key = where.strip("`.")
        problem = problem.replace("Object contains unknown field", "there is no setting").replace(
            "Object missing required field", "there must be a setting"
        )
        mend = f"there are: {', '.join(BridgeSettings.__struct_fields__)}" if not key else ""
        raise SettingError(
            "bridge", f"bridge{f'.{key}' if key else ''}: {problem}", mend=mend
        ) from None
    check_bridge(bridge)
    return bridge


def check_bridges(bridges: tuple[BridgeSettings, ...]) -> None:
    """Check what types cannot say of all bridges together, and of each.

    Raises:
        SettingError: naming the key, and what mends it.
    """
    names = set()
    for bridge in bridges:
        check_bridge(bridge)
        if bridge.called in names:
            problem = f"bridge.name: two bridges are called {bridge.called!r}"
            raise SettingError("bridge", problem, mend="give each a name of its own")
        names.add(bridge.called)


def check_bridge(bridge: BridgeSettings) -> None:
    """Check what types cannot say of one bridge; as `check_bridges`."""
    _check_address(bridge)
    if _NAME.fullmatch(bridge.called) is None:
        problem = f"bridge.name = {bridge.called[:70]!r} cannot name a file"
        raise SettingError("bridge", problem, mend="use 1 to 64 of A-Z a-z 0-9 _ -")
    for key in ("client_id", "username", "alpn", "ca_file", "certificate_file", "key_file"):
        value = getattr(bridge, key)
        if value is not None and not value.isprintable():
            raise SettingError("bridge", f"bridge.{key} = {value!r} has a control character")
    _check_account(bridge)
    _check_tls(bridge)
    try:
        routes(bridge.topics)
    except ValueError as error:
        mend = "write PATTERN in|out|both LOCAL-PREFIX REMOTE-PREFIX, such as 'iotprocessed out'"
        raise SettingError("bridge", f"bridge.topics: {error}", mend=mend) from None


def _check_address(bridge: BridgeSettings) -> None:
    shown = re.sub(r"^([a-z]*://)?.*@", r"\1", bridge.to, flags=re.DOTALL | re.IGNORECASE)
    try:
        url = bridge.url
        usable = url.scheme in ("mqtt", "mqtts") and bool(url.hostname) and url.port != 0
        (url.hostname or "").encode("idna")  # a label too long or empty is a ValueError
        usable = usable and not (url.path.strip("/") or url.query or url.fragment)
        usable = usable and bridge.to.isprintable()
    except ValueError:
        usable = False
    if not usable:
        mend = "write mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS"
        raise SettingError("bridge", f"bridge.to: {shown!r} is no broker's address", mend=mend)
    if "@" in url.netloc:
        raise SettingError(
            "bridge",
            f"bridge.to: {shown!r} has an account in it, which lists of processes would show",
            mend="set username and password_file (or the password in the file or the environment)",
        )


def _check_account(bridge: BridgeSettings) -> None:
    if bridge.password is not None and bridge.password_file is not None:
        problem = "bridge.password and bridge.password_file are both set"
        raise SettingError("bridge", problem, mend="keep one")
    if bridge.username is None and (bridge.password or bridge.password_file) is not None:
        problem = "bridge.password stands without a bridge.username"  # MQTT 3.1.1, 3.1.2.9
        raise SettingError("bridge", problem, mend="set username too")


def _check_tls(bridge: BridgeSettings) -> None:
    if bridge.key_file is not None and bridge.certificate_file is None:
        problem = f"bridge.key_file = {bridge.key_file!r} stands without its certificate"
        raise SettingError("bridge", problem, mend="set certificate_file too")
    for key in ("ca_file", "certificate_file", "alpn"):
        if getattr(bridge, key) is not None and bridge.url.scheme != "mqtts":
            problem = f"bridge.{key} has no effect without TLS"
            raise SettingError("bridge", problem, mend="write to = 'mqtts://HOST:PORT'")
