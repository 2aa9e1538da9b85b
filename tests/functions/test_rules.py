"""What a rule makes of a message, rule by rule of the AWS IoT developer guide, SQL reference."""

import base64
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.runtime.rules import (
    NO_MATCH,
    RuleMessage,
    RulePayloadError,
    compile_rule,
)

CLICK = {"serialNumber": "G030JF055364XVRB", "batteryVoltage": "1716mV", "clickType": "SINGLE"}
TOPIC = "iotbutton/G030JF055364XVRB"
MISSING = object()


def message(payload: Any, *, topic: str = TOPIC, **more: Any) -> RuleMessage:
    encoded = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return RuleMessage(topic=topic, payload=encoded, **({"moment": 1.5} | more))


def event(sql: str, payload: Any = CLICK, **more: Any) -> Any:
    return compile_rule(sql).apply(message(payload, **more))


def value(expression: str, payload: Any = CLICK, **more: Any) -> Any:
    """Evaluate one expression; MISSING stands for Undefined, which SELECT leaves out."""
    sql = f"SELECT {expression} AS v FROM '#'"  # noqa: S608 - no database reads this
    return event(sql, payload, **more).get("v", MISSING)


# SELECT clause


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM '#'", {"color": {"red": 1}, "temperature": 50}),
        ("select temperature from '#'", {"temperature": 50}),
        ("SELECT temperature AS t FROM '#'", {"t": 50}),
        ("SELECT color.red FROM '#'", {"red": 1}),
        (
            "SELECT color.red AS red_value, temperature FROM '#'",
            {"red_value": 1, "temperature": 50},
        ),
        ("SELECT *, 15 AS speed FROM '#'", {"color": {"red": 1}, "temperature": 50, "speed": 15}),
        ("SELECT *, 1 AS temperature FROM '#'", {"color": {"red": 1}, "temperature": 1}),
        ("SELECT 1 AS temperature, * FROM '#'", {"color": {"red": 1}, "temperature": 50}),
        ("SELECT temperature AS a.b, 2 AS a.c FROM '#'", {"a": {"b": 50, "c": 2}}),
        ("SELECT *, 2 AS color.blue FROM '#'", {"color": {"red": 1, "blue": 2}, "temperature": 50}),
        ("SELECT 1 AS 'my name' FROM '#'", {"my name": 1}),
        ("SELECT 1 AS value FROM '#'", {"value": 1}),
        ("SELECT absent, color.absent AS b, absent.red FROM '#'", {}),
        ("SELECT topic(1) FROM '#'", {"topic": "iotbutton"}),
        ("SELECT VALUE color FROM '#'", {"red": 1}),
        ("SELECT VALUE [1, color.red] FROM '#'", [1, 1]),
        ("SELECT VALUE absent FROM '#'", ""),
        ("SELECT VALUE * FROM '#'", {"color": {"red": 1}, "temperature": 50}),
        ("SELECT (temperature - 32) * 5 / 9 AS celsius FROM '#'", {"celsius": 10}),
    ],
)
def test_select_makes_the_event(sql: str, expected: Any) -> None:
    assert event(sql, {"color": {"red": 1}, "temperature": 50}) == expected


def test_value_is_an_attribute_too() -> None:
    rule = "SELECT value, value + 1 AS more FROM '#' WHERE value > 2"
    assert event(rule, {"value": 3}) == {"value": 3, "more": 4}
    assert event("SELECT value * 2 AS v FROM '#'", {"value": 3}) == {"v": 6}


def test_the_message_is_not_changed() -> None:
    decoded = {"a": {"b": 1}}
    rule = compile_rule("SELECT *, 2 AS a.c FROM '#'")
    assert rule.apply(message(decoded, decoded=decoded)) == {"a": {"b": 1, "c": 2}}
    assert decoded == {"a": {"b": 1}}


def test_what_is_decoded_already_is_taken_as_it_is() -> None:
    found = message(b"", decoded={"a": 1})
    assert compile_rule("SELECT *, a + 1 AS b FROM '#'").apply(found) == {"a": 1, "b": 2}


