"""Whatever happens to a device: what was taken is processed, and leaves the outbox in the end."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.device_sim.workbench import Machine, Workbench, time_of
from tests.storage import no_file_above

YEARS_50 = 50 * 365.25 * 86_400.0


class DeviceAndWorld(RuleBasedStateMachine):
    """A device, a broker that forgets all but what it passes on at once, and a function."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._machine = Machine()
        self._time = time_of(self._machine)
        self._time.__enter__()
        path = Path(self._folder.name) / "outbox.db"
        # Across boots an age is what the wall clock says: no age is too old here.
        self._bench = Workbench(path, self._machine, give_up_after=1e12)
        self._pressed = 0
        self._processed: set[str] = set()
        self._seen = 0
        self._first_published: list[str] = []

    def teardown(self) -> None:
        try:
            self._everything_is_done_in_the_end()
        finally:
            self._bench.close()
            self._time.__exit__(None, None, None)
            self._folder.cleanup()

    @rule(times=st.integers(1, 25))
    def press(self, times: int) -> None:
        """Press so often, each in a turn of its own."""
        assert len(self._bench.press(times)) == times
        self._pressed += times

    @rule()
    def press_on_a_full_disk(self) -> None:
        """Press where there is no room; what was done in this turn is undone with it."""
        refused, taken = self._bench.refused, len(self._bench.taken)
        with no_file_above(1):
            self._bench.put(note="x" * 10_000)
            self._bench.turn()
        assert (self._bench.refused, len(self._bench.taken)) == (refused + 1, taken)

    @rule(times=st.integers(1, 3), is_killed=st.booleans())
    def press_as_the_device_dies(self, times: int, is_killed: bool) -> None:
        """Press, and let the process end before the turn does: only in order is it on the disk."""
        for _ in range(times):
            self._bench.put()
        self._restart(is_killed)
        waiting = [kept.event_id for kept in self._bench.outbox.entries()]
        self._bench.taken += [id_ for id_ in waiting if id_ not in self._bench.taken]

    @rule(is_killed=st.booleans())
    def restart(self, is_killed: bool) -> None:
        """End and begin again."""
        self._restart(is_killed)

    def _restart(self, is_killed: bool) -> None:
        self._look_at_what_was_published()
        self._first_published, self._seen = [], 0
        (self._bench.kill if is_killed else self._bench.close)()
        self._bench.open()

    @rule()
    def reboot(self) -> None:
        """Cut the power, and begin with whatever clock there is."""
        self._restart(is_killed=True)
        self._bench.kill()
        self._machine.reboot()
        self._bench.open()

    @rule(jump=st.floats(-YEARS_50, YEARS_50))
    def jump(self, jump: float) -> None:
        """Let the wall clock jump."""
        self._machine.wall += jump

    @precondition(lambda self: not self._bench.publisher.is_ready)
    @rule()
    def connect(self) -> None:
        """Let a broker be there, which is sent again what it has not acknowledged."""
        self._bench.connect()

    @precondition(lambda self: self._bench.publisher.is_ready)
    @rule()
    def disconnect(self) -> None:
        """Take the broker away."""
        self._bench.disconnect()

    @precondition(lambda self: self._bench.publisher.is_ready)
    @rule(number=st.integers(1, 25))
    def acknowledge(self, number: int) -> None:
        """Let PUBACKs come."""
        self._bench.publisher.acknowledge(number)
        self._bench.turn()

    @precondition(lambda self: self._bench.publisher.is_ready and self._bench.publisher.events)
    @rule(data=st.data(), outcome=st.sampled_from(["processed", "deadletter", "other"]))
    def process(self, data: st.DataObject, outcome: str) -> None:
        """Let the function have done some of what the broker has passed on, in any order."""
        ids = data.draw(st.lists(st.sampled_from(self._bench.publisher.ids), max_size=25))
        if outcome != "other":
            self._processed.update(ids)
        self._bench.answer(*ids, outcome=outcome)

    @precondition(lambda self: self._bench.publisher.is_ready and self._bench.publisher.events)
    @rule(data=st.data())
    def process_while_the_receipt_is_lost(self, data: st.DataObject) -> None:
        """Let the function do one, of which the device does not hear."""
        self._processed.add(data.draw(st.sampled_from(self._bench.publisher.ids)))

    @rule(payload=st.binary(max_size=20))
    def receive_garbage(self, payload: bytes) -> None:
        """Let something come on the receipt topic."""
        self._bench.delivery.take_receipt(payload)

    @rule(seconds=st.floats(0.1, 100.0))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._bench.pass_time(seconds)

    @invariant()
    def nothing_is_published_that_was_not_taken(self) -> None:
        """And what is published for the first time comes in the order of the presses."""
        self._look_at_what_was_published()
        assert self._first_published == sorted(self._first_published)

    @invariant()
    def what_is_not_processed_is_in_the_outbox(self) -> None:
        """Nothing leaves the outbox by itself."""
        waiting = {kept.event_id for kept in self._bench.outbox.entries()}
        assert set(self._bench.taken) - self._processed <= waiting

    @invariant()
    def event_ids_go_up(self) -> None:
        """However the clock jumps."""
        assert self._bench.taken == sorted(set(self._bench.taken))

    def _look_at_what_was_published(self) -> None:
        new = self._bench.publisher.ids[self._seen :]
        self._seen += len(new)
        assert set(new) <= set(self._bench.taken)
        known = set(self._first_published)
        self._first_published += [id_ for id_ in dict.fromkeys(new) if id_ not in known]

    def _everything_is_done_in_the_end(self) -> None:
        bench = self._bench
        bench.connect()
        for _ in range(200):
            if not len(bench.outbox):
                break
            bench.publisher.acknowledge()
            ids = dict.fromkeys(bench.publisher.ids)
            self._processed.update(ids)
            bench.answer(*ids)
            bench.pass_time(10.0)
        assert set(bench.taken) <= self._processed
        assert bench.on_disk() == []


TestDevice = DeviceAndWorld.TestCase
TestDevice.settings = settings(deadline=None, max_examples=30, stateful_step_count=30)
