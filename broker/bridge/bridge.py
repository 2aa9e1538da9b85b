"""One bridge: store and forward between our broker and another one.

A message is acknowledged to the broker that it comes from when it is on our disk, and leaves the
disk when the other broker has acknowledged it. So at QoS 1 nothing that a broker has acknowledged
is lost when this process, or either broker's, is killed (as far as each broker keeps its promises
for a session that stays). It can arrive twice. The messages of one direction stay in order.

Each direction is one queue, bounded: beyond `queue_size` the newest are dropped and counted, or not
acknowledged (`when_full`). Not acknowledging is the only backpressure that MQTT 3.1.1 has; once
there is room the connection is made anew, and the broker sends again what it has, in order.
"""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from broker.bridge.addresses import remote_address
from broker.bridge.committing import Committing
from broker.bridge.echoes import digest
from broker.bridge.news import NO_NEWS, News, own_name
from broker.bridge.sender import Counts, Stored, encode
from broker.bridge.side import Side
from iot_button.bridge_rules import Toward, routes
from iot_button.bridge_settings import BridgeSettings
from iot_button.files import StorageError
from iot_button.loop import Loop
from iot_button.messages import Message
from iot_button.settings import Settings
from iot_button.spool import Spool

log = logging.getLogger(__name__)

_ROOM = 0.8
"""Part of `queue_size` that a full queue must shrink to until it takes again."""


class Bridge:
    """One bridge, from `with` to the end of its block. One thread's.

    Args:
        on_ready: called whenever our own broker is connected.

    Raises:
        SettingError: a file that the settings name cannot be used.
        InUseError: another process runs the bridge of this name.
        StorageError: from `with`: the disk cannot be used.
    """

    def __init__(
        self,
        loop: Loop,
        settings: Settings,
        bridge: BridgeSettings,
        *,
        on_ready: Callable[[], None],
    ) -> None:
        self.name = bridge.called
        self.address = remote_address(bridge)
        self.counts = Counts()
        self._loop = loop
        self._settings = settings
        self._bridge = bridge
        self._on_ready = on_ready
        names = settings.topic_names
        default = (names.status("+"), names.function_status("+"))
        states = default if bridge.retained is None else bridge.retained
        self._news = News(self.name, states, most_bytes=bridge.message_size)
        self._spool = Spool(Path(settings.state_dir) / "bridge" / f"{self.name}.db")
        self._full: set[Toward] = set()
        self._is_stopping = False

    def __enter__(self) -> "Bridge":
        self._spool.__enter__()
        try:
            self.local = self._side(Toward.LOCAL)
            self.remote = self._side(Toward.REMOTE)
            self._committing = Committing(
                self.name,
                loop=self._loop,
                spool=self._spool,
                sides=self._sides,
                on_committed=self._take_again,
                on_undone=self._news.forget,
            )
        except BaseException as error:
            self._spool.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        for side in (self.local, self.remote):
            side.close()
        self._spool.__exit__(kind, error, trace)

    def open(self) -> None:
        """Begin to connect to both brokers."""
        self._loop.at_end_of_turn(self._end_of_turn)
        for side in (self.local, self.remote):
            side.open()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way at this moment."""
        return not len(self.local.sender) and not len(self.remote.sender)

    def ask_to_stop(self) -> None:
        """Take and send nothing more."""
        self._is_stopping = True

    def summary(self) -> dict[str, Any]:
        """Return what became of messages since the start, and how many wait on disk."""
        waiting = {s.toward.value: self._spool.count(s.sender.queue) for s in self._sides}
        return {
            "bridge": self.name,
            "forwarded": self.counts.forwarded,
            "waiting": sum(waiting.values()),
            "dropped": sum(self.counts.dropped.values()),
            "droppedBecause": dict(self.counts.dropped),
        }

    @property
    def _sides(self) -> tuple[Side, Side]:
        return self.local, self.remote

    def _side(self, toward: Toward) -> Side:
        is_local = toward is Toward.LOCAL
        kept_id = f"{self._settings.client_id_of('bridge')}-{self.name}"
        return Side(
            self.name,
            toward,
            loop=self._loop,
            spool=self._spool,
            address=self._settings.broker.address if is_local else self.address,
            client_id=kept_id if is_local else self._bridge.client_id or self._drawn_id(),
            routes=routes(self._bridge.topics),
            counts=self.counts,
            on_message=self._on_message,
            on_ready=self._on_ready if is_local else lambda: None,
        )

    def _drawn_id(self) -> str:
        """Return our name at the other broker: another for each installation that meets there."""
        if not (found := self._spool.entries("client id", limit=1)):
            # 23 letters and digits, which every broker must take (MQTT 3.1.1, 3.1.3.1).
            self._spool.put("client id", f"iotbutton{secrets.token_hex(7)}".encode())
            self._spool.commit()
            found = self._spool.entries("client id", limit=1)
        return found[0].body.decode()

    # From a broker to the disk.

    def _on_message(self, side: Side, message: Message) -> None:
        if side.is_refusing or self._is_stopping:
            return  # not acknowledged: it comes again
        try:
            if self._is_taken(side, message):
                self._committing.take(side, message.delivery)
        except StorageError:
            return  # not acknowledged; the commit at the end of this turn fails too, and tells

    def _is_taken(self, side: Side, message: Message) -> bool:
        """Put a message on its way, or decide that it has none; False: it is refused for now."""
        route = side.route_of(message.topic)
        if route is None:  # of a subscription that the settings had once
            self.counts.drop("no rule")
            return True
        if not message.retained and side.echoes.take(digest(message.topic, message.payload)):
            return True
        queue = f"to {route.toward.value}"
        reason = self._news.misfit(route, message)
        if reason is None and self._spool.count(queue) >= self._bridge.queue_size:
            # Before it is known: it may come again in a moment.
            return self._no_room(side, route.toward, can_hold=message.qos > 0)
        if reason is None:
            reason = self._news.repeat(side, route, message)
        if reason is None:
            is_state = self._news.is_state(own_name(route, message))
            stored = Stored(route.renamed(message.topic), message.payload, is_state)
            self._spool.put(queue, encode(stored))
        elif reason != NO_NEWS:
            self.counts.drop(reason)
        return True

    def _no_room(self, side: Side, toward: Toward, *, can_hold: bool) -> bool:
        holds = self._bridge.when_full == "hold"
        if toward not in self._full:
            self._full.add(toward)
            log.warning(
                "bridge %s: %d messages wait for the %s broker, and no more may: the newest are %s",
                *(self.name, self._bridge.queue_size, toward.value),
                f"left with the {side.toward.value} broker" if holds else "dropped",
            )
        if holds and can_hold:
            side.is_refusing = True
            return False
        self.counts.drop("full")
        return True

    def _take_again(self) -> None:
        for toward in list(self._full):
            target, source = self._sides if toward is Toward.LOCAL else self._sides[::-1]
            if self._spool.count(target.sender.queue) <= self._bridge.queue_size * _ROOM:
                self._full.remove(toward)
                log.info(
                    "bridge %s: there is room again for the %s broker", self.name, toward.value
                )
                source.resume()

    # From the disk to a broker, at the end of each turn.

    def _end_of_turn(self) -> None:
        try:
            if not self._is_stopping:
                for side in self._sides:
                    side.sender.fill()
        except StorageError as error:
            self._committing.undone(error)
        self._committing.end_turn(at_once=self._is_stopping)
        for side in self._sides:
            side.stream.flush()