def test_json_is_decoded_once_for_many_rules() -> None:
    found = message({"a": [1]})
    first, second = (compile_rule("SELECT VALUE a FROM '#'").apply(found) for _ in range(2))
    assert first is second


@pytest.mark.parametrize(
    ("sql", "everything"),
    [
        ("SELECT * FROM 'a/+'", True),
        ("SELECT * FROM 'a/+' WHERE true", False),
        ("SELECT *, 1 AS b FROM 'a/+'", False),
        ("SELECT b FROM 'a/+'", False),
        ("SELECT VALUE b FROM 'a/+'", False),
    ],
)
def test_a_rule_says_when_the_event_is_the_payload(sql: str, everything: bool) -> None:
    rule = compile_rule(sql)
    assert (rule.topic_filter, rule.selects_everything) == ("a/+", everything)


# WHERE clause


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ("clickType = 'SINGLE'", True),
        ("clickType = 'DOUBLE'", False),
        ("clickType IN ['SINGLE', 'LONG'] AND NOT startswith(serialNumber, 'X')", True),
        ("absent = 1", False),
        ("NOT absent = 1", False),
        ("isUndefined(absent)", True),
        ("1", False),
        ("'true'", False),
        ("null", False),
    ],
)
def test_where_lets_through_what_is_true(where: str, matches: bool) -> None:
    found = event(" ".join(["SELECT clickType FROM '#' WHERE", where]))
    assert found == ({"clickType": "SINGLE"} if matches else NO_MATCH)


# Operators

NUMBERS: list[tuple[str, Any]] = [
    ("2 + 3", 5),
    ("2 - 3", -1),
    ("2 * 3 + 4", 10),
    ("2 + 3 * 4", 14),
    ("(2 + 3) * 4", 20),
    ("- 2 - -3", 1),
    ("7 / 2", 3),
    ("-7 / 2", -3),
    ("7 % 3", 1),
    ("-7 % 3", -1),
    ("7 / 2.5", 2.8),
    ("7.5 % 2", 1.5),
    ("0.1 + 0.2", 0.3),
    ("1.5 + 1.5", 3),
    ("10.0", 10),
    ("10.0 / 4", 2),
    ("'7' - '2'", 5),
    ("'5E-1' * 4", 2),
    ("'1.5' + 1", "1.51"),
    ("1 + 'a'", "1a"),
    ("'a' + true", "atrue"),
    ("'a' + [1, 'b', null]", 'a[1,"b",null]'),
    ("'a' + null", MISSING),
    ("'a' + absent", MISSING),
    ("'a' * 2", MISSING),
    ("true + 1", MISSING),
    ("null + 1", MISSING),
    ("[1] + [2]", MISSING),
    ("1 / 0", MISSING),
    ("1.5 / 0", MISSING),
    ("1 % 0", MISSING),
    ("absent - 1", MISSING),
    ("-absent", MISSING),
]


@pytest.mark.parametrize(("expression", "expected"), NUMBERS)
def test_arithmetic(expression: str, expected: Any) -> None:
    found = value(expression)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("2 > 1", True),
        ("'10' > 9", True),
        ("'10' >= '9'", True),
        ("1 < 1.5", True),
        ("2 <= 1", False),
        ("'a' < 'b'", MISSING),
        ("true > false", MISSING),
        ("null > 1", MISSING),
        ("absent > 1", MISSING),
        ("1 = 1.0", True),
        ("1 = '1'", False),
        ("1 <> '1'", True),
        ("1 != 2", True),
        ("true = 1", False),
        ("[true] = [1]", False),
        ("null = null", True),
        ("null <> null", False),
        ("null = absent", MISSING),
        ("absent <> absent", MISSING),
        ("[1, 2] = [1, 2]", True),
        ("[1, 2] = [2, 1]", False),
        ("{'a': 1, 'b': [2]} = {'b': [2.0], 'a': 1}", True),
        ("{'a': 1} <> {'a': 2}", True),
    ],
)
def test_comparison(expression: str, expected: Any) -> None:
    assert value(expression) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("true AND 'TRUE'", True),
        ("true AND 'false'", False),
        ("false OR 'True'", True),
        ("NOT 'false'", True),
        ("NOT NOT true", True),
        ("true OR false AND false", True),
        ("NOT false AND false", False),
        ("NOT 1 = 2", True),
        ("true OR 'yes'", MISSING),
        ("false AND 1", MISSING),
        ("true OR absent", MISSING),
        ("NOT 1", MISSING),
        ("NOT null", MISSING),
    ],
)
def test_logic(expression: str, expected: Any) -> None:
    assert value(expression) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("3 IN arr", True),
        ("3.0 IN arr", True),
        ("'three' IN arr", True),
        ("null IN arr", True),
        ("[1] IN arr", True),
        ("true IN arr", False),
        ("4 in arr", False),
        ("'x' IN 'xyz'", MISSING),
        ("absent IN arr", MISSING),
        ("1 IN absent", MISSING),
    ],
)
def test_in_looks_into_an_array(expression: str, expected: Any) -> None:
    assert value(expression, {"arr": [1, 3, "three", None, [1]]}) is expected


