"""The flow of a click - receive, enrich, publish, QoS 1 - by iot-button and by its peers.

    python bench/pipeline [--quick] [--only ours,c] [--json FILE] [--report docs]

Every peer is measured on mosquitto under the same loads, in turn, round after round; see measure.py
for how, and docs/performance.md for what came out. Lines with figures go to standard output as they
are found, progress to standard error.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.pipeline.figures import Results
from bench.pipeline.measure import Kind, Load, Measurement, Plan, measurements
from bench.pipeline.peers import KNOWN, LeftOutError, Peer, compile_c
from bench.pipeline.report import load_saved, save, write_report
from bench.pipeline.setting import setting
from bench.pipeline.tables import markdown
from iot_button.errors import IotButtonError

HEAD = (
    "round load         peer           msg/s    p50 ms    p99 ms    max ms"
    "  CPU us  RSS MB first s  unanswered"
)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python bench/pipeline",
        description="Measure the way of a click beside Node-RED, paho and a C program.",
        epilog="Example: python bench/pipeline --rounds 5 --json results.json --report docs",
    )
    made.add_argument("--rounds", type=_count, default=3, help="how often each is measured (3)")
    made.add_argument("--seconds", type=float, default=5, help="length of each load (5)")
    made.add_argument("--warm-up", type=float, default=1, help="seconds before each load (1)")
    made.add_argument("--only", type=_peers, default=list(KNOWN), help=f"of {','.join(KNOWN)}")
    made.add_argument("--windows", type=_sizes, default=[20, 200, 900], help="20,200,900; or none")
    made.add_argument("--rates", type=_sizes, default=[10, 100, 1000], help="10,100,1000; or none")
    made.add_argument("--event-ids", action="store_true", help="clicks with an eventId each")
    made.add_argument("--quick", action="store_true", help="1 round of 1 s: does it work?")
    made.add_argument("--peers", type=Path, help="where Node-RED is kept (the user's cache)")
    made.add_argument("--json", type=Path, help="write all raw results to this file")
    made.add_argument("--report", type=Path, help="write performance.md and .svg in this folder")
    made.add_argument("--note", default="", help="a remark for the report")
    made.add_argument("--from", type=Path, dest="saved", help="measure nothing: results of --json")
    return made


def main() -> int:
    command_line = parser()
    options = command_line.parse_args()
    if not (options.windows or options.rates):
        command_line.error("--windows and --rates cannot both be none")
    if options.quick:
        options.rounds, options.seconds, options.warm_up = 1, 1.0, 0.2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        results = load_saved(options.saved) if options.saved else run(options)
        print(f"\n{markdown(results)}")
        if options.report:
            write_report(results, options.report)
    except IotButtonError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def run(options: argparse.Namespace) -> Results:
    """Measure all that the options ask for; what was found is kept even when it is broken off."""
    with tempfile.TemporaryDirectory(prefix="bench-pipeline-") as name:
        load_program = compile_c("load", Path(name))
        peers, left_out = prepared(options.only, build=Path(name), cache=_cache(options.peers))
        plan = Plan(
            peers=peers,
            loads=_loads(options),
            rounds=options.rounds,
            seconds=options.seconds,
            warm_up=options.warm_up,
            event_ids=options.event_ids,
            load_program=load_program,
            note=options.note,
        )
        results = Results(
            titles={peer.name: peer.title for peer in peers},
            loads=list(plan.loads),
            measurements=[],
            left_out=left_out,
            setting=setting(plan),
        )
        try:
            _measure(plan, results)
        finally:
            if options.json and results.measurements:
                save(results, options.json)
    return results


def prepared(
    names: Sequence[str], *, build: Path, cache: Path
) -> tuple[list[Peer], dict[str, str]]:
    """Make the peers ready; return them, and why the others are left out."""
    peers, left_out = [], {}
    for name in names:
        try:
            print(f"making {name} ready", file=sys.stderr)
            peers.append(KNOWN[name](build, cache))
        except LeftOutError as error:
            left_out[name] = str(error)
            print(f"{name} is left out: {error}", file=sys.stderr)
    return peers, left_out


def _measure(plan: Plan, results: Results) -> None:
    total = plan.rounds * len(plan.loads) * len(plan.peers)
    begun = time.monotonic()
    print(HEAD)
    for found in measurements(plan):
        results.measurements.append(found)
        if found.failed:
            print(f"{found.peer} failed: {found.failed}", file=sys.stderr)
        print(_line(found), flush=True)
        done = len(results.measurements)
        left = (time.monotonic() - begun) / done * (total - done)
        print(
            f"{found.peer}, {found.load}, round {found.round} of {plan.rounds}: "
            f"{done} of {total} done, some {left / 60:.1f} min left",
            file=sys.stderr,
        )


def _line(found: Measurement) -> str:
    start = f"{found.round:5} {found.load:12} {found.peer:12}"
    if found.failed:
        return f"{start} failed: {found.failed.splitlines()[0]}"
    return (
        f"{start} {found.messages_per_s:7.0f} {found.p50_ms:9.2f} {found.p99_ms:9.2f} "
        f"{found.max_ms:9.2f} {found.cpu_us:7.1f} {found.rss_mb:7.1f} {found.first_click_s:7.3f}"
        f" {found.unanswered:11}"
    )


def _loads(options: argparse.Namespace) -> list[Load]:
    closed = [Load(Kind.CLOSED, window) for window in options.windows]
    return [*closed, *(Load(Kind.OPEN, rate) for rate in options.rates)]


def _cache(chosen: Path | None) -> Path:
    if chosen:
        return chosen.absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "iot-button-bench"


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _sizes(text: str) -> list[float]:
    return [] if text == "none" else [float(_count(word)) for word in text.split(",")]


def _peers(text: str) -> list[str]:
    names = list(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in KNOWN]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(KNOWN)}")
    return names


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
