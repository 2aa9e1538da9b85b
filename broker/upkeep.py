"""What a broker does from time to time: hear of changed accounts, count, renew, and tidy up."""

import asyncio
import logging
import ssl
from typing import Final, Protocol

from broker.gate.gate import Gate
from broker.sys_topics import SysTopics
from iot_button.errors import IotButtonError

log = logging.getLogger(__name__)

_DOOR: Final = 0.3
"""Seconds: an account that is removed is out within one."""
_FIGURES: Final = 10.0
"""Seconds, as mosquitto's sys_interval."""
_HOUR: Final = 3600.0


class Certificates(Protocol):
    """The server's own certificate, and what clients' are checked against."""

    @property
    def context(self) -> ssl.SSLContext:
        """What listeners speak TLS with; the same one for as long as it lives."""
        ...

    @property
    def websocket_context(self) -> ssl.SSLContext:
        """The same for WebSockets, which asks for no certificate: a page has none."""
        ...

    def is_revoked(self, der: bytes) -> bool:
        """Whether a client's certificate was taken back."""
        ...

    def refresh(self) -> bool:
        """Renew what is due, and hear of revoked certificates; whether anything has changed."""
        ...


async def look_after(gate: Gate, certificates: Certificates | None) -> None:
    """Do all of it, each in its time, until cancelled."""
    clock = asyncio.get_running_loop().time
    topics = SysTopics(gate.figures)
    figures_due, tidy_due = clock(), clock()
    while True:
        refresh(gate, certificates)
        if clock() >= figures_due:
            figures_due += _FIGURES
            for topic, payload in topics.changes():
                gate.publish(topic, payload, qos=0, retain=True)
        if clock() >= tidy_due:
            tidy_due += _HOUR
            gate.sessions.forget_old(days=gate.limits.session_days)
        await asyncio.sleep(_DOOR)


def refresh(gate: Gate, certificates: Certificates | None) -> None:
    """Hear of changed accounts and certificates. What cannot be read leaves all as it was."""
    try:
        has_changed = gate.door.refresh()
        if certificates is not None:
            has_changed = certificates.refresh() or has_changed
        if has_changed:
            gate.dismiss_unwelcome()
    except (IotButtonError, OSError, ssl.SSLError) as error:
        log.error("accounts and certificates stay as they were: %s", error)
