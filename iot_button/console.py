"""What a process of ours says: data on standard output, messages on standard error."""

import json
import logging
import sys
from typing import Any


def say(message: str) -> None:
    """Write a message for a person to standard error, if there is one (`2>&-`)."""
    if sys.stderr is not None:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()


def emit(value: dict[str, Any]) -> None:
    """Write one JSON line to standard output, if there is one.

    ASCII only: text from a device could otherwise carry control characters to the terminal.

    Raises:
        ValueError: for a number that JSON cannot hold.
    """
    if sys.stdout is None:  # `>&-`
        return
    sys.stdout.write(json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")
    sys.stdout.flush()


def say_ready(part: str, **addresses: str) -> None:
    """Say that a part is ready, and where: one line that begins with `ready`."""
    say(" ".join(["ready", part, *(f"{name}={address}" for name, address in addresses.items())]))


def start_logging(*, verbose: bool) -> None:
    """Send log lines to standard error; the libraries below us speak up from warnings only."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        level=logging.DEBUG if verbose else logging.WARNING,
    )
    if not verbose:
        for package in ("iot_button", "device_sim", "broker", "functions", "dashboard"):
            logging.getLogger(package).setLevel(logging.INFO)


def is_verbose() -> bool:
    """Whether `start_logging` was told to be verbose."""
    return logging.getLogger().isEnabledFor(logging.DEBUG)
