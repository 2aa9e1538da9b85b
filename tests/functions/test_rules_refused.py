"""Rules that are refused when they are read: with a reason, a place, and what to do."""

import pytest

from functions.runtime.rules import RuleError, compile_rule


def rule(expression: str) -> str:
    return f"SELECT {expression} AS v FROM 'a'"  # noqa: S608 - no database reads this


@pytest.mark.parametrize(
    ("marked", "says"),
    [
        ("¦", "SELECT is expected"),
        ("¦DELETE FROM 'a'", "SELECT is expected, not DELETE"),
        ("SET ¦@x = 1 SELECT 1 AS a FROM 'a'", "'@' has no place"),
        ("¦SET x = 1 SELECT 1 AS a FROM 'a'", "SET is not supported"),
        ("SELECT * FROM 'a'¦; SELECT * FROM 'b'", "a rule is one statement"),
        ("SELECT * FROM 'a' ¦SELECT", "the rule should end here"),
        ("SELECT * FROM 'a' ¦AS b", "the rule should end here"),
        ("SELECT *¦", "FROM is expected"),
        ("SELECT ¦FROM 'a'", "a value is expected"),
        ("SELECT a ¦b FROM 'a'", "AS or FROM is expected"),
        ("SELECT a, ¦FROM 'a'", "a value is expected"),
        ("SELECT a AS ¦FROM 'a'", "a name is expected after AS"),
        ("SELECT * ¦AS b FROM 'a'", r"\* cannot have a name"),
        ("SELECT *, ¦* FROM 'a'", "selected twice"),
        ("SELECT a, ¦b.a FROM 'a'", "a is selected twice"),
        ("SELECT topic(1), ¦topic(2) FROM 'a'", "topic is selected twice"),
        ("SELECT ¦a + 1 FROM 'a'", "has no name"),
        ("SELECT ¦'a' FROM 'a'", "has no name"),
        ("SELECT * FROM ¦a/b", "in single quotes"),
        ('SELECT * FROM ¦"a/b"', "in single quotes"),
        ("SELECT * FROM '¦'", "at least one character"),
        ("SELECT * FROM 'a/¦#/b'", "# must be the whole last level"),
        ("SELECT * FROM 'a/b¦#'", "# must be the whole last level"),
        ("SELECT * FROM 'a/b¦+'", r"\+ must be a whole level"),
        ("SELECT * FROM '¦$aws/things/x/shadow/update'", "AWS's own"),
        ("SELECT * FROM '¦$share/g/a'", "shared subscription"),
        ("SELECT * FROM 'a' WHERE¦", "a value is expected, not the end"),
        ("SELECT * FROM 'a' WHERE a =¦", "a value is expected"),
        ("SELECT * FROM 'a' WHERE (a = 1¦", r"\) is expected"),
        ("SELECT * FROM 'a' WHERE a = ¦'b", "has no end"),
        ("SELECT * FROM 'a' WHERE a = ¦* ", r"\* is no value here"),
        ("SELECT * FROM 'a' WHERE a ¦LIKE 'b%'", "no LIKE"),
        ("SELECT * FROM 'a' WHERE a ¦BETWEEN 1 AND 2", "no BETWEEN"),
        ("SELECT * FROM 'a' WHERE a ¦IS NULL", "no IS"),
        ("SELECT * FROM 'a' WHERE a ¦NOT IN [1]", "no NOT here"),
        ("SELECT * FROM 'a' WHERE a IN ¦(1, 2)", "IN takes an array"),
        ("SELECT * FROM 'a' WHERE ¦EXISTS (SELECT 1)", "EXISTS is not supported"),
        ("SELECT a ¦|| b AS c FROM 'a'", "has no ||"),
        ("SELECT ¦`a` FROM 'a'", "no back quotes"),
        ("SELECT ¦${a} FROM 'a'", "substitution template"),
        ("SELECT a¦[0] AS b FROM 'a'", r"no \[index\]"),
        ("SELECT a.¦0 AS b FROM 'a'", "a name is expected after the dot"),
        ("SELECT 12¦abc FROM 'a'", "a number runs into a word"),
        ("SELECT ¦12345678901234567890123456789012345 AS a FROM 'a'", "at most 34 digits"),
        ("SELECT ¦1e999 AS a FROM 'a'", "fits a double"),
        ("SELECT (¦SELECT a FROM b) AS c FROM 'a'", "a value is expected, not SELECT"),
        ("SELECT CASE ¦WHEN a > 1 THEN 2 END AS b FROM 'a'", "CASE compares a value"),
        ("SELECT CASE a ¦ELSE 2 END AS b FROM 'a'", "WHEN is expected"),
        ("SELECT CASE a WHEN 1 THEN 2 ¦AS b FROM 'a'", "END is expected"),
        ("SELECT [1, 2 ¦AS a FROM 'a'", r"or \] is expected"),
        ("SELECT {¦a: 1} AS b FROM 'a'", "key is a text in quotes"),
        ("SELECT {'a' ¦1} AS b FROM 'a'", ": is expected"),
        ("SELECT ¦topc(1) FROM 'a'", r"has no function topc\(\)"),
        ("SELECT ¦get_thing_shadow('a', 'b') FROM 'a'", "is not supported here"),
        ("SELECT ¦aws_lambda('a', *) FROM 'a'", "is not supported here"),
        ("SELECT ¦machinelearning_predict('a') FROM 'a'", "is not supported here"),
        ("SELECT ¦regexp_matches('a', 'b') FROM 'a'", "is not supported here"),
        ("SELECT ¦upper() FROM 'a'", "takes 1 arguments, not 0"),
        ("SELECT ¦topic(1, 2) FROM 'a'", "takes 0 to 1 arguments, not 2"),
        ("SELECT upper(¦*) FROM 'a'", r"\* is no value here"),
        ("SELECT get('a', ¦*) FROM 'a'", r"\* is no value here"),
        ("SELECT encode(*, ¦'hex') FROM 'a'", "knows 'base64' alone"),
        ("SELECT encode(a, ¦b) FROM 'a'", "knows 'base64' alone"),
        ("SELECT cast(1 AS ¦Date) FROM 'a'", "knows no type Date"),
        ("SELECT cast(1¦) FROM 'a'", "AS is expected"),
        ("SELECT parse_time(¦'yyyy-bb', 1) FROM 'a'", "pattern letter b"),
        ("SELECT parse_time('yyyy', 1, ¦'Mars/Base') FROM 'a'", "no time zone"),
        ("SELECT parse_time(¦null, 1) FROM 'a'", "a text is expected"),
        ("SELECT '¦\ud800' AS a FROM 'a'", "not valid Unicode"),
    ],
)
def test_a_rule_is_refused_with_its_place(marked: str, says: str) -> None:
    """The mark ¦ stands before the character that the error points to."""
    with pytest.raises(RuleError, match=says) as caught:
        compile_rule(marked.replace("¦", ""))
    assert caught.value.offset == marked.index("¦")
    assert caught.value.exit_status == 2


