"""A whole rule: `SELECT items FROM 'filter' WHERE condition` (AWS IoT SQL reference).

A name after AS may have dots (SQL reference, "JSON extensions": `AS bar.baz`): objects in objects.
An item without AS is named after its attribute or function; AWS's guide shows the first and is
silent about the second. Of anything else a name is demanded, and of two alike the second refused.
"""

from functions.runtime.rules.expressions import ExpressionParser
from functions.runtime.rules.filters import fault_of_filter
from functions.runtime.rules.lexer import Kind
from functions.runtime.rules.syntax import (
    Attribute,
    Call,
    Cast,
    Everything,
    Expression,
    Item,
    Member,
    Statement,
)
from functions.runtime.rules.tokens import Tokens

_NO_NAME = "give it a name: expression AS name"


def parse(sql: str) -> Statement:
    """Read a rule.

    Raises:
        RuleError: for what is no rule, or a kind that is not supported here.
    """
    return _StatementParser(Tokens(sql)).statement()


class _StatementParser:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._expressions = ExpressionParser(tokens)

    def statement(self) -> Statement:
        self._select()
        value = self._value()
        items = () if value else self._items()
        topic_filter = self._from()
        where = self._expressions.expression() if self._tokens.take_if("WHERE") else None
        if self._tokens.next.kind is not Kind.END:
            reason = f"the rule should end here, not go on with {self._tokens.found()}"
            raise self._tokens.complaint(reason)
        return Statement(items, value, topic_filter, where)

    def _select(self) -> None:
        if self._tokens.next.text.upper() == "SET":
            mend = "write each variable's expression where it is used"
            raise self._tokens.complaint("SET is not supported", mend=mend)
        self._tokens.expect("SELECT", mend="a rule looks like SELECT * FROM 'iotbutton/+'")

    def _value(self) -> Expression | None:
        """Read `VALUE expression`; VALUE alone, or before an operator, is an attribute."""
        word, after = self._tokens.next, self._tokens.after()
        if word.kind is not Kind.WORD or word.text.upper() != "VALUE":
            return None
        if after.text == "*" and self._tokens.after(2).text == "FROM":
            self._tokens.take()
            return Everything(self._tokens.take().offset)
        begins = after.kind in (Kind.WORD, Kind.NUMBER, Kind.TEXT)
        if begins or after.text in ("(", "[", "{", "CASE", "NOT", "TRUE", "FALSE", "NULL"):
            self._tokens.take()
            return self._expressions.expression()
        return None

    def _items(self) -> tuple[Item, ...]:
        items = [self._item()]
        names: set[tuple[str, ...]] = {items[0].path}
        while self._tokens.take_if(","):
            item = self._item()
            if item.path in names:
                again = ".".join(item.path) or "*"
                reason = f"{again} is selected twice"
                raise self._tokens.complaint(reason, at=item.at, mend="name one of them with AS")
            names.add(item.path)
            items.append(item)
        return tuple(items)

    def _item(self) -> Item:
        at = self._tokens.next.offset
        if star := self._tokens.take_if("*"):
            if self._tokens.stands("AS"):
                raise self._tokens.complaint("* cannot have a name", mend="leave out AS")
            return Item(at, Everything(star.offset))
        expression = self._expressions.expression()
        if self._tokens.take_if("AS"):
            return Item(at, expression, self._alias())
        if self._tokens.next.kind in (Kind.WORD, Kind.TEXT):
            reason = f", AS or FROM is expected, not {self._tokens.found()}"
            raise self._tokens.complaint(reason)
        name = _default_name(expression)
        if name is None:
            raise self._tokens.complaint("this expression has no name", at=at, mend=_NO_NAME)
        return Item(at, expression, (name,))

    def _alias(self) -> tuple[str, ...]:
        path = [self._alias_part()]
        while self._tokens.take_if("."):
            path.append(self._alias_part())
        return tuple(path)

    def _alias_part(self) -> str:
        if self._tokens.next.kind is Kind.TEXT:
            return self._tokens.take().text
        is_word = self._tokens.next.kind in (Kind.WORD, Kind.KEYWORD)
        if not is_word or self._tokens.stands("FROM", "WHERE"):
            reason = f"a name is expected after AS, not {self._tokens.found()}"
            raise self._tokens.complaint(reason, mend="a name of another form goes in quotes")
        return self._tokens.take_written()

    def _from(self) -> str:
        self._tokens.expect(
            "FROM",
            why=f", or FROM is expected, not {self._tokens.found()}",
            mend="name the topics: FROM 'iotbutton/+'",
        )
        token = self._tokens.next
        if token.kind is not Kind.TEXT or token.quote != "'":
            raise self._tokens.complaint(
                "the topic filter is expected in single quotes",
                mend="such as FROM 'iotbutton/+'; a nested FROM is not supported",
            )
        self._check_filter(token.text, token.offset + 1)
        return self._tokens.take().text

    def _check_filter(self, topic_filter: str, at: int) -> None:
        if topic_filter.startswith("$aws/"):
            mend = "subscribe to the topic that the device itself publishes to"
            reason = "topics under $aws/ (shadows, basic ingest, jobs) are AWS's own"
            raise self._tokens.complaint(reason, at=at, mend=mend)
        if topic_filter.startswith("$share/"):
            reason = "a shared subscription is no topic filter of a rule"
            raise self._tokens.complaint(reason, at=at, mend="leave out $share/ and its group")
        if fault := fault_of_filter(topic_filter):
            raise self._tokens.complaint(fault[0], at=at + fault[1])


def _default_name(expression: Expression) -> str | None:
    if isinstance(expression, Attribute | Member):
        return expression.name
    if isinstance(expression, Call):
        return expression.name.lower()
    return "cast" if isinstance(expression, Cast) else None
