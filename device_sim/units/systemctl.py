"""systemd's own command, for the units of one scope."""

import shlex
import shutil
import subprocess

from device_sim.units.unit import Scope
from iot_button.errors import IotButtonError

TIMEOUT = 90.0
"""Seconds; a stop may take up to 15."""


class Systemctl:
    """Tells systemd what to do with the units of one scope."""

    def __init__(self, scope: Scope) -> None:
        self._options = ["--user"] if scope is Scope.USER else []
        self._path = shutil.which("systemctl")

    def is_there(self) -> bool:
        """Whether a systemd of that scope runs; in a container, say, none does."""
        if self._path is None:
            return False
        return self._run("show", "--property=Version").returncode == 0

    def do(self, *words: str) -> None:
        """Carry out a command.

        Raises:
            IotButtonError: it failed.
        """
        result = self._run(*words)
        if result.returncode != 0:
            reason = " ".join(result.stderr.split()) or f"exit status {result.returncode}"
            raise IotButtonError(f"{self.line(*words)} failed: {reason}")

    def line(self, *words: str) -> str:
        """Return a command as a user would type it."""
        return shlex.join(["systemctl", *self._options, *words])

    def _run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [self._path or "systemctl", *self._options, *words]
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise IotButtonError(f"{self.line(*words)} took longer than {TIMEOUT:g} s") from error
