"""What settings must be that their types cannot say."""

import ipaddress
import operator
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from iot_button.bridge_settings import check_bridges
from iot_button.errors import SettingError
from iot_button.events import SERIAL_NUMBER
from iot_button.settings import Settings, is_loopback, known_names

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
"""A host's name: RFC 1123, section 2.1, and `_`, which home routers give."""


def check(settings: Settings) -> None:
    """Check what types cannot say.

    Raises:
        SettingError: naming the setting, its value and the mend.
    """
    for name, value in _texts(settings):
        if not value.isprintable():  # a line break would be another line of mosquitto.conf
            raise SettingError(name, f"{name} = {value!r} has a control character")
    settings.topic_names.click("")  # a bad prefix raises
    _check_serial_number(settings.device.serial_number)
    _check_names("broker.names", settings.broker.names)
    _check_names("dashboard.names", settings.dashboard.names)
    _check_key(settings)
    check_bridges(settings.bridge)
    use = settings.broker.use
    if settings.broker.is_external:
        _check_address(use)
    elif use not in ("amqtt", "mosquitto"):
        raise SettingError(
            "broker.use",
            f"the broker {_without_account(use)!r} is not known",
            mend="use amqtt, mosquitto, or the address of one that runs: mqtt://HOST:PORT",
        )
    _check_loopback("functions.host", settings.functions.host)


def _texts(settings: Settings) -> Iterator[tuple[str, str]]:
    for name in known_names():
        value = operator.attrgetter(name)(settings)
        if isinstance(value, str):
            yield name, value


def _check_address(use: str) -> None:
    try:
        url = urlsplit(use)
        usable = url.scheme in ("mqtt", "mqtts") and bool(url.hostname) and url.port != 0
        (url.hostname or "").encode("idna")  # a label too long or empty is a ValueError
        usable = usable and not (url.path.strip("/") or url.query or url.fragment)
    except ValueError:
        usable = False
    if not usable:
        raise SettingError(
            "broker.use",
            f"{_without_account(use)!r} is no broker's address",
            mend="write mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS",
        )


def _without_account(use: str) -> str:
    """Cut whatever may be a password, also in an address that breaks the form of one."""
    return re.sub(r"^([a-z]*://)?.*@", r"\1", use, flags=re.DOTALL | re.IGNORECASE)


def _check_serial_number(serial_number: str | None) -> None:
    if serial_number is not None and SERIAL_NUMBER.fullmatch(serial_number) is None:
        raise SettingError(
            "device.serial_number",
            f"device.serial_number = {serial_number[:70]!r} is no serial number",
            mend="use 1 to 64 of A-Z a-z 0-9 _ -",
        )


def _check_names(setting: str, names: tuple[str, ...]) -> None:
    for name in names:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            if HOST_NAME.fullmatch(name) is None:
                part = setting.partition(".")[0]
                raise SettingError(
                    setting,
                    f"{setting}: {name[:70]!r} is no host name and no address",
                    mend=f"write names as clients do: {part}.example.com, 192.0.2.7",
                ) from None


def _check_key(settings: Settings) -> None:
    for section in ("broker", "dashboard"):
        part = getattr(settings, section)
        if part.key_file is not None and part.certificate_file is None:
            raise SettingError(
                f"{section}.key_file",
                f"{section}.key_file = {part.key_file!r} stands without its certificate",
                mend=f"set {section}.certificate_file too",
            )
    ours = settings.dashboard
    if ours.certificate_file is not None and ours.key_file is None:
        raise SettingError(
            "dashboard.certificate_file",
            f"dashboard.certificate_file = {ours.certificate_file!r} stands without its key",
            mend="set dashboard.key_file too",
        )
    if ours.server == "gunicorn" and ours.has_tls:
        raise SettingError(
            "dashboard.server",
            "dashboard.server = 'gunicorn' has no TLS",
            mend="put a proxy with TLS before it, and set dashboard.proxies = 1; or use werkzeug",
        )


def _check_loopback(name: str, host: str) -> None:
    if is_loopback(host):
        return
    raise SettingError(
        name,
        f"{name} = {host!r} is beyond loopback, where everyone on the network could press buttons",
        mend="keep 127.0.0.1; to reach it from elsewhere, use a broker that has accounts "
        "(--broker mqtts://HOST:PORT) or an SSH tunnel",
    )
