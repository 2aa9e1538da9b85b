"""Telling the local network where the broker is: mDNS service discovery (RFC 6762, RFC 6763)."""

import asyncio
import contextlib
import importlib.util
import ipaddress
import logging
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Self

from broker import machine_names
from broker.mosquitto_configuration import address_of
from iot_button.errors import IotButtonError, SettingError, StopTimeoutError

if TYPE_CHECKING:
    from zeroconf import ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

log = logging.getLogger(__name__)

PLAIN: Final = "_mqtt._tcp.local."
SECURE: Final = "_secure-mqtt._tcp.local."
_LOOK: Final = 10.0
"""Seconds between two looks at the addresses: a lease ends, and at boot there may be none yet."""
_STOP_TIMEOUT: Final = 3.0
_LONGEST_NAME: Final = 58
"""Bytes of an instance's name: RFC 6763 allows 63, and `-2` to `-9999` may have to be added."""


class Announcement:
    """Announces the broker, from `with` to the end of its block, on a thread of its own.

    It takes about a second until others see it, and nobody waits for that. When the addresses of
    this machine change, it is announced anew. What fails is logged, and tried again.

    Args:
        name: what people see; a number is added where another broker has it already.
        host: what the broker listens on.
        port: its MQTT port.
        tls_port: its MQTT port with TLS; None: it has none.
        interfaces: addresses to speak mDNS on, and to announce; None: those that are listened on.

    Raises:
        SettingError: the broker listens on loopback, where nobody else finds it.
        IotButtonError: zeroconf is not installed, or `host` is no address.
        StopTimeoutError: it did not stop within 3 s.
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
        self._address = ipaddress.ip_address(address_of(host))
        if self._address.is_loopback and interfaces is None:
            raise SettingError(
                "broker.announce",
                f"broker.announce: the broker listens on {host}, where no other machine reaches it",
                mend="make an account (iot-button account add NAME --admin), and set broker.host "
                "to this machine's address, or to 0.0.0.0",
            )
        if importlib.util.find_spec("zeroconf") is None:
            raise IotButtonError(
                "zeroconf is not installed, which announcing the broker needs",
                mend="install it: pip install 'iot-button[discovery]'",
            )
        self._name = _instance_name(name)
        self._ports = {PLAIN: port} | ({SECURE: tls_port} if tls_port is not None else {})
        self._interfaces = interfaces
        self._problem = ""

    def __enter__(self) -> Self:
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="mdns", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_TIMEOUT)
        if self._thread.is_alive():
            raise StopTimeoutError("the announcement of the broker", _STOP_TIMEOUT)
        self._loop.close()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._keep())
        except Exception:  # on a thread of its own nobody else would hear of it
            log.exception("the broker is announced no longer")

    async def _keep(self) -> None:
        while not self._stop.is_set():
            addresses = self._reachable()
            try:
                zeroconf = _zeroconf(addresses)
            except (OSError, RuntimeError) as error:
                self._say(f"the broker cannot be announced: {error}")
                await self._pause()
                continue
            announcing = asyncio.create_task(self._announce(zeroconf, addresses))
            try:
                while not self._stop.is_set() and self._reachable() == addresses:
                    await self._pause()
            finally:
                announcing.cancel()
                await zeroconf.async_close()  # which takes the announcement back

    async def _announce(self, zeroconf: "AsyncZeroconf", addresses: list[str]) -> None:
        from zeroconf import Error

        services = (self._service(kind, port, addresses) for kind, port in self._ports.items())
        try:
            await asyncio.gather(*(_register(zeroconf, one) for one in services))
        except Error as error:
            self._say(f"the broker cannot be announced: {error!r}")

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), _LOOK)

    def _say(self, problem: str) -> None:
        """Log a problem once, not each time that the same is tried again."""
        if problem != self._problem:
            self._problem = problem
            log.warning("%s", problem)

    def _service(self, kind: str, port: int, addresses: list[str]) -> "ServiceInfo":
        from zeroconf import ServiceInfo

        properties = {"version": version("iot-button"), "protocol": "3.1.1"}
        if SECURE in self._ports:
            properties["tls"] = str(self._ports[SECURE])
        return ServiceInfo(
            kind,
            f"{self._name}.{kind}",
            port=port,
            parsed_addresses=addresses,
            properties=properties,
            server=f"{machine_names.host_name()}.local.",  # as in its certificate
        )

    def _reachable(self) -> list[str]:
        """Return the addresses of this machine at which the broker can be reached by others."""
        if self._interfaces is not None:
            return [*self._interfaces]
        if not self._address.is_unspecified:
            return [str(self._address)]
        # `0.0.0.0` is IPv4 alone, and `::` is both.
        return [str(a) for a in machine_names.addresses() if a.version <= self._address.version]


def _zeroconf(addresses: list[str]) -> "AsyncZeroconf":
    """Return what speaks mDNS on the interfaces of addresses, with IPv6 where there is no IPv4."""
    from zeroconf.asyncio import AsyncZeroconf

    if not addresses:
        raise OSError("this machine has no address but loopback's own; looking again")
    of_v4 = [one for one in addresses if ipaddress.ip_address(one).version == 4]
    return AsyncZeroconf(interfaces=[*(of_v4 or addresses)])


async def _register(zeroconf: "AsyncZeroconf", service: "ServiceInfo") -> None:
    await (await zeroconf.async_register_service(service, allow_name_change=True))


def _instance_name(name: str) -> str:
    """Return a name as one label: RFC 6763, section 4.1.1. A dot would begin another one."""
    kept = "".join(" " if one == "." else one for one in name if one.isprintable())
    return kept.encode()[:_LONGEST_NAME].decode(errors="ignore").strip() or "iot-button"
