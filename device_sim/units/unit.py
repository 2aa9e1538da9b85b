"""A button's systemd unit, as text.

Of the system, it runs as a user of its own that exists only while it runs, or as one that was
named. Of a user, it runs as that user, and its clicks lie where that user's own runs have theirs.
"""

import enum
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import iot_button
from device_sim.units import hardening
from device_sim.units.order import Order
from device_sim.units.quoting import Raw, command_line, path_in_list, specifiers_escaped
from iot_button.errors import IotButtonError

MARK = "# Written by `iot-button device install`; `iot-button device uninstall` removes it."
"""The first line of a unit of ours."""
PREFIX = "iot-button-"
GROUPS = {"gpio": ("gpio", "spi"), "serial": ("dialout",), "evdev": ("input",)}
"""Driver -> the groups whose members may use its devices, on Debian and Raspberry Pi OS."""
_CREDENTIAL = "iot-button.toml"
_STATE = Path("/var/lib")  # systemd's own for units of the system: StateDirectory=


class Scope(enum.StrEnum):
    """Whose units: a user's own, or the system's."""

    USER = "user"
    SYSTEM = "system"


@dataclass(frozen=True, kw_only=True)
class Program:
    """What runs us: the interpreter, and the folder in which our packages are."""

    python: Path = Path(sys.executable)
    packages: Path = Path(iot_button.__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A unit to be written.

    `as_user`: who a unit of the system runs as; None: a user of its own.
    `groups`: those that open its devices, and exist here.
    `has_namespaces`: whether a user's unit can be shown another view of the file system.
    """

    order: Order
    scope: Scope
    as_user: str | None = None
    groups: Sequence[str] = ()
    has_namespaces: bool = True
    program: Program = Program()

    @property
    def name(self) -> str:
        """Its name, without `.service`."""
        return f"{PREFIX}{self.order.label}"

    @property
    def state_dir(self) -> Path:
        """Where its clicks wait."""
        if self.scope is Scope.SYSTEM:
            return _STATE / self.name
        return Path(self.order.settings.state_dir)

    def text(self) -> str:
        """Return the unit.

        Raises:
            IotButtonError: it could not start so.
        """
        self._check()
        is_system = self.scope is Scope.SYSTEM
        sections = {
            "Unit": self._unit(),
            "Service": [*self._service(), *(self._system() if is_system else self._user())],
            "Install": [("WantedBy", "multi-user.target" if is_system else "default.target")],
            # Sections that begin with X- are left alone by systemd: systemd.unit(5).
            "X-IotButton": [("Label", self.order.label), ("State", str(self.state_dir))],
        }
        blocks = [
            "\n".join([f"[{name}]", *map("=".join, lines)]) for name, lines in sections.items()
        ]
        return "\n\n".join([f"{MARK}\n{blocks[0]}", *blocks[1:]]) + "\n"

    def _unit(self) -> Iterator[hardening.Setting]:
        yield "Description", f"IoT button {self.order.label} ({self.order.driver})"
        if self.scope is Scope.SYSTEM:  # a user's manager knows nothing of the network
            yield "Wants", "network-online.target"
            yield "After", "network-online.target"
        yield "StartLimitIntervalSec", "0"  # a button that is unplugged may come back any time

    def _service(self) -> Iterator[hardening.Setting]:
        yield "Type", "exec"
        yield "ExecStart", command_line(str(self.program.python), self._arguments())
        yield "WorkingDirectory", specifiers_escaped(str(self.program.packages))
        yield "Restart", "always"
        yield "RestartSec", "10"
        yield "RestartPreventExitStatus", "2"  # wrong options do not mend themselves
        yield "TimeoutStopSec", "15"

    def _arguments(self) -> Iterator[str]:
        yield from ("-m", "iot_button", "device", self.order.driver, *self.order.options)
        is_system = self.scope is Scope.SYSTEM
        if self.order.config is not None:
            yield "--config"
            yield (
                Raw(f"${{CREDENTIALS_DIRECTORY}}/{_CREDENTIAL}")
                if is_system
                else str(self.order.config)
            )
        yield "--state-dir"
        yield Raw(f"%S/{self.name}") if is_system else str(self.state_dir)

    def _system(self) -> Iterator[hardening.Setting]:
        if self.as_user is None:
            yield "DynamicUser", "yes"
        else:
            yield "User", self.as_user
        if self.groups:
            yield "SupplementaryGroups", " ".join(self.groups)
        # One for each button: units of different users would take a common one from each other.
        yield "StateDirectory", self.name
        yield "StateDirectoryMode", "0700"
        if self.order.config is not None:
            # Read by systemd as root: it may have a password, and stay root's own.
            path = specifiers_escaped(str(self.order.config))
            yield "LoadCredential", f"{_CREDENTIAL}:{path}"
        yield from hardening.of_system(self._needed)

    def _user(self) -> Iterator[hardening.Setting]:
        if self.has_namespaces:
            yield "ReadWritePaths", path_in_list(str(self.state_dir))
        yield from hardening.of_user(self._needed, has_namespaces=self.has_namespaces)

    @property
    def _needed(self) -> list[Path]:
        """Return the paths that the service itself reads."""
        paths = [self.program.python, self.program.packages]
        if self.scope is Scope.USER:
            paths += [self.state_dir, *filter(None, [self.order.config])]
        broker = self.order.settings.broker
        files = (broker.ca_file, broker.certificate_file, broker.key_file)
        return paths + [Path(file) for file in files if file is not None]

    def _check(self) -> None:
        if self.scope is Scope.USER:
            return
        if self.order.has_state_dir:
            raise IotButtonError(
                f"--state-dir: a unit of the system keeps its clicks in {self.state_dir}",
                mend="leave it out",
            )
        hidden = [path for path in self._needed if hardening.is_below(path, hardening.HOMES)]
        if hidden and self.as_user is None:
            raise IotButtonError(
                f"{hidden[0]} is in a home, where a user of its own may not read",
                mend="name whose home it is with --as-user NAME, leave --system out, or install "
                "it elsewhere, e.g. in /opt",
            )
