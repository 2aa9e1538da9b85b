"""What a fleet of simulated buttons costs, each with a connection of its own.

    python bench/fleet.py [--devices 10000] [--rate 200] [--seconds 60] [--idle 65] [--runs 3]

For each run: `iot-button up` with a mosquitto and the functions; then one button, for comparison;
then all of them, nearly idle; then all of them under load. Prints a table with the median of the
runs, and from which to which they went.

Memory per button is the resident set of the process less that of the process with one button,
divided by the number of buttons. The time to connect is from the start of the process to its ready
line. Processor time is that of the fleet's process alone, from its ready line on.
"""

import argparse
import contextlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.system import System, cpu_seconds, environment, resident

SAMPLE_EVERY = 0.5
FREE_PORTS_TIMEOUT = 90.0
"""A closed connection keeps its port for a minute (TIME_WAIT)."""


@dataclass
class Fleet:
    """What one `iot-button simulate` was seen to cost, and what it said at its end."""

    connect_seconds: float = 0.0
    resident_mb: float = 0.0
    cpu_percent: float = 0.0
    threads: int = 0
    summary: dict[str, float] = field(default_factory=dict)


def simulate(address: str, devices: int, rate: float, seconds: float) -> Fleet:
    with tempfile.TemporaryDirectory() as home:
        began = time.monotonic()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "iot_button", "simulate", "--broker", address),
                *("--devices", str(devices), "--rate", str(rate), "--seed", "1"),
                *("--duration", str(seconds), "--settle", "60"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(home),
        )
        assert process.stderr is not None  # noqa: S101 - it is a PIPE
        if not any(line.startswith("ready") for line in process.stderr):
            raise RuntimeError("the fleet did not get ready")
        fleet = Fleet(connect_seconds=time.monotonic() - began)
        watch(process.pid, seconds, fleet)
        output, _ = process.communicate(timeout=120)
        fleet.summary = json.loads(output.splitlines()[-1])
        return fleet


def watch(pid: int, seconds: float, fleet: Fleet) -> None:
    began, before = time.monotonic(), cpu_seconds(pid)
    with contextlib.suppress(OSError, IndexError):  # it may end a moment early
        while (passed := time.monotonic() - began) < seconds - SAMPLE_EVERY:
            time.sleep(SAMPLE_EVERY)
            fleet.resident_mb = max(fleet.resident_mb, resident(pid))
            fleet.threads = max(fleet.threads, threads(pid))
            passed = time.monotonic() - began
            fleet.cpu_percent = (cpu_seconds(pid) - before) / passed * 100


def threads(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"Threads:\s+(\d+)", status)[0])


def wait_for_ports() -> None:
    """Wait until most ports of the run before are free: to find one among many taken costs time."""
    end = time.monotonic() + FREE_PORTS_TIMEOUT
    while time.monotonic() < end:
        taken = re.findall(r" tw (\d+)", Path("/proc/net/sockstat").read_text())
        if int(taken[0]) < 1000:
            return
        time.sleep(1)


def run(options: argparse.Namespace) -> dict[str, float]:
    wait_for_ports()
    with System("--broker", options.broker, "--no-dashboard", "--functions-port", "0") as system:
        address = system.address("mqtt")
        brokers = [pid for name, pid in system.processes().items() if name.endswith("mosquitto")]
        one = simulate(address, 1, 1, 5)
        idle = simulate(address, options.devices, 0.1, options.idle)
        wait_for_ports()
        before = sum(map(cpu_seconds, brokers))
        loaded = simulate(address, options.devices, options.rate, options.seconds)
        broker_cpu = (sum(map(cpu_seconds, brokers)) - before) / options.seconds
        broker_mb = sum(map(resident, brokers))
    per_button = 1000 / options.devices
    return {
        "connected and ready after, s": loaded.connect_seconds,
        "memory of the process with 1 button, MB": one.resident_mb,
        "memory of the process, idle, MB": idle.resident_mb,
        "memory of the process, under load, MB": loaded.resident_mb,
        "memory per button, idle, kB": (idle.resident_mb - one.resident_mb) * per_button,
        "memory per button, under load, kB": (loaded.resident_mb - one.resident_mb) * per_button,
        "threads, at most": loaded.threads,
        "processor, idle, % of a core": idle.cpu_percent,
        "processor, under load, % of a core": loaded.cpu_percent,
        "mosquitto's processor time, with connecting, % of a core": broker_cpu * 100,
        "mosquitto's memory, MB": broker_mb,
        "clicks sent": loaded.summary["sent"],
        "clicks acknowledged": loaded.summary["acknowledged"],
        "clicks processed": loaded.summary["processed"],
        "clicks lost": loaded.summary["acknowledgedNotProcessed"],
        "clicks processed twice": loaded.summary["repeated"],
        "to the processed click, p50, ms": loaded.summary["latencyP50Ms"],
        "to the processed click, p99, ms": loaded.summary["latencyP99Ms"],
    }


def shown(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a fleet of simulated buttons.")
    parser.add_argument("--broker", default="mosquitto")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--idle", type=float, default=65, help="with one ping of each button")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    results = []
    for number in range(options.runs):
        results.append(run(options))
        print(f"run {number + 1}: {json.dumps(results[-1])}", file=sys.stderr, flush=True)
    print("|  | median | lowest | highest |\n| --- | --- | --- | --- |")
    for name in results[0]:
        values = [result[name] for result in results]
        figures = (statistics.median(values), min(values), max(values))
        print(f"| {name} | {' | '.join(map(shown, figures))} |")


if __name__ == "__main__":
    main()
