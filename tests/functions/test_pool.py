"""The environments of one function, with real processes: how many, and which event goes where."""

import itertools
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from functions.runtime.runs import Ended
from tests.functions.service_support import Workshop, body, is_running, one_function

ECHO = "def lambda_handler(event, context):\n    return event\n"
SLOW = """
import os, time
def lambda_handler(event, context):
    start = time.monotonic()
    time.sleep(event["seconds"])
    return [os.getpid(), start, time.monotonic()]
"""
LOGGING = """
import os, time
def lambda_handler(event, context):
    with open(event["file"], "a") as file:
        file.write(f"{event['number']}\\n")
    time.sleep(event.get("seconds", 0))
    return os.getpid()
"""


def values(all_ended: list[list[Ended]]) -> list[Any]:
    assert not any(ended[0].is_error for ended in all_ended), all_ended
    return [json.loads(ended[0].payload) for ended in all_ended]


def are_done(all_ended: list[list[Ended]]) -> Callable[[], bool]:
    return lambda: all(all_ended)


def test_an_environment_runs_one_event_at_a_time(tmp_path: Path) -> None:
    with one_function(tmp_path, SLOW, reserved_concurrency=2) as workshop:
        all_ended = [workshop.run(body(seconds=0.03)) for _ in range(12)]
        workshop.run_until(are_done(all_ended), what="all end")
        spans: dict[int, list[tuple[float, float]]] = {}
        for process, start, end in values(all_ended):
            spans.setdefault(process, []).append((start, end))
    for of_one in spans.values():
        of_one.sort()
        for before, after in itertools.pairwise(of_one):
            assert before[1] <= after[0]


def test_slow_events_get_more_environments_up_to_the_limit(tmp_path: Path) -> None:
    with one_function(tmp_path, SLOW, reserved_concurrency=3) as workshop:
        all_ended = [workshop.run(body(seconds=0.2)) for _ in range(9)]
        most = 0

        def are_all_done() -> bool:
            nonlocal most
            most = max(most, workshop.environments)
            return all(all_ended)

        workshop.run_until(are_all_done, what="all end")
        processes = {value[0] for value in values(all_ended)}
    assert most == 3
    assert len(processes) == 3


def test_fast_events_need_no_second_environment(tmp_path: Path) -> None:
    with one_function(tmp_path, ECHO, reserved_concurrency=4) as workshop:
        workshop.result(b"0")
        all_ended = [workshop.run(b"%d" % number) for number in range(300)]
        workshop.run_until(are_done(all_ended), what="all end")
        assert values(all_ended) == list(range(300))
        assert workshop.environments == 1


def test_events_of_one_environment_run_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    file = tmp_path / "order"
    with one_function(tmp_path, LOGGING, reserved_concurrency=1) as workshop:
        all_ended = [workshop.run(body(file=str(file), number=n)) for n in range(200)]
        workshop.run_until(are_done(all_ended), what="all end")
    assert [int(line) for line in file.read_text().split()] == list(range(200))


def test_idle_environments_end(tmp_path: Path) -> None:
    with one_function(tmp_path, SLOW, reserved_concurrency=2, idle_timeout=0.2) as workshop:
        all_ended = [workshop.run(body(seconds=0.1)) for _ in range(4)]
        workshop.run_until(are_done(all_ended), what="all end")
        processes = [e.process_id for e in workshop.member.pool.environments]
        assert processes
        workshop.run_until(lambda: not workshop.environments, what="no environment is left")
        assert not any(is_running(process) for process in processes)
        assert not workshop.result(body(seconds=0)).is_error


def test_an_event_behind_one_that_hangs_runs_elsewhere_soon_and_once(tmp_path: Path) -> None:
    file = tmp_path / "runs"
    with one_function(tmp_path, LOGGING, reserved_concurrency=2, timeout=10.0) as workshop:
        warm = [workshop.run(body(file=str(file), number=-n)) for n in range(1, 60)]
        workshop.run_until(are_done(warm), what="warm")
        hanging = workshop.run(body(file=str(file), number=0, seconds=8))
        behind = [workshop.run(body(file=str(file), number=n)) for n in range(1, 41)]
        start = time.monotonic()
        workshop.run_until(are_done(behind), what="those behind it end")
        assert time.monotonic() - start < 4
        assert not hanging
    runs = Counter(int(line) for line in file.read_text().split())
    assert runs == dict.fromkeys(range(-59, 41), 1)


def test_with_one_environment_events_wait_for_a_hanging_one_and_none_is_lost(
    tmp_path: Path,
) -> None:
    file = tmp_path / "runs"
    with one_function(tmp_path, LOGGING, reserved_concurrency=1, timeout=0.5) as workshop:
        warm = [workshop.run(body(file=str(file), number=-n)) for n in range(1, 60)]
        workshop.run_until(are_done(warm), what="warm")
        events = [
            workshop.run(body(file=str(file), number=n, seconds=60 if n % 10 == 5 else 0))
            for n in range(30)
        ]
        workshop.run_until(are_done(events), what="all end")
    assert [n for n, ended in enumerate(events) if ended[0].is_error] == [5, 15, 25]
    assert all(len(ended) == 1 for ended in events)
    runs = Counter(int(line) for line in file.read_text().split())
    assert {number: runs[number] for number in range(30)} == dict.fromkeys(range(30), 1)


