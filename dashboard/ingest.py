"""The way in: processed clicks from the broker to the hub."""

import logging
from collections.abc import Callable
from datetime import datetime

from dashboard.live import Hub
from iot_button.errors import NotAClickError
from iot_button.events import decode_processed_click, utc_now
from iot_button.messages import Message, Session
from iot_button.mqtt import Connection
from iot_button.settings import Settings

log = logging.getLogger(__name__)

LOG_EVERY = 1000
"""Of messages that are no processed click, the first is logged and then one in so many."""


class Ingest:
    """Decodes what comes on `iotprocessed` and gives it to the hub; nothing that comes is fatal."""

    def __init__(self, hub: Hub, *, now: Callable[[], datetime] = utc_now) -> None:
        self._hub = hub
        self._now = now
        self.refused = 0
        self.repeated = 0

    def take(self, message: Message) -> None:
        """Take one message in."""
        if message.retained:  # an event is not retained; kept by mistake, it is not one of now
            self._refuse(message, NotAClickError("it is retained", message.payload))
            return
        try:
            click = decode_processed_click(message.payload)
        except NotAClickError as error:
            self._refuse(message, error)
            return
        if not self._hub.add(click, received_at=self._now()):
            self.repeated += 1

    def _refuse(self, message: Message, error: NotAClickError) -> None:
        self.refused += 1
        if self.refused % LOG_EVERY == 1:
            log.warning(
                "on %r came what is no processed click (%s); %d so far",
                message.topic,
                error.reason,
                self.refused,
            )


def connection_for(settings: Settings, hub: Hub, ingest: Ingest) -> Connection:
    """Return the dashboard's one MQTT connection, subscribed, for a `with`.

    The session ends with an orderly stop: a dashboard has no use for what came while it was not
    there, and a broker should not keep it.
    """
    connection = Connection(
        settings.broker.address,
        client_id=settings.dashboard_client_id,
        session=Session.UNTIL_STOP,
        on_message=ingest.take,
        on_change=hub.broker_changed,
    )
    connection.subscribe(settings.topic_names.processed, qos=1)
    return connection
