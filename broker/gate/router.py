"""amqtt's broker as our router: it holds sessions and retained messages.

amqtt 0.12.1 acknowledges a message before anyone has it (MQTT 3.1.1, 4.3.2), forgets what a client
has not acknowledged (4.4.0-1), and keeps nothing on disk. That lies in its protocol handler, which
has no seam between a PUBLISH and its PUBACK; so the gate speaks the protocol, and amqtt is asked
what it is good at: who has a session, and what is retained. Its table of subscriptions stays empty:
it is compared with each message as a whole, and holds two objects of each that the garbage
collector looks at while everyone waits; `broker/gate/tree.py` has them instead.

The version is pinned in pyproject.toml; tests/broker watches what is used and overridden here.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType

from broker.gate.session import Session
from broker.gate.topic_names import TopicNames
from broker.gate.tree import TopicTree
from broker.gate.turns import Turns

T = TypeVar("T")


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run one of amqtt's coroutines that, without plugins, wait for nothing.

    Raises:
        RuntimeError: it does wait: this is not the amqtt that we know.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    coroutine.close()
    raise RuntimeError("amqtt waits where it did not: a version that we do not know")


class Router(Broker):
    """amqtt's tables, with an index before them.

    Args:
        on_broadcast: gets what amqtt itself or a plugin of it publishes: topic, payload, QoS.
        turns: takes what is long work.
    """

    def __init__(self, on_broadcast: Callable[[str, bytes, int], None], turns: Turns) -> None:
        listener = ListenerConfig(type=ListenerType.EXTERNAL, bind="external")
        super().__init__(
            BrokerConfig(listeners={"default": listener}, plugins={}),
            loop=asyncio.get_running_loop(),
        )
        self._on_broadcast = on_broadcast
        self._turns = turns
        self._tree: TopicTree[Session] = TopicTree()
        self._names = TopicNames()

    async def _broadcast_message(
        self,
        session: Session | None,  # noqa: ARG002 - amqtt's form
        topic: str | None,
        data: bytes | bytearray | None,
        force_qos: int | None = None,
    ) -> None:
        """Publish through the gate: amqtt's queue would give up after 5 s (4.4.0-1)."""
        if topic:
            self._on_broadcast(topic, bytes(data or b""), force_qos or 0)

    async def _session_monitor(self) -> None:
        """Do nothing: amqtt would drop sessions that are not of its kind; the gate ends them."""

    def matching(self, topic: str) -> dict[Session, int]:
        """Return who gets a message on a topic, each at most at which QoS."""
        return self._tree.match(topic)

    def subscribe(self, session: Session, topic_filter: str, qos: int) -> None:
        """Add a subscription, or replace its QoS (3.8.4-3)."""
        if topic_filter not in session.subscriptions:
            session.levels += topic_filter.count("/") + 1
        session.subscriptions[topic_filter] = qos
        self._tree.add(topic_filter, session, qos)

    def unsubscribe(self, session: Session, topic_filter: str) -> None:
        """Take a subscription away; one that is not there is no error (3.10.4-5)."""
        if session.subscriptions.pop(topic_filter, None) is not None:
            session.levels -= topic_filter.count("/") + 1
            self._tree.remove(topic_filter, session)

    def forget(self, session: Session) -> None:
        """End a session: its place and messages at once, thousands of subscriptions in turns."""
        self.sessions.pop(session.client_id, None)
        session.clear()
        if session.subscriptions:
            self._turns.add(lambda until: self._forget_some(session, until))

    def _forget_some(self, session: Session, until: float) -> bool:
        while session.subscriptions:
            # From the end: the first one of a dictionary is looked for past all that were removed.
            topic_filter, _qos = session.subscriptions.popitem()
            session.levels -= topic_filter.count("/") + 1
            self._tree.remove(topic_filter, session)
            if time.perf_counter() >= until:
                break
        return bool(session.subscriptions)

    def retain(self, topic: str, payload: bytes, qos: int) -> None:
        """Keep a message as the topic's last, or, without a payload, none (3.3.1-5, -10)."""
        at_once(self.retain_message(None, topic, payload, qos))
        if payload:
            self._names.add(topic)
        else:
            self._names.remove(topic)

    def retained_topics(self, topic_filter: str) -> Iterator[str | None]:
        """Yield the topics with a retained message that a filter matches; None: work in between."""
        return self._names.match(topic_filter)

    async def shutdown(self) -> None:
        """End amqtt's tasks, without the handlers of its own that it would look for."""
        self.sessions.clear()
        await super().shutdown()
