"""Moments on machines whose clock jumps."""

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim import moments as module
from device_sim.moments import Moment, Moments
from tests.device_sim.workbench import Machine

YEARS_50 = 50 * 365.25 * 86_400.0


@pytest.fixture
def machine() -> Machine:
    return Machine()


def date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_a_moment_before_now_keeps_both_clocks(machine: Machine) -> None:
    assert machine.moments().ago(2.5) == Moment(1_799_999_997.5, "boot 1", 997.5)


@pytest.mark.parametrize("jump", [YEARS_50, -YEARS_50, 3.0, 0.0])
def test_the_age_within_one_boot_is_right_wherever_the_wall_clock_jumps(
    machine: Machine, jump: float
) -> None:
    pressed = machine.moments().ago(1.0)
    machine.pass_time(10.0)
    machine.wall += jump
    assert machine.moments().age(pressed) == pytest.approx(11.0)


def test_the_age_across_boots_is_the_wall_clocks(machine: Machine) -> None:
    pressed = machine.moments().ago(0.0)
    machine.reboot(wall=machine.wall + 3600.0)
    assert machine.moments().age(pressed) == pytest.approx(3600.0)


@pytest.mark.parametrize("is_right_then", [True, False])
def test_across_boots_a_clock_that_was_not_set_is_not_believed(
    machine: Machine, is_right_then: bool
) -> None:
    machine.is_right = is_right_then
    pressed = machine.moments().ago(0.0)
    machine.reboot(wall=machine.wall + YEARS_50)
    machine.is_right = not is_right_then
    moments = machine.moments()
    machine.pass_time(70.0)
    assert moments.age(pressed) == pytest.approx(70.0)
    assert moments.date(pressed) == date(pressed.wall)


def test_no_age_is_below_zero_when_the_clock_went_back_over_a_boot(machine: Machine) -> None:
    pressed = machine.moments().ago(0.0)
    machine.reboot(wall=0.0)
    assert machine.moments().age(pressed) == 0.0


def test_a_date_is_put_right_when_the_clock_is_within_the_same_boot(machine: Machine) -> None:
    machine.wall = 100.0  # a Raspberry Pi without a network, in 1970
    pressed = machine.moments().ago(0.5)
    machine.pass_time(60.0)
    machine.wall = 1_900_000_000.0
    assert machine.moments().date(pressed) == date(1_900_000_000.0 - 60.5)


def test_a_date_that_needs_no_mending_stays_the_same_to_the_last_digit(machine: Machine) -> None:
    pressed = machine.moments().ago(0.1)
    first = machine.moments().date(pressed)
    for _ in range(100):
        machine.pass_time(1 / 3)
        machine.wall += 0.001  # as slowly as a clock is slewed
    assert machine.moments().date(pressed) == first == date(pressed.wall)


def test_a_date_from_another_boot_stays_as_its_clock_had_it(machine: Machine) -> None:
    pressed = machine.moments().ago(0.0)
    machine.reboot(wall=machine.wall + YEARS_50)
    assert machine.moments().date(pressed) == date(pressed.wall)


@settings(deadline=None)
@given(wall=st.floats(allow_nan=False), now=st.floats(allow_nan=False, allow_infinity=False))
def test_every_moment_that_a_file_can_hold_has_a_date(wall: float, now: float) -> None:
    moments = Moments(wall=lambda: now, uptime=lambda: 0.0, boot="this")
    for boot in ("this", "another"):
        assert moments.date(Moment(wall, boot, 0.0)).tzinfo is UTC
        assert moments.age(Moment(wall, boot, 0.0)) >= 0.0


def test_two_processes_of_one_boot_agree() -> None:
    pressed = Moments().ago(0.0)
    assert pressed.boot == Moments().ago(0.0).boot != ""
    assert 0.0 <= Moments(wall=lambda: math.inf).age(pressed) < 600.0


def test_where_no_boot_has_a_name_the_uptime_tells_within_the_process(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_BOOT_ID", tmp_path / "none")
    ours, others = (
        Moments(wall=lambda: machine.wall, uptime=machine.monotonic, is_right=lambda: True)
        for _ in range(2)
    )
    pressed = ours.ago(1.0)
    machine.wall += YEARS_50
    assert ours.age(pressed) == pytest.approx(1.0)
    assert others.age(pressed) == pytest.approx(YEARS_50 + 1.0)
