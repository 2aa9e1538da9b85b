"""Measuring: each load, with each peer in turn, round after round.

One measurement is one peer under one load in one round, with everything new: an empty mosquitto, a
load generator, the peer. Clicks go out every 5 ms from before the peer is started until the first
answer comes: the time from the start of its process to there is its first click. It is then warmed
up, and then comes the load. Peers follow each other within one load and round, in an order that
moves on by one each round, so that what the machine does besides meets all of them alike.
"""

import enum
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.pipeline.peers import Peer, peer_environment
from bench.pipeline.processes import check_running, cpu_seconds, last_words, memory, running
from bench.pipeline.stage import Stage, stage
from iot_button.errors import IotButtonError

CLICK_INTERVAL_MS = 5
FIRST_CLICK_TIMEOUT = 20.0
WARM_UP_WINDOW = 50
LEAD_IN = 0.5
"""Seconds at the start of each load that are not counted."""
GRACE = 20.0
"""Seconds that the load generator may take longer than the load lasts."""
AS_ANSWERED = (
    *("messages_per_s", "p50_ms", "p99_ms", "max_ms"),
    *("measured", "unexpected", "latest_send_ms"),
)
"""Figures that a measurement has as the load generator says them."""


class Kind(enum.StrEnum):
    """What drives a load: the answers (so many clicks under way), or the clock (clicks/s)."""

    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True)
class Load:
    """One load; `size` is the window of a closed loop, and clicks/s of an open one."""

    kind: Kind
    size: float

    @property
    def name(self) -> str:
        return f"window {self.size:g}" if self.kind is Kind.CLOSED else f"{self.size:g}/s"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be measured. Lengths are in seconds."""

    peers: Sequence[Peer]
    loads: Sequence[Load]
    rounds: int
    seconds: float
    warm_up: float
    event_ids: bool
    load_program: Path
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one measurement found; `failed` says why it found nothing.

    `cpu_us` is the processor time per click of the peer's whole process tree, and beside it that of
    mosquitto and of the load generator. `unanswered`: clicks without an answer 2 s after the end.
    """

    peer: str
    load: str
    round: int
    failed: str = ""
    messages_per_s: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    measured: int = 0
    unanswered: int = 0
    unexpected: int = 0
    latest_send_ms: float = 0.0
    cpu_us: float = 0.0
    broker_cpu_us: float = 0.0
    load_cpu_us: float = 0.0
    first_click_s: float = 0.0
    processes: int = 0
    rss_mb: float = 0.0
    rss_with_one_child_mb: float = 0.0
    pss_mb: float = 0.0


def measurements(plan: Plan) -> Iterator[Measurement]:
    """Measure everything, one after the other."""
    for number in range(1, plan.rounds + 1):
        first = (number - 1) % len(plan.peers)
        order = [*plan.peers[first:], *plan.peers[:first]]
        for load in plan.loads:
            for peer in order:
                yield _measure_or_say_why_not(plan, peer, load, number)


def _measure_or_say_why_not(plan: Plan, peer: Peer, load: Load, number: int) -> Measurement:
    with tempfile.TemporaryDirectory(prefix="bench-pipeline-") as name:
        try:
            return _measure(plan, peer, load, number, Path(name))
        except IotButtonError as error:
            return Measurement(peer=peer.name, load=load.name, round=number, failed=str(error))


def _measure(plan: Plan, peer: Peer, load: Load, number: int, directory: Path) -> Measurement:
    log = directory / "peer.log"
    with stage(directory, load_program=plan.load_program, event_ids=plan.event_ids) as here:
        here.load.write(f"first {CLICK_INTERVAL_MS} {FIRST_CLICK_TIMEOUT}")
        command, started = peer.command(here.port, directory), time.monotonic()
        with running(command, log=log, environment=peer_environment(directory)) as process:
            while not here.load.has_answer(within=0.2):
                check_running(process, name=peer.title, log=log)
            first = here.load.read(GRACE)["answered_at_s"]
            if first < 0:
                problem = f"no click came back within {FIRST_CLICK_TIMEOUT:g} s"
                raise IotButtonError(problem, mend=last_words(log))
            if plan.warm_up:
                warm_up = f"closed {WARM_UP_WINDOW} 0 {plan.warm_up}"
                here.load.ask(warm_up, deadline=plan.warm_up + GRACE)
            found = _under_load(here, process.pid, load, plan.seconds)
            check_running(process, name=peer.title, log=log)
    return Measurement(
        peer=peer.name, load=load.name, round=number, first_click_s=first - started, **found
    )


def _under_load(here: Stage, peer: int, load: Load, seconds: float) -> dict[str, Any]:
    """Run a load; return the figures of a Measurement."""
    watched = (peer, here.broker.pid)
    before = [cpu_seconds(pid) for pid in watched]
    command = f"{load.kind} {load.size} {LEAD_IN} {seconds}"
    answer = here.load.ask(command, deadline=LEAD_IN + seconds + GRACE)
    after = [cpu_seconds(pid) for pid in watched]
    if not answer["measured"]:
        raise IotButtonError("no click of the load came back")
    used = [b - a for a, b in zip(before, after, strict=True)]
    held = memory(peer)
    per_click = 1e6 / answer["answered"]
    return {
        **{name: answer[name] for name in AS_ANSWERED},
        "unanswered": answer["lost"],
        "cpu_us": used[0] * per_click,
        "broker_cpu_us": used[1] * per_click,
        "load_cpu_us": answer["cpu_s"] * per_click,
        "processes": len(held.rss_of_each),
        "rss_mb": held.rss,
        "rss_with_one_child_mb": held.rss_with_one_child,
        "pss_mb": held.pss,
    }
