"""mosquitto.conf from the settings (mosquitto.conf(5), version 2.0). Nothing here touches disk."""

import ipaddress
import os
import pwd
import socket
from dataclasses import dataclass
from pathlib import Path

from broker.listening import MAX_PACKET_BYTES
from broker.tls import CertificateFiles
from iot_button.errors import IotButtonError

MAX_INFLIGHT = 20
"""Messages on their way to one client. mosquitto 2.0.11 drops a publisher's QoS 2 beyond it:
`Settings.handshakes` stays below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Where a broker listens. `address`: an IP address; the ports with TLS: None: not at all."""

    address: str
    port: int
    websocket_port: int
    tls_port: int | None = None
    websocket_tls_port: int | None = None

    def all(self) -> list[tuple[str, int]]:
        """Return each port with its setting's name."""
        ports = (
            ("broker.port", self.port),
            ("broker.websocket_port", self.websocket_port),
            ("broker.tls_port", self.tls_port),
            ("broker.websocket_tls_port", self.websocket_tls_port),
        )
        return [(setting, port) for setting, port in ports if port is not None]

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine comes near."""
        return ipaddress.ip_address(self.address).is_loopback

    @property
    def for_websockets(self) -> str:
        """The address as mosquitto's WebSocket listeners need it.

        mosquitto 2.0.11 listens everywhere where it is told an IPv4 address, and exactly there
        where that is written as IPv6 (RFC 4291, section 2.5.5.2), also on a machine without IPv6
        addresses (seen).
        """
        is_v4 = ipaddress.ip_address(self.address).version == 4
        return f"::ffff:{self.address}" if is_v4 else self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFiles:
    """The files that say who may come in (mosquitto_passwd(1)), and who may use which topic."""

    passwords: Path
    access: Path


def address_of(host: str) -> str:
    """Return the one IP address that a host name or address stands for.

    Raises:
        IotButtonError: it stands for none.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise IotButtonError(f"broker.host = {host!r} is no address: {error.strerror}") from error
    return str(found[0][4][0])


def configuration(
    *,
    listeners: Listeners,
    data: Path,
    access: AccessFiles | None,
    certificates: CertificateFiles | None,
) -> str:
    """Return mosquitto.conf.

    Args:
        listeners: where to listen.
        data: the folder for its database.
        access: None: let everyone in, which fits loopback alone.
        certificates: for the ports with TLS.
    """
    parts = [_HEAD, _access(access), _listeners(listeners, certificates), _queues(data), _LOG]
    return "\n".join(parts)


_HEAD = """\
# Written by iot-button; it writes it anew, and changes are lost.
per_listener_settings false
"""

_LOG = """\
log_dest stderr
log_timestamp false
log_type error
log_type warning
"""


def _access(files: AccessFiles | None) -> str:
    if files is None:
        who = "# No accounts: everyone is let in, and only loopback is listened on.\n"
        who += "allow_anonymous true\n"
    else:
        who = f"allow_anonymous false\npassword_file {files.passwords}\nacl_file {files.access}\n"
    # As root mosquitto would change to a user that cannot read and write here.
    return f"{who}user {pwd.getpwuid(os.getuid()).pw_name}\n"


def _listeners(listeners: Listeners, certificates: CertificateFiles | None) -> str:
    plain = f"""\
listener {listeners.port} {_for_mqtt(listeners.address)}

# Written as IPv6: mosquitto 2.0.11 listens for WebSockets everywhere otherwise.
listener {listeners.websocket_port} {listeners.for_websockets}
protocol websockets
"""
    if certificates is None:
        return plain
    server = f"certfile {certificates.server}\nkeyfile {certificates.key}\ntls_version tlsv1.2\n"
    parts = [plain]
    if listeners.tls_port is not None:
        parts.append(f"""\
# A certificate of ours is asked for, and its common name is the account.
listener {listeners.tls_port} {_for_mqtt(listeners.address)}
{server}cafile {certificates.ca}
crlfile {certificates.crl}
require_certificate true
use_identity_as_username true
""")
    if listeners.websocket_tls_port is not None:
        parts.append(f"""\
# Pages have accounts, and no certificates.
listener {listeners.websocket_tls_port} {listeners.for_websockets}
protocol websockets
{server}""")
    return "\n".join(parts)


def _for_mqtt(address: str) -> str:
    """Return what listens at an address; `::` is everywhere, as for WebSockets: thus nothing."""
    return "" if address == "::" else address


def _queues(data: Path) -> str:
    return f"""\
# Nagle's algorithm costs 44 ms a message.
set_tcp_nodelay true
# The default queue of 1,000 drops acknowledged messages of a client that is away or slow.
# Not 0, which means no limit too: with 0, 2.0.11 hangs up after each publish that is not allowed.
max_queued_messages 1000000000
# Its default; the function runtime has fewer handshakes (QoS 2) than this open at a time.
max_inflight_messages {MAX_INFLIGHT}

# Sessions and waiting messages are on disk at each change. That writes what waits anew for each
# message: good for some 500 clicks/s, and less while many wait. To save once a second is faster
# and loses, when mosquitto is killed, what was acknowledged within it (both measured).
persistence true
persistence_location {data}/
autosave_on_changes true
autosave_interval 1
# A session that nobody came back to is not kept for ever.
persistent_client_expiration 2m
max_packet_size {MAX_PACKET_BYTES}
# Seconds between two rounds of $SYS topics.
sys_interval 10
"""
