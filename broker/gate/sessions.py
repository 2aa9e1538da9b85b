"""All sessions: what each has subscribed to, and was sent; in memory and in the journal alike."""

import logging
import time
from collections import Counter
from typing import Final

from broker.figures import Figures
from broker.gate.journal import SHIFT, Journal
from broker.gate.router import Router
from broker.gate.session import Session

log = logging.getLogger(__name__)

_OF_SESSIONS: Final = "WHERE session IN (SELECT key FROM sessions)"
_DAY: Final = 86_400.0


class Sessions:
    """Every client id's session."""

    def __init__(self, router: Router, journal: Journal, figures: Figures) -> None:
        self._router = router
        self._journal = journal
        self._figures = figures
        self._next_key = 1
        self._kept: Counter[str | None] = Counter()

    async def restore(self) -> None:
        """Take up what the journal has kept."""
        read = self._journal.read_all
        self._journal.tell(
            f"DELETE FROM deliveries WHERE id >> {SHIFT} NOT IN (SELECT key FROM sessions)"  # noqa: S608
        )
        by_key: dict[int, Session] = {}
        for key, client_id, owner, left_at in await read("SELECT * FROM sessions"):
            by_key[key] = session = self._place(client_id, key=key, owner=owner)
            session.left_at = left_at or time.time()
            self._next_key = max(self._next_key, key + 1)
        for key, topic_filter, qos in await read(
            f"SELECT * FROM subscriptions {_OF_SESSIONS}"  # noqa: S608 - a constant
        ):
            self._router.subscribe(by_key[key], topic_filter, qos)
            self._figures.subscriptions += 1
        for key, packet_id in await read(
            f"SELECT * FROM received {_OF_SESSIONS}"  # noqa: S608
        ):
            by_key[key].received.add(packet_id)
        for key, newest, count, size in await read(
            f"SELECT id >> {SHIFT} AS session, max(id) & {(1 << SHIFT) - 1}, count(*), "  # noqa: S608
            f"sum(length(payload)) FROM deliveries {_OF_SESSIONS} GROUP BY 1"
        ):
            by_key[key].restore(newest=newest, queued=count, queued_bytes=size)
        for topic, payload, qos in await read("SELECT * FROM retained"):
            self._router.retain(topic, payload, qos)
        self._figures.retained = len(self._router.retained_messages)

    def find(self, client_id: str) -> Session | None:
        """Return the session of a client id, if there is one."""
        session: Session | None = self._router.sessions.get(client_id, (None, None))[0]
        return session

    def kept_by(self, owner: str | None) -> int:
        """Return how many sessions an account has that outlive their connections."""
        return self._kept[owner]

    def give(self, session: Session, owner: str | None) -> None:
        """Let a session that is kept be another account's."""
        self._kept[session.owner] -= 1
        self._kept[owner] += 1
        session.owner = owner
        self._journal.tell(
            "UPDATE sessions SET owner = ?, left_at = 0 WHERE key = ?", owner, session.key
        )

    def all(self) -> list[Session]:
        """Return every session there is."""
        return [session for session, _handler in self._router.sessions.values()]

    def make(self, client_id: str, *, owner: str | None, is_kept: bool) -> Session:
        """Begin a session; `is_kept`: it outlives its connection."""
        key = 0
        if is_kept:
            key, self._next_key = self._next_key, self._next_key + 1
            self._journal.tell(
                "INSERT INTO sessions VALUES (?, ?, ?, ?)", key, client_id, owner, 0.0
            )
        return self._place(client_id, key=key, owner=owner)

    def _place(self, client_id: str, *, key: int, owner: str | None) -> Session:
        session = Session(
            client_id, key=key, owner=owner, journal=self._journal, figures=self._figures
        )
        self._router.sessions[client_id] = (session, None)
        self._kept[owner] += session.is_kept
        self._figures.sessions = len(self._router.sessions)
        return session

    def vacate(self, session: Session) -> None:
        """Hear that a session's client has gone."""
        session.detach(time.time())
        if session.is_kept:
            self._journal.tell(
                "UPDATE sessions SET left_at = ? WHERE key = ?", session.left_at, session.key
            )
        else:
            self.forget(session)

    def forget(self, session: Session) -> None:
        """End a session, its subscriptions and its messages."""
        self._figures.subscriptions -= len(session.subscriptions)
        self._router.forget(session)
        self._kept[session.owner] -= session.is_kept
        self._figures.sessions = len(self._router.sessions)
        if session.is_kept:
            tell, key = self._journal.tell, session.key
            session.key = 0  # what still matches a subscription of it is kept no more
            tell("DELETE FROM sessions WHERE key = ?", key)
            tell("DELETE FROM subscriptions WHERE session = ?", key)
            tell("DELETE FROM received WHERE session = ?", key)
            tell("DELETE FROM deliveries WHERE id BETWEEN ? AND ?", key << SHIFT, key + 1 << SHIFT)

    def forget_old(self, *, days: float) -> None:
        """Forget sessions that nobody came back to."""
        oldest = time.time() - days * _DAY
        for session in self.all():
            if session.line is None and session.left_at < oldest:
                log.warning("forgot the session of %r: nobody came back", session.client_id[:64])
                self.forget(session)

    def subscribe(self, session: Session, topic_filter: str, qos: int) -> None:
        """Add a subscription, or replace its QoS."""
        self._figures.subscriptions += topic_filter not in session.subscriptions
        self._router.subscribe(session, topic_filter, qos)
        if session.is_kept:
            self._journal.tell(
                "REPLACE INTO subscriptions VALUES (?, ?, ?)", session.key, topic_filter, qos
            )

    def unsubscribe(self, session: Session, topic_filter: str) -> None:
        """End a subscription."""
        if topic_filter not in session.subscriptions:
            return
        self._router.unsubscribe(session, topic_filter)
        self._figures.subscriptions -= 1
        if session.is_kept:
            self._journal.tell(
                "DELETE FROM subscriptions WHERE session = ? AND filter = ?",
                session.key,
                topic_filter,
            )

    def remember(self, session: Session, packet_id: int) -> None:
        """Keep the id of a message at QoS 2, so that it is taken once (4.3.3-2)."""
        session.received.add(packet_id)
        if session.is_kept:
            self._journal.tell(
                "INSERT OR IGNORE INTO received VALUES (?, ?)", session.key, packet_id
            )

    def release(self, session: Session, packet_id: int) -> None:
        """Let a packet id go: its message has been said to be complete."""
        if packet_id in session.received:
            session.received.discard(packet_id)
            if session.is_kept:
                self._journal.tell(
                    "DELETE FROM received WHERE session = ? AND packet_id = ?",
                    session.key,
                    packet_id,
                )
