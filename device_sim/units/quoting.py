"""How a command is written in a unit, so that its program gets these very arguments.

By systemd.service(5), "Command lines", and systemd.syntax(7), "Quoting".
"""

from collections.abc import Iterable

from iot_button.errors import IotButtonError

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "%%"}
_DOLLAR = {"$": "$$"}
_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=/.,:@+")


class Raw(str):
    """A word that systemd is to expand, e.g. `${STATE_DIRECTORY}`: written as it is."""

    __slots__ = ()


def command_line(program: str, arguments: Iterable[str]) -> str:
    """Return the value of ExecStart= for a program, by its absolute path, and its arguments.

    Raises:
        IotButtonError: systemd cannot be told one of them.
    """
    if not program.startswith("/") or not program.isprintable():
        raise IotButtonError(f"systemd cannot start a program of the name {program!r}")
    # Environment variables are not expanded in the program's own path.
    return " ".join([_word(program, _ESCAPES), *map(_argument, arguments)])


def specifiers_escaped(text: str) -> str:
    """Return a value for a setting that has specifiers, but neither quotes nor lists.

    Raises:
        IotButtonError: it would end the line.
    """
    if not text.isprintable():
        raise IotButtonError(f"systemd cannot be told the name {text!r}")
    return text.replace("%", "%%")


def path_in_list(path: str) -> str:
    """Return a path for a setting that takes several, e.g. ReadWritePaths=.

    Raises:
        IotButtonError: it would end the line.
    """
    escaped = specifiers_escaped(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _argument(argument: str) -> str:
    return argument if isinstance(argument, Raw) else _word(argument, _ESCAPES | _DOLLAR)


def _word(text: str, escapes: dict[str, str]) -> str:
    return text if text and set(text) <= _BARE else _quoted(text, escapes)


def _quoted(text: str, escapes: dict[str, str]) -> str:
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
        raise IotButtonError(f"systemd cannot be told {text!r}: it is no text")
    return '"' + "".join(escapes.get(letter) or _printable(letter) for letter in text) + '"'


def _printable(letter: str) -> str:
    """Write control characters as escapes: some would end the line, all would look odd in it."""
    if letter < " " or letter == "\x7f":
        return f"\\x{ord(letter):02x}"
    return letter
