"""A start after a crash: outputs that were under way go on, and their events are only finished."""

from collections.abc import Mapping

from functions.runtime import unfinished
from functions.runtime.intake import Intake
from functions.runtime.member import Member
from functions.runtime.outputs import Outputs
from functions.runtime.seen import Output, Seen


def resume(outputs: Outputs, intake: Intake, members: Mapping[str, Member]) -> None:
    """Carry on with the outputs that were under way when the runtime before us died.

    To be called before the first message comes, and before any event is taken from disk.
    """
    under_way = outputs.resume()
    intake.resume(output.key for output in under_way)
    for output in under_way:
        function, _outcome, event = unfinished.from_bytes(output.extra)
        if function in members and event.entry is not None:
            members[function].queue.backlog.expect(event.entry)
    for member in members.values():
        member.queue.backlog.know_newest()


def finish(output: Output, members: Mapping[str, Member], seen: Seen) -> None:
    """Let the event of such an output end, now that the broker has it."""
    function, outcome, event = unfinished.from_bytes(output.extra)
    if function in members:
        members[function].queue.endings.finish_resumed(outcome, event, output.payload)
    else:  # it is in the manifest no more
        seen.done(output.key, outcome)
