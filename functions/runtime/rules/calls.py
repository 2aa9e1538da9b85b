"""Calls of functions: arguments counted when the rule is read, and what needs more than values.

Of the message itself: topic(), timestamp(), clientid(), and the payload as `*`, which encode and
get take. With literals that are checked at once: the scheme of encode and decode, the pattern and
the zone of parse_time.
"""

import difflib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

from functions.runtime.rules import text_functions
from functions.runtime.rules.errors import RuleError
from functions.runtime.rules.functions import FUNCTIONS, MISSING
from functions.runtime.rules.message import RuleMessage
from functions.runtime.rules.syntax import Call, Everything, Expression, Literal
from functions.runtime.rules.times import TimeFormatError, moment_of, time_format, time_zone
from functions.runtime.rules.values import UNDEFINED, Special, to_int, to_text

Evaluate: TypeAlias = Callable[[RuleMessage], Any]
"""An expression, compiled."""

_COUNTS: Final[dict[str, tuple[int, int | None]]] = {
    **{name: (function.least, function.most) for name, function in FUNCTIONS.items()},
    "clientid": (0, 0),
    "decode": (2, 2),
    "encode": (2, 2),
    "parse_time": (2, 3),
    "timestamp": (0, 0),
    "topic": (0, 1),
}
"""Every function there is -> the least and the most arguments."""


def compile_call(sql: str, call: Call, arguments: list[Evaluate]) -> Evaluate:
    """Compile a call; `arguments` are its own, compiled.

    Raises:
        RuleError: for a function that there is not, a wrong number of arguments, and a literal
            argument that cannot be.
    """
    _check(sql, call)
    name = call.name.lower()
    if name in _SPECIAL:
        return _SPECIAL[name](sql, call, arguments)
    return applied(FUNCTIONS[name].run, arguments)


def applied(run: Callable[..., Any], arguments: list[Evaluate]) -> Evaluate:
    """Compile a function of values: its arguments are evaluated from the left."""
    if len(arguments) == 1:
        (only,) = arguments
        return lambda message: run(only(message))
    if len(arguments) == 2:
        first, second = arguments
        return lambda message: run(first(message), second(message))
    return lambda message: run(*[argument(message) for argument in arguments])


def _check(sql: str, call: Call) -> None:
    name = call.name.lower()
    if name not in _COUNTS:
        raise _unknown(sql, call)
    least, most = _COUNTS[name]
    count = len(call.arguments)
    if count < least or (most is not None and count > most):
        wanted = str(least) if least == most else f"{least} to {most}"
        reason = f"{call.name}() takes {wanted} arguments, not {count}"
        raise RuleError(reason, sql=sql, offset=call.at)
    for place, argument in enumerate(call.arguments):
        if isinstance(argument, Everything) and (place or name not in ("encode", "get")):
            mend = "* stands for the payload in encode(*, 'base64') and get(*, 'key')"
            raise RuleError("* is no value here", sql=sql, offset=argument.at, mend=mend)


def _unknown(sql: str, call: Call) -> RuleError:
    name = call.name.lower()
    if name in MISSING:
        reason = f"AWS's function {call.name}() is not supported here"
        return RuleError(reason, sql=sql, offset=call.at, mend=MISSING[name])
    close = difflib.get_close_matches(name, _COUNTS, n=1)
    mend = f"did you mean {close[0]}()?" if close else ""
    reason = f"AWS IoT SQL has no function {call.name[:40]}()"
    return RuleError(reason, sql=sql, offset=call.at, mend=mend)


def _topic(_sql: str, call: Call, arguments: list[Evaluate]) -> Evaluate:
    if not arguments:
        return lambda message: message.topic
    (wanted,) = arguments
    if isinstance(call.arguments[0], Literal):  # the usual case, without a conversion a message
        number = to_int(call.arguments[0].value)
        return lambda message: _level(message.topic, number)
    return lambda message: _level(message.topic, to_int(wanted(message)))


def _level(topic: str, number: int | Special) -> Any:
    """Return a level of a topic, counted from 1."""
    levels = topic.split("/")
    if isinstance(number, Special) or not 0 < number <= len(levels):
        return UNDEFINED
    return levels[number - 1]


def _timestamp(_sql: str, _call: Call, _arguments: list[Evaluate]) -> Evaluate:
    return milliseconds_of


def milliseconds_of(message: RuleMessage) -> int:
    """Return when a message came, in milliseconds since the beginning of 1970 in UTC."""
    moment = message.moment
    return round((moment.timestamp() if isinstance(moment, datetime) else moment) * 1000)


def _clientid(_sql: str, _call: Call, _arguments: list[Evaluate]) -> Evaluate:
    """Compile `clientid()`: "n/a" where the publisher is not known, as for HTTP on AWS."""
    return lambda message: "n/a" if message.client_id is None else message.client_id


def _encode(sql: str, call: Call, arguments: list[Evaluate]) -> Evaluate:
    """Compile `encode`: of `*` the payload's own bytes, JSON or not."""
    _check_scheme(sql, call)
    if isinstance(call.arguments[0], Everything):
        return lambda message: text_functions.encode_bytes(message.payload)
    return applied(text_functions.encode, arguments[:1])


def _decode(sql: str, call: Call, arguments: list[Evaluate]) -> Evaluate:
    _check_scheme(sql, call)
    return applied(text_functions.decode, arguments[:1])


def _check_scheme(sql: str, call: Call) -> None:
    scheme = call.arguments[1]
    if not isinstance(scheme, Literal) or scheme.value != "base64":
        reason = f"{call.name}() knows 'base64' alone, as a literal"
        raise RuleError(reason, sql=sql, offset=scheme.at)


def _parse_time(sql: str, call: Call, arguments: list[Evaluate]) -> Evaluate:
    _check_literal(sql, call.arguments[0], time_format)
    if len(call.arguments) > 2:
        _check_literal(sql, call.arguments[2], time_zone)
    pattern, moment, *more = arguments
    zone = more[0] if more else lambda _message: "UTC"
    return lambda message: _written(pattern(message), moment(message), zone(message))


def _check_literal(sql: str, argument: Expression, check: Callable[[str], Any]) -> None:
    if not isinstance(argument, Literal):
        return
    text = to_text(argument.value)
    if isinstance(text, Special):
        raise RuleError("a text is expected", sql=sql, offset=argument.at)
    try:
        check(text)
    except TimeFormatError as error:
        mend = "letters that stand for themselves go in quotes" if check is time_format else ""
        raise RuleError(str(error), sql=sql, offset=argument.at, mend=mend) from error


def _written(pattern: Any, moment: Any, zone: Any) -> Any:
    text, number, name = to_text(pattern), to_int(moment), to_text(zone)
    if isinstance(text, Special) or isinstance(number, Special) or isinstance(name, Special):
        return UNDEFINED
    try:
        return time_format(text)(moment_of(number, time_zone(name)))
    except TimeFormatError:
        return UNDEFINED


_SPECIAL: Final[dict[str, Callable[[str, Call, list[Evaluate]], Evaluate]]] = {
    "clientid": _clientid,
    "decode": _decode,
    "encode": _encode,
    "parse_time": _parse_time,
    "timestamp": _timestamp,
    "topic": _topic,
}
