"""Frozen settings, one record per part: defaults < TOML file < environment < command line.

An error names the setting, its value, and where the value came from.
"""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import msgspec

from iot_button.errors import SettingError
from iot_button.topics import Topics

DEFAULT_FILE = "iot-button.toml"
ENVIRONMENT_PREFIX = "IOT_BUTTON_"

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Layer = Mapping[str, Mapping[str, Any]]
"""Values by section and key; the section of a setting that stands alone is the empty string."""


class BrokerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where an MQTT broker is, and who we are there."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None

    def __str__(self) -> str:
        """Return the address without its account, fit for a message."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which broker, where it listens, and the account and CA for one that is not ours.

    `use`: `amqtt` (embedded), `mosquitto` (a child process), or the address of one that runs.
    `websocket_origins`: web origins, beside loopback's own, whose pages may connect.
    """

    use: str = "amqtt"
    host: str = "127.0.0.1"
    port: Port = 1883
    websocket_port: Port = 9001
    websocket_origins: tuple[str, ...] = ()
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None

    @property
    def is_external(self) -> bool:
        """Whether the broker is one that runs already, and not ours to start."""
        return "://" in self.use

    @property
    def address(self) -> BrokerAddress:
        """Where clients connect."""
        if not self.is_external:
            return BrokerAddress(host=self.host, port=self.port)
        url = urlsplit(self.use)
        tls = url.scheme == "mqtts"
        return BrokerAddress(
            host=url.hostname or "",
            port=url.port or (8883 if tls else 1883),
            tls=tls,
            username=self.username if url.username is None else unquote(url.username),
            password=self.password if url.password is None else unquote(url.password),
            ca_file=self.ca_file,
        )


class FunctionsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The function runtime.

    `client_id`: names its session at the broker. Two runtimes on one broker need two names.
    """

    client_id: Text = "iot-button-functions"


class DashboardSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The web dashboard. `client_id` names its session at the broker."""

    host: str = "127.0.0.1"
    port: Port = 8080
    client_id: Text = "iot-button-dashboard"


class TopicSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every topic begins with, for a broker that several installations share."""

    prefix: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one installation."""

    state_dir: Text
    broker: BrokerSettings = BrokerSettings()
    functions: FunctionsSettings = FunctionsSettings()
    dashboard: DashboardSettings = DashboardSettings()
    topics: TopicSettings = TopicSettings()

    @property
    def topic_names(self) -> Topics:
        """The topics under the prefix that is set."""
        return Topics(self.topics.prefix)


def as_environment(settings: Settings) -> dict[str, str]:
    """Return environment variables from which `load` reads the same settings again."""
    environment = {f"{ENVIRONMENT_PREFIX}STATE_DIR": settings.state_dir}
    for name in _known_names()[1:]:
        section, key = name.split(".")
        value = getattr(getattr(settings, section), key)
        if value is not None:
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            environment[f"{ENVIRONMENT_PREFIX}{section}_{key}".upper()] = text
    return environment


def load(
    *, config: Path | None = None, environ: Mapping[str, str], options: Layer | None = None
) -> Settings:
    """Read the settings from every place that may hold some.

    Args:
        config: the file to read; None: `iot-button.toml` in the working directory, if there is one.
        environ: the process environment (`IOT_BUTTON_<SECTION>_<KEY>`, and `XDG_STATE_HOME`).
        options: what the command line says, by section and key.

    Raises:
        SettingError: for a file that cannot be read, an unknown setting, or a value it cannot have.
    """
    values: dict[str, Any] = {"state_dir": str(_default_state_dir(environ))}
    sources: dict[str, tuple[str, Any]] = {}
    for source, section, key, value in (
        *_from_file(config),
        *_from_environment(environ),
        *((_option(k), s, k, v) for s, k, v in _flatten(options or {})),
    ):
        name = _checked_name(source, section, key)
        sources[name] = (source, value)
        (values.setdefault(section, {}) if section else values)[key] = value
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(error, sources) from error
    try:
        _check(settings)
    except SettingError as error:
        source = sources[error.key][0]
        raise SettingError(error.key, f"{source}: {error.problem}", mend=error.mend) from None
    return msgspec.structs.replace(
        settings, state_dir=str(Path(settings.state_dir).expanduser().absolute())
    )


