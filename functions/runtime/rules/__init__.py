"""AWS IoT rules: SQL, version 2016-03-23, compiled once and tried on each message.

`compile_rule(sql)` gives a `Rule`; `rule.apply(RuleMessage(...))` gives the event, or NO_MATCH.
"""

from functions.runtime.rules.errors import RuleError, RulePayloadError
from functions.runtime.rules.filters import fault_of_filter, topic_matches
from functions.runtime.rules.message import RuleMessage
from functions.runtime.rules.rule import Rule, compile_rule
from functions.runtime.rules.values import NO_MATCH

__all__ = [
    "NO_MATCH",
    "Rule",
    "RuleError",
    "RuleMessage",
    "RulePayloadError",
    "compile_rule",
    "fault_of_filter",
    "topic_matches",
]
