"""A device's outbox: what it keeps, in which order, and on which disks."""

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.kept import Kept
from device_sim.moments import Moment
from device_sim.outbox import Outbox, OutboxFullError
from iot_button.events import decode_click
from iot_button.files import InUseError, StorageError
from iot_button.spool import Spool
from tests.device_sim.workbench import SERIAL, Machine, click
from tests.storage import lines_until_killed, no_file_above, read_only_folder, small_disk

YEARS_50 = 50 * 365.25 * 86_400.0
Open = Callable[[], Outbox]
PUT_AND_COMMIT = """
import sys
from pathlib import Path
from device_sim.moments import Moments
from device_sim.outbox import Outbox
moments = Moments()
with Outbox(Path(sys.argv[1]), size=1_000_000, moments=moments) as outbox:
    while True:
        id = outbox.put({"clickType": "SINGLE"}, moments.ago(0.0))
        outbox.commit()
        print(outbox.get(id).event_id, flush=True)
"""


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / f"{SERIAL}.db"


@pytest.fixture
def open_outbox(path: Path, machine: Machine) -> Open:
    """Open the outbox as the next process would."""
    return lambda: Outbox(path, size=100, moments=machine.moments())


@pytest.fixture
def outbox(open_outbox: Open) -> Iterator[Outbox]:
    with open_outbox() as opened:
        yield opened


def put(outbox: Outbox, machine: Machine, **more: Any) -> Kept:
    """Put a click that is pressed now, commit, and return it."""
    id_ = outbox.put(click(**more), machine.moments().ago(0.0))
    outbox.commit()
    kept = outbox.get(id_)
    assert kept is not None
    return kept


def waiting(outbox: Outbox) -> list[str]:
    return [kept.event_id for kept in outbox.entries()]


def given_up(outbox: Outbox) -> list[str]:
    return [kept.event_id for kept in outbox.entries(given_up=True)]


def spoil(path: Path, body: bytes, *, queue: str = "waiting") -> None:
    """Write another body over every entry of a queue."""
    with sqlite3.connect(path) as connection:
        of_queue = "queue = (SELECT number FROM queue WHERE name = ?)"
        connection.execute(f"UPDATE entry SET body = ? WHERE {of_queue}", (body, queue))  # noqa: S608
    connection.close()


def test_a_click_is_published_with_an_id_of_its_own_and_the_time_of_its_press(
    outbox: Outbox, machine: Machine
) -> None:
    pressed = machine.moments().ago(1.5)
    kept = outbox.get(outbox.put(click(), pressed))
    assert kept is not None
    read = decode_click(outbox.payload(kept), serial_number=SERIAL)
    assert read.event_id is not None
    assert uuid.UUID(read.event_id).version == 7
    assert read.clicked_at is not None
    assert read.clicked_at.timestamp() == pytest.approx(pressed.wall, abs=0.001)


def test_an_id_and_a_time_that_the_button_gives_itself_are_kept(
    outbox: Outbox, machine: Machine
) -> None:
    own = {"eventId": "mine-1", "clickedAt": "2001-02-03T04:05:06Z", "note": "kept as well"}
    kept = outbox.get(outbox.put(click(**own), machine.moments().ago(0.0), has_own_time=True))
    assert kept is not None
    assert outbox.event(kept) == click() | own
    assert outbox.find("mine-1") is not None


def test_the_time_of_a_press_is_published_as_it_was_put_right_since(
    outbox: Outbox, machine: Machine
) -> None:
    machine.wall = 100.0
    kept = put(outbox, machine)
    assert outbox.event(kept)["clickedAt"] == "1970-01-01T00:01:40.000Z"
    machine.wall += YEARS_50
    assert outbox.event(kept)["clickedAt"] == "2020-01-01T12:01:40.000Z"


def test_what_was_committed_is_there_for_the_next_process_in_the_order_of_the_presses(
    open_outbox: Open, machine: Machine
) -> None:
    with open_outbox() as outbox:
        put_ids = [put(outbox, machine).event_id for _ in range(5)]
        machine.wall -= YEARS_50  # an order by time would be another
        put_ids += [put(outbox, machine).event_id for _ in range(5)]
    with open_outbox() as outbox:
        assert waiting(outbox) == put_ids
        assert outbox.ids() == sorted(outbox.ids())
        assert len(outbox) == 10


