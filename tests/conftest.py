"""Fixtures for all tests: a clean place to run in, programs, two real brokers, a browser."""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support import DEADLINE, Program, require_program

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Start = Callable[..., Program]


@pytest.fixture(autouse=True, scope="session")
def hangups_are_heard() -> None:
    """Let child processes start as from a terminal, even when the tests run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--peers",
        action="store_true",
        help="also hold mosquitto itself to what only the broker of this project has to keep",
    )


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The process environment, without settings of the developer's own and with an empty home."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("IOT_BUTTON_", "XDG_"))}
    ours = {"HOME": str(tmp_path), "PYTHONUNBUFFERED": "1", "IOT_BUTTON_FUNCTIONS_PORT": "0"}
    return kept | ours


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Start `iot-button ARGUMENTS` as a child process; all are stopped at the end."""
    programs: list[Program] = []

    def start_one(*arguments: str, **more: str) -> Program:
        program = Program(*arguments, environment=environment | more, directory=tmp_path)
        programs.append(program)
        return program

    yield start_one
    for program in reversed(programs):
        program.stop()
    for program in programs:  # shown where the test has failed
        sys.stdout.write(f"{program.arguments}: {program.said}\n")


@pytest.fixture
def amqtt(start: Start) -> Program:
    """The embedded broker on free ports, ready."""
    broker = start("broker", "--port", "0", "--websocket-port", "0")
    broker.address("mqtt")
    return broker


@pytest.fixture
def mosquitto(start: Start) -> Program:
    """mosquitto as our child on free ports, ready."""
    require_program("mosquitto", "mosquitto")
    broker = start("broker", "--broker", "mosquitto", "--port", "0", "--websocket-port", "0")
    broker.address("mqtt")
    return broker


@pytest.fixture(params=["amqtt", "mosquitto"])
def broker(request: pytest.FixtureRequest) -> Program:
    """Each broker in turn."""
    program: Program = request.getfixturevalue(request.param)
    return program


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without windows of its own where that is installed.

    It is the same engine; the profile and the window that chromium makes for each context, even
    headless, cost three times the processor time of our pages: 1.2 s against 3.6 s each, measured
    on two busy cores.
    """
    shell = shutil.which("chromium-headless-shell")
    chromium = shell or require_program("chromium", "chromium-headless-shell")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()
        watchdog = threading.Timer(20, _kill_drivers)
        watchdog.start()
    watchdog.cancel()


def _kill_drivers() -> None:
    """End Playwright's driver, for whose end it waits without a deadline (seen to hang once)."""
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in children.read_text().split():
            if b"run-driver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(int(pid), signal.SIGKILL)


EXPECTED_NOISE = ("WebSocket connection to", "Failed to load resource", "net::ERR_")
"""What Chromium itself writes to the console when a server is away, or refuses."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose console must stay empty: no script errors, no violated policy."""
    said: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        new_page = context.new_page()
        new_page.set_default_timeout(DEADLINE * 1000)
        new_page.on("console", lambda message: said.append(message.text))
        new_page.on("pageerror", lambda error: said.append(str(error)))
        new_page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        yield new_page
    unexpected = [line for line in said if not any(noise in line for noise in EXPECTED_NOISE)]
    assert unexpected == []
