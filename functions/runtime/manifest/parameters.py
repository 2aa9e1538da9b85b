"""A template's parameters: their defaults, checked as CloudFormation does.

AWS CloudFormation user guide, "Parameters": types and constraints. Of a list (`List<Number>`,
`CommaDelimitedList`) each item is checked. What only AWS can look up, such as the name of a key
pair, is a text here.
"""

import math
import re
from collections.abc import Mapping

from functions.runtime.manifest.fields import Field

_NUMBERS = ("Number", "List<Number>")
_LISTS = ("List<Number>", "CommaDelimitedList")
_TYPE = re.compile(r"String|Number|List<Number>|CommaDelimitedList|(List<)?AWS::[A-Za-z0-9:<>]+")
_LENGTHS = ("MinLength", "MaxLength")
_VALUES = ("MinValue", "MaxValue")
_KNOWN = ("Type", "Default", "AllowedValues", "AllowedPattern", *_LENGTHS, *_VALUES)
_IGNORED = ("Description", "NoEcho", "ConstraintDescription")


def check(parameter: Field) -> None:
    """Check a parameter, and its default where it has one.

    Raises:
        ManifestError: for an unknown key or type, and for a default that a constraint forbids.
    """
    fields = parameter.fields(_KNOWN, ignored=_IGNORED)
    kind = parameter.need(fields, "Type", mend="add Type: String")
    if not _TYPE.fullmatch(kind.text()):
        kind.fail(
            f"the type {kind.text()!r} is not known", mend="there are String, Number and more"
        )
    is_number = kind.text() in _NUMBERS
    for name in ("AllowedPattern", *_LENGTHS) if is_number else _VALUES:
        if name in fields:
            fields[name].fail(f"has no meaning for the type {kind.text()}")
    if "Default" not in fields:
        return
    for item in _items(fields["Default"], kind.text()):
        if is_number:
            _check_number(fields, item)
        else:
            _check_text(fields, item)


def _items(default: Field, kind: str) -> list[str]:
    text = _text(default)
    return [item.strip() for item in text.split(",")] if kind in _LISTS else [text]


def _text(field: Field) -> str:
    """Return a value as it is compared: a number as Python writes it."""
    value = field.node.value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else field.any_text()


def _check_number(fields: Mapping[str, Field], text: str) -> None:
    default = fields["Default"]
    number = _number(default, text)
    low, high = (_number(fields[n], _text(fields[n])) if n in fields else None for n in _VALUES)
    if low is not None and number < low:
        default.fail(f"{text} is less than MinValue, {low:g}")
    if high is not None and number > high:
        default.fail(f"{text} is more than MaxValue, {high:g}")
    if "AllowedValues" in fields:
        allowed = {_number(each, _text(each)) for each in fields["AllowedValues"].items()}
        if number not in allowed:
            default.fail(f"{text} is not one of AllowedValues")


def _number(field: Field, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        field.fail(f"{text!r} is no number")
    return number


def _check_text(fields: Mapping[str, Field], text: str) -> None:
    default = fields["Default"]
    low, high = (fields[name].integer(0) if name in fields else None for name in _LENGTHS)
    if low is not None and len(text) < low:
        default.fail(f"{text!r} is shorter than MinLength, {low}")
    if high is not None and len(text) > high:
        default.fail(f"{text!r} is longer than MaxLength, {high}")
    if "AllowedPattern" in fields and not _pattern(fields["AllowedPattern"]).fullmatch(text):
        default.fail(f"{text!r} does not match AllowedPattern")
    if "AllowedValues" not in fields:
        return
    if text not in {_text(each) for each in fields["AllowedValues"].items()}:
        default.fail(f"{text!r} is not one of AllowedValues")


def _pattern(field: Field) -> re.Pattern[str]:
    try:
        return re.compile(field.any_text())
    except (re.error, OverflowError, RecursionError) as error:
        field.fail(f"cannot be checked here: {error}", mend="write a form that Python knows too")
