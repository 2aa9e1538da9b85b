"""From a manifest's rules to subscriptions, and what is wrong with them as a whole."""

from collections.abc import Iterable, Iterator

from functions.runtime.manifest import ManifestError
from functions.runtime.manifest.model import FunctionSpec, IotRule
from functions.runtime.matching import Subscription
from functions.runtime.member import Member
from functions.runtime.result_topics import as_filter
from functions.runtime.rules import Rule, RuleError, compile_rule
from functions.runtime.rules.filters import overlaps


def subscriptions(members: Iterable[Member]) -> list[Subscription]:
    """Compile all rules of all functions.

    Raises:
        ManifestError: a rule that is none, or a function that would start itself for ever.
    """
    return [
        Subscription(_compiled(rule, member.spec), member.queue, number)
        for member in members
        for number, rule in enumerate(member.spec.rules)
    ]


def _compiled(rule: IotRule, spec: FunctionSpec) -> Rule:
    """Compile a rule; what is wrong with it is wrong at its place in the manifest."""
    try:
        compiled = compile_rule(rule.sql)
    except RuleError as error:
        raise ManifestError(
            error.problem, file=rule.place.file, place=rule.place, mend=error.mend
        ) from error
    for topic, reach in _reaches(spec):
        if overlaps(compiled.topic_filter, reach):
            raise ManifestError(
                f"{spec.name} publishes to {topic}, which starts it again: it would never end",
                file=rule.place.file,
                place=rule.place,
                mend="let it publish to a topic that its rule does not match",
            )
    return compiled


def _reaches(spec: FunctionSpec) -> Iterator[tuple[str, str]]:
    """Return the topics that a function publishes to, each with the filter of all that it means."""
    if spec.publish_result_to is not None:
        yield spec.publish_result_to, as_filter(spec.publish_result_to)
    for topic in (spec.on_success, spec.on_failure, spec.dead_letter_topic):
        if topic is not None:
            yield topic, topic
