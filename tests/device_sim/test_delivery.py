"""Delivering what waits: receipts, repeats, limits, and what a crash or a full disk leaves."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim import delivery as module
from device_sim.delivery import WINDOW
from device_sim.kept import Kept, Progress
from device_sim.outbox import Outbox
from iot_button.files import StorageError
from tests.device_sim.workbench import TOPIC, Machine, Workbench, receipt, time_of
from tests.storage import no_file_above

YEARS_50 = 50 * 365.25 * 86_400.0
Begin = Callable[..., Workbench]


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    with time_of(machine):
        yield machine


@pytest.fixture
def begin(machine: Machine, tmp_path: Path) -> Iterator[Begin]:
    """Begin a device's core with other options than the usual ones."""
    benches: list[Workbench] = []

    def begin_one(**options: Any) -> Workbench:
        benches.append(Workbench(tmp_path / "state" / "outbox.db", machine, **options))
        return benches[-1]

    yield begin_one
    for bench in benches:
        bench.close()


@pytest.fixture
def bench(begin: Begin) -> Workbench:
    return begin()


def fill_the_disk(bench: Workbench) -> None:
    """Let a commit fail: with a click that has no room, whatever else is in the turn."""
    with no_file_above(1):
        bench.put(note="x" * 10_000)
        bench.turn()


def test_a_click_is_published_on_its_topic_when_it_is_on_the_disk(bench: Workbench) -> None:
    bench.connect()
    bench.put()
    assert (bench.taken, bench.publisher.ids) == ([], [])  # within the turn nothing is told yet
    bench.turn()
    assert bench.publisher.ids == bench.taken
    assert bench.publisher.topics == {TOPIC}
    assert bench.on_disk() == bench.taken


def test_what_was_told_as_taken_is_on_the_disk_at_that_moment(
    machine: Machine, bench: Workbench
) -> None:
    on_disk: list[list[str]] = []
    tell = bench.tell

    def look(id: int, kept: Kept) -> None:  # noqa: A002
        copy = bench.path.with_name("copy.db")
        for suffix in ("", "-wal"):
            source = Path(f"{bench.path}{suffix}")
            Path(f"{copy}{suffix}").write_bytes(source.read_bytes() if source.exists() else b"")
        with Outbox(copy, size=9, moments=machine.moments()) as outbox:
            on_disk.append([kept.event_id for kept in outbox.entries()])
        tell(id, kept)

    bench.tell = look  # type: ignore[method-assign]
    bench.put()
    bench.put()
    bench.turn()
    assert on_disk == [bench.taken] * 2


def test_clicks_of_one_turn_go_to_the_disk_together(bench: Workbench) -> None:
    commits: list[None] = []
    commit = bench.outbox.commit
    bench.outbox.commit = lambda: commits.append(commit())  # type: ignore[method-assign]
    for _ in range(10):
        bench.put()
    bench.turn()
    assert len(commits) == 1
    assert len(bench.taken) == 10


def test_what_waits_is_published_in_the_order_of_the_presses_when_there_is_a_broker(
    bench: Workbench, machine: Machine
) -> None:
    clicks = bench.press(3)
    machine.wall -= YEARS_50
    clicks += bench.press(3)
    assert bench.delivery.has_unpublished
    bench.connect()
    assert bench.publisher.ids == clicks
    bench.publisher.acknowledge()
    assert not bench.delivery.has_unpublished


def test_a_click_stays_on_the_disk_after_the_puback_and_goes_with_its_receipt(
    bench: Workbench,
) -> None:
    bench.connect()
    (event_id,) = bench.press()
    bench.publisher.acknowledge()
    bench.pass_time(3.0)
    assert bench.of(Progress.PUBLISHED) == [event_id]
    assert bench.on_disk() == [event_id]
    bench.answer(event_id)
    assert bench.of(Progress.PROCESSED) == [event_id]
    bench.pass_time(3.0)
    assert bench.on_disk() == []


def test_a_receipt_before_the_puback_is_enough(bench: Workbench) -> None:
    bench.connect()
    (event_id,) = bench.press()
    bench.answer(event_id)
    bench.publisher.acknowledge()
    assert bench.progress == [(event_id, Progress.PROCESSED)]
    bench.pass_time(400.0)
    assert bench.publisher.ids == [event_id]
    assert not bench.delivery.has_unpublished


