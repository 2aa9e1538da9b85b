"""The functions of AWS IoT SQL that need nothing but their arguments, by lower-case name.

The rules are those of the AWS IoT developer guide, SQL reference, "Functions". What a function
makes of a wrong type is Undefined; a wrong number of arguments is refused when the rule is read.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from functions.runtime.rules import arithmetic
from functions.runtime.rules import number_functions as numbers
from functions.runtime.rules import text_functions as texts
from functions.runtime.rules.values import (
    UNDEFINED,
    Special,
    to_boolean,
    to_int,
    to_number,
    to_text,
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function, and how many arguments it takes: `most` is None where there is no end."""

    run: Callable[..., Any]
    least: int
    most: int | None


def concat(*values: Any) -> Any:
    """Join arrays, or texts: one argument comes back as it is, numbers alone give Undefined.

    With an array among them all go into one array, arrays item by item.
    """
    if len(values) < 2:
        return values[0] if values else UNDEFINED
    if UNDEFINED in values:
        return UNDEFINED
    if any(type(value) is list for value in values):
        parts = [value if type(value) is list else [value] for value in values]
        return [item for part in parts for item in part]
    return arithmetic.join(*values) if any(type(v) is str for v in values) else UNDEFINED


def get(value: Any, key: Any) -> Any:
    """Return an array's item, a text's character (both from 0), or an object's value by its key."""
    if type(value) is dict:
        return value.get(key, UNDEFINED) if type(key) is str else UNDEFINED
    index = to_int(key)
    if isinstance(index, Special) or type(value) not in (list, str):
        return UNDEFINED
    return value[index] if 0 <= index < len(value) else UNDEFINED


def nanvl(value: Any, otherwise: Any) -> Any:
    """Return the second argument where the first is Undefined, Null or not a number (NaN)."""
    return otherwise if value is UNDEFINED or value is None else value


def to_cast_number(value: Any) -> Any:
    """Convert as `cast(value AS Decimal)`: as always, and true is 1 and false 0."""
    return int(value) if isinstance(value, bool) else to_number(value)


def to_cast_boolean(value: Any) -> Any:
    """Convert as `cast(value AS Boolean)`: as always, and a number is true unless it is 0."""
    if isinstance(value, int | float):
        return value != 0
    return to_boolean(value)


def _to_cast_int(value: Any) -> Any:
    return numbers.floor(to_cast_number(value))


CASTS: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("string", "nvarchar", "text", "ntext", "varchar"), to_text),
    **dict.fromkeys(("int", "integer"), _to_cast_int),
    **dict.fromkeys(("decimal", "double"), to_cast_number),
    **dict.fromkeys(("bool", "boolean"), to_cast_boolean),
}
"""The types that `cast` knows, in lower case."""

_ONE: Final[dict[str, Callable[..., Any]]] = {
    "abs": numbers.absolute,
    "ceil": numbers.ceil,
    "floor": numbers.floor,
    "isnull": lambda value: value is None,
    "isundefined": lambda value: value is UNDEFINED,
    "length": texts.length,
    "lower": texts.lower,
    "ltrim": texts.ltrim,
    "numbytes": texts.numbytes,
    "round": numbers.nearest,
    "rtrim": texts.rtrim,
    "sign": numbers.sign,
    "sqrt": numbers.sqrt,
    "trim": texts.trim,
    "upper": texts.upper,
    **{name: texts.hashed(name) for name in ("md5", "sha1", "sha224", "sha256")},
    **{name: texts.hashed(name) for name in ("sha384", "sha512")},
}
_TWO: Final[dict[str, Callable[..., Any]]] = {
    "endswith": texts.endswith,
    "get": get,
    "indexof": texts.indexof,
    "lpad": texts.lpad,
    "mod": arithmetic.remainder,
    "nanvl": nanvl,
    "power": numbers.power,
    "remainder": arithmetic.remainder,
    "rpad": texts.rpad,
    "startswith": texts.startswith,
    "trunc": numbers.trunc,
}
FUNCTIONS: Final[dict[str, Function]] = {
    **{name: Function(run, 1, 1) for name, run in _ONE.items()},
    **{name: Function(run, 2, 2) for name, run in _TWO.items()},
    "concat": Function(concat, 0, None),
    "newuuid": Function(lambda: str(uuid.uuid4()), 0, 0),
    "replace": Function(texts.replace, 3, 3),
    "sql_version": Function(lambda: "2016-03-23", 0, 0),
    "substring": Function(texts.substring, 2, 3),
}

_HANDLER = "do this in the function's handler"
MISSING: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *("accountid", "acos", "asin", "atan", "atan2", "bitand", "bitnot", "bitor", "bitxor"),
            *("chr", "cos", "cosh", "exp", "get_mqtt_property", "get_or_default", "ln", "log"),
            *("get_user_properties", "md2", "principal", "rand", "regexp_matches"),
            *("regexp_replace", "regexp_substr", "sin", "sinh", "sourceip", "tan", "tanh"),
            *("time_to_epoch", "traceid", "transform"),
        ),
        _HANDLER,
    ),
    "aws_lambda": "let the rule start this function, and call the other from its handler",
    "get_dynamodb": "read it in the function's handler with boto3",
    "get_registry_data": "there is no thing registry here; look it up in the function's handler",
    "get_secret": "give it to the function as an environment variable",
    "get_thing_shadow": "there are no shadows here; keep the state in the function's handler",
    "machinelearning_predict": "call the model in the function's handler",
}
"""Functions that AWS has and we have not -> what can be done instead."""
