"""paho's client as we set it up, for a connection of either kind."""

import functools
import ssl

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

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
) -> paho.Client:
    """Return a client that has the address's account and certificates, not yet connected.

    Raises:
        SettingError: when the CA file cannot be used.
    """
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=clean_session,
        manual_ack=acknowledge_by_hand,
    )
    client.connect_timeout = timeout
    if will is not None:
        client.will_set(will.topic, will.payload, qos=1, retain=True)
    if address.username is not None:
        client.username_pw_set(address.username, address.password)
    if address.tls:
        try:
            client.tls_set_context(_tls_context(address.ca_file))
        except OSError as error:  # ssl.SSLError is one too
            raise SettingError(
                "broker.ca_file",
                f"broker.ca_file = {address.ca_file!r} cannot be used: {error}",
            ) from error
    return client


@functools.lru_cache(maxsize=4)
def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return what all clients share: the CA certificates, which take a megabyte each time."""
    return ssl.create_default_context(cafile=ca_file)
