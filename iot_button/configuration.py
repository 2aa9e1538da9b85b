"""Reading the settings: defaults < TOML file < environment < command line.

An error names the setting, its value, and where the value came from.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from iot_button.bridge_settings import PASSWORD_VARIABLE, BridgeSettings, read_bridge
from iot_button.errors import SettingError
from iot_button.house import HOUSE_NAME, read_house
from iot_button.setting_checks import check
from iot_button.settings import ENVIRONMENT_PREFIX, BrokerSettings, Settings, known_names

DEFAULT_FILE = "iot-button.toml"
_LISTS = (
    "broker_names",
    "broker_websocket_origins",
    "dashboard_names",
    "functions_retry_delays",
)
"""Settings that the environment gives with commas in between."""

_EXPECTED = re.compile(
    r"Expected `(\w+)(?: \| null)?`(?: ([<>]=) (\S+)|( of length >= 1))?(?:, got `(\w+)`)?"
)
_LIMITS = {"<=": "at most", ">=": "at least"}
_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "a section of settings",
    "str": "a text",
}
"""What msgspec calls the kinds of values, in words."""

_OPTIONS = {"use": "--broker", "serial_number": "--serial", "manifest": "--manifest or --functions"}
"""Options that have another name than their setting."""

Layer = Mapping[str, Mapping[str, Any]]
"""Values by section and key; the section of a setting that stands alone is the empty string."""


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
    if "bridge" in values:
        values["bridge"] = _bridges(*sources["bridge"])
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(error, sources) from error
    try:
        check(settings)
    except SettingError as error:
        source = sources[error.key][0] if error.key in sources else "default"
        raise SettingError(error.key, f"{source}: {error.problem}", mend=error.mend) from None
    try:
        state_dir = str(Path(settings.state_dir).expanduser().absolute())
    except RuntimeError as error:  # no home directory
        problem = f"state_dir = {settings.state_dir!r} cannot be found: {error}"
        raise SettingError("state_dir", problem, mend="name one with --state-dir DIR") from error
    settings = msgspec.structs.replace(settings, state_dir=state_dir)
    return msgspec.structs.replace(settings, broker=_at_home(settings.broker, Path(state_dir)))


def _at_home(broker: BrokerSettings, state_dir: Path) -> BrokerSettings:
    """Let our own parts into our own broker, where the settings name no account."""
    if broker.is_external or broker.username is not None:
        return broker
    password = read_house(state_dir)
    if password is None:
        return broker
    return msgspec.structs.replace(broker, username=HOUSE_NAME, password=password)


def _bridges(source: str, tables: object) -> tuple[BridgeSettings, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problem = f"{source}: bridge must be a list of tables"
        raise SettingError("bridge", problem, mend="write [[bridge]] above each")
    try:
        return tuple(read_bridge(table) for table in tables)
    except SettingError as error:
        raise SettingError("bridge", f"{source}: {error.problem}", mend=error.mend) from None


def _option(key: str) -> str:
    return _OPTIONS.get(key) or f"--{key.replace('_', '-')}"


def _from_file(config: Path | None) -> Iterator[tuple[str, str, str, Any]]:
    path = config or Path(DEFAULT_FILE)
    try:
        document = tomllib.loads(path.read_text("utf-8-sig"))
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
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == PASSWORD_VARIABLE:
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        section = next((s for s in sections if name.startswith(f"{s}_") and name != s), "")
        key = name.removeprefix(f"{section}_") if section else name
        if name in _LISTS:
            yield variable, section, key, _items(variable, f"{section}.{key}", value)
        else:
            yield variable, section, key, value


def _items(variable: str, name: str, text: str) -> list[str]:
    """Split a list at its commas; one may stand at the end, as in TOML."""
    whole = text.strip().removesuffix(",")
    items = [item.strip() for item in whole.split(",")] if whole else []
    if not all(items):
        problem = f"{variable}: {name} = {text!r} has an empty item"
        raise SettingError(name, problem, mend="write one comma between two items")
    return items


def _flatten(layer: Layer) -> Iterator[tuple[str, str, Any]]:
    for section, values in layer.items():
        for key, value in values.items():
            yield section, key, value


def _checked_name(source: str, section: str, key: str) -> str:
    name = f"{section}.{key}" if section else key
    known = known_names()
    if name == "bridge" and not source.startswith((ENVIRONMENT_PREFIX, "--")):
        return name
    if name.split(".")[0] == "bridge":
        mend = "write a [[bridge]] table into the settings file; the environment cannot hold one"
        raise SettingError("bridge", f"{source}: a bridge cannot be set here", mend=mend)
    if name in known:
        return name
    close = difflib.get_close_matches(name, known, n=1)
    mend = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
    raise SettingError(name, f"{source}: there is no setting {name}", mend=mend)


def _explained(error: msgspec.ValidationError, sources: dict[str, tuple[str, Any]]) -> SettingError:
    problem, _, where = str(error).partition(" - at `$.")
    name = re.sub(r"\[.*", "", where.rstrip("`"))
    source, value = sources.get(name, ("", None))
    shown = "(hidden)" if name.endswith("password") else repr(value)
    item = re.search(r"\[([0-9]+)\]", where)
    what = f"item {int(item[1]) + 1}" if item else "it"
    choices = _choices(name)
    reason = f"it must be {choices}" if choices else f"{what} {_in_words(problem)}"
    return SettingError(name, f"{source}: {name} = {shown} cannot be used: {reason}")


def _choices(name: str) -> str:
    """Return the values of a setting that has a few only; empty for any other."""
    section, _, key = name.partition(".")
    kind: object = get_type_hints(Settings).get(section)
    choices = get_args(get_type_hints(kind).get(key)) if key and kind is not None else ()
    return " or ".join(choices) if choices and all(isinstance(it, str) for it in choices) else ""


def _in_words(problem: str) -> str:
    """Say what msgspec expects in words that need no Python; what is unknown stays as it is."""
    match = _EXPECTED.fullmatch(problem)
    if match is None:
        return f"is not right: {problem}"
    kind, limit, bound, is_empty, got = match.groups()
    wanted = _WORDS.get(kind, kind)
    if is_empty:
        return "must not be empty"
    if limit:
        return f"must be {wanted}, {_LIMITS[limit]} {bound.removesuffix('.0')}"
    return f"must be {wanted}, not {_WORDS.get(got, got)}" if got else f"must be {wanted}"


def _default_state_dir(environ: Mapping[str, str]) -> Path:
    base = Path(environ.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():  # to be ignored then, XDG base directory specification
        base = Path("~/.local/state")
    return base / "iot-button"