# Literals and Case statements


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'it''s'", "it's"),
        ('"a ""b"" \'c\'"', "a \"b\" 'c'"),
        ("null", None),
        ("TRUE", True),
        ("1.5E2", 150),
        ("1e-3", 0.001),
        ("[]", []),
        ("{}", {}),
        ("[1, clickType, absent]", [1, "SINGLE"]),
        ("{'a': clickType, \"b\": absent, 'c': {'d': [2]}}", {"a": "SINGLE", "c": {"d": [2]}}),
        ("{'a': {'b': 7}}.a.b", 7),
        ("CASE clickType WHEN 'LONG' THEN 1 WHEN 'SINGLE' THEN 2 ELSE 3 END", 2),
        ("CASE clickType WHEN 'LONG' THEN 1 ELSE 3 END", 3),
        ("CASE clickType WHEN 'LONG' THEN 1 END", MISSING),
        ("CASE absent WHEN 'LONG' THEN 1 ELSE 3 END", MISSING),
        ("CASE 1 WHEN absent THEN 1 WHEN 1 THEN 2 WHEN 1 THEN 3 END", 2),
        ("CASE true WHEN 2 > 1 THEN 'more' ELSE 'less' END", "more"),
    ],
)
def test_literals_and_case(expression: str, expected: Any) -> None:
    assert value(expression) == expected