def test_what_was_not_committed_when_the_process_died_is_not_there(
    open_outbox: Open, machine: Machine
) -> None:
    outbox = open_outbox()
    outbox.__enter__()
    kept = put(outbox, machine)
    outbox.put(click(), machine.moments().ago(0.0))
    outbox.__exit__(RuntimeError, RuntimeError(), None)
    with open_outbox() as again:
        assert waiting(again) == [kept.event_id]


def test_what_a_killed_process_had_committed_is_there_once_and_in_order(
    path: Path, machine: Machine
) -> None:
    said = lines_until_killed(PUT_AND_COMMIT, str(path), lines=200)
    with Outbox(path, size=10, moments=machine.moments()) as outbox:
        ids = waiting(outbox)
        assert ids[: len(said)] == said
        assert len(ids) - len(said) in (0, 1)  # one may be committed and not told
        assert ids == sorted(ids)
        assert len(outbox) == len(ids)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.one_of(
            st.just("press"),
            st.just("restart"),
            st.just("reboot"),
            st.floats(min_value=-YEARS_50, max_value=YEARS_50),
        )
    )
)
def test_event_ids_go_up_whatever_the_clock_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str | float]
) -> None:
    path = tmp_path_factory.mktemp("outbox") / "spool.db"
    machine, ids = Machine(), []
    outbox = Outbox(path, size=1_000, moments=machine.moments())
    outbox.__enter__()
    for step in ["press", *steps, "press"]:
        if step == "press":
            kept = put(outbox, machine)
            ids.append(kept.event_id)
            outbox.remove(kept)  # also where none is there to compare with
            machine.pass_time(0.0001)
        elif isinstance(step, float):
            machine.wall += step
        else:
            if step == "reboot":
                machine.reboot()
            outbox.__exit__(None, None, None)
            outbox = Outbox(path, size=1_000, moments=machine.moments())
            outbox.__enter__()
    outbox.__exit__(None, None, None)
    assert ids == sorted(ids)
    assert len({id_[:13] for id_ in ids}) == len(ids), "the part that counts is the same"


def test_an_id_that_the_button_gave_itself_leaves_ours_alone(
    outbox: Outbox, machine: Machine
) -> None:
    first = put(outbox, machine)
    put(outbox, machine, eventId="ffffffff-ffff-7fff-bfff-ffffffffffff")
    assert first.event_id < put(outbox, machine).event_id < "ffff"


def test_a_full_outbox_refuses_the_newest_and_keeps_the_rest(path: Path, machine: Machine) -> None:
    with Outbox(path, size=3, moments=machine.moments()) as outbox:
        kept = [put(outbox, machine) for _ in range(3)]
        with pytest.raises(
            OutboxFullError, match=r"full: 3 clicks wait(?s:.*)outbox_size"
        ) as caught:
            outbox.put(click(), machine.moments().ago(0.0))
        assert caught.value.size == 3
        assert waiting(outbox) == [one.event_id for one in kept]
        outbox.remove(kept[0])
        put(outbox, machine)
        assert len(outbox) == 3


def test_an_outbox_that_has_more_than_a_new_setting_allows_keeps_it(
    path: Path, machine: Machine
) -> None:
    with Outbox(path, size=5, moments=machine.moments()) as outbox:
        ids = [put(outbox, machine).event_id for _ in range(5)]
    with Outbox(path, size=2, moments=machine.moments()) as outbox:
        assert waiting(outbox) == ids
        with pytest.raises(OutboxFullError):
            outbox.put(click(), machine.moments().ago(0.0))


def test_what_is_done_is_found_no_more_also_by_the_next_process(
    open_outbox: Open, machine: Machine
) -> None:
    with open_outbox() as outbox:
        done, left = put(outbox, machine), put(outbox, machine)
        outbox.remove(done)
        outbox.remove(done)  # twice is fine
        assert outbox.find(done.event_id) is None
        assert len(outbox) == 1
    with open_outbox() as outbox:
        assert waiting(outbox) == [left.event_id]


def test_what_is_given_up_waits_no_longer_and_is_kept_apart(
    open_outbox: Open, machine: Machine
) -> None:
    with open_outbox() as outbox:
        old, new = put(outbox, machine), put(outbox, machine)
        id_ = outbox.find(old.event_id)
        outbox.give_up(old)
        assert id_ is not None
        assert outbox.get(id_) is None
    with open_outbox() as outbox:
        assert (waiting(outbox), given_up(outbox)) == ([new.event_id], [old.event_id])
        assert (len(outbox), outbox.given_up) == (1, 1)


