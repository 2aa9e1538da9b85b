"""What an idle system costs: memory and processor time of all its processes.

python bench/idle.py [--broker mosquitto] [--runs 3] [--seconds 20]
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.system import System, cpu_share, proportional, resident


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure an idle `iot-button up`.")
    parser.add_argument("--broker", default="amqtt")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    totals = []
    for run in range(options.runs):
        with System("--broker", options.broker) as system:
            share = cpu_share(list(system.processes().values()), options.seconds)
            processes = system.processes()
            rss = {name: resident(pid) for name, pid in processes.items()}
            pss = sum(map(proportional, processes.values()))
            totals.append((sum(rss.values()), pss, share * 100))
            parts = "  ".join(f"{name} {value:.1f}" for name, value in sorted(rss.items()))
            print(f"run {run + 1}: RSS {sum(rss.values()):.1f} MB ({parts})", end="  ")
            print(f"PSS {pss:.1f} MB  CPU {share * 100:.2f} % of a core")
    for name, values in zip(("RSS MB", "PSS MB", "CPU %"), zip(*totals, strict=True), strict=True):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name}: median {middle:.2f}, from {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