# Functions


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("abs(-5)", 5),
        ("abs('-5.25')", 5.25),
        ("ABS(true)", MISSING),
        ("ceil(1.2)", 2),
        ("ceil(-1.2)", -1),
        ("floor('1.7')", 1),
        ("floor(-1.2)", -2),
        ("floor([1])", MISSING),
        ("round(1.5)", 2),
        ("round(-1.5)", -2),
        ("round(-1.1)", -1),
        ("round(0.49999999999999994)", 0),
        ("sign(-0.5)", -1),
        ("sign(0)", 0),
        ("mod(8, 3)", 2),
        ("remainder(-8, 3)", -2),
        ("power(2, 5)", 32),
        ("power(2, 0.5)", 2**0.5),
        ("power(10, 1000000)", MISSING),
        ("power(-8, 0.3)", MISSING),
        ("power(0, -1)", MISSING),
        ("sqrt(9)", 3),
        ("sqrt(-1)", MISSING),
        ("trunc(2.3123, 2)", 2.31),
        ("trunc(-2.888, 1)", -2.8),
        ("trunc('2.5', -1)", 2),
        ("trunc(2.5, '1')", MISSING),
        ("trunc(7, 3)", 7),
        ("nanvl(absent, 3)", 3),
        ("nanvl(null, 3)", 3),
        ("nanvl('a', 3)", "a"),
    ],
)
def test_functions_of_numbers(expression: str, expected: Any) -> None:
    found = value(expression)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("concat()", MISSING),
        ("concat(1)", 1),
        ("concat(1, 2)", MISSING),
        ("concat(1, 'a', true)", "1atrue"),
        ("concat('a', null)", MISSING),
        ("concat([1], 'a', [2, [3]])", [1, "a", 2, [3]]),
        ("concat([1], absent)", MISSING),
        ("upper('straße')", "STRASSE"),
        ("lower(['AB'])", '["ab"]'),
        ("upper(null)", MISSING),
        ("length(false)", 5),
        ("length('€')", 1),
        ("numbytes('€')", 3),
        ("trim(' \ta b\n ')", "a b"),
        ("ltrim('\t a ')", "a "),
        ("rtrim(' a\t ')", " a"),
        ("startswith('ranger', 'ran')", True),
        ("endswith(1.5, 5)", True),
        ("endswith('a', null)", MISSING),
        ("indexof('abcd', 'bc')", 1),
        ("indexof('abcd', 'x')", -1),
        ("replace('abcabc', 'b', 1)", "a1ca1c"),
        ("replace('abc', absent, 'x')", MISSING),
        ("substring('012345', 2)", "2345"),
        ("substring('012345', 2.745)", "2345"),
        ("substring('012345', 1, 3)", "12"),
        ("substring('012345', -50, 50)", "012345"),
        ("substring('012345', 3, 1)", ""),
        ("substring(true, '1.2')", "rue"),
        ("substring(false, -2.411E247)", "false"),
        ("substring('abc', 'x')", MISSING),
        ("substring('abc', null)", MISSING),
        ("lpad('a', 2)", "  a"),
        ("rpad('{0}', 1.9)", "{0} "),
        ("lpad('a', -1)", "a"),
        ("length(lpad('', 1000000))", 1000),
        ("encode('ab', 'base64')", "YWI="),
        ("encode(12, 'base64')", "MTI="),
        ("encode(absent, 'base64')", MISSING),
        ("decode('eyJhIjogMX0=', 'base64').a", 1),
        ("decode('YWI=', 'base64')", "ab"),
        ("decode('//79', 'base64')", None),
        ("decode('!', 'base64')", None),
        ("md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
        ("sha1(1)", "356a192b7913b04c54574d18c28d46e6395428ab"),
        ("length(sha512('a'))", 128),
        ("sha256(null)", MISSING),
    ],
)
def test_functions_of_texts(expression: str, expected: Any) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("get([7, 8], 1)", 8),
        ("get([7, 8], '1')", 8),
        ("get([7, 8], 0.5)", 8),
        ("get([7, 8], '0.5')", 7),
        ("get([7, 8], 2)", MISSING),
        ("get([7, 8], -1)", MISSING),
        ("get([7, 8], true)", MISSING),
        ("get('abc', 1)", "b"),
        ("get({'my-key': 1}, 'my-key')", 1),
        ("get({'1': 2}, 1)", MISSING),
        ("get(5, 0)", MISSING),
        ("get(*, 'clickType')", "SINGLE"),
        ("isNull(null)", True),
        ("isNull(absent)", False),
        ("isUndefined(absent)", True),
        ("isUndefined(floor([1]))", True),
        ("isUndefined(null)", False),
        ("sql_version()", "2016-03-23"),
    ],
)
def test_functions_of_any_value(expression: str, expected: Any) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cast(true AS Int)", 1),
        ("cast(1.9 as int)", 1),
        ("cast('-1.9' AS Integer)", -2),
        ("cast(false AS Decimal)", 0),
        ("cast('1.5' AS Double)", 1.5),
        ("cast('x' AS Decimal)", MISSING),
        ("cast(0 AS Boolean)", False),
        ("cast(0.5 AS bool)", True),
        ("cast('TRUE' AS Boolean)", True),
        ("cast('x' AS Boolean)", MISSING),
        ("cast(1.50 AS String)", "1.5"),
        ("cast(1e30 AS Text)", "1E+30"),
        ("cast(true AS varchar)", "true"),
        ("cast('x' AS nvarchar)", "x"),
        ("cast([1, 'a', {'b': null}] AS String)", '[1,"a",{"b":null}]'),
        ("cast(null AS String)", MISSING),
        ("cast([1] AS Int)", MISSING),
    ],
)
def test_cast(expression: str, expected: Any) -> None:
    found = value(expression)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("topic()", "a//c"),
        ("topic(1)", "a"),
        ("topic(2)", ""),
        ("topic('3')", "c"),
        ("topic(1 + 2)", "c"),
        ("topic(0)", MISSING),
        ("topic(4)", MISSING),
        ("topic(absent)", MISSING),
        ("timestamp()", 1500),
        ("clientid()", "button-7"),
    ],
)
def test_functions_of_the_message(expression: str, expected: Any) -> None:
    assert value(expression, topic="a//c", client_id="button-7") == expected