def test_the_oldest_that_were_given_up_go_when_there_are_too_many(
    path: Path, machine: Machine
) -> None:
    with Outbox(path, size=3, moments=machine.moments()) as outbox:
        clicks = []
        for _ in range(5):
            clicks.append(put(outbox, machine))
            outbox.give_up(clicks[-1])
        assert given_up(outbox) == [one.event_id for one in clicks[2:]]


def test_what_is_taken_back_waits_in_its_old_place_and_as_long_as_a_new_click(
    open_outbox: Open, machine: Machine
) -> None:
    with open_outbox() as outbox:
        first, second = put(outbox, machine), put(outbox, machine)
        machine.pass_time(1_000.0)
        outbox.give_up(first)
        assert outbox.take_back() == 1
        assert (outbox.given_up, len(outbox)) == (0, 2)
    machine.pass_time(5.0)
    with open_outbox() as outbox:
        assert waiting(outbox) == [first.event_id, second.event_id]
        kept = next(outbox.entries())
        assert outbox.age(kept) == pytest.approx(5.0)
        assert kept.pressed == first.pressed  # the time of the press is not another for it
        assert outbox.find(first.event_id) == outbox.ids()[0]


def test_a_click_that_its_button_sent_anew_is_not_taken_back_as_a_second_one(
    open_outbox: Open, machine: Machine
) -> None:
    with open_outbox() as outbox:
        outbox.give_up(put(outbox, machine, eventId="mine-1"))
        put(outbox, machine, eventId="mine-1")
        assert outbox.take_back() == 0
        assert waiting(outbox) == ["mine-1"]
    with open_outbox() as outbox:
        assert (len(outbox), outbox.given_up) == (1, 0)
        outbox.remove(next(outbox.entries()))
        assert waiting(outbox) == []


def test_what_was_given_up_can_be_removed_for_good(outbox: Outbox, machine: Machine) -> None:
    left = put(outbox, machine)
    for _ in range(3):
        outbox.give_up(put(outbox, machine))
    assert outbox.drop_given_up() == 3
    assert (waiting(outbox), given_up(outbox)) == ([left.event_id], [])


def test_a_commit_that_fails_leaves_everything_as_it_was(
    open_outbox: Open, machine: Machine
) -> None:
    with open_outbox() as outbox:
        done, old, left = (put(outbox, machine) for _ in range(3))
        outbox.remove(done)
        outbox.give_up(old)
        with no_file_above(1):
            outbox.put(click(note="x" * 100_000), machine.moments().ago(0.0))
            with pytest.raises(StorageError):
                outbox.commit()
        assert waiting(outbox) == [done.event_id, old.event_id, left.event_id]
        assert (len(outbox), outbox.given_up) == (3, 0)
        assert put(outbox, machine).event_id > left.event_id
    with open_outbox() as outbox:
        assert len(outbox) == 4


def test_a_removal_that_cannot_be_written_is_told_by_the_commit(
    outbox: Outbox, machine: Machine
) -> None:
    first, second = put(outbox, machine), put(outbox, machine)
    with no_file_above(1):
        with pytest.raises(StorageError):
            # More than SQLite keeps in memory: it is written before the commit.
            outbox.put(click(note="x" * 5_000_000), machine.moments().ago(0.0))
        outbox.remove(first)
        outbox.give_up(second)
        assert outbox.is_changed
        with pytest.raises(StorageError):
            outbox.commit()
    assert waiting(outbox) == [first.event_id, second.event_id]


def test_a_full_disk_is_a_clear_error_and_takes_nothing_that_was_committed(
    tmp_path: Path, machine: Machine
) -> None:
    with small_disk(tmp_path / "disk", size="256k") as folder:
        path, told = folder / "outbox.db", []
        with Outbox(path, size=10_000, moments=machine.moments()) as outbox:
            with pytest.raises(StorageError, match=r"full|space"):  # noqa: PT012
                while True:
                    told.append(put(outbox, machine, note="x" * 500).event_id)
            with contextlib.suppress(StorageError):  # where the put has told it, the commit does
                outbox.commit()
            assert waiting(outbox) == told
        with Outbox(path, size=10_000, moments=machine.moments()) as outbox:
            assert waiting(outbox) == told
            assert len(told) > 3


