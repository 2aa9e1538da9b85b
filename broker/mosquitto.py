"""The same broker settings, carried out by a mosquitto child process."""

import contextlib
import ipaddress
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from broker.listening import port_of
from broker.mosquitto_child import MosquittoChild
from broker.mosquitto_configuration import Listeners, address_of
from broker.mosquitto_files import AccessTexts, Accounts, Certificates, Change, MosquittoFiles
from broker.mosquitto_sockets import accepts, bind_free, is_open_to_all
from iot_button.errors import IotButtonError, StopTimeoutError

log = logging.getLogger(__name__)

START_TIMEOUT = 5.0
_STOP_TIMEOUT = 3.0
_LOOK = 0.3
"""Seconds between two looks at accounts and certificates: who is removed is out within one."""
_CALM = 5.0
"""Seconds from one start to the next where someone is new: a hundred new buttons are few starts."""


def find_program() -> str:
    """Return mosquitto's path. Debian keeps it in /usr/sbin, which is not on a user's PATH.

    Raises:
        IotButtonError: it is not installed; the message says what installs it.
    """
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise IotButtonError(
            "mosquitto is not installed",
            mend="install it: sudo apt install mosquitto, or leave --broker out: "
            "the broker of our own needs nothing",
        )
    return path


def _no_accounts() -> AccessTexts | None:
    return None


class MosquittoBroker:
    """A mosquitto child process, from `with` to the end of its block.

    Changed accounts and certificates reach it within a second, by a start anew that ends all
    connections for a moment. SIGHUP would do with less, and 2.0.11 then drops what it acknowledges
    for each session that it has from disk and whose client has not been back (seen), goes on with
    who has come in with a certificate that is revoked since, and shows the old one to browsers.

    Args:
        host: the address to listen on.
        port: for MQTT; 0 picks a free one, and the attribute then holds it.
        websocket_port: for MQTT over WebSocket; likewise.
        tls_port, websocket_tls_port: likewise with TLS; None: not at all.
        directory: where its configuration and its database lie; made when missing.
        accounts: reads who may come in; without accounts, everyone on loopback may.
        certificates: for the ports with TLS.
        on_failure: called, on a thread, when mosquitto ends without being told to.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        websocket_port: int,
        directory: Path,
        tls_port: int | None = None,
        websocket_tls_port: int | None = None,
        accounts: Accounts = _no_accounts,
        certificates: Certificates | None = None,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self.host = host
        self.port = port
        self.websocket_port = websocket_port
        self.tls_port = tls_port
        self.websocket_tls_port = websocket_tls_port
        self._files = MosquittoFiles(directory, accounts=accounts, certificates=certificates)
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._started_at = 0.0
        self._keeper = threading.Thread(target=self._keep_up, name="mosquitto", daemon=True)

    def __enter__(self) -> Self:
        self._program = find_program()
        self._listeners = self._pick_ports()
        self._files.write(self._listeners)
        self._child = self._start()
        self._keeper.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self, timeout: float = _STOP_TIMEOUT) -> None:
        """Let mosquitto write its database and end.

        Raises:
            StopTimeoutError: it had to be killed after `timeout` seconds.
        """
        self._stopping.set()
        self._keeper.join()  # it may be at a restart, which takes the child's own time
        self._child.end(timeout)

    def _pick_ports(self) -> Listeners:
        """Return free ports. mosquitto cannot tell which one it took: we pick, let go, name it."""
        address = address_of(self.host)
        wanted = Listeners(
            address=address,
            port=self.port,
            websocket_port=self.websocket_port,
            tls_port=self.tls_port,
            websocket_tls_port=self.websocket_tls_port,
        )
        with contextlib.ExitStack() as stack:
            bound = {
                setting.removeprefix("broker."): port_of(
                    stack.enter_context(bind_free(self.host, port, setting=setting))
                )
                for setting, port in wanted.all()
            }
        for attribute, port in bound.items():
            setattr(self, attribute, port)
        return Listeners(address=address, **bound)

    def _start(self) -> MosquittoChild:
        child = MosquittoChild(
            self._program,
            self._files.configuration,
            stopping=self._stopping,
            on_failure=self._on_failure,
        )
        try:
            self._wait_until_it_answers(child)
        except BaseException:
            child.end(_STOP_TIMEOUT)
            raise
        self._files.are_read()
        self._started_at = time.monotonic()
        return child

    def _wait_until_it_answers(self, child: MosquittoChild) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        host = _near(self._listeners.address)
        for setting, port in self._listeners.all():
            while not accepts(host, port) and not self._stopping.is_set():
                if (status := child.status) is not None:
                    raise IotButtonError(
                        f"mosquitto did not start (status {status}); its reason is above"
                    )
                if time.monotonic() > deadline:
                    raise IotButtonError(f"mosquitto does not answer on port {port}")
                time.sleep(0.01)
            if not _is_everywhere(self._listeners.address) and is_open_to_all(port):
                raise IotButtonError(
                    f"mosquitto listens on port {port} at every address, not at {host} alone "
                    f"as {setting} asks",
                    mend="leave --broker out: the broker of our own listens where it is told",
                )

    def _keep_up(self) -> None:
        """Start mosquitto anew after a change. What cannot be read leaves all as it was."""
        said = ""
        while not self._stopping.wait(_LOOK):
            try:
                change = self._files.write(self._listeners)
                said = ""
            except (IotButtonError, OSError) as error:
                if str(error) != said:  # once, not each time
                    said = str(error)
                    log.error("accounts and certificates stay as they were: %s", error)
                continue
            is_calm = time.monotonic() - self._started_at >= _CALM
            if change is Change.NOW or (change is Change.SOON and is_calm):
                self._start_anew()

    def _start_anew(self) -> None:
        log.info("accounts or certificates have changed: mosquitto is started anew")
        try:
            with contextlib.suppress(StopTimeoutError):  # killed, and gone
                self._child.end(_STOP_TIMEOUT)
            self._child = self._start()
        except IotButtonError as error:
            log.error("mosquitto could not be started anew: %s", error)
            self._on_failure()


def _is_everywhere(address: str) -> bool:
    return ipaddress.ip_address(address).is_unspecified


def _near(address: str) -> str:
    """Return where we ourselves reach who listens at an address."""
    if not _is_everywhere(address):
        return address
    return "::1" if ":" in address else "127.0.0.1"
