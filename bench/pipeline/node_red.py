"""Node-RED as a peer: its installation with a Node of its own, and the flow.

It runs as people run it, with its editor; only the question about telemetry is answered (no).
"""

import json
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from iot_button.errors import IotButtonError

NODE_RED_VERSION = "5.0.7"
NODE_VERSION = "22.23.3"
"""Node-RED 5 needs Node 22.9 or newer, which few systems have: npm brings this one."""

INSTALL_TIMEOUT = 600.0
_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}

_FUNCTION = """\
msg.payload = Object.assign({
    title: "Demo event assembled by lambda python function",
    timestamp: new Date().toISOString(),
    ipAddress: "%s"
}, msg.payload);
msg.topic = "";
return msg;
"""


def install(cache: Path) -> list[str]:
    """Install both into the cache unless they are there; return the words that start Node-RED.

    Raises:
        IotButtonError: there is no npm, no Node for this machine, or the installation failed.
    """
    place = cache / f"node-red-{NODE_RED_VERSION}-node-{NODE_VERSION}"
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None or platform.system() != "Linux":
        raise IotButtonError("npm brings a Node for Linux on x86-64 and arm64 only")
    node = f"node-linux-{architecture}"
    if not place.is_dir():
        npm_install(place, f"{node}@{NODE_VERSION}", f"node-red@{NODE_RED_VERSION}")
    modules = place / "node_modules"
    return [str(modules / node / "bin" / "node"), str(modules / "node-red" / "red.js")]


def flow_options(directory: Path, host: str, port: int, ip_address: str) -> list[str]:
    """Write the flow and the settings; return the options that name them."""
    settings, flow = directory / "settings.js", directory / "flows.json"
    settings.write_text(
        "module.exports = {uiHost: '127.0.0.1', uiPort: 0, telemetry: {enabled: false}};\n"
    )
    flow.write_text(json.dumps(_flow(host, port, ip_address)))
    return ["--userDir", str(directory), "--settings", str(settings), str(flow)]


def _flow(host: str, port: int, ip_address: str) -> list[dict[str, Any]]:
    """Return mqtt in -> json -> function -> mqtt out, QoS 1, the rest as the editor proposes it.

    Each id is a word that is no value of another field: Node-RED would take it for a reference.
    """
    broker = {"id": "the-broker", "type": "mqtt-broker", "broker": host, "port": str(port)}
    session = {"clientid": "", "keepalive": "60", "cleansession": True, "protocolVersion": "4"}
    inwards = {"id": "click", "type": "mqtt in", "topic": "iotbutton/+", "datatype": "utf8"}
    parsed = {"id": "parsed", "type": "json", "property": "payload", "action": "obj"}
    enriched = {"id": "enriched", "type": "function", "func": _FUNCTION % ip_address}
    outwards = {"id": "processed", "type": "mqtt out", "topic": "iotprocessed", "retain": "false"}
    on_tab = {"z": "the-tab", "broker": "the-broker", "qos": "1"}
    return [
        {"id": "the-tab", "type": "tab", "label": "enrich"},
        {**broker, **session, "autoConnect": True, "usetls": False, "autoUnsubscribe": True},
        {**inwards, **on_tab, "inputs": 0, "wires": [["parsed"]]},
        {**parsed, "z": "the-tab", "pretty": False, "wires": [["enriched"]]},
        {**enriched, "z": "the-tab", "outputs": 1, "libs": [], "wires": [["processed"]]},
        {**outwards, **on_tab, "wires": []},
    ]


def npm_install(place: Path, *packages: str) -> None:
    """Install packages into a folder that is not there yet.

    Raises:
        IotButtonError: there is no npm, or it failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise IotButtonError("npm is not installed (Debian's package is npm)")
    place.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and moved there when whole: an installation broken off leaves nothing.
    with tempfile.TemporaryDirectory(dir=place.parent) as making:
        # No script of a package runs; Node-RED and Node need none.
        words = [npm, "install", "--prefix", making, "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                [*words, "--loglevel=error", *packages],
                capture_output=True,
                text=True,
                timeout=INSTALL_TIMEOUT,
                check=False,
                cwd=making,
            )
        except subprocess.TimeoutExpired as error:
            raise IotButtonError(f"npm did not end within {INSTALL_TIMEOUT:g} s") from error
        if done.returncode != 0:
            raise IotButtonError(f"npm install failed: {done.stderr.strip()[-300:]}")
        Path(making).rename(place)
        Path(making).mkdir()  # what is to be removed at the end of the block
