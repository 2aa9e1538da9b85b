"""What is lost when a part is killed with SIGKILL while clicks run.

    python bench/faults.py [--rate 50] [--duration 20] [--kills 4]

For each broker and each part: `iot-button up`, a simulation beside it, and that part killed several
times while it runs. Prints, for each, what the simulation counted.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.system import System, environment


def run(broker: str, part: str, rate: float, duration: float, kills: int) -> dict[str, float]:
    with System("--broker", broker) as system, tempfile.TemporaryDirectory() as home:
        simulation = subprocess.Popen(
            [
                *(sys.executable, "-m", "iot_button", "simulate"),
                *("--broker", system.address("mqtt"), "--devices", "20", "--seed", "1"),
                *("--rate", str(rate), "--duration", str(duration), "--settle", "60"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(home),
        )
        for _ in range(kills):
            time.sleep(duration / (kills + 1))
            os.kill(system.processes()[part], signal.SIGKILL)
        output, _ = simulation.communicate(timeout=duration + 120)
    summary: dict[str, float] = json.loads(output.splitlines()[-1])
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill parts while clicks run.")
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--duration", type=float, default=20)
    parser.add_argument("--kills", type=int, default=4)
    options = parser.parse_args()
    print("broker     killed      sent  acknowledged  processed  lost  repeated")
    for broker in ("mosquitto", "amqtt"):
        for part in ("functions", "dashboard", "broker"):
            summary = run(broker, part, options.rate, options.duration, options.kills)
            print(
                f"{broker:10} {part:10} {summary['sent']:5} {summary['acknowledged']:13}"
                f" {summary['processed']:10} {summary['acknowledgedNotProcessed']:5}"
                f" {summary['repeated']:9}",
                flush=True,
            )


if __name__ == "__main__":
    main()
