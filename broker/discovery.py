"""Telling the local network where the broker is: mDNS service discovery (RFC 6762, RFC 6763)."""

import ipaddress
import logging
import socket
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Self

from broker import machine_names
from iot_button.errors import IotButtonError, SettingError
from iot_button.settings import is_loopback

if TYPE_CHECKING:
    from zeroconf import ServiceInfo

log = logging.getLogger(__name__)

PLAIN: Final = "_mqtt._tcp.local."
SECURE: Final = "_secure-mqtt._tcp.local."


class Announcement:
    """Announces the broker, from `with` to the end of its block.

    Args:
        name: what people see; a number is added where another broker has it already.
        host: the address that the broker listens on.
        port: its MQTT port.
        tls_port: its MQTT port with TLS; None: it has none.
        interfaces: addresses to speak mDNS on; None: all of this machine's.

    Raises:
        SettingError: the broker listens on loopback, where nobody else finds it.
        IotButtonError: zeroconf is not installed.
    """

    def __init__(
        self,
        *,
        name: str,
        host: str,
        port: int,
        tls_port: int | None = None,
        interfaces: Sequence[str] | None = None,
    ) -> None:
        if is_loopback(host) and interfaces is None:
            raise SettingError(
                "broker.announce",
                f"broker.announce: the broker listens on {host}, where no other machine reaches it",
                mend="make an account (iot-button account add NAME --admin), and set broker.host "
                "to this machine's address, or to 0.0.0.0",
            )
        try:
            import zeroconf  # noqa: F401 - looked for now, not when the broker is up
        except ImportError as error:
            raise IotButtonError(
                "zeroconf is not installed, which announcing the broker needs",
                mend="install it: pip install 'iot-button[discovery]'",
            ) from error
        self._name = name
        self._host = host
        self._ports = {PLAIN: port} | ({SECURE: tls_port} if tls_port is not None else {})
        self._interfaces = interfaces

    def __enter__(self) -> Self:
        from zeroconf import InterfaceChoice, NonUniqueNameException, Zeroconf

        interfaces = InterfaceChoice.All if self._interfaces is None else [*self._interfaces]
        try:
            self._zeroconf: Zeroconf = Zeroconf(interfaces=interfaces)
        except OSError as error:
            raise IotButtonError(f"mDNS cannot be spoken here: {error.strerror}") from error
        try:
            for kind, port in self._ports.items():
                self._zeroconf.register_service(
                    self._service(kind, port), allow_name_change=True, cooperating_responders=False
                )
        except NonUniqueNameException as error:
            self._zeroconf.close()
            raise IotButtonError(f"another machine answers for {self._name} already") from error
        except BaseException:
            self._zeroconf.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._zeroconf.unregister_all_services()
        self._zeroconf.close()

    def _service(self, kind: str, port: int) -> "ServiceInfo":
        from zeroconf import ServiceInfo

        return ServiceInfo(
            kind,
            f"{self._name}.{kind}",
            port=port,
            parsed_addresses=self._addresses(),
            properties={"version": version("iot-button"), "protocol": "3.1.1"},
            server=f"{machine_names.host_name()}.local.",
        )

    def _addresses(self) -> list[str]:
        if self._interfaces is not None:
            return [*self._interfaces]
        try:
            is_everywhere = ipaddress.ip_address(self._host).is_unspecified
        except ValueError:
            return [socket.gethostbyname(self._host)]
        return [str(one) for one in machine_names.addresses()] if is_everywhere else [self._host]
