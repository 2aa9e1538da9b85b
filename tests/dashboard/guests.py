"""A dashboard that asks who one is, and people who come to it."""

import re
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from dashboard import create_app
from dashboard.gate import Gate
from dashboard.live import Hub
from dashboard.store import Store
from iot_button.accounts_file import AccountFile, Role
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress, DashboardSettings, Settings
from tests.dashboard.helpers import new_hub

PASSWORD = "a good password"
PEOPLE = {"vera": Role.DASHBOARD, "oscar": Role.OPERATOR, "ada": Role.ADMIN}


def make_accounts(state_dir: Path) -> AccountFile:
    """Make an account for each role; hashed once for all: it takes time on purpose."""
    file = AccountFile(state_dir)
    for name, role in {**PEOPLE, "worker": Role.FUNCTION}.items():
        file.add(name, role=role, password=PASSWORD)
    file.add("door", role=Role.BUTTON, serial_number="DOOR", password=PASSWORD)
    return file


def settings_of(state_dir: Path, **ours: Any) -> Settings:
    """Return settings of a dashboard where one has to log in."""
    fields: dict[str, Any] = {"port": 0, "login": "required"} | ours
    return Settings(state_dir=str(state_dir), dashboard=DashboardSettings(**fields))


def make_app(settings: Settings, gate: Gate | None = None, *, hub: Hub | None = None) -> Flask:
    """Return an application whose broker is away."""
    connection = Connection(BrokerAddress(host="127.0.0.1", port=1), client_id="none")
    store = Store(Path(settings.state_dir))  # never entered: there is nothing in it
    hub = hub or new_hub()
    return create_app(settings, hub=hub, connection=connection, store=store, gate=gate)


def token_in(page: str) -> str:
    """Return the token in a form."""
    match = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page)
    assert match is not None, page
    return match[1]


def log_in(client: FlaskClient, name: str, password: str = PASSWORD, **form: str) -> Any:
    """Fill in the form and send it, as a browser without JavaScript does."""
    token = token_in(client.get("/login").text)
    fields = {"csrf_token": token, "name": name, "password": password, **form}
    return client.post("/login", data=fields)


def token_of(client: FlaskClient) -> dict[str, str]:
    """Return the header that our scripts make of the session's second cookie."""
    cookie = client.get_cookie("iot_button_token")
    assert cookie is not None
    return {"X-CSRF-Token": cookie.value}