def test_the_client_id_that_is_not_known() -> None:
    assert value("clientid()") == "n/a"


def test_the_timestamp_of_a_datetime() -> None:
    moment = datetime(2026, 11, 22, 10, 15, 30, 123_000, tzinfo=UTC)
    assert value("timestamp()", moment=moment) == 1_795_342_530_123


def test_every_uuid_is_new() -> None:
    first, second = event("SELECT VALUE [newuuid(), newuuid()] FROM '#'")
    assert uuid.UUID(first) != uuid.UUID(second)


# Payloads


@pytest.mark.parametrize("payload", [b"\xff\x00\x01", b"", b"not json", b'{"a":'])
def test_any_bytes_can_be_encoded(payload: bytes) -> None:
    rule = "SELECT encode(*, 'base64') AS data FROM '#' WHERE topic(1) = 'iotbutton'"
    assert event(rule, payload) == {"data": base64.b64encode(payload).decode()}


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff",
        b"nothing",
        b"NaN",
        b"1e400",
        b"9" * 5000,
        b'"\\ud800"',
        b"[" * 101 + b"]" * 101,
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
@pytest.mark.parametrize(
    "sql", ["SELECT * FROM '#'", "SELECT a FROM '#'", "SELECT VALUE * FROM '#'"]
)
def test_what_is_no_json_is_said(payload: bytes, sql: str) -> None:
    with pytest.raises(RulePayloadError, match="the rule cannot read the payload") as caught:
        event(sql, payload)
    assert caught.value.payload is payload


def test_a_payload_may_nest_a_hundred_deep() -> None:
    found = event("SELECT [[a]] AS v FROM '#'", b'{"a":' + b"[" * 99 + b"]" * 99 + b"}")
    assert json.dumps(found).count("[") == 101


def test_an_attribute_of_what_is_no_object_is_undefined() -> None:
    assert event("SELECT a, a.b AS c FROM '#'", b"[1]") == {}


def test_everything_with_more_needs_an_object() -> None:
    assert event("SELECT *, 1 AS a FROM '#'", b"") == {"a": 1}
    with pytest.raises(RulePayloadError, match="needs a JSON object"):
        event("SELECT *, 1 AS a FROM '#'", b"[1]")


def test_the_payload_is_not_read_for_nothing() -> None:
    assert event("SELECT a FROM '#' WHERE topic(1) = 'other'", b"\xff") is NO_MATCH
    assert event("SELECT topic() FROM '#'", b"\xff") == {"topic": TOPIC}


def test_the_last_of_two_equal_keys_counts() -> None:
    assert value("a", b'{"a":1,"a":2}') == 2


@pytest.mark.parametrize("expression", ["a * a", "a + a", "-a", "abs(a)", "round(a)", "a * 0.5"])
def test_long_integers_become_decimals_or_undefined(expression: str) -> None:
    assert isinstance(value(expression, b'{"a":%s}' % (b"9" * 40)), float)
    assert value(expression, b'{"a":%s}' % (b"9" * 4000)) is MISSING


def test_texts_do_not_grow_without_end() -> None:
    payload = {"a": "a" * 5000, "b": "b" * 5000}
    assert value("replace(a, 'a', b)", payload) is MISSING
    assert value("replace(a, '', b)", payload) is MISSING
    assert len(value("replace(a, 'a', 'bb')", payload)) == 10_000
