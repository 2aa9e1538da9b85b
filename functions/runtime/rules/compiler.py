"""Expressions of a rule, turned into nested Python functions once."""

from collections.abc import Callable
from typing import Any, Final

from functions.runtime.rules import arithmetic
from functions.runtime.rules.calls import Evaluate, applied, compile_call
from functions.runtime.rules.errors import RuleError
from functions.runtime.rules.functions import CASTS
from functions.runtime.rules.message import RuleMessage
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
from functions.runtime.rules.values import UNDEFINED, to_number

MAX_DEPTH = 100
"""How deep a rule's tree may be, a chain of operators counting one by one. Ours: both compiling
and evaluating recurse, and the caller's own stack is not known."""

_BINARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "%": arithmetic.remainder,
    "=": arithmetic.equal,
    "<>": arithmetic.not_equal,
    "!=": arithmetic.not_equal,
    "<": arithmetic.less,
    "<=": arithmetic.less_or_equal,
    ">": arithmetic.greater,
    ">=": arithmetic.greater_or_equal,
    "IN": arithmetic.is_in,
    "AND": arithmetic.both,
    "OR": arithmetic.either,
}
_UNARY: Final[dict[str, Callable[[Any], Any]]] = {
    "NOT": arithmetic.negation,
    "-": arithmetic.negate,
    "+": to_number,
}


class Compiler:
    """Compiles the expressions of one rule. Every method raises RuleError for what cannot be."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._depth = 0

    def compile(self, node: Expression) -> Evaluate:
        """Return a function of a message that gives the expression's value, or Undefined."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mend = "IN [...] takes the place of many comparisons joined with OR"
            reason = f"the rule is more than {MAX_DEPTH} operators deep"
            raise RuleError(reason, sql=self._sql, offset=node.at, mend=mend)
        compiled = self._compiled(node)
        self._depth -= 1
        return compiled

    def _compiled(self, node: Expression) -> Evaluate:  # noqa: C901 - one line for each kind
        match node:
            case Literal(value=value):
                return lambda _message: value
            case Everything():
                return RuleMessage.document
            case Attribute(name=name):
                return _attribute(name)
            case Member(of=of, name=name):
                return _member(self.compile(of), name)
            case Unary(operator=operator, operand=operand):
                return applied(_UNARY[operator], [self.compile(operand)])
            case Binary(operator=operator, left=left, right=right):
                return applied(_BINARY[operator], [self.compile(left), self.compile(right)])
            case Case():
                return self._case(node)
            case Call(arguments=arguments):
                return compile_call(self._sql, node, [self.compile(a) for a in arguments])
            case Cast():
                return self._cast(node)
            case Array(items=items):
                return _array([self.compile(item) for item in items])
            case Object(items=pairs):
                return _object([(key, self.compile(value)) for key, value in pairs])

    def _cast(self, node: Cast) -> Evaluate:
        cast = CASTS.get(node.type.lower())
        if cast is None:
            mend = "it casts to Int, Decimal, String and Boolean"
            reason = f"cast() knows no type {node.type[:40]}"
            raise RuleError(reason, sql=self._sql, offset=node.type_at, mend=mend)
        return applied(cast, [self.compile(node.operand)])

    def _case(self, node: Case) -> Evaluate:
        """Compile CASE: Undefined when its subject is ("Case statements")."""
        subject = self.compile(node.subject)
        branches = [(self.compile(value), self.compile(then)) for value, then in node.branches]
        otherwise = self.compile(node.otherwise) if node.otherwise else _undefined

        def evaluate(message: RuleMessage) -> Any:
            value = subject(message)
            if value is UNDEFINED:
                return UNDEFINED
            for wanted, then in branches:
                if arithmetic.equal(value, wanted(message)) is True:
                    return then(message)
            return otherwise(message)

        return evaluate


def _undefined(_message: RuleMessage) -> Any:
    return UNDEFINED


def _attribute(name: str) -> Evaluate:
    def evaluate(message: RuleMessage) -> Any:
        document = message.document()
        return document.get(name, UNDEFINED) if type(document) is dict else UNDEFINED

    return evaluate


def _member(of: Evaluate, name: str) -> Evaluate:
    def evaluate(message: RuleMessage) -> Any:
        value = of(message)
        return value.get(name, UNDEFINED) if type(value) is dict else UNDEFINED

    return evaluate


def _array(items: list[Evaluate]) -> Evaluate:
    """Compile an array literal: an item that is Undefined is left out, as JSON has no such."""

    def evaluate(message: RuleMessage) -> Any:
        values = [item(message) for item in items]
        return [value for value in values if value is not UNDEFINED]

    return evaluate


def _object(pairs: list[tuple[str, Evaluate]]) -> Evaluate:
    """Compile an object literal: a value that is Undefined is left out with its key."""

    def evaluate(message: RuleMessage) -> Any:
        values = [(key, value(message)) for key, value in pairs]
        return {key: value for key, value in values if value is not UNDEFINED}

    return evaluate
