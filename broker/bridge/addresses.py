"""Where a bridge's other broker is, and who we are there, read from its settings."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from iot_button.bridge_rules import overlap, routes
from iot_button.bridge_settings import PASSWORD_VARIABLE, BridgeSettings
from iot_button.errors import SettingError
from iot_button.settings import BrokerAddress, Settings

AWS_ALPN = "x-amzn-mqtt-ca"
"""What AWS IoT Core must be told on port 443 ("Device communication protocols" in its guide)."""
_AWS = (".amazonaws.com", ".amazonaws.com.cn")


def remote_address(bridge: BridgeSettings) -> BrokerAddress:
    """Return the other broker's address, with account, certificate and ALPN.

    Raises:
        SettingError: the password file cannot be read.
    """
    url = bridge.url
    host, tls = url.hostname or "", url.scheme == "mqtts"
    port = url.port or (8883 if tls else 1883)
    is_aws = tls and port == 443 and host.lower().endswith(_AWS)
    return BrokerAddress(
        host=host,
        port=port,
        tls=tls,
        username=bridge.username,
        password=_password(bridge),
        ca_file=bridge.ca_file,
        certificate_file=bridge.certificate_file,
        key_file=bridge.key_file,
        alpn=bridge.alpn or (AWS_ALPN if is_aws else None),
        section="bridge",
    )


def check_elsewhere(bridge: BridgeSettings, settings: Settings) -> None:
    """Refuse a bridge from our broker to itself whose messages would come back to it.

    Raises:
        SettingError: as it says.
    """
    ours, there = settings.broker.address, remote_address(bridge)
    ports = {ours.port} if settings.broker.is_external else {ours.port, settings.broker.tls_port}
    if _name(there.host) != _name(ours.host) or there.port not in ports:
        return
    if settings.broker.is_external and there.username != ours.username:
        return  # accounts of some brokers have topics of their own: RabbitMQ's virtual hosts
    found = routes(bridge.topics)
    if any(overlap(one.target, other.source) for one in found for other in found):
        raise SettingError(
            "bridge",
            f"bridge.to: {there} is our own broker: what is forwarded would arrive where it "
            "came from",
            mend="name another broker, or give it prefixes: 'PATTERN out LOCAL/ REMOTE/'",
        )


def _name(host: str) -> str:
    return "127.0.0.1" if host.lower() == "localhost" else host.lower()


def with_password_from(environ: Mapping[str, str], bridge: BridgeSettings) -> BridgeSettings:
    """Return a bridge of the command line, with the password that the environment holds."""
    password = environ.get(PASSWORD_VARIABLE)
    if password is None or bridge.password_file is not None:
        return bridge
    return msgspec.structs.replace(bridge, password=password)


def _password(bridge: BridgeSettings) -> str | None:
    if bridge.password_file is None:
        return bridge.password
    try:
        text = Path(bridge.password_file).read_text()
    except (OSError, ValueError) as error:
        problem = f"bridge.password_file = {bridge.password_file!r} cannot be read: {error}"
        raise SettingError("bridge", problem) from error
    return text.rstrip("\r\n")
