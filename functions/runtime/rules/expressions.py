"""Expressions of AWS IoT SQL: tokens in, a tree out.

What binds tighter than what is nowhere in AWS's guide; it is as in ANSI SQL, which the guide names
as the model of SELECT: sign, then * / %, then + -, then comparison and IN, NOT, AND, OR.
"""

from collections.abc import Callable
from typing import Final

from functions.runtime.rules.lexer import Kind, Token
from functions.runtime.rules.syntax import (
    Array,
    Attribute,
    Binary,
    Call,
    Case,
    Cast,
    Everything,
    Expression,
    Literal,
    Member,
    Object,
    Unary,
)
from functions.runtime.rules.tokens import Tokens
from functions.runtime.rules.values import settled

MAX_NESTING = 20
"""How deep parentheses, calls, CASE and the like may go. Ours: each is 16 calls in Python."""
MAX_DIGITS = 34
"""The digits of an Int (AWS IoT developer guide, SQL reference, "Data types")."""

_LEVELS: Final = (("*", "/", "%"), ("+", "-"))
_COMPARISONS: Final = ("=", "<>", "!=", "<", "<=", ">", ">=", "IN")
_NAMES: Final = {"TRUE": True, "FALSE": False, "NULL": None}
_FOREIGN: Final = {
    "LIKE": "compare with startswith(), endswith() or indexof()",
    "BETWEEN": "write a >= 1 AND a <= 5",
    "NOT": "write NOT a IN [1, 2]",
    "IS": "write isNull(a) or isUndefined(a)",
    "EXISTS": "nested SELECT is not supported; look into the array in the function's handler",
}


