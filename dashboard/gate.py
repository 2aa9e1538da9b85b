"""The gate: who asks, and whether they may. Every request passes it, the WebSocket's too.

Where nobody has to log in, everyone may everything. Otherwise somebody is known by the cookie of a
session, or, for programs, by HTTP Basic (RFC 7617). A session's request that changes something has
to show the token of its session, in a header or in the form: a page of another site can have a
browser send our cookie, and cannot read it.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec
from flask import Flask, Response, abort, current_app, g, request
from werkzeug.wrappers import Response as BaseResponse

from dashboard.access import ROLE_NAMES, Level, level_of, needed
from dashboard.accounts import AccountBook, LoginError, fingerprint
from dashboard.frames import CloseCode
from dashboard.refusals import SAFE_METHODS, nobody_can, not_let_in, refused
from dashboard.sessions import Sessions, Ticket
from iot_button.accounts_file import Account
from iot_button.settings import Settings

log = logging.getLogger(__name__)

COOKIE: Final = "iot_button_session"
TOKEN_COOKIE: Final = "iot_button_token"  # noqa: S105 - a name
"""The session's token, for our own scripts to read and to send in `TOKEN_HEADER`."""
TOKEN_HEADER: Final = "X-CSRF-Token"  # noqa: S105 - a name
TOKEN_FIELD: Final = "csrf_token"  # noqa: S105 - a name

_LOOK_INTERVAL: Final = 0.5
"""Seconds between two looks at whether those who watch still may."""
_STOP_TIMEOUT: Final = 2.0


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. `name`: None where nobody has to log in, or nobody has."""

    level: Level
    name: str | None = None
    account: Account | None = None
    ticket: Ticket | None = None

    @property
    def role(self) -> str:
        """What to call the level."""
        return ROLE_NAMES[self.level]


_NOBODY: Final = Visitor(level=Level.ANYONE)
_EVERYONE: Final = Visitor(level=Level.ADMIN)


class Watcher(Protocol):
    """A browser's socket, as far as the gate has to do with it."""

    def tell_to_leave(self, code: CloseCode, reason: str) -> None:
        """Have it closed."""
        ...


