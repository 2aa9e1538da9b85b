"""What holds for every rule and every message."""

import json
import math
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from functions.runtime.rules import (
    NO_MATCH,
    RuleError,
    RuleMessage,
    RulePayloadError,
    compile_rule,
)
from functions.runtime.rules.functions import FUNCTIONS

patient = settings(deadline=None)
"""A machine that is busy with other tests is slow, and nothing is wrong."""

WORDS = st.sampled_from(
    [
        *(
            "SELECT",
            "FROM",
            "WHERE",
            "AS",
            "AND",
            "OR",
            "NOT",
            "IN",
            "CASE",
            "WHEN",
            "THEN",
            "ELSE",
        ),
        *("END", "null", "true", "VALUE", "*", ",", "(", ")", "[", "]", "{", "}", ".", ":", "-"),
        *("+", "=", "<>", "<", "'a/+'", "'k'", "a", "b.c", "1", "2.5", "topic(", "get(", "cast("),
        *("encode(*, 'base64')", "SELECT * FROM 'a'", "SELECT a AS b", "LIKE", ";", "''"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["1", "-1.5", "1E400", "5e-12", "true", "FALSE", "YWI=", "UTC", "yyyy 'x'"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=12,
)
OBJECTS = st.fixed_dictionaries({}, optional={"a": JSON, "b": JSON, "c": JSON})

OPERATORS = ["+", "-", "*", "/", "%", "=", "<>", "<", "<=", ">", ">=", "AND", "OR", "IN"]
EXPRESSIONS = [
    *(f"a {operator} b" for operator in OPERATORS),
    *("-a", "NOT a", "a.b.c", "[a, b, [c]]", "{'a': a, 'b': {'c': b}}", "a + b + c", "a * b * c"),
    *(f"{name}({', '.join('abc'[: function.least])})" for name, function in FUNCTIONS.items()),
    *("concat(a, b)", "concat([a], b, 'x')", "concat(a, b, c)", "substring(a, b, c)", "topic(a)"),
    *(f"cast(a AS {kind})" for kind in ("Int", "Decimal", "String", "Boolean")),
    *("encode(*, 'base64')", "encode(a, 'base64')", "decode(a, 'base64')", "get(*, a)"),
    *("parse_time(a, b)", "parse_time('yyyy-MM-dd G', a)", "parse_time('HH ZZZ', a, b)"),
    *("CASE a WHEN b THEN c ELSE a END", "timestamp()", "clientid()", "power(a, power(b, c))"),
]
RULES = [compile_rule(" ".join(["SELECT", e, "AS v FROM '#'"])) for e in EXPRESSIONS]
RULES += [compile_rule(" ".join(["SELECT *, 1 AS a.b FROM '#' WHERE", e])) for e in EXPRESSIONS]
RULES += [compile_rule("SELECT VALUE a FROM '#'"), compile_rule("SELECT * FROM '#'")]
RULES += [compile_rule("SELECT a AS b.c, b.c AS b.d, c FROM '#'")]


def refusal(sql: str) -> RuleError | None:
    """Compile a text; nothing but a RuleError may come out of that."""
    try:
        compile_rule(sql)
    except RuleError as error:
        return error
    return None


@patient
@given(st.text() | st.lists(WORDS, max_size=25).map(" ".join))
@example("SELECT * FROM '\x00'")
def test_a_text_is_a_rule_or_is_refused_at_a_place(sql: str) -> None:
    error = refusal(sql)
    assert error is None or (0 <= error.offset <= len(sql) and "^" in str(error))


@patient
@given(WORDS, st.integers(1, 4000))
def test_no_word_can_be_repeated_until_something_breaks(word: str, count: int) -> None:
    sql = " ".join(["SELECT a FROM 'a' WHERE", *[word] * count])[:16_000]
    error = refusal(sql)
    assert error is None or len(str(error)) < 500


def check(rule: Any, payload: bytes) -> None:
    message = RuleMessage(topic="a/b", payload=payload, moment=1.0)
    try:
        event = rule.apply(message)
    except RulePayloadError:
        return
    if event is not NO_MATCH:
        assert json.loads(json.dumps(event, allow_nan=False)) is not NO_MATCH
        msgspec.json.encode(event)


@patient
@given(OBJECTS | JSON)
def test_any_json_gives_json_or_a_payload_error(document: Any) -> None:
    payload = json.dumps(document).encode()
    for rule in RULES:
        check(rule, payload)


@patient
@given(st.binary())
@example(b'{"a":%s,"b":%s}' % (b"9" * 4299, b"9" * 4299))
@example(b'{"a":"x","b":' + b"[" * 99 + b"]" * 99 + b"}")
@example(b'{"a":' + b"[" * 99 + b"]" * 99 + b',"b":' + b"[" * 99 + b"]" * 99 + b"}")
@example(b'{"a":1e308,"b":1e308,"c":-1e308}')
@example(b'{"a":5e-324,"b":5e-324,"c":"5E-324"}')
@example(b'{"a":"1E999999999","b":"1E-999999999"}')
@example(b'{"a":"%s","b":"","c":"%s"}' % (b"a" * 70_000, b"b" * 70_000))
def test_any_bytes_give_json_or_a_payload_error(payload: bytes) -> None:
    for rule in RULES:
        check(rule, payload)


INTS = st.integers(-(10**16), 10**16)
ARITHMETIC = compile_rule("SELECT VALUE [a + b, a - b, a * b, a = b, a < b, a >= b] FROM '#'")
DIVISION = compile_rule("SELECT VALUE [a / b, a % b] FROM '#'")


@patient
@given(INTS, INTS)
def test_ints_are_calculated_as_in_python(a: int, b: int) -> None:
    message = RuleMessage(topic="a", payload=b"", moment=0.0, decoded={"a": a, "b": b})
    assert ARITHMETIC.apply(message) == [a + b, a - b, a * b, a == b, a < b, a >= b]


@patient
@given(INTS, INTS.filter(bool))
def test_ints_are_divided_towards_zero(a: int, b: int) -> None:
    message = RuleMessage(topic="a", payload=b"", moment=0.0, decoded={"a": a, "b": b})
    quotient = math.trunc(Fraction(a, b))
    assert DIVISION.apply(message) == [quotient, a - quotient * b]
