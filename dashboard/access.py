"""Who may ask for what: one table of all routes. What is not in it needs an admin.

| role of the account | may |
|---|---|
| dashboard | look (`Level.VIEWER`) |
| operator | also press, and run dead letters again (`Level.OPERATOR`) |
| admin | also rename, delete, pause and kill (`Level.ADMIN`) |
| button, function | not log in |
"""

import enum
import re
from collections.abc import Mapping
from typing import Final

from iot_button.accounts_file import Account, Role
from iot_button.house import HOUSE_NAME


class Level(enum.IntEnum):
    """What one may, and what a route needs; each has all rights of the ones before it."""

    ANYONE = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


_LEVELS: Final[Mapping[Role, Level]] = {
    Role.DASHBOARD: Level.VIEWER,
    Role.OPERATOR: Level.OPERATOR,
    Role.ADMIN: Level.ADMIN,
}

ROLE_NAMES: Final[Mapping[Level, str]] = {
    Level.ANYONE: "nobody",
    Level.VIEWER: "viewer",
    Level.OPERATOR: "operator",
    Level.ADMIN: "admin",
}

NEEDED: Final[Mapping[str, Level]] = {
    # What a browser needs to show the login; there is no secret in it.
    "GET /static/*": Level.ANYONE,
    "GET /login": Level.ANYONE,
    "POST /login": Level.ANYONE,
    "POST /logout": Level.ANYONE,
    "GET /api/session": Level.ANYONE,
    "GET /healthz": Level.ANYONE,
    "GET /readyz": Level.ANYONE,
    "GET /press/worker.js": Level.ANYONE,
    "GET /press/offline.html": Level.ANYONE,
    "GET /metrics": Level.VIEWER,
    "GET /": Level.VIEWER,
    "GET /buttons": Level.VIEWER,
    "GET /buttons/*": Level.VIEWER,
    "GET /charts": Level.VIEWER,
    "GET /press/*": Level.VIEWER,
    "GET /press/*/qr.svg": Level.VIEWER,
    "GET /press/*/app.webmanifest": Level.VIEWER,
    "GET /reference": Level.VIEWER,
    "GET /ws": Level.VIEWER,
    "GET /api/clicks": Level.VIEWER,
    "GET /clicks/*": Level.VIEWER,
    "GET /api/clicks/*/trace": Level.VIEWER,
    "GET /api/clicks.ndjson": Level.VIEWER,
    "GET /api/clicks.csv": Level.VIEWER,
    "GET /api/buttons": Level.VIEWER,
    "GET /api/buttons/*": Level.VIEWER,
    "GET /api/names": Level.VIEWER,
    "GET /api/charts/clicks": Level.VIEWER,
    "GET /api/charts/latency": Level.VIEWER,
    "GET /api/charts/battery": Level.VIEWER,
    # A dead letter has the payload as it came; whoever may see clicks may see it.
    "GET /api/deadletters": Level.VIEWER,
    "GET /functions": Level.VIEWER,
    "GET /functions/*": Level.VIEWER,
    "GET /api/costs": Level.VIEWER,
    "GET /api/functions": Level.VIEWER,
    "GET /api/functions/*": Level.VIEWER,
    "GET /api/functions/*/logs": Level.VIEWER,
    "GET /api/functions/*/deadletters": Level.VIEWER,
    "GET /api/openapi.json": Level.VIEWER,
    "GET /api/asyncapi.json": Level.VIEWER,
    "POST /api/press": Level.OPERATOR,
    "POST /api/functions/*/redrive": Level.OPERATOR,
    "POST /api/functions/*/*": Level.ADMIN,
    "PATCH /api/buttons/*": Level.ADMIN,
    "DELETE /api/buttons/*": Level.ADMIN,
}
"""What each route needs: `METHOD /path`, with `*` for each part that varies."""

_VARIABLE = re.compile(r"<[^>]*>")


def may_log_in(account: Account) -> bool:
    """Whether an account is a person's, with a password."""
    has_password = account.password is not None and account.name != HOUSE_NAME
    return has_password and account.role in _LEVELS


def level_of(account: Account) -> Level:
    """Return what an account may."""
    return _LEVELS[account.role] if may_log_in(account) else Level.ANYONE


def route_name(method: str, rule: str) -> str:
    """Return a route as it stands in the table; HEAD and OPTIONS tell no more than GET."""
    method = "GET" if method in ("HEAD", "OPTIONS") else method
    return f"{method} {_VARIABLE.sub('*', rule)}"


def needed(method: str, rule: str | None) -> Level:
    """Return what a request needs. None: no route fits, which not everyone has to know."""
    if rule is None:
        return Level.VIEWER
    return NEEDED.get(route_name(method, rule), Level.ADMIN)
