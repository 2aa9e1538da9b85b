"""`iot-button doctor`: what works here, what is missing, and the command that mends it."""

import functools
import http.client
import importlib.util
import os
import platform
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from iot_button.commands import safety
from iot_button.commands.findings import Finding, State
from iot_button.console import emit, say
from iot_button.errors import BrokerUnreachableError, IotButtonError
from iot_button.mqtt import Connection
from iot_button.options import takes_settings
from iot_button.settings import Settings, as_environment

TIMEOUT = 2.0
HARDWARE = (("gpiozero", "gpio"), ("serial", "serial"))
"""The libraries that only some buttons need, and which."""
LIBRARIES = ("paho-mqtt", "amqtt", "flask", "flask-sock", "msgspec", "click", "websockets")


@click.command(epilog="Example: iot-button doctor --press")
@click.option("--json", "as_json", is_flag=True, help="One JSON line each, on standard output.")
@click.option("--press", is_flag=True, help="Also press a button named DOCTOR, for real.")
@takes_settings
def command(settings: Settings, as_json: bool, press: bool) -> None:
    """Check what works here, what is missing, and name the command that mends it."""
    checks: list[Callable[[Settings], Finding]] = [
        _python,
        _libraries,
        _state_directory,
        _broker,
        _websocket,
        _dashboard,
        safety.accounts,
        safety.certificates,
        safety.bridges,
        _mosquitto,
        _nearby,
        *(functools.partial(_hardware, module, driver) for module, driver in HARDWARE),
    ]
    if press:
        checks.append(_press)
    broken = 0
    for finding in (check(settings) for check in checks):
        broken += finding.state is State.BROKEN
        if as_json:
            emit({name: str(getattr(finding, name)) for name in Finding.__slots__})
        else:
            for line in finding.lines:
                say(line)
    if broken:
        raise IotButtonError(f"{broken} of {len(checks)} checks found something broken")


def _python(_settings: Settings) -> Finding:
    return Finding("python", State.OK, f"{platform.python_version()} at {sys.executable}")


def _libraries(_settings: Settings) -> Finding:
    try:
        found = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    except PackageNotFoundError as error:
        return Finding(
            "libraries", State.BROKEN, f"{error.name} is not installed", "install iot-button again"
        )
    return Finding("libraries", State.OK, found)


def _state_directory(settings: Settings) -> Finding:
    directory = Path(settings.state_dir)
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding("state directory", State.OK, str(directory))
    detail = f"{directory} cannot be written"
    return Finding("state directory", State.BROKEN, detail, "name another one with --state-dir DIR")


def _broker(settings: Settings) -> Finding:
    address = settings.broker.address
    try:
        with Connection(address, client_id=f"iot-button-doctor-{secrets.token_hex(4)}") as probe:
            probe.wait_ready(TIMEOUT)
    except BrokerUnreachableError as error:
        if not settings.broker.is_external and not _listens(address.host, address.port):
            return Finding("broker", State.OFF, f"{address} is free", "start it: iot-button up")
        return Finding("broker", State.BROKEN, error.problem, error.mend)
    return Finding("broker", State.OK, f"{address} answers")


def _websocket(settings: Settings) -> Finding:
    host, port = settings.broker.host, settings.broker.websocket_port
    address = f"ws://{host}:{port}"
    if settings.broker.is_external:
        detail = "the broker's own matter; this program does not use it"
        return Finding("mqtt over websocket", State.OFF, detail)
    if not _listens(host, port):
        detail = f"{address} is free"
        return Finding("mqtt over websocket", State.OFF, detail, "start it: iot-button up")
    return Finding("mqtt over websocket", State.OK, f"{address} answers")


def _dashboard(settings: Settings) -> Finding:
    host, port = settings.dashboard.host, settings.dashboard.port
    address = f"http{'s' if settings.dashboard.has_tls else ''}://{host}:{port}"
    if not _listens(host, port):
        return Finding("dashboard", State.OFF, f"{address} is free", "start it: iot-button up")
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    if settings.dashboard.has_tls:
        connection = http.client.HTTPSConnection(
            host, port, timeout=TIMEOUT, context=_any_certificate()
        )
    try:
        connection.request("GET", "/healthz")
        is_ours = b'"broker"' in connection.getresponse().read(4096)
    except (OSError, http.client.HTTPException):
        is_ours = False
    finally:
        connection.close()
    if is_ours:
        return Finding("dashboard", State.OK, f"{address} answers")
    return Finding(
        "dashboard",
        State.BROKEN,
        f"another program listens on port {port}",
        "choose another port: iot-button up --dashboard-port 0",
    )


def _any_certificate() -> ssl.SSLContext:
    """Return a context that asks for no name: nothing is told to who answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _mosquitto(_settings: Settings) -> Finding:
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if path is not None:
        return Finding("mosquitto", State.OK, f"{path}, for --broker mosquitto")
    detail = "not installed; needed for --broker mosquitto only"
    return Finding("mosquitto", State.ABSENT, detail, "sudo apt install mosquitto")


def _nearby(_settings: Settings) -> Finding:
    subject = "brokers nearby"
    if importlib.util.find_spec("zeroconf") is None:
        detail = "zeroconf is not installed; needed to see them, and for --announce"
        mend = "pip install 'iot-button[discovery]'; in a clone: pip install -e '.[discovery]'"
        return Finding(subject, State.ABSENT, detail, mend)
    from iot_button.nearby import look_around

    try:
        found = look_around(2.0)
    except IotButtonError as error:
        return Finding(subject, State.OFF, error.problem)
    if not found:
        return Finding(subject, State.OK, "none announces itself on this network")
    return Finding(subject, State.OK, "; ".join(map(str, found)))


def _hardware(module: str, driver: str, _settings: Settings) -> Finding:
    if importlib.util.find_spec(module) is not None:
        return Finding(f"device {driver}", State.OK, f"{module} is installed")
    detail = f"{module} is not installed; needed for this button alone"
    mend = f"pip install 'iot-button[{driver}]'; in a clone: pip install -e '.[{driver}]'"
    return Finding(f"device {driver}", State.ABSENT, detail, mend)


def _press(settings: Settings) -> Finding:
    pressed = subprocess.run(
        [sys.executable, "-m", "iot_button", "press", "--serial", "DOCTOR", "--timeout", "5"],
        env={**os.environ, **as_environment(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = pressed.stderr.strip().removeprefix("iot-button: ").splitlines() or ["said nothing"]
    if pressed.returncode == 0:
        return Finding("press", State.OK, said[-1])
    return Finding("press", State.BROKEN, said[0], " ".join(line.strip() for line in said[1:]))


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), TIMEOUT).close()
    except OSError:
        return False
    return True
