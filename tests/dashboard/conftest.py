"""A real broker, a dashboard as a child process, and a real browser."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard import create_app
from dashboard.live import Hub
from dashboard.server import listen, serving
from dashboard.store import Store
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress, DashboardSettings, Settings
from tests.dashboard.helpers import Enrich, Mosquitto, Serve, Start, new_hub, start_dashboard
from tests.support import Listener, Program


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that a test can kill and start again on the same port."""
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    yield mosquitto
    mosquitto.kill()


@pytest.fixture
def dashboard(start: Start, broker: Mosquitto) -> Program:
    """A dashboard as a child process, ready."""
    program = start_dashboard(start, broker)
    program.address("dashboard")
    return program


@pytest.fixture
def publisher(broker: Mosquitto) -> Iterator[Listener]:
    """Someone who publishes processed clicks."""
    with Listener(broker.port) as listener:
        yield listener


@pytest.fixture
def enrich(broker: Mosquitto) -> Iterator[Enrich]:
    """A function that turns clicks into processed clicks."""
    with Enrich(broker.port) as function:
        yield function


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve a hub of one's own in this process, without any broker; returns it and the port."""
    with contextlib.ExitStack() as stack, Store(tmp_path) as store:

        def serve_one(hub: Hub | None = None) -> tuple[Hub, int]:
            hub = hub or new_hub()
            settings = Settings(state_dir=str(tmp_path), dashboard=DashboardSettings(port=0))
            # Never entered: a broker that is away.
            connection = Connection(BrokerAddress(host="127.0.0.1", port=1), client_id="none")
            listener = listen(settings.dashboard)
            port = int(listener.getsockname()[1])
            app = create_app(settings, hub=hub, connection=connection, store=store)
            stack.enter_context(serving(app, listener))
            stack.enter_context(hub)
            return hub, port

        yield serve_one