class ExpressionParser:
    """Reads one expression after another off the tokens. Each method takes what it is named for.

    Every method raises RuleError where the tokens make no such thing.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._nesting = 0

    def expression(self) -> Expression:
        """Read an expression of any kind."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self._tokens.complaint(f"the rule nests deeper than {MAX_NESTING}")
        found = self._chain(self._conjunction, "OR")
        self._nesting -= 1
        return found

    def _chain(self, operand: Callable[[], Expression], *operators: str) -> Expression:
        left = operand()
        while operator := self._tokens.take_if(*operators):
            left = Binary(operator.offset, operator.text, left, operand())
        return left

    def _conjunction(self) -> Expression:
        return self._chain(self._negation, "AND")

    def _negation(self) -> Expression:
        operators = []
        while operator := self._tokens.take_if("NOT"):
            operators.append(operator)
        return _wrapped(operators, self._comparison())

    def _comparison(self) -> Expression:
        left = self._sum()
        while operator := self._tokens.take_if(*_COMPARISONS):
            right = self._array() if operator.text == "IN" else self._sum()
            left = Binary(operator.offset, operator.text, left, right)
        self._refuse_foreign()
        return left

    def _array(self) -> Expression:
        if self._tokens.stands("("):
            raise self._tokens.complaint(
                "IN takes an array here", mend="write it in brackets: IN ['SINGLE', 'DOUBLE']"
            )
        return self._sum()

    def _refuse_foreign(self) -> None:
        """Say what to write in place of an operator that SQL has and AWS IoT SQL has not."""
        token = self._tokens.next
        if token.kind in (Kind.WORD, Kind.KEYWORD) and (mend := _FOREIGN.get(token.text.upper())):
            reason = f"AWS IoT SQL has no {token.text.upper()} here"
            raise self._tokens.complaint(reason, mend=mend)

    def _sum(self) -> Expression:
        return self._chain(self._product, *_LEVELS[1])

    def _product(self) -> Expression:
        return self._chain(self._signed, *_LEVELS[0])

    def _signed(self) -> Expression:
        operators = []
        while operator := self._tokens.take_if("-", "+"):
            operators.append(operator)
        return _wrapped(operators, self._postfixed())

    def _postfixed(self) -> Expression:
        found = self._primary()
        while self._tokens.stands(".", "["):
            if self._tokens.stands("["):
                mend = "get(attribute, 0) reads an item; the first is 0"
                raise self._tokens.complaint("AWS IoT SQL has no [index]", mend=mend)
            dot = self._tokens.take()
            found = Member(dot.offset, found, self._key())
        return found

    def _key(self) -> str:
        token = self._tokens.next
        if token.kind not in (Kind.WORD, Kind.KEYWORD):
            raise self._tokens.complaint(
                f"a name is expected after the dot, not {self._tokens.found()}",
                mend="get(attribute, 'my-key') reads a key of any form",
            )
        return self._tokens.take_written()

    def _primary(self) -> Expression:
        token = self._tokens.next
        if token.kind is Kind.WORD:
            return self._named()
        if token.kind is Kind.NUMBER:
            return Literal(token.offset, self._number())
        if token.kind is Kind.TEXT:
            return Literal(token.offset, self._tokens.take().text)
        if token.kind is Kind.KEYWORD and token.text in _NAMES:
            return Literal(token.offset, _NAMES[self._tokens.take().text])
        readers = {"(": self._group, "[": self._items, "{": self._object, "CASE": self._case}
        if token.kind is Kind.END or token.text not in readers:
            raise self._no_expression()
        return readers[token.text]()

    def _no_expression(self) -> Exception:
        if self._tokens.stands("*"):
            mend = "it stands alone, as one of SELECT's items, or in encode(*, 'base64')"
            return self._tokens.complaint("* is no value here", mend=mend)
        mend = self._nested_select if self._tokens.stands("SELECT") else ""
        return self._tokens.complaint(f"a value is expected, not {self._tokens.found()}", mend=mend)

    _nested_select = "nested SELECT is not supported; do this in the function's handler"

    def _number(self) -> int | float:
        token = self._tokens.take()
        number = int(token.text) if token.text.isdecimal() else settled(float(token.text))
        if not isinstance(number, int | float) or len(token.text) > MAX_DIGITS:
            reason = f"a number has at most {MAX_DIGITS} digits, and fits a double"
            raise self._tokens.complaint(reason, at=token.offset)
        return number

    def _named(self) -> Expression:
        token = self._tokens.take()
        if token.text.upper() in _FOREIGN and self._tokens.stands("("):
            mend = _FOREIGN[token.text.upper()]
            reason = f"AWS IoT SQL's {token.text.upper()} is not supported"
            raise self._tokens.complaint(reason, at=token.offset, mend=mend)
        if not self._tokens.take_if("("):
            return Attribute(token.offset, token.text)
        if token.text.lower() == "cast":
            return self._cast(token)
        arguments = self._list(")", self._argument)
        return Call(token.offset, token.text, tuple(arguments))

    def _argument(self) -> Expression:
        if self._tokens.stands("*") and self._tokens.after().text in (",", ")"):
            return Everything(self._tokens.take().offset)
        return self.expression()

    def _cast(self, token: Token) -> Expression:
        operand = self.expression()
        self._tokens.expect("AS", mend="write cast(value AS Int)")
        type_at = self._tokens.next.offset
        cast = Cast(token.offset, operand, self._key(), type_at)
        self._tokens.expect(")")
        return cast

    def _list(self, end: str, read: Callable[[], Expression]) -> list[Expression]:
        items: list[Expression] = []
        while not self._tokens.take_if(end):
            if items:
                self._tokens.expect(",", why=f", or {end} is expected, not {self._tokens.found()}")
            items.append(read())
        return items

    def _group(self) -> Expression:
        self._tokens.take()
        found = self.expression()
        self._tokens.expect(")")
        return found

    def _items(self) -> Expression:
        bracket = self._tokens.take()
        return Array(bracket.offset, tuple(self._list("]", self.expression)))

    def _object(self) -> Expression:
        brace = self._tokens.take()
        items: list[tuple[str, Expression]] = []
        while not self._tokens.take_if("}"):
            if items:
                self._tokens.expect(",")
            if self._tokens.next.kind is not Kind.TEXT:
                raise self._tokens.complaint("an object's key is a text in quotes")
            key = self._tokens.take().text
            self._tokens.expect(":")
            items.append((key, self.expression()))
        return Object(brace.offset, tuple(items))

    def _case(self) -> Expression:
        start = self._tokens.take()
        if self._tokens.stands("WHEN"):
            raise self._tokens.complaint(
                "AWS IoT SQL's CASE compares a value", mend="write CASE true WHEN a > 5 THEN ..."
            )
        subject = self.expression()
        branches = []
        while self._tokens.take_if("WHEN"):
            value = self.expression()
            self._tokens.expect("THEN")
            branches.append((value, self.expression()))
        if not branches:
            raise self._tokens.complaint(f"WHEN is expected, not {self._tokens.found()}")
        otherwise = self.expression() if self._tokens.take_if("ELSE") else None
        self._tokens.expect("END")
        return Case(start.offset, subject, tuple(branches), otherwise)


def _wrapped(operators: list[Token], operand: Expression) -> Expression:
    for operator in reversed(operators):
        operand = Unary(operator.offset, operator.text, operand)
    return operand