def _option(key: str) -> str:
    return "--broker" if key == "use" else f"--{key.replace('_', '-')}"


def _from_file(config: Path | None) -> Iterator[tuple[str, str, str, Any]]:
    path = config or Path(DEFAULT_FILE)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if config is None:
            return
        raise SettingError("config", f"there is no settings file {path}") from None
    except (OSError, ValueError) as error:
        raise SettingError("config", f"the settings file {path} cannot be read: {error}") from error
    layer = {k: v if isinstance(v, dict) else {k: v} for k, v in document.items()}
    for section, key, value in _flatten(layer):
        yield str(path), "" if document[section] is value else section, key, value


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str, Any]]:
    sections = [field.name for field in msgspec.structs.fields(Settings)]
    for variable, value in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        section = next((s for s in sections if name.startswith(f"{s}_") and name != s), "")
        key = name.removeprefix(f"{section}_") if section else name
        items = [item.strip() for item in value.split(",") if item.strip()]
        yield variable, section, key, items if key == "websocket_origins" else value


def _flatten(layer: Layer) -> Iterator[tuple[str, str, Any]]:
    for section, values in layer.items():
        for key, value in values.items():
            yield section, key, value


def _checked_name(source: str, section: str, key: str) -> str:
    name = f"{section}.{key}" if section else key
    known = _known_names()
    if name in known:
        return name
    close = difflib.get_close_matches(name, known, n=1)
    mend = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
    raise SettingError(name, f"{source}: there is no setting {name}", mend=mend)


def _known_names() -> list[str]:
    names = ["state_dir"]
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            names += [f"{field.name}.{f.name}" for f in msgspec.structs.fields(field.type)]
    return names


def _explained(error: msgspec.ValidationError, sources: dict[str, tuple[str, Any]]) -> SettingError:
    problem, _, where = str(error).partition(" - at `$.")
    name = re.sub(r"\[.*", "", where.rstrip("`"))
    source, value = sources.get(name, ("", None))
    shown = "(hidden)" if name.endswith("password") else repr(value)
    return SettingError(name, f"{source}: {name} = {shown} cannot be used: {problem}")


def _check(settings: Settings) -> None:
    """Check what types cannot say."""
    settings.topic_names.click("")  # a bad prefix raises
    use = settings.broker.use
    if settings.broker.is_external:
        _check_address(use)
    elif use not in ("amqtt", "mosquitto"):
        raise SettingError(
            "broker.use",
            f"the broker {_without_account(use)!r} is not known",
            mend="use amqtt, mosquitto, or the address of one that runs: mqtt://HOST:PORT",
        )
    for name, host in (
        ("broker.host", settings.broker.host),
        ("dashboard.host", settings.dashboard.host),
    ):
        _check_loopback(name, host)


def _check_address(use: str) -> None:
    try:
        url = urlsplit(use)
        usable = url.scheme in ("mqtt", "mqtts") and bool(url.hostname) and url.port != 0
        (url.hostname or "").encode("idna")  # a label too long or empty is a ValueError
        usable = usable and not (url.path.strip("/") or url.query or url.fragment)
    except ValueError:
        usable = False
    if not usable:
        raise SettingError(
            "broker.use",
            f"{_without_account(use)!r} is no broker's address",
            mend="write mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS",
        )


def _without_account(use: str) -> str:
    """Cut whatever may be a password, also in an address that breaks the form of one."""
    return re.sub(r"^([a-z]*://)?.*@", r"\1", use, flags=re.DOTALL | re.IGNORECASE)


def _check_loopback(name: str, host: str) -> None:
    if is_loopback(host):
        return
    raise SettingError(
        name,
        f"{name} = {host!r} is beyond loopback, where everyone on the network could press buttons",
        mend="keep 127.0.0.1; to reach it from elsewhere, use a broker that has accounts "
        "(--broker mqtts://HOST:PORT) or an SSH tunnel",
    )


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _default_state_dir(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "iot-button"
