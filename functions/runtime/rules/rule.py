"""A compiled rule: which topics it listens to, and what it makes of a message."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from functions.runtime.rules.calls import Evaluate
from functions.runtime.rules.compiler import Compiler
from functions.runtime.rules.errors import RulePayloadError
from functions.runtime.rules.message import RuleMessage
from functions.runtime.rules.parser import parse
from functions.runtime.rules.syntax import Everything, Item, Statement
from functions.runtime.rules.values import NO_MATCH, UNDEFINED, UNREAD, settled


@dataclass(frozen=True, slots=True)
class Rule:
    """An AWS IoT rule, ready to run. `topic_filter`: FROM's.

    `selects_everything`: it is a plain `SELECT *` without WHERE, so that the event is the payload.
    """

    sql: str
    topic_filter: str
    selects_everything: bool
    _select: Evaluate = field(repr=False, compare=False)
    _where: Evaluate | None = field(repr=False, compare=False)

    def apply(self, message: RuleMessage) -> Any:
        """Return the event, a JSON value; NO_MATCH when WHERE is anything but true.

        The topic is not looked at. The event may share parts with the message's document.

        Raises:
            RulePayloadError: when the rule needs the payload's JSON and it has none.
        """
        if self._where is not None and self._where(message) is not True:
            return NO_MATCH
        return self._select(message)


def compile_rule(sql: str) -> Rule:
    """Compile a rule in AWS IoT SQL, version 2016-03-23.

    Raises:
        RuleError: for what is no rule, and for what AWS has and this runtime has not.
    """
    statement = parse(sql)
    compiler = Compiler(sql)
    where = compiler.compile(statement.where) if statement.where else None
    everything = all(isinstance(item.expression, Everything) for item in statement.items)
    return Rule(
        sql=sql,
        topic_filter=statement.topic_filter,
        selects_everything=everything and statement.value is None and where is None,
        _select=_selection(statement, compiler),
        _where=where,
    )


def _selection(statement: Statement, compiler: Compiler) -> Evaluate:
    if statement.value:
        return _value(compiler.compile(statement.value))
    if [item.path for item in statement.items] == [()]:
        return RuleMessage.document
    return _items([_put(item, compiler) for item in statement.items])


def _value(compiled: Evaluate) -> Evaluate:
    """Compile `SELECT VALUE`: Undefined by itself is the empty text ("Data types")."""

    def evaluate(message: RuleMessage) -> Any:
        value = compiled(message)
        return "" if value is UNDEFINED else _whole(value)

    return evaluate


_Put = Callable[[RuleMessage, dict[str, Any]], None]


def _items(puts: list[_Put]) -> Evaluate:
    def evaluate(message: RuleMessage) -> Any:
        event: dict[str, Any] = {}
        for put in puts:
            put(message, event)
        return event

    return evaluate


def _put(item: Item, compiler: Compiler) -> _Put:
    """Compile an item to a function that puts its value into an event, unless it is Undefined."""
    if not item.path:
        return _put_everything
    value_of = compiler.compile(item.expression)
    *outer, name = item.path

    def put(message: RuleMessage, event: dict[str, Any]) -> None:
        value = value_of(message)
        if value is UNDEFINED:
            return
        inside = event
        for key in outer:
            inner = inside.get(key)
            # A copy: the object may be the message's own.
            inside[key] = dict(inner) if type(inner) is dict else {}
            inside = inside[key]
        inside[name] = _whole(value)

    return put


def _put_everything(message: RuleMessage, event: dict[str, Any]) -> None:
    """Put the payload's keys into an event; an empty payload has none ("Binary payloads")."""
    is_empty = not message.payload and message.decoded is UNREAD
    document = {} if is_empty else message.document()
    if type(document) is not dict:
        raise RulePayloadError("* with other items needs a JSON object", message.payload)
    event.update(document)


def _whole(value: Any) -> Any:
    """Return a whole Decimal as an Int: version 2016-03-23 does ("Data types")."""
    return settled(value) if type(value) is float else value
