"""The pure parts of faults: how they are written, when they come, and what damage does."""

import contextlib
import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim.damage import damage
from device_sim.faults import Fault, FaultKind, Faults, check_faults, parse_fault
from device_sim.tally import DamagedTally
from iot_button.errors import NotAClickError
from iot_button.events import (
    MAX_PAYLOAD_BYTES,
    Click,
    ClickType,
    decode_click,
    encode_click,
    new_event_id,
    utc_now,
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop=0.01", Fault(FaultKind.DROP, share=0.01)),
        ("freeze=1", Fault(FaultKind.FREEZE, share=1.0, seconds=2.0)),
        ("freeze=0.5:0.25", Fault(FaultKind.FREEZE, share=0.5, seconds=0.25)),
        ("reorder=0", Fault(FaultKind.REORDER, seconds=1.0)),
        ("corrupt@3,7", Fault(FaultKind.CORRUPT, at=frozenset({3, 7}))),
        ("freeze@1:10", Fault(FaultKind.FREEZE, at=frozenset({1}), seconds=10.0)),
    ],
)
def test_a_fault_is_read_as_a_person_writes_it(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is no fault: write drop=0.01"),
        ("drop", "'drop' is no fault: write drop=0.01"),
        ("burn=0.1", "'burn' is no kind of fault: there are drop, freeze, duplicate"),
        ("drop=often", "'often' is not a share"),
        ("drop=1.5", "a share is 0 to 1, and not 1.5"),
        ("drop=nan", "a share is 0 to 1, and not nan"),
        ("drop=0.1:2", "drop takes no seconds, and there is '2'"),
        ("freeze=0.1:", "'' is not a number of seconds"),
        ("freeze=0.1:-1", "a number of seconds is 0 to 3600, and not -1"),
        ("drop@", "'' are not numbers of presses, from 1"),
        ("drop@0", "'0' are not numbers of presses, from 1"),
        ("drop@1,x", "'1,x' are not numbers of presses, from 1"),
    ],
)
def test_what_is_no_fault_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match="^" + problem.replace("=", "[=]")):
        parse_fault(text)


@given(st.text(max_size=20))
@settings(deadline=None)
def test_any_text_is_a_fault_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= parse_fault(text).share <= 1


def test_faults_of_one_press_exclude_each_other() -> None:
    half = [parse_fault("drop=0.5"), parse_fault("freeze=0.5")]
    check_faults(half)
    with pytest.raises(ValueError, match=r"add up to 1\.1"):
        check_faults([*half, parse_fault("corrupt=0.1")])
    with pytest.raises(ValueError, match="drop is given twice"):
        check_faults([half[0], parse_fault("drop@3")])


def dealt(seed: int | None, *texts: str, presses: int = 5000) -> list[FaultKind | None]:
    faults = Faults([parse_fault(text) for text in texts], seed=seed)
    found = (faults.next() for _ in range(presses))
    return [fault.kind if fault else None for fault in found]


def test_the_same_seed_brings_the_same_faults_at_the_same_presses() -> None:
    texts = ("drop=0.1", "freeze=0.02", "corrupt=0.3")
    assert dealt(3, *texts) == dealt(3, *texts)
    assert dealt(3, *texts) != dealt(4, *texts)


def test_faults_come_with_their_share_of_the_presses() -> None:
    counts = Counter(dealt(1, "drop=0.1", "freeze=0.02", "corrupt=0.3"))
    assert counts[FaultKind.DROP] == pytest.approx(500, rel=0.2)
    assert counts[FaultKind.FREEZE] == pytest.approx(100, rel=0.4)
    assert counts[FaultKind.CORRUPT] == pytest.approx(1500, rel=0.1)


def test_a_script_names_the_presses() -> None:
    found = dealt(1, "drop@2,5", "freeze@5,6", presses=8)
    assert [kind and kind.value for kind in found] == [
        *(None, "drop", None, None),
        *("drop", "freeze", None, None),
    ]


def click() -> bytes:
    moment = utc_now()
    return encode_click(
        Click(
            serial_number="SIM-0001",
            click_type=ClickType.SINGLE,
            battery_millivolts=2875,
            event_id=new_event_id(moment),
            clicked_at=moment,
        )
    )


@given(st.integers())
@settings(deadline=None)
def test_a_damaged_payload_is_never_a_click_and_the_same_per_seed(seed: int) -> None:
    payload = click()
    damaged = damage(payload, serial_number="SIM-0001", rng=random.Random(seed))
    with pytest.raises(NotAClickError):
        decode_click(damaged, serial_number="SIM-0001")
    assert damaged == damage(payload, serial_number="SIM-0001", rng=random.Random(seed))


def test_every_kind_of_damage_comes() -> None:
    reasons = Counter[str]()
    for seed in range(200):
        damaged = damage(click(), serial_number="SIM-0001", rng=random.Random(seed))
        with pytest.raises(NotAClickError) as caught:
            decode_click(damaged, serial_number="SIM-0001")
        is_long = len(damaged) > MAX_PAYLOAD_BYTES
        reasons["too big" if is_long else caught.value.reason.split(" ")[0]] += 1
    assert reasons["too big"] > 10
    assert {"Input", "Expected", "serialNumber"} <= set(reasons)


def test_dead_letters_are_matched_with_what_was_damaged() -> None:
    tally = DamagedTally(remember=3)
    for payload in (b"a", b"b", b"b"):
        tally.on_sent(payload)
        tally.on_acknowledged()
    for payload in (b"b", b"of another", b"a", b"a"):
        tally.on_dead_letter(payload)
    assert (tally.sent, tally.dead_lettered, tally.lost) == (3, 2, 1)
    assert not tally.is_settled
    tally.on_dead_letter(b"b")
    assert tally.is_settled


def test_damaged_ones_that_nobody_takes_do_not_fill_the_memory() -> None:
    tally = DamagedTally(remember=3)
    for number in range(10):
        tally.on_sent(str(number).encode())
        tally.on_acknowledged()
    for number in itertools.chain(range(10), range(10)):
        tally.on_dead_letter(str(number).encode())
    assert (tally.dead_lettered, tally.lost) == (3, 7)