def test_a_folder_without_write_permission_is_a_clear_error(machine: Machine) -> None:
    with (
        read_only_folder() as folder,
        pytest.raises(StorageError, match="ermission"),
        Outbox(folder / "device" / "outbox.db", size=1, moments=machine.moments()),
    ):
        pass


@pytest.mark.usefixtures("outbox")
def test_a_second_process_is_told_who_has_it(open_outbox: Open) -> None:
    with pytest.raises(InUseError, match=str(os.getpid())), open_outbox():
        pass


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00 no JSON",
        b"{}",
        b'{"event": {}, "pressed": {"wall": 1.0, "boot": "", "uptime": 0.0}}',
        b'{"event": {"eventId": 7}, "pressed": {"wall": 1.0, "boot": "", "uptime": 0.0}}',
        b'{"event": {"eventId": "x", "deep": ' + b"[" * 100_000,
        b'{"event": {"eventId": "x"}, "pressed": {"wall": 1e999, "boot": "", "uptime": 0.0}}',
    ],
    ids=["empty", "garbage", "no click", "no id", "odd id", "deep", "no time"],
)
def test_a_click_that_cannot_be_read_is_left_there_and_does_not_stop_the_button(
    open_outbox: Open, path: Path, machine: Machine, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with open_outbox() as outbox:
        outbox.give_up(put(outbox, machine))
        put(outbox, machine)
    spoil(path, body)
    spoil(path, body, queue="given up")
    with open_outbox() as outbox:
        assert "1 clicks in" in caplog.text
        assert (len(outbox), waiting(outbox), given_up(outbox)) == (0, [], [])
        assert outbox.take_back() == 0
        good = put(outbox, machine)
    with open_outbox() as outbox:
        assert waiting(outbox) == [good.event_id]
    with Spool(path) as spool:
        assert spool.count("waiting") == 2  # nothing was thrown away
        assert spool.count("given up") == 1


def test_a_last_id_that_cannot_be_read_is_begun_anew(
    open_outbox: Open, path: Path, machine: Machine
) -> None:
    with open_outbox() as outbox:
        put(outbox, machine)
    spoil(path, b"\xff", queue="last id")
    machine.pass_time(1.0)
    with open_outbox() as outbox:
        put(outbox, machine)
        assert waiting(outbox) == sorted(waiting(outbox))


def test_a_file_that_is_no_database_is_set_aside_and_the_button_goes_on(
    open_outbox: Open, path: Path, machine: Machine
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 1_000)
    with open_outbox() as outbox:
        put(outbox, machine)
        assert len(outbox) == 1
    assert path.with_name(f"{path.name}.damaged-1").read_bytes().startswith(b"no database")


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7, 0.9])
def test_what_can_be_read_of_a_damaged_file_still_waits_and_ids_go_on(
    path: Path, machine: Machine, place: float
) -> None:
    with Outbox(path, size=2_000, moments=machine.moments()) as outbox:
        for _ in range(1_000):
            outbox.put(click(note="x" * 200), machine.moments().ago(0.0))
        ids = waiting(outbox)
    damage(path, place)
    with Outbox(path, size=2_000, moments=machine.moments()) as outbox:
        left = waiting(outbox)
        assert set(left) <= set(ids)
        assert left == sorted(left)
        assert len(left) > 100
        assert outbox.put(click(), machine.moments().ago(0.0)) > max(outbox.ids()[:-1])


def damage(path: Path, place: float) -> None:
    """Overwrite some pages in the middle of a file."""
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * place) // 4096 * 4096)
        file.write(os.urandom(3 * 4096))


@settings(deadline=None)
@given(
    st.builds(
        Kept,
        event=st.dictionaries(
            st.text(), st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text()
        ).map(lambda event: event | {"eventId": "x"}),
        pressed=st.builds(
            Moment, wall=st.floats(-1e12, 1e12), boot=st.text(), uptime=st.floats(-1e9, 1e9)
        ),
        has_own_time=st.booleans(),
    )
)
def test_a_kept_click_comes_back_from_the_disk_as_it_was(kept: Kept) -> None:
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Kept) == kept
