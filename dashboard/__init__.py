"""What people see: a live page of processed clicks, and a button on it to press."""

from flask import Flask

from dashboard import (
    api,
    asyncapi,
    data_api,
    figures,
    functions_api,
    live,
    login,
    openapi,
    pages,
    press_pages,
    security,
    traces_page,
)
from dashboard.gate import Gate
from dashboard.live import Hub
from dashboard.store import Store
from iot_button.mqtt import Connection
from iot_button.settings import Settings

MAX_REQUEST_BYTES = 4096
"""A press is some 60 bytes; nothing else comes with a body."""


def create_app(
    settings: Settings, *, hub: Hub, connection: Connection, store: Store, gate: Gate | None = None
) -> Flask:
    """Put the dashboard together: a blueprint per area, behind one set of security checks."""
    gate = gate or Gate(settings)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    app.config["SOCK_SERVER_OPTIONS"] = live.SOCK_SERVER_OPTIONS
    security.protect(app, settings.dashboard)
    gate.install(app)
    figures.install(app, hub=hub, connection=connection, store=store)
    app.register_blueprint(login.blueprint)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(press_pages.create_blueprint(store))
    app.register_blueprint(api.create_blueprint(connection, settings.topic_names))
    app.register_blueprint(data_api.create_blueprint(store, hub, connection, settings.topic_names))
    app.register_blueprint(traces_page.create_blueprint(store))
    app.register_blueprint(functions_api.create_blueprint(settings))
    app.register_blueprint(openapi.create_blueprint())
    app.register_blueprint(asyncapi.create_blueprint(settings.topic_names))
    app.register_blueprint(live.create_blueprint(hub, gate))
    return app
