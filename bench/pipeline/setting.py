"""On what, and with what, a run was measured: said in the report."""

import importlib.metadata
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from bench.pipeline.measure import Plan
from bench.pipeline.node_red import NODE_VERSION
from broker.mosquitto import find_program


def setting(plan: Plan) -> dict[str, str]:
    """Return what a reader must know to compare figures."""
    cores = len(os.sched_getaffinity(0))
    rounds = "1 round" if plan.rounds == 1 else f"{plan.rounds} rounds"
    click = "the AWS button's own payload" + (", and an eventId" if plan.event_ids else "")
    versions = [
        *(f"{name} {importlib.metadata.version(name)}" for name in ("iot-button", "paho-mqtt")),
        f"Python {platform.python_version()}",
        f"mosquitto {_mosquitto()}",
        f"Node {NODE_VERSION}",
    ]
    return {
        "machine": f"{cores} cores, {_processor()}, {platform.system()}",
        "software": ", ".join(versions),
        "measured": f"{datetime.now(UTC):%Y-%m-%d}, {rounds}, {plan.seconds:g} s a load after "
        f"{plan.warm_up:g} s of warming up; {click}; 10 devices",
        **({"note": plan.note} if plan.note else {}),
    }


def _processor() -> str:
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return names[0].strip() if names else platform.machine()


def _mosquitto() -> str:
    said = subprocess.run([find_program(), "-h"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\S+)", said.stdout)
    return found[1] if found else "of unknown version"
