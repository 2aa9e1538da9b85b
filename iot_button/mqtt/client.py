"""paho's client as we set it up, for a connection of either kind."""

import functools
import ssl

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from iot_button.errors import SettingError
from iot_button.messages import Will
from iot_button.settings import BrokerAddress

CONNECT_TIMEOUT = 3.0  # nothing interrupts an attempt, and a stop may take 5 s in all
RECONNECT_SOONEST = 0.2
RECONNECT_LATEST = 5.0


def new_client(
    address: BrokerAddress,
    client_id: str,
    *,
    clean_session: bool,
    acknowledge_by_hand: bool = False,
    will: Will | None = None,
    timeout: float = CONNECT_TIMEOUT,
    is_5: bool = False,
) -> paho.Client:
    """Return a client that has the address's account and certificates, not yet connected.

    `clean_session` is MQTT 3.1.1's; with MQTT 5 (`is_5`), `connect_async` takes the like of it.

    Raises:
        SettingError: when the CA file, or the client's certificate or key, cannot be used.
    """
    if not address.port:
        raise SettingError(
            f"{address.section}.port",
            f"{address.section}.port = 0 lets a broker pick a port, and is none to connect to",
            mend="name the one of its ready line: --broker mqtt://127.0.0.1:PORT",
        )
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=None if is_5 else clean_session,
        protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
        manual_ack=acknowledge_by_hand,
    )
    client.connect_timeout = timeout
    if will is not None:
        client.will_set(will.topic, will.payload, qos=1, retain=True)
    if address.username is not None:
        client.username_pw_set(address.username, address.password)
    if address.tls:
        client.tls_set_context(
            _tls_context(
                address.ca_file,
                address.certificate_file,
                address.key_file,
                address.alpn,
                address.section,
            )
        )
    return client


@functools.lru_cache(maxsize=4)
def _tls_context(
    ca_file: str | None,
    certificate_file: str | None,
    key_file: str | None,
    alpn: str | None,
    section: str,
) -> ssl.SSLContext:
    """Return what all clients share: the CA certificates, which take a megabyte each time."""
    key = f"{section}.ca_file"
    shown = f"{key} = {ca_file!r}"
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if certificate_file is not None:
            key = f"{section}.certificate_file" if key_file is None else f"{section}.key_file"
            shown = f"{section}.certificate_file = {certificate_file!r}"
            if key_file is not None:
                shown += f" with {section}.key_file = {key_file!r}"
            context.load_cert_chain(certificate_file, key_file, _no_password)
        if alpn is not None:
            context.set_alpn_protocols([alpn])
    except OSError as error:  # ssl.SSLError is one too
        raise SettingError(key, f"{shown} cannot be used: {error}") from error
    return context


def _no_password() -> str:
    """Answer for a key that is encrypted: otherwise OpenSSL asks at the terminal, and waits."""
    raise OSError("the key is encrypted: write it out without a password")