def test_a_receipt_for_what_the_process_before_published_is_enough(bench: Workbench) -> None:
    bench.connect()
    (event_id,) = bench.press()
    bench.kill()
    bench.open()
    bench.answer(event_id)
    bench.connect()
    bench.pass_time(10.0)
    assert bench.publisher.ids == []
    assert len(bench.outbox) == 0


def test_a_dead_letter_ends_a_click_as_failed(bench: Workbench) -> None:
    bench.connect()
    (event_id,) = bench.press()
    bench.publisher.acknowledge()
    bench.answer(event_id, outcome="deadletter")
    assert bench.of(Progress.DEAD_LETTER) == [event_id]
    assert len(bench.outbox) == 0


def test_a_receipt_that_comes_twice_is_told_of_once(bench: Workbench) -> None:
    bench.connect()
    (event_id,) = bench.press()
    bench.answer(event_id, event_id)
    bench.answer(event_id, outcome="deadletter")
    assert bench.progress == [(event_id, Progress.PROCESSED)]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"eventId": "ID"}',
        b'{"eventId": "ID", "outcome": null}',
        b'{"eventId": "ID", "outcome": "held"}',
        b'{"eventId": "ID", "outcome": "PROCESSED"}',
        b'{"eventId": ["ID"], "outcome": "processed"}',
        b'{"eventid": "ID", "outcome": "processed"}',
        b'{"eventId": "of another", "outcome": "processed"}',
        b'{"eventId": "", "outcome": "processed"}',
        b'{"eventId": "ID", "outcome": "processed"',
        b'{"eventId": "ID", "outcome": "processed", "deep": ' + b"[" * 100_000,
        b'{"eventId": "' + b"x" * 1_000_000 + b'", "outcome": "processed"}',
    ],
    ids=lambda payload: payload[:40].decode("ascii", "replace"),
)
def test_what_is_no_receipt_of_ours_changes_nothing(bench: Workbench, payload: bytes) -> None:
    bench.connect()
    (event_id,) = bench.press()
    bench.publisher.acknowledge()
    bench.delivery.take_receipt(payload.replace(b"ID", event_id.encode()))
    bench.turn()
    assert bench.of(Progress.PROCESSED) == bench.of(Progress.DEAD_LETTER) == []
    assert bench.on_disk() == [event_id]


def test_fields_that_a_receipt_may_get_one_day_are_no_hindrance(bench: Workbench) -> None:
    bench.connect()
    (event_id,) = bench.press()
    more = {"function": "enrich", "attempts": [1, 2]}
    bench.delivery.take_receipt(msgspec.json.encode(msgspec.json.decode(receipt(event_id)) | more))
    assert bench.of(Progress.PROCESSED) == [event_id]


@settings(deadline=None)
@given(payload=st.binary() | st.text().map(str.encode))
def test_no_bytes_at_all_make_a_receipt_fail(payload: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(Path(folder) / "outbox.db", Machine())
        bench.press()
        bench.delivery.take_receipt(payload)
        assert len(bench.outbox) == 1
        bench.close()


def test_a_click_without_a_receipt_is_published_again_later_and_later(
    bench: Workbench, machine: Machine
) -> None:
    bench.connect()
    (event_id,) = bench.press()
    moments = [machine.uptime]
    while len(moments) < 10:
        bench.publisher.acknowledge()
        number = len(bench.publisher.events)
        while len(bench.publisher.events) == number:
            bench.pass_time(0.25)
        moments.append(machine.uptime)
    assert set(bench.publisher.ids) == {event_id}
    waits = [later - sooner for sooner, later in itertools.pairwise(moments)]
    expected = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]
    for wait, least in zip(waits, expected, strict=True):
        assert least <= wait <= least + 2.0
    assert bench.of(Progress.PUBLISHED) == [event_id]  # the light blinks for the first alone


def test_a_click_is_published_again_with_the_same_content(bench: Workbench) -> None:
    bench.connect()
    bench.press()
    bench.publisher.acknowledge()
    bench.pass_time(8.0)
    first, again = bench.publisher.events
    assert first == again