class Gate:
    """Knows visitors, and in its `with` block also sends away those who may no longer watch.

    Args:
        settings: the installation's.

    Raises:
        SettingError: one has to log in, and nobody can.
        StorageError: the accounts cannot be read, or no key made.
    """

    def __init__(self, settings: Settings) -> None:
        ours, state_dir = settings.dashboard, Path(settings.state_dir)
        self.asks_who = ours.asks_who
        self._watchers: dict[Watcher, Visitor] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, name="sessions", daemon=True)
        if not self.asks_who:
            return
        self.accounts = AccountBook(state_dir)
        if not self.accounts.has_someone():
            raise nobody_can(settings)
        self.sessions = Sessions(
            state_dir / "dashboard", idle=ours.session_idle, age=ours.session_age
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join(_STOP_TIMEOUT)

    def install(self, app: Flask) -> None:
        """Have every request of `app` checked. What was asked before stays before."""
        app.extensions["gate"] = self
        app.before_request(self._check)
        app.after_request(self._with_cookie)
        app.register_error_handler(LoginError, not_let_in)
        app.context_processor(self._told_to_templates)

    def log_in(self, name: str, password: str) -> Visitor:
        """Begin a session; its cookie goes out with the answer to this request.

        Raises:
            LoginError: not with this name and password, or not now.
        """
        account = self.accounts.check(name, password, address=request.remote_addr or "")
        seal = fingerprint(account, self.sessions.key)
        # A new id: one that somebody else had a browser take before is worth nothing.
        visitor = self._visitor(account, self.sessions.start(name=name, account=seal))
        g.visitor, g.new_ticket = visitor, visitor.ticket
        log.info("%r has logged in from %s", name, request.remote_addr)
        return visitor

    def log_out(self) -> None:
        """End the session of this request, and everything that stands open on it."""
        visitor = current()
        # Nobody's ticket lets nobody in, and anyone gets any number: there is nothing to end.
        if visitor.ticket is not None and visitor.name is not None:
            self.sessions.end(visitor.ticket)
        g.visitor, g.new_ticket, g.takes_cookie_away = _NOBODY, None, True

    def token(self) -> str:
        """Return the token for this request's forms; a session is begun where there is none."""
        if not self.asks_who:
            return ""
        ticket: Ticket | None = g.get("new_ticket") or current().ticket
        if ticket is None:
            ticket = g.new_ticket = self.sessions.start()
        return self.sessions.token(ticket)

    def check_token(self) -> None:
        """Refuse a request that does not show its session's token."""
        ticket = current().ticket
        shown = request.headers.get(TOKEN_HEADER) or request.form.get(TOKEN_FIELD, "")
        if ticket is None or not self.sessions.is_token(ticket, shown):
            abort(
                403, f"this request lacks its session's token ({TOKEN_HEADER}); load the page anew"
            )

    @contextlib.contextmanager
    def watched(self, watcher: Watcher) -> Iterator[None]:
        """Have a browser told to leave (1008) when its visitor may no longer look."""
        with self._lock:
            self._watchers[watcher] = current()
        try:
            yield
        finally:
            with self._lock:
                self._watchers.pop(watcher, None)

    def _check(self) -> BaseResponse | None:
        visitor = g.visitor = self._who()
        rule = request.url_rule.rule if request.url_rule is not None else None
        needs = needed(request.method, rule)
        if visitor.level < needs:
            return refused(visitor.name, visitor.level, needs)
        is_by_cookie = visitor.ticket is not None and visitor.name is not None
        if is_by_cookie and request.method not in SAFE_METHODS:
            self.check_token()
        return None

    def _who(self) -> Visitor:
        if not self.asks_who:
            return _EVERYONE
        basic = request.authorization
        if basic is not None and basic.type == "basic":
            name, password = basic.username or "", basic.password or ""
            account = self.accounts.check(name, password, address=request.remote_addr or "")
            return self._visitor(account, None)
        ticket = self.sessions.read(request.cookies.get(cookie_name(), ""))
        return _NOBODY if ticket is None else self._of_ticket(ticket)

    def _of_ticket(self, ticket: Ticket) -> Visitor:
        account = self.accounts.find(ticket.name) if ticket.name else None
        if account is not None and fingerprint(account, self.sessions.key) == ticket.account:
            return self._visitor(account, ticket)
        is_of_nobody = not ticket.name
        return Visitor(level=Level.ANYONE, ticket=ticket) if is_of_nobody else _NOBODY

    def _visitor(self, account: Account, ticket: Ticket | None) -> Visitor:
        return Visitor(level=level_of(account), name=account.name, account=account, ticket=ticket)

    def _with_cookie(self, response: Response) -> Response:
        if g.get("takes_cookie_away"):
            for name in (cookie_name(), TOKEN_COOKIE):
                response.delete_cookie(name, secure=request.is_secure, samesite="Lax")
        ticket: Ticket | None = g.get("new_ticket")
        old = g.visitor.ticket if "visitor" in g else None
        if ticket is None and old is not None and not g.get("takes_cookie_away"):
            ticket = self.sessions.seen_again(old)
        if ticket is not None:
            self._set_cookies(response, ticket)
        return response

    def _set_cookies(self, response: Response, ticket: Ticket) -> None:
        for name, value, is_hidden in (
            (cookie_name(), self.sessions.write(ticket), True),
            (TOKEN_COOKIE, self.sessions.token(ticket), False),
        ):
            response.set_cookie(
                name,
                value,
                max_age=int(self.sessions.age),
                path="/",
                secure=request.is_secure,
                httponly=is_hidden,
                samesite="Lax",
            )

    def _told_to_templates(self) -> dict[str, object]:
        return {
            "visitor": current(),
            "asks_who": self.asks_who,
            "csrf_token": self.token,
            "session_idle": self.sessions.idle if self.asks_who else None,
        }

    def _look(self) -> None:
        while self.asks_who and not self._stopping.wait(_LOOK_INTERVAL):
            with self._lock:
                watchers = list(self._watchers.items())
            for watcher, visitor in watchers:
                if not self._may_stay(visitor):
                    watcher.tell_to_leave(CloseCode.POLICY_VIOLATION, "log in again")

    def _may_stay(self, visitor: Visitor) -> bool:
        is_over = visitor.ticket is not None and not self.sessions.is_alive(
            visitor.ticket, is_used=True
        )
        return not is_over and self.accounts.find(visitor.name or "") == visitor.account


def the_gate() -> Gate:
    """Return the gate of the application at work."""
    gate: Gate = current_app.extensions["gate"]
    return gate


def current() -> Visitor:
    """Return who asks; nobody, where a request was refused before it was known."""
    visitor: Visitor = g.get("visitor", _NOBODY)
    return visitor


def cookie_name() -> str:
    """Return what the session's cookie is called: under TLS no other host can set one like it."""
    return f"__Host-{COOKIE}" if request.is_secure else COOKIE