@pytest.mark.parametrize("size", [60_000, 65_490, 65_536, 66_000, 300_000])
def test_events_of_any_size_go_through(tmp_path: Path, size: int) -> None:
    with one_function(tmp_path, ECHO, reserved_concurrency=2) as workshop:
        events = [body(number=n, text="x" * size) for n in range(12)]
        all_ended = [workshop.run(event) for event in events]
        workshop.run_until(are_done(all_ended), what="all end")
        assert values(all_ended) == [json.loads(event) for event in events]


def test_large_events_leave_no_files_behind(tmp_path: Path) -> None:
    def files() -> list[Path]:
        return list(tmp_path.rglob("event-*"))

    with one_function(tmp_path, ECHO, reserved_concurrency=1) as workshop:
        event = body(text="x" * 300_000)
        warm = [workshop.run(b"1") for _ in range(100)]
        all_ended = [workshop.run(event) for _ in range(40)]
        workshop.run_until(are_done(warm + all_ended), what="all end")
        assert files() == []
        workshop.run(event)
        workshop.turn()
    assert files() == []


def test_a_limit_of_0_starts_nothing_and_ends_what_idles(tmp_path: Path) -> None:
    with one_function(tmp_path, ECHO, reserved_concurrency=2) as workshop:
        workshop.result(b"1")
        workshop.member.pool.set_limit(0)
        workshop.run_until(lambda: not workshop.environments, what="the environment ends")
        assert workshop.member.pool.is_full


def test_a_function_with_a_limit_of_0_is_not_warmed_up(tmp_path: Path) -> None:
    with one_function(tmp_path, ECHO, reserved_concurrency=0) as workshop:
        workshop.member.pool.warm_up()
        workshop.turn()
        assert workshop.environments == 0


def test_a_lower_limit_holds_at_once_and_a_higher_one_is_used(tmp_path: Path) -> None:
    with one_function(tmp_path, SLOW, reserved_concurrency=3) as workshop:
        first = [workshop.run(body(seconds=0.15)) for _ in range(6)]
        workshop.run_until(are_done(first), what="all end")
        assert workshop.environments > 1
        workshop.member.pool.set_limit(1)
        second = [workshop.run(body(seconds=0.05)) for _ in range(4)]
        workshop.run_until(are_done(second), what="all end")
        workshop.run_until(lambda: workshop.environments == 1, what="one environment is left")
        assert len({value[0] for value in values(second)}) <= 3
        workshop.member.pool.set_limit(2)
        third = [workshop.run(body(seconds=0.3)) for _ in range(4)]
        workshop.run_until(lambda: workshop.environments == 2, what="two environments")
        workshop.run_until(are_done(third), what="all end")


def kill_one(workshop: Workshop, chance: random.Random) -> None:
    environments = workshop.member.pool.environments
    if environments:
        process = chance.choice(environments).process_id
        if is_running(process):
            os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("seed", range(3))
def test_each_event_ends_once_while_processes_are_killed_at_random(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    with one_function(
        tmp_path,
        "import time\ndef lambda_handler(event, context):\n"
        "    time.sleep(event % 5 / 1000)\n    return event\n",
        reserved_concurrency=2,
    ) as workshop:
        all_ended: list[list[Ended]] = []

        def feed() -> None:
            for _ in range(20):
                all_ended.append(workshop.run(b"%d" % len(all_ended)))
            if len(all_ended) % 60 == 0:
                kill_one(workshop, chance)
            if len(all_ended) < 500:
                workshop.loop.call_later(chance.uniform(0, 0.06), feed)

        feed()
        workshop.run_until(
            lambda: len(all_ended) == 500 and all(all_ended), what="all end", deadline=40
        )
        workshop.turn()
    assert all(len(ended) == 1 for ended in all_ended)
    failed = [ended[0] for ended in all_ended if ended[0].is_error]
    assert len(failed) <= 8  # at most the one that ran at each kill
    assert all(b"signal: killed" in ended.payload for ended in failed)
    right = [n for n, ended in enumerate(all_ended) if not ended[0].is_error]
    assert [json.loads(all_ended[n][0].payload) for n in right] == right


def test_no_process_and_no_descriptor_is_left_after_the_end(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with one_function(tmp_path, ECHO) as workshop:
        workshop.result(b"1")
    before = descriptors()
    for _ in range(3):
        with one_function(tmp_path, SLOW, reserved_concurrency=2) as workshop:
            all_ended = [workshop.run(body(seconds=0.05)) for _ in range(4)]
            workshop.run_until(are_done(all_ended), what="all end")
            processes = [e.process_id for e in workshop.member.pool.environments]
        assert not any(is_running(process) for process in processes)
    assert descriptors() == before
