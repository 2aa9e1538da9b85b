"""The gate: all clients of the broker, what they may do, and where their messages go."""

import asyncio
import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Final

from broker.door import Door, Guest, RefusedError
from broker.figures import Figures
from broker.gate import packets
from broker.gate.arrivals import Arrivals
from broker.gate.client import Client
from broker.gate.doorstep import Doorstep
from broker.gate.journal import Journal
from broker.gate.limits import Limits
from broker.gate.link import Link
from broker.gate.router import Router
from broker.gate.session import MOST_QUEUED, Session
from broker.gate.sessions import Sessions
from broker.gate.turns import Turns

log = logging.getLogger(__name__)

_MOST_LEVELS: Final = 20_000
"""Levels of all topic filters of one session: each takes memory, and time with each message."""
_MOST_RETAINED: Final = 200_000


class Gate:
    """Everyone who is here, and everyone who will come back."""

    def __init__(
        self, *, journal: Journal, door: Door, figures: Figures, limits: Limits, turns: Turns
    ) -> None:
        self.journal = journal
        self.door = door
        self.figures = figures
        self.limits = limits
        self.arrivals = Arrivals(figures=figures, limits=limits)
        self.turns = turns
        self._router = Router(self._on_broadcast, turns)
        self.sessions = Sessions(self._router, journal, figures)
        self._clients: set[Client] = set()
        self._warned: set[tuple[str | None, str]] = set()

    async def start(self, hold: Mapping[str, str]) -> None:
        """Take up what the journal has kept.

        Args:
            hold: topic filters by client id: these have a session from the start on, so that
                nothing that comes before their first connection is acknowledged and lost.
        """
        await self._router.start()
        await self.sessions.restore()
        self._forget_strangers()
        log.debug(
            "taken up: %d sessions, %d messages that wait, %d retained",
            self.figures.sessions,
            self.figures.queued,
            self.figures.retained,
        )
        for client_id, topic_filter in hold.items():
            if self.sessions.find(client_id) is None:
                session = self.sessions.make(client_id, owner=None, is_kept=True)
                session.left_at = time.time()
                self.sessions.subscribe(session, topic_filter, 1)

    async def stop(self) -> None:
        """Disconnect everyone. No will is published: it is the broker that goes (3.14.4)."""
        self.arrivals.dismiss_all()
        await self._router.shutdown()

    def talker(self, link: Link, *, doorstep: Doorstep | None = None) -> Client:
        """Begin to speak with one who has connected; `doorstep`: where it has been until now."""
        if doorstep is None:
            timeout = self.limits.connect_timeout
            client = Client(self, link, deadline=asyncio.get_running_loop().time() + timeout)
            self._clients.add(client)
            self.arrivals.came(client)
        else:
            client = Client(self, link, deadline=doorstep.deadline)
            self._clients.add(client)
            doorstep.taken_over(client)
        return client

    def left(self, client: Client) -> None:
        """Hear that a connection has ended."""
        self._clients.discard(client)
        self.arrivals.left(client)

    def dismiss_unwelcome(self) -> None:
        """Disconnect those whose account is gone, or another by now."""
        for client in list(self._clients):
            if client.guest is None:
                continue
            if not self.door.is_welcome(client.guest):
                client.end("account revoked")
            elif client.is_revoked:
                client.end("certificate revoked")
        self._forget_strangers()

    def _forget_strangers(self) -> None:
        """Forget the sessions of accounts that are gone: nobody may come back to them."""
        for session in self.sessions.all():
            if session.owner is not None and not self.door.knows(session.owner):
                self.sessions.forget(session)

    def seat(self, guest: Guest, connect: packets.Connect) -> tuple[Session, bool]:
        """Find or make the session for one who is let in; return it, and whether it was there.

        Raises:
            RefusedError: its client id is not for this guest.
        """
        if not connect.client_id and not connect.clean_session:
            raise RefusedError(packets.IDENTIFIER_REJECTED, "no client id")  # 3.1.3-8
        client_id = connect.client_id or f"auto-{secrets.token_hex(8)}"
        old = self.sessions.find(client_id)
        if old is not None:
            self._check_owner(old, guest)
            if old.line is not None:
                old.line.end("taken over")  # 3.1.4-2
                old = self.sessions.find(client_id)
        if old is not None and (connect.clean_session or not _may_have(guest, old)):
            self.sessions.forget(old)
            old = None
        if old is None:
            kept = not connect.clean_session
            most = self.limits.button_sessions if guest.is_button else self.limits.sessions
            if kept and self.sessions.kept_by(guest.name) >= most:
                raise RefusedError(packets.UNAVAILABLE, "too many sessions")
            return self.sessions.make(client_id, owner=guest.name, is_kept=kept), False
        self.sessions.give(old, guest.name)
        return old, True

    def _check_owner(self, session: Session, guest: Guest) -> None:
        """Keep others from a session: by its client id alone it could be silenced, or read.

        One of a time without accounts goes to whoever may read all of it.
        """
        if guest.name in (session.owner, None):  # None: the door is open
            return
        if session.owner is None and all(map(guest.may_subscribe, session.subscriptions)):
            return
        log.warning(
            "refused account %r the client id %r: it has a session of account %r",
            guest.name,
            session.client_id[:64],
            session.owner,
        )
        raise RefusedError(packets.IDENTIFIER_REJECTED, "client id of another account")

    def take(self, guest: Guest, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        """Route a client's message. What it may not publish is dropped, counted, and said once.

        Returns:
            False where it must not be acknowledged: a queue is full.
        """
        if topic.startswith("$") or not guest.may_publish(topic):
            self.figures.dropped["not authorized"] += 1
            self._warn(guest.name, topic)
            return True  # 3.3.5-2: there is no other answer but to hang up
        return self.publish(topic, payload, qos=qos, retain=retain)

    def _warn(self, name: str | None, topic: str) -> None:
        if len(self._warned) < 1000 and (name, topic) not in self._warned:
            self._warned.add((name, topic))
            log.warning("account %r may not publish on %r: dropped", name, topic[:128])

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> bool:
        """Give a message to everyone who has subscribed to it; False: there is no room for it."""
        targets = self._router.matching(topic)
        if qos and any(session.queued >= MOST_QUEUED for session in targets):
            self.figures.dropped["queue full"] += 1
            log.error("a session has %d messages waiting; no more are accepted", MOST_QUEUED)
            return False
        for session, granted in targets.items():
            session.deliver(topic, payload, min(qos, granted))
        return self._retain(topic, payload, qos) if retain else True

    def _retain(self, topic: str, payload: bytes, qos: int) -> bool:
        known = self._router.retained_messages
        if payload and len(known) >= _MOST_RETAINED and topic not in known:
            log.error("%d retained messages; no more are accepted", _MOST_RETAINED)
            return False
        self._router.retain(topic, payload, qos)
        self.figures.retained = len(known)
        if topic.startswith("$"):
            return True
        if payload:
            self.journal.tell("REPLACE INTO retained VALUES (?, ?, ?)", topic, payload, qos)
        else:
            self.journal.tell("DELETE FROM retained WHERE topic = ?", topic)
        return True

    def _on_broadcast(self, topic: str, payload: bytes, qos: int) -> None:
        self.publish(topic, payload, qos=qos, retain=False)

    def subscribe(self, session: Session, guest: Guest, topic_filter: str, qos: int) -> int:
        """Add a subscription; return the QoS granted, or 0x80."""
        if (
            not packets.is_filter(topic_filter)
            or topic_filter.startswith("$share/")  # which 3.1.1 does not have
            or session.levels + topic_filter.count("/") >= _MOST_LEVELS
            or not guest.may_subscribe(topic_filter)
        ):
            return packets.FAILURE
        self.sessions.subscribe(session, topic_filter, qos)
        return qos

    def deliver_retained(self, session: Session, topic_filter: str, qos: int) -> Iterator[None]:
        """Send a new subscription what is retained (3.3.1-6), a message at a step at most."""
        known = self._router.retained_messages
        for topic in self._router.retained_topics(topic_filter):
            # Looked up only now: an older one must not come after one that was published meanwhile.
            if topic is not None and (message := known.get(topic)) is not None:
                granted = min(qos, message.qos or 0)
                session.deliver(topic, bytes(message.data), granted, retain=True)
            yield


def _may_have(guest: Guest, session: Session) -> bool:
    """Whether a guest may read what waits in a session: its account may have other rights by now.

    With its subscriptions, what waits ends too; of one without any left nobody knows what it was
    for.
    """
    if session.owner is None and session.queued and not session.subscriptions:
        return False
    return all(map(guest.may_subscribe, session.subscriptions))