def test_a_click_without_a_puback_is_not_published_twice_on_one_connection(
    bench: Workbench,
) -> None:
    bench.connect()
    (event_id,) = bench.press()
    bench.pass_time(400.0)
    assert bench.publisher.ids == [event_id]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_jitter_moves_each_repeat(begin: Begin, factor: float) -> None:
    bench = begin(jitter=lambda: factor)
    bench.connect()
    bench.press()
    bench.publisher.acknowledge()
    bench.pass_time(module.RESEND_SOONEST * factor - 0.5)
    assert len(bench.publisher.events) == 1
    bench.pass_time(1.0)
    assert len(bench.publisher.events) == 2


def test_so_many_are_under_way_and_no_more(bench: Workbench) -> None:
    clicks = bench.press(WINDOW + 5)
    bench.connect()
    assert bench.publisher.ids == clicks[:WINDOW]
    bench.publisher.acknowledge(2)
    assert bench.publisher.ids == clicks[: WINDOW + 2]
    bench.publisher.acknowledge()
    bench.publisher.acknowledge()
    assert bench.publisher.ids == clicks


def test_only_the_oldest_are_published_again_and_each_receipt_makes_room(
    bench: Workbench,
) -> None:
    bench.connect()
    clicks = bench.press(3 * WINDOW)
    while bench.publisher.unacknowledged:
        bench.publisher.acknowledge()
    first = len(bench.publisher.ids)
    bench.pass_time(8.0)
    assert bench.publisher.ids[first:] == clicks[:WINDOW]
    bench.publisher.acknowledge()
    bench.answer(*clicks[:5])
    bench.turn()
    assert sorted(bench.publisher.ids[first + WINDOW :]) == clicks[WINDOW : WINDOW + 5]


def test_after_a_reconnect_what_has_no_receipt_is_published_again_soon(bench: Workbench) -> None:
    bench.connect()
    clicks = bench.press(3)
    for _ in range(4):  # the next repeat is a minute away
        bench.publisher.acknowledge()
        bench.pass_time(45.0)
    bench.publisher.acknowledge()
    bench.disconnect()
    bench.pass_time(1.0)
    before = len(bench.publisher.ids)
    bench.connect()
    bench.pass_time(2.5)
    assert bench.publisher.ids[before:] == clicks


def test_nothing_is_published_without_a_connection(bench: Workbench) -> None:
    bench.connect()
    clicks = bench.press(2)
    bench.publisher.acknowledge()
    bench.disconnect()
    clicks += bench.press(2)
    bench.pass_time(400.0)  # the publisher refuses
    assert bench.publisher.ids == clicks[:2]
    bench.connect()
    assert bench.publisher.ids[2:4] == clicks[2:]


def test_where_the_broker_is_the_end_the_puback_ends_a_click(begin: Begin) -> None:
    bench = begin(done_at_broker=True)
    bench.connect()
    (event_id,) = bench.press()
    assert len(bench.outbox) == 1
    bench.publisher.acknowledge()
    assert bench.progress == [(event_id, Progress.PROCESSED)]
    bench.pass_time(3.0)
    assert bench.on_disk() == []


def test_where_the_broker_is_the_end_all_goes_through_without_a_repeat(begin: Begin) -> None:
    bench = begin(done_at_broker=True)
    clicks = bench.press(3 * WINDOW)
    bench.connect()
    while bench.publisher.unacknowledged:
        bench.publisher.acknowledge(1)
    bench.pass_time(400.0)
    assert bench.publisher.ids == clicks
    assert len(bench.outbox) == 0


@pytest.mark.parametrize("is_connected", [True, False])
def test_a_click_of_some_age_is_given_up_and_kept_apart(begin: Begin, is_connected: bool) -> None:
    bench = begin(give_up_after=100.0)
    if is_connected:
        bench.connect()
    (old,) = bench.press()
    bench.publisher.acknowledge()
    bench.pass_time(80.0)
    (new,) = bench.press()
    bench.publisher.acknowledge()
    bench.pass_time(60.0)
    assert bench.of(Progress.GIVEN_UP) == [old]
    assert bench.on_disk() == [new]
    assert [kept.event_id for kept in bench.outbox.entries(given_up=True)] == [old]


def test_what_was_given_up_is_published_no_more(begin: Begin) -> None:
    bench = begin(give_up_after=100.0)
    bench.connect()
    bench.press()
    bench.publisher.acknowledge()
    bench.pass_time(140.0)
    number = len(bench.publisher.events)
    bench.disconnect()
    bench.connect()
    bench.pass_time(400.0)
    assert len(bench.publisher.events) == number


