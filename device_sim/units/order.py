"""What the user wants started: a driver's command and its options, checked as that command does."""

import importlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from device_sim.commands.device.options import RECORD
from iot_button.configuration import DEFAULT_FILE, load
from iot_button.errors import IotButtonError
from iot_button.settings import ENVIRONMENT_PREFIX, Settings

DRIVERS: Final = ("gpio", "serial", "evdev")
"""The drivers that need nobody before the screen."""
_OWN = ("config", "state_dir", "until_stdin_closes")
"""Options that the unit has in a form of its own, or not at all."""
_ENDING = {"until_stdin_closes": "--until-stdin-closes", "lists": "--list", "shows": "--show"}
_SECTIONS = ("BROKER_", "DEVICE_", "TOPICS_", "STATE_DIR")
_LONGEST_LABEL = 40


@dataclass(frozen=True, kw_only=True)
class Order:
    """A driver's command as it is to be started.

    `options`: each in the form `--name=value`, as the user gave it.
    `part`: the first value that says which hardware, e.g. the pin; empty: none was given.
    `config`: the settings file, absolute; None: there is none.
    `has_state_dir`: whether the user named a folder for the state.
    """

    driver: str
    options: tuple[str, ...]
    part: str
    settings: Settings
    config: Path | None
    has_state_dir: bool

    @property
    def label(self) -> str:
        """What tells this button from others: its serial number, or its driver and e.g. the pin."""
        serial = self.settings.device.serial_number
        if serial is not None:
            return serial
        word = re.sub(r"[^A-Za-z0-9_-]+", "-", self.part).strip("-")
        return f"{self.driver}-{word[-_LONGEST_LABEL:]}" if word else self.driver


def read_order(words: Sequence[str], *, parent: click.Context) -> Order:
    """Read `DRIVER OPTIONS...`, or only the options of `gpio`.

    Raises:
        click.UsageError: the driver's command would refuse them, or a service cannot have them.
        IotButtonError: a secret would be told to all, or be missing.
    """
    driver, words = _driver(words)
    command: click.Command = importlib.import_module(f"device_sim.commands.device.{driver}").command
    above = parent.parent or parent  # so that a usage error names `device DRIVER`, and its --help
    # Parsed, so that whatever that command checks is checked; not invoked.
    context = command.make_context(driver, list(words), parent=above)
    values = context.params
    _check_runs(driver, values, is_recorded=context.meta.get(RECORD) is not None)
    _check_account(values.get("broker__use"))
    _check_environment()
    config = _config(values["config"])
    settings = _settings(values, config)
    _check_files(settings, config)
    given = list(_given(command, context, words))
    of_hardware = (option for name, option in given if "__" not in name)
    return Order(
        driver=driver,
        options=tuple(option for _name, option in given),
        part=next(of_hardware, "").partition("=")[2],
        settings=settings,
        config=config,
        has_state_dir=values["state_dir"] is not None,
    )


def _driver(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    if not words or words[0].startswith("-"):
        return DRIVERS[0], words
    if words[0] not in DRIVERS:
        raise click.UsageError(
            f"{words[0]!r} is no driver that systemd can start; there are: {', '.join(DRIVERS)}"
        )
    return words[0], words[1:]


def _check_runs(driver: str, values: Mapping[str, Any], *, is_recorded: bool) -> None:
    """Refuse what would end at once: what the command itself finds only when it is run."""
    if any(values.get(name) for name in _ENDING):
        raise click.UsageError(f"{', '.join(_ENDING.values())} are not for a service: leave it out")
    if is_recorded:  # for ever, and to where the unit may not write
        raise click.UsageError("--record is not for a service: record with `device DRIVER` first")
    if driver == "evdev" and values["wanted"] is None:
        raise click.UsageError("name the device with --input; `device evdev --list` shows them")


def _given(
    command: click.Command, context: click.Context, words: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Return each option that was given, by its parameter, in the order of the command's help."""
    given, _rest, _order = command.make_parser(context).parse_args(list(words))
    for parameter in command.params:
        name = parameter.name or ""
        if name not in given or name in _OWN:
            continue
        value = given[name]
        if isinstance(parameter, click.Option) and parameter.is_flag:
            yield name, _longest(parameter.opts if value else parameter.secondary_opts)
        else:
            for one in value if parameter.multiple else [value]:
                yield name, f"{_longest(parameter.opts)}={one}"


def _longest(names: Sequence[str]) -> str:
    return max(names, key=len)


def _config(given: Path | None) -> Path | None:
    """Return the settings file that the command would read here: a service starts elsewhere."""
    path = given or Path(DEFAULT_FILE)
    return path.absolute() if given is not None or path.is_file() else None


def _settings(values: Mapping[str, Any], config: Path | None) -> Settings:
    options: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, is_setting, key = name.partition("__")
        if is_setting and value is not None:
            options.setdefault(section, {})[key] = value
    if values["state_dir"] is not None:
        options[""] = {"state_dir": values["state_dir"]}
    # Where the state is follows from the user's environment; the unit says it in full.
    environ = {name: text for name, text in os.environ.items() if name == "XDG_STATE_HOME"}
    return load(config=config, environ=environ, options=options)


def _check_account(broker: str | None) -> None:
    """Refuse an account on the command line: a unit and its journal are for all to read."""
    if broker is not None and "@" in broker:
        raise IotButtonError(
            "the account in --broker would stand in the unit, where every user can read it",
            mend="write username and password into a settings file of mode 0600, section "
            "[broker], and give --config FILE",
        )


def _check_environment() -> None:
    """Refuse settings that only this shell has."""
    mine = tuple(f"{ENVIRONMENT_PREFIX}{section}" for section in _SECTIONS)
    names = sorted(name for name in os.environ if name.startswith(mine))
    if names:
        raise IotButtonError(
            f"{', '.join(names)}: set here, and a service would not see it",
            mend="give it as an option, or in a settings file (--config FILE; mode 0600 where it "
            "has a password), and unset it",
        )


def _check_files(settings: Settings, config: Path | None) -> None:
    if config is not None and settings.broker.is_given_a_password:
        mode = config.stat().st_mode & 0o777
        if mode & 0o077:
            raise IotButtonError(
                f"{config} has a password, and other users can read it (mode {mode:04o})",
                mend=f"chmod 600 {config}",
            )
    for key in ("ca_file", "certificate_file", "key_file"):
        path = getattr(settings.broker, key)
        if path is not None and not Path(path).is_absolute():
            raise IotButtonError(
                f"broker.{key} = {path!r} is a path from this folder; a service starts elsewhere",
                mend=f"write {Path(path).absolute()}",
            )