def test_the_message_shows_the_line_with_a_caret() -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule("SELECT *\n  FROM 'a'\n  WHERE a\tLIKE 'b'")
    error = caught.value
    assert (error.line, error.column) == (3, 11)
    shown = str(error).splitlines()
    assert shown[0].endswith("(line 3, column 11 of the sql)")
    assert shown[1] == "    WHERE a LIKE 'b'"
    assert shown[2].index("^") == shown[1].index("LIKE")
    assert shown[3] == "  compare with startswith(), endswith() or indexof()"


def test_of_a_long_line_the_place_is_shown() -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule(rule(f"{'a + ' * 90} a LIKE b"))
    _reason, line, caret, _mend = str(caught.value).splitlines()
    assert len(line) <= 80
    assert line[caret.index("^") :].startswith("LIKE b")


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 5000 + "1" + ")" * 5000,
        "[" * 8000,
        "NOT " * 4000 + "true",
        "-" * 8000 + "1",
        "1" + " + 1" * 4000,
        "a" + ".b" * 8000,
        "CASE " * 3000,
        "upper(" * 2500,
        "{'a':" * 3000,
    ],
)
def test_a_rule_that_nests_too_deep_is_refused(expression: str) -> None:
    with pytest.raises(RuleError, match=r"nests deeper than|operators deep"):
        compile_rule(rule(expression))


def test_a_rule_that_is_too_long_is_refused() -> None:
    with pytest.raises(RuleError, match="more than 16384"):
        compile_rule(rule(f"'{'a' * 20_000}'"))