def test_what_grew_old_while_the_device_was_off_is_given_up_at_the_start(
    begin: Begin, machine: Machine
) -> None:
    bench = begin(give_up_after=100.0)
    (old,) = bench.press()
    machine.pass_time(200.0)
    bench.kill()
    bench.open()
    bench.turn()
    bench.connect()
    assert bench.publisher.events == []
    assert bench.of(Progress.GIVEN_UP) == [old]


def test_a_click_of_a_boot_without_network_time_is_not_given_up_untried(
    begin: Begin, machine: Machine
) -> None:
    bench = begin(give_up_after=100.0)
    machine.is_right = False
    (event_id,) = bench.press()
    bench.kill()
    machine.reboot(wall=machine.wall + YEARS_50)
    machine.is_right = True
    bench.open()
    bench.connect()
    bench.pass_time(50.0)
    assert bench.of(Progress.GIVEN_UP) == []
    assert set(bench.publisher.ids) == {event_id}
    bench.publisher.acknowledge()
    bench.pass_time(100.0)
    assert bench.of(Progress.GIVEN_UP) == [event_id]


def test_a_click_that_was_given_up_and_processed_after_all_is_not_kept(begin: Begin) -> None:
    bench = begin(give_up_after=100.0)
    bench.connect()
    (event_id,) = bench.press()
    bench.publisher.acknowledge()
    bench.pass_time(140.0)
    assert bench.outbox.given_up == 1
    bench.delivery.take_receipt(receipt(event_id, "deadletter"))
    assert bench.outbox.given_up == 1
    bench.delivery.take_receipt(receipt(event_id))
    assert bench.outbox.given_up == 0


def test_more_clicks_than_are_given_up_in_one_turn_are_all_given_up(
    begin: Begin, machine: Machine
) -> None:
    bench = begin(give_up_after=100.0)
    clicks = bench.press(250)
    machine.pass_time(200.0)
    bench.pass_time(1.0)
    assert bench.of(Progress.GIVEN_UP) == clicks
    assert bench.outbox.given_up == 250


def test_a_receipt_shows_that_the_runtime_is_back_for_those_that_were_repeated_in_vain(
    begin: Begin,
) -> None:
    bench = begin()
    bench.connect()
    old = bench.press(3)
    bench.publisher.acknowledge()
    for _ in range(8):  # 5 s, 10 s, ... : the next repeat is minutes away
        bench.pass_time(100.0)
        bench.publisher.acknowledge()
    (new,) = bench.press()
    bench.publisher.acknowledge()
    number = len(bench.publisher.ids)
    bench.delivery.take_receipt(receipt(new))
    bench.pass_time(1.0)
    assert bench.publisher.ids[number:] == old


def test_a_broker_that_does_not_acknowledge_is_left_for_a_new_connection(begin: Begin) -> None:
    bench = begin()
    bench.connect()
    bench.press()
    bench.pass_time(50.0)
    assert bench.publisher.reconnects == []
    bench.pass_time(50.0)
    assert bench.publisher.reconnects == ["it does not acknowledge"]
    bench.disconnect()
    bench.connect()
    bench.pass_time(50.0)
    assert len(bench.publisher.reconnects) == 1


def test_a_wall_clock_that_jumps_gives_nothing_up(begin: Begin, machine: Machine) -> None:
    bench = begin(give_up_after=100.0)
    (event_id,) = bench.press()
    machine.wall += YEARS_50
    bench.pass_time(60.0)
    machine.wall -= 2 * YEARS_50
    bench.pass_time(30.0)
    bench.kill()
    bench.open()  # within the same boot
    bench.connect()
    assert bench.publisher.ids == [event_id]


def test_what_is_taken_back_is_published_first_and_for_as_long_again(
    begin: Begin,
) -> None:
    bench = begin(give_up_after=100.0)
    (old,) = bench.press()
    bench.pass_time(140.0)
    (new,) = bench.press()
    bench.outbox.take_back()
    bench.close()
    bench.open()
    bench.connect()
    assert bench.publisher.ids == [old, new]
    bench.publisher.acknowledge()
    bench.pass_time(90.0)
    assert bench.of(Progress.GIVEN_UP) == [old]  # of the first time


