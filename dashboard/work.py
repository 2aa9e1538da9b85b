"""What stands behind the web server, whichever that is: history, broker connection, feed."""

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from flask import Flask

from dashboard import create_app
from dashboard.costs_usage import looked_after
from dashboard.functions_api import overview_of
from dashboard.gate import Gate
from dashboard.ingest import Ingest, connection_for, exporter_for, hub_for, store_for
from dashboard.live import MAX_CLIENTS, Hub
from dashboard.server import raise_descriptor_limit
from iot_button.settings import Settings

START_TIMEOUT = 5.0
"""Seconds that the broker has to answer at the start; later it may be away as long as it likes."""

OTHER_DESCRIPTORS = 200
"""What is kept free of watching browsers: for requests, for MQTT, for Python itself."""


class Work(NamedTuple):
    """A dashboard without a web server. `hub` is not entered yet: it is left before the rest."""

    app: Flask
    hub: Hub


@contextlib.contextmanager
def at_work(
    settings: Settings, gate: Gate, *, stop: Callable[[], None], is_over: Callable[[], bool]
) -> Iterator[Work]:
    """Keep what comes, from here to the end of the block.

    Args:
        settings: the installation's.
        gate: who may.
        stop: called when nothing can be kept any more.
        is_over: whether there is no more reason to wait for the broker.

    Raises:
        StorageError: the history cannot be opened.
        BrokerUnreachableError: no broker answers within `START_TIMEOUT`.
    """
    spare = raise_descriptor_limit(MAX_CLIENTS + OTHER_DESCRIPTORS) - OTHER_DESCRIPTORS
    with exporter_for(settings) as exporter, store_for(settings, stop) as store:
        hub = hub_for(store, max_clients=max(1, min(MAX_CLIENTS, spare)))
        on_click = None if exporter is None else exporter.add
        ingest = Ingest(store, settings.topic_names, on_click=on_click)
        connection = connection_for(settings, hub, ingest)
        with connection:
            connection.wait_ready(START_TIMEOUT, unless=is_over)
            app = create_app(settings, hub=hub, connection=connection, store=store, gate=gate)
            with looked_after(overview_of(app).get):
                yield Work(app, hub)
