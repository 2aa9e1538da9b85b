"""The settings of the web dashboard."""

from typing import Annotated, Literal

import msgspec

from iot_button.setting_types import Port, SessionLength, Text, is_loopback

SERVER_PRICE = 5.0
"""US dollars a month for a small server, named in `dashboard/costs.py`."""


class DashboardSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The web dashboard. `client_id`: as for the function runtime.

    `database`: where the history is kept: None: a file in `state_dir`; postgresql://USER@HOST/NAME.
    `keep_days`: after so many, clicks and dead letters are deleted; their sums per day stay.
    `keep_megabytes`: from this size of the file on, the oldest clicks are deleted before.
    `server`: `werkzeug`, in this process, or `gunicorn`, which starts its worker again.
    `login`: `auto`: asked for where others can reach it (`asks_who`); `required`: always.
    `session_idle`, `session_age`: seconds without a request, and in all, after which one has to
    log in again.
    `names`: what it is called in a browser's address line, beside its own address.
    `tls`: with the certificate of this installation; `certificate_file`, `key_file`: or with one's
    own, PEM.
    `otlp_endpoint`: where each click's trace is sent, OTLP over HTTP; None: nowhere.
    `server_price`: US dollars a month for the server that the costs on AWS are compared with.
    `proxies`: how many trusted ones stand before it, whose X-Forwarded-* headers count.
    """

    host: Text = "127.0.0.1"
    port: Port = 8080
    client_id: Text | None = None
    database: Text | None = None
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 365
    keep_megabytes: Annotated[int, msgspec.Meta(ge=10, le=1_000_000)] = 1024
    server: Literal["werkzeug", "gunicorn"] = "werkzeug"
    login: Literal["auto", "required"] = "auto"
    session_idle: SessionLength = 12 * 3600.0
    session_age: SessionLength = 30 * 86_400.0
    names: tuple[Text, ...] = ()
    tls: bool = False
    certificate_file: Text | None = None
    key_file: Text | None = None
    proxies: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    otlp_endpoint: Text | None = None
    server_price: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = SERVER_PRICE

    @property
    def has_tls(self) -> bool:
        """Whether it is reached by https."""
        return self.tls or self.certificate_file is not None

    @property
    def asks_who(self) -> bool:
        """Whether one has to log in: others than who sits at this machine can reach it."""
        is_near = is_loopback(self.host) and not self.names and not self.proxies
        return self.login == "required" or not is_near
