"""The pipeline's benchmark still runs, and its arithmetic is right. What it finds is not judged."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.pipeline.figures import Results, Spread
from bench.pipeline.goals import goals
from bench.pipeline.measure import Kind, Load, Measurement
from bench.pipeline.processes import cpu_seconds, memory
from bench.pipeline.report import BEGIN, END, load_saved, write_report
from iot_button.errors import IotButtonError
from tests.support import eventually, require_program

ROOT = Path(__file__).parents[2]
WINDOW = Load(Kind.CLOSED, 20)
LITTLE = ("--rounds", "1", "--seconds", "0.5", "--warm-up", "0", "--windows", "20", "--rates", "50")

BURN = "import time\nwhile time.process_time() < 0.2: pass\n"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}])
child = subprocess.Popen([sys.executable, "-c", {BURN!r} + "print(flush=True); input()"], text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(flush=True)
input()
child.communicate("\\n")
"""


def run_bench(*options: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "bench" / "pipeline"), *options],
        capture_output=True,
        text=True,
        env=environment,
        timeout=100,
    )


def test_a_short_run_measures_ours_and_a_peer_and_reports(
    environment: dict[str, str], tmp_path: Path
) -> None:
    require_program("mosquitto", "mosquitto")
    require_program("gcc", "gcc libc6-dev")
    page, raw = tmp_path / "performance.md", tmp_path / "raw.json"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    done = run_bench(
        *(*LITTLE, "--only", "ours,paho"),
        *("--json", str(raw), "--report", str(tmp_path)),
        environment=environment,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(raw.read_text())["measurements"]
    assert {(m["peer"], m["load"]) for m in found} == {
        (peer, load) for peer in ("ours", "paho") for load in ("window 20", "50/s")
    }
    for measurement in found:
        assert measurement["failed"] == ""
        assert measurement["unanswered"] == measurement["unexpected"] == 0
        assert measurement["messages_per_s"] > 20
        assert 0 < measurement["p50_ms"] <= measurement["p99_ms"] <= measurement["max_ms"]
        assert measurement["cpu_us"] > 0
        assert measurement["rss_mb"] >= measurement["pss_mb"] > 1
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "iot-button" in text
    drawn = ElementTree.parse(tmp_path / "performance.svg")  # noqa: S314 - our own
    assert drawn.getroot().tag.endswith("svg")
    write_report(load_saved(raw), tmp_path)
    assert page.read_text() == text


def test_a_peer_that_does_not_come_up_is_told_and_the_others_are_measured(
    environment: dict[str, str], tmp_path: Path
) -> None:
    require_program("mosquitto", "mosquitto")
    require_program("gcc", "gcc libc6-dev")
    # No installer is found on this path, and nothing is in the cache.
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("mosquitto", "gcc", "as", "ld"):
        (programs / name).symlink_to(require_program(name, "gcc mosquitto"))
    done = run_bench(
        *("--rounds", "1", "--seconds", "0.5", "--windows", "20", "--rates", "none"),
        *("--only", "node-red,paho", "--peers", str(tmp_path / "peers")),
        environment=environment | {"PATH": str(programs)},
    )
    assert done.returncode == 0, done.stderr
    assert "- left out: node-red: npm is not installed" in done.stdout
    assert "| paho, plain | " in done.stdout


def test_processor_time_and_memory_include_children_that_live_and_that_have_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        watchdog = threading.Timer(60, parent.kill)
        watchdog.start()
        assert parent.stdout is not None
        parent.stdout.readline()
        assert 0.39 < cpu_seconds(parent.pid) < 5  # 0.2 s of each child
        held = memory(parent.pid)
        parent.communicate("\n")
        watchdog.cancel()
    assert len(held.rss_of_each) == 2
    assert held.rss == held.rss_with_one_child == sum(held.rss_of_each) > held.pss


def test_interrupted_it_ends_what_it_has_started(
    environment: dict[str, str], tmp_path: Path
) -> None:
    require_program("mosquitto", "mosquitto")
    require_program("gcc", "gcc libc6-dev")
    with subprocess.Popen(
        [sys.executable, str(ROOT / "bench" / "pipeline"), "--only", "paho", "--rates", "none"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"TMPDIR": str(tmp_path)},
    ) as bench:
        try:
            eventually(lambda: mentioning(tmp_path, "mosquitto.conf"), what="mosquitto runs")
            eventually(lambda: mentioning(tmp_path, "load 127.0.0.1"), what="the load runs")
            bench.terminate()
            _out, said = bench.communicate(timeout=20)
        finally:
            bench.kill()
    assert bench.returncode == 130, said
    assert mentioning(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def mentioning(directory: Path, words: str = "") -> list[int]:
    """Return the processes whose command line names a directory, and has these words."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            command = (process / "cmdline").read_bytes() if process.name.isdigit() else b""
        except OSError:
            continue
        line = command.replace(b"\0", b" ").decode()
        if str(directory) in line and words in line:
            found.append(int(process.name))
    return found


def results(**rates: list[float]) -> Results:
    """Return results with these messages/s in rounds 1, 2, ..."""
    return Results(
        titles={peer.replace("_", "-"): peer for peer in rates},
        loads=[WINDOW],
        measurements=[
            Measurement(
                peer=peer.replace("_", "-"), load=WINDOW.name, round=number, messages_per_s=rate
            )
            for peer, found in rates.items()
            for number, rate in enumerate(found, 1)
        ],
        left_out={},
        setting={},
    )


def test_ratios_are_made_round_by_round() -> None:
    found = results(ours=[100, 300, 200], c=[100, 100, 400])
    assert found.ratio("ours", "c", WINDOW) == Spread(0.5, 1.0, 3.0)
    assert found.spread("messages_per_s", "ours", WINDOW) == Spread(100, 200, 300)


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ([50, 60, 70], "reached"),
        ([49, 60, 70], "reached in the median, not in every round"),
        ([49, 49, 70], "**not reached**"),
        ([], "not measured"),
    ],
)
def test_a_goal_says_honestly_whether_it_was_reached(ours: list[float], verdict: str) -> None:
    found = goals(results(ours=ours, c=[100, 100, 100]))
    [goal] = [
        g for g in found if g.text == "0.5 times the throughput of the C program at window 20"
    ]
    assert goal.verdict == verdict


def test_a_page_without_a_place_for_the_tables_is_refused_and_kept(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"prose\n{BEGIN}\nno end")
    with pytest.raises(IotButtonError, match="has no place for the tables"):
        write_report(results(ours=[1]), tmp_path)
    assert page.read_text() == f"prose\n{BEGIN}\nno end"