def test_old_clicks_behind_one_that_was_taken_back_do_not_hold_up_the_rest(begin: Begin) -> None:
    bench = begin(give_up_after=1_000.0)
    bench.press()
    bench.pass_time(1_040.0)
    behind = bench.press(WINDOW)
    bench.pass_time(460.0)
    bench.outbox.take_back()  # 1,000 seconds more
    bench.close()
    bench.open()
    bench.connect()
    for _ in range(55):
        bench.publisher.acknowledge()
        bench.pass_time(10.0)
    last = bench.press(2)
    for _ in range(30):
        bench.publisher.acknowledge()
        bench.pass_time(10.0)
    assert bench.of(Progress.GIVEN_UP)[1:] == behind
    assert bench.publisher.ids.count(last[0]) > 1


def test_a_full_outbox_refuses_the_newest_and_delivers_the_rest(begin: Begin) -> None:
    bench = begin(size=3)
    clicks = bench.press(5)
    assert len(clicks) == 3
    assert bench.refused == 2
    bench.connect()
    assert bench.publisher.ids == clicks
    bench.answer(clicks[0])
    (another,) = bench.press()
    assert bench.publisher.ids == [*clicks, another]


# Disks that are full.


def test_a_click_that_the_disk_has_no_room_for_is_refused_and_never_published(
    bench: Workbench,
) -> None:
    bench.connect()
    before = bench.press()
    fill_the_disk(bench)
    assert (bench.refused, bench.taken) == (1, before)
    (after,) = bench.press()
    assert bench.publisher.ids == [*before, after]
    assert bench.on_disk() == [*before, after]


def test_a_press_right_after_a_refused_one_is_taken_when_there_is_room(bench: Workbench) -> None:
    with no_file_above(1):
        bench.put(note="x" * 5_000_000)  # more than stays in memory: the put itself fails
        bench.turn()
    assert bench.refused == 1
    assert len(bench.press()) == 1


def test_what_was_done_when_the_disk_was_full_is_published_again_and_done_again(
    bench: Workbench,
) -> None:
    bench.connect()
    (event_id,) = bench.press()
    bench.publisher.acknowledge()
    bench.delivery.take_receipt(receipt(event_id))
    fill_the_disk(bench)
    assert len(bench.outbox) == 1
    bench.pass_time(200.0)
    assert bench.publisher.ids == [event_id] * 2
    bench.answer(event_id)
    bench.pass_time(5.0)
    assert bench.on_disk() == []


def test_what_was_given_up_when_the_disk_was_full_is_given_up_again(begin: Begin) -> None:
    bench = begin(give_up_after=100.0)
    (event_id,) = bench.press()
    with no_file_above(1):
        bench.pass_time(160.0)
    assert len(bench.outbox) == 1
    bench.pass_time(200.0)
    assert bench.on_disk() == []
    assert bench.outbox.given_up == 1
    assert set(bench.of(Progress.GIVEN_UP)) == {event_id}


def test_a_disk_that_stays_full_is_not_written_to_in_every_turn(bench: Workbench) -> None:
    bench.connect()
    clicks = bench.press(30)
    with no_file_above(1):
        for _ in range(60):
            bench.publisher.acknowledge()
            bench.answer(*clicks)
            bench.pass_time(10.0)
    assert len(bench.outbox) == 30
    assert len(bench.publisher.events) <= 30 * 12


def test_a_disk_that_cannot_be_read_for_a_while_does_not_end_the_repeats(
    bench: Workbench, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(id: int) -> Kept | None:  # noqa: A002
        raise StorageError(bench.path, f"no entry {id} to be had", mend="try again")

    bench.connect()
    (event_id,) = bench.press()
    bench.publisher.acknowledge()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.outbox, "get", fail)
        bench.pass_time(40.0)
    assert "to be had" in caplog.text
    bench.pass_time(40.0)
    assert bench.publisher.ids == [event_id] * 2


