"""The way in: what the broker brings goes to the store, and is acknowledged when it is there."""

import contextlib
import importlib.util
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dashboard.dead_letters import NotADeadLetterError, decode_dead_letter
from dashboard.history import History
from dashboard.live import MAX_CLIENTS, Hub
from dashboard.store import Store
from dashboard.store.arrivals import Arrival, ButtonStatus, Content
from dashboard.store.tidying import Keep
from iot_button.errors import NotAClickError, SettingError
from iot_button.events import SERIAL_NUMBER, TracedClick, decode_traced_click, utc_now
from iot_button.messages import Message, Session
from iot_button.mqtt import Connection
from iot_button.settings import Settings
from iot_button.topics import Topics

if TYPE_CHECKING:
    from dashboard.traces_export import TraceExport

log = logging.getLogger(__name__)

LOG_EVERY = 1000
"""Of messages that are not what their topic is for, the first is logged and then one in so many."""

STATES = ("online", "sleeping", "offline")


class _State(msgspec.Struct, frozen=True):
    state: str


_decode_state = msgspec.json.Decoder(_State).decode


class Ingest:
    """Decodes what comes and gives it to the store; nothing that comes is fatal.

    `on_click` is called with each click and when it came; it must not wait.
    """

    def __init__(
        self,
        store: Store,
        topics: Topics,
        *,
        now: Callable[[], datetime] = utc_now,
        on_click: Callable[[TracedClick, datetime], None] | None = None,
    ) -> None:
        self._store = store
        self._topics = topics
        self._now = now
        self._on_click = on_click
        self.refused = 0

    def take(self, message: Message, acknowledge: Callable[[], None]) -> None:
        """Take one message in; it is acknowledged when it is kept, or found to be nothing."""
        try:
            content = self._content(message)
        except (NotAClickError, NotADeadLetterError) as error:
            self._refuse(message, getattr(error, "reason", str(error)))
            acknowledge()
            return
        moment = self._now()
        self._store.put(Arrival(content, moment, acknowledge))
        if self._on_click is not None and isinstance(content, TracedClick):
            self._on_click(content, moment)

    def _content(self, message: Message) -> Content:
        topic = self._topics.local(message.topic)
        if topic.endswith("/status"):
            return _status(topic, message.payload)
        if message.retained:  # an event is not retained; kept by mistake, it is not one of now
            raise NotAClickError("it is retained", message.payload)
        if topic.startswith("deadletter/"):
            return decode_dead_letter(message.payload, function=topic.partition("/")[2])
        return decode_traced_click(message.payload)

    def _refuse(self, message: Message, reason: str) -> None:
        self.refused += 1
        is_click = message.topic == self._topics.processed
        if self.refused % LOG_EVERY == 1:
            log.warning(
                "on %r came %s (%s); %d so far",
                message.topic,
                "what is no processed click" if is_click else "what does not belong there",
                reason,
                self.refused,
            )


def _status(topic: str, payload: bytes) -> ButtonStatus:
    serial_number = topic.split("/")[1]
    if SERIAL_NUMBER.fullmatch(serial_number) is None:
        raise NotAClickError(f"no serial number: {serial_number[:70]!r}", payload)
    if not payload:  # the retained message was taken away
        return ButtonStatus(serial_number=serial_number, state=None)
    try:
        state = _decode_state(payload).state
    except (ValueError, RecursionError) as error:
        raise NotAClickError(str(error)[:200], payload) from error
    if state not in STATES:
        raise NotAClickError(f"no state of a button: {state[:40]!r}", payload)
    return ButtonStatus(serial_number=serial_number, state=state)


def connection_for(settings: Settings, hub: Hub, ingest: Ingest) -> Connection:
    """Return the dashboard's one MQTT connection, subscribed, for a `with`.

    The broker keeps the session for ever: what comes while no dashboard runs waits for the next.
    """

    def take(message: Message) -> None:
        ingest.take(message, lambda: connection.acknowledge(message.delivery))

    topics = settings.topic_names
    connection = Connection(
        settings.broker.address,
        client_id=settings.dashboard_client_id,
        session=Session.KEPT,
        on_message=take,
        acknowledge_by_hand=True,
        on_change=hub.broker_changed,
    )
    for topic_filter in (topics.processed, topics.dead_letter("+"), topics.status("+")):
        connection.subscribe(topic_filter, qos=1)
    return connection


def store_for(settings: Settings, on_failed: Callable[[], None]) -> Store:
    """Return the store of an installation, for a `with`.

    Raises:
        SettingError: dashboard.database is no address of a PostgreSQL database.
    """
    url = settings.dashboard.database
    if url is not None and not url.startswith(("postgresql://", "postgres://")):
        raise SettingError(
            "dashboard.database",
            "dashboard.database is no address of a PostgreSQL database",
            mend="write postgresql://USER@HOST/NAME, with the password in ~/.pgpass",
        )
    if url is not None and importlib.util.find_spec("psycopg") is None:
        raise SettingError(
            "dashboard.database",
            "dashboard.database needs psycopg, which is not installed",
            mend="install it: pip install 'iot-button[postgres]'",
        )
    keep = Keep(settings.dashboard.keep_days, settings.dashboard.keep_megabytes)
    return Store(Path(settings.state_dir), url=url, keep=keep, on_failed=on_failed)


def exporter_for(settings: Settings) -> "contextlib.AbstractContextManager[TraceExport | None]":
    """Return who sends traces, for a `with`; None comes of it where nobody is to.

    Raises:
        SettingError: what it takes is not installed, or the address is none.
    """
    endpoint = settings.dashboard.otlp_endpoint
    if endpoint is None:
        return contextlib.nullcontext()
    if not endpoint.startswith(("http://", "https://")):
        raise SettingError(
            "dashboard.otlp_endpoint",
            f"dashboard.otlp_endpoint = {endpoint!r} is no address of an OTLP collector",
            mend="write http://HOST:4318/v1/traces",
        )
    try:
        from dashboard.traces_export import TraceExport
    except ImportError as error:  # an extra
        raise SettingError(
            "dashboard.otlp_endpoint",
            "dashboard.otlp_endpoint needs OpenTelemetry, which is not installed",
            mend="install it: pip install 'iot-button[otel]'",
        ) from error
    return TraceExport(endpoint)


def hub_for(store: Store, *, max_clients: int = MAX_CLIENTS) -> Hub:
    """Return a hub that tells what an open store has, and what comes to it."""
    hub = Hub(
        History(store.latest),
        epoch=store.id,
        buttons=lambda: store.buttons,
        max_clients=max_clients,
    )
    store.tell(hub.tell)
    return hub
