"""The serial number of a button whose owner gave it none: the same at each start, and unique."""

import hashlib
import re
import socket
import uuid
from pathlib import Path

_MACHINE_ID = Path("/etc/machine-id")  # machine-id(5)
_LONGEST = 64
_LONGEST_LABEL = 40


def serial_number(label: str) -> str:
    """Return a serial number for this machine's button of that label.

    The host's name alone would not do: every fresh Raspberry Pi is called raspberrypi.
    """
    host = re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname().partition(".")[0]).strip("-")
    if len(label) > _LONGEST_LABEL:  # cut, it could be another's
        label = f"{label[: _LONGEST_LABEL - 9]}-{_digest(label)[:8]}"
    tail = f"-{_machine()}-{label}"
    return f"{host[: _LONGEST - len(tail)] or 'button'}{tail}"


def _machine() -> str:
    """Return four digits made from the machine's id, which itself is not to be shown around."""
    try:
        machine_id = _MACHINE_ID.read_text("ascii").strip()
    except (OSError, ValueError):
        machine_id = ""
    if machine_id in ("", "uninitialized"):  # an image before its first boot, a container
        machine_id = f"{uuid.getnode():x}"
    return _digest(f"iot-button {machine_id}")[:4]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