@pytest.mark.parametrize("when", ["sent", "acknowledged"])
def test_a_click_that_cannot_be_read_at_its_turn_is_published_later(
    bench: Workbench, when: str
) -> None:
    def fail(id: int) -> Kept | None:  # noqa: A002
        raise StorageError(bench.path, f"no entry {id} to be had", mend="try again")

    clicks = bench.press(3 if when == "sent" else 1)
    if when == "acknowledged":
        bench.connect()
    step = bench.connect if when == "sent" else bench.publisher.acknowledge
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.outbox, "get", fail)
        with pytest.raises(StorageError):  # the loop logs it
            step()
    bench.publisher.events.clear()
    bench.pass_time(120.0)
    assert set(bench.publisher.ids) == set(clicks)
    bench.answer(*clicks)
    assert set(bench.of(Progress.PROCESSED)) == set(clicks)
    assert len(bench.outbox) == 0


def test_a_click_of_the_turn_in_which_others_are_looked_after_is_not_ahead_of_its_turn(
    bench: Workbench,
) -> None:
    first = bench.press(WINDOW + 5)
    bench.machine.pass_time(40.0)  # what is looked after at times is due, in the turn of a press
    first += bench.press()
    bench.connect()
    bench.pass_time(100.0)
    assert bench.publisher.ids == first[:WINDOW]  # the rest waits for the first PUBACK
    bench.publisher.acknowledge()
    assert bench.publisher.ids[:-1] == first[: len(bench.publisher.ids) - 1]


def test_a_click_that_was_given_up_and_comes_again_from_its_button_is_done_in_both_places(
    bench: Workbench,
) -> None:
    bench.connect()
    (event_id,) = bench.press()
    kept = next(iter(bench.outbox.entries()))
    bench.outbox.give_up(kept)
    bench.put(eventId=event_id)
    bench.turn()
    assert (len(bench.outbox), bench.outbox.given_up) == (1, 1)
    bench.answer(event_id)
    assert (len(bench.outbox), bench.outbox.given_up) == (0, 0)


def test_an_error_in_what_is_told_of_one_click_does_not_hold_up_the_next(
    bench: Workbench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.connect()
    tell, told = bench.tell, []

    def fail_at_first(id: int, kept: Kept) -> None:  # noqa: A002
        told.append(id)
        if len(told) == 1:
            raise RuntimeError("a light that is broken")
        tell(id, kept)

    bench.tell = fail_at_first  # type: ignore[method-assign]
    bench.put()
    bench.put()
    bench.turn()
    assert "a light that is broken" in caplog.text
    assert len(bench.publisher.ids) == 1


def test_what_is_told_after_a_commit_is_not_told_where_that_failed(bench: Workbench) -> None:
    told: list[str] = []
    bench.commits.then(lambda: told.append("failed"))
    fill_the_disk(bench)
    bench.commits.then(lambda: told.append("written"))
    assert told == []
    bench.turn()
    assert told == ["written"]


# Many.


def count_reads(bench: Workbench) -> list[int]:
    """Return a list to which every read of a click on the disk adds its id."""
    reads: list[int] = []
    get = bench.outbox.get

    def read(id: int) -> Kept | None:  # noqa: A002
        reads.append(id)
        return get(id)

    bench.outbox.get = read  # type: ignore[method-assign]
    return reads


def test_ten_thousand_waiting_clicks_cost_so_much_each_and_no_more(begin: Begin) -> None:
    bench = begin()
    for _ in range(10_000):
        bench.put()
    bench.turn()
    clicks = bench.taken
    reads = count_reads(bench)
    bench.connect()
    while bench.publisher.unacknowledged:
        bench.publisher.acknowledge()
    assert bench.publisher.ids == clicks
    assert len(reads) <= 3 * len(clicks)
    for event_id in clicks:
        bench.delivery.take_receipt(receipt(event_id))
    bench.turn()
    assert len(reads) <= 5 * len(clicks)
    assert len(bench.outbox) == 0


def test_ten_thousand_repeats_cost_so_much_each_and_no_more(begin: Begin) -> None:
    bench = begin()
    for _ in range(10_000):
        bench.put()
    bench.turn()
    bench.connect()
    while bench.publisher.unacknowledged:
        bench.publisher.acknowledge()
    bench.disconnect()
    reads = count_reads(bench)
    bench.connect()
    bench.pass_time(2.0)
    while len(bench.outbox):
        answered = bench.publisher.ids[-WINDOW:]
        bench.publisher.acknowledge()
        bench.answer(*answered)
    assert len(reads) <= 10 * 10_000
