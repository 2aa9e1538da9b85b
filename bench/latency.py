"""From a press to `iotprocessed`, and to a row on the page in a real browser.

    python bench/latency.py [--broker mosquitto] [--rate 10] [--seconds 20] [--runs 3]

Both latencies run from the moment in the click (`clickedAt`, whole milliseconds, written just
before it is published). The first ends when another subscriber has the processed click; the second
when the row is in the page's document (a MutationObserver, the same clock: one machine).
The pressing process here is in-process paho; nothing else runs.
"""

import argparse
import math
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright

from bench.system import System
from device_sim.schedule import presses
from iot_button.events import (
    Click,
    decode_processed_click,
    encode_click,
    new_event_id,
    parse_instant,
    utc_now,
)
from iot_button.messages import Message
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress
from iot_button.topics import Topics

# Rows are found by the event id that the page keeps on each.
WATCH = """
  window.seen = {};
  new MutationObserver((changes) => {
    const now = performance.timeOrigin + performance.now();
    for (const change of changes) for (const node of change.addedNodes) {
      const id = node.dataset && node.dataset.eventId;
      if (id && !(id in window.seen)) window.seen[id] = now;
    }
  }).observe(document.body, {childList: true, subtree: true});
"""
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


class Presser:
    """Presses, and notes when each processed click comes to another subscriber."""

    def __init__(self, port: int) -> None:
        address = BrokerAddress(host="127.0.0.1", port=port)
        self.pressed: dict[str, float] = {}
        self.processed: dict[str, float] = {}
        self.all_there = threading.Event()
        self._sender = Connection(address, client_id="bench-press")
        self._reader = Connection(address, client_id="bench-read", on_message=self._on_message)
        self._reader.subscribe(Topics().processed)

    def run(self, rate: float, seconds: float) -> None:
        with self._sender, self._reader:
            self._sender.wait_ready(10)
            self._reader.wait_ready(10)
            start = time.monotonic()
            for press in presses(devices=5, rate=rate, seed=1):
                if press.at > seconds:
                    break
                time.sleep(max(0.0, start + press.at - time.monotonic()))
                moment = utc_now()
                event_id = new_event_id(moment)
                self.pressed[event_id] = moment.timestamp()
                click = Click(
                    serial_number=press.serial_number,
                    click_type=press.click_type,
                    battery_millivolts=press.battery_millivolts,
                    event_id=event_id,
                    clicked_at=moment,
                )
                self._sender.publish(Topics().click(press.serial_number), encode_click(click))
            deadline = time.monotonic() + 10
            while len(self.processed) < len(self.pressed) and time.monotonic() < deadline:
                time.sleep(0.05)

    def _on_message(self, message: Message) -> None:
        now = time.time()
        processed = decode_processed_click(message.payload)
        if processed.event_id and processed.clicked_at:
            self.pressed.setdefault(
                processed.event_id, parse_instant(processed.clicked_at).timestamp()
            )
            self.processed[processed.event_id] = now


def percentiles(milliseconds: Iterable[float]) -> tuple[float, float]:
    ordered = sorted(milliseconds)
    return ordered[len(ordered) // 2], ordered[math.ceil(0.99 * len(ordered)) - 1]


def chromium() -> str:
    """Return the browser's program: the one without windows, which the tests install, or any."""
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if found is None:
        sys.exit("there is no browser: sudo apt-get install chromium-headless-shell")
    return found


def run(broker: str, rate: float, seconds: float) -> tuple[float, float, float, float, int]:
    with System("--broker", broker) as system, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        page = browser.new_page()
        page.goto(system.address("dashboard"))
        page.wait_for_selector("#page-link[data-state=good]")
        page.evaluate(WATCH)
        presser = Presser(urlsplit(system.address("mqtt")).port or 0)
        presser.run(rate, seconds)
        rows: dict[str, float] = {}
        deadline = time.monotonic() + 5
        while len(rows) < len(presser.processed) and time.monotonic() < deadline:
            rows = page.evaluate("window.seen")
        browser.close()
    published = percentiles(
        (presser.processed[i] - presser.pressed[i]) * 1000 for i in presser.processed
    )
    shown = percentiles(rows[i] - presser.pressed[i] * 1000 for i in presser.pressed if i in rows)
    missing = len(presser.pressed) - len(rows)
    if missing:
        print(f"{missing} clicks never became a row")
    return *published, *shown, len(presser.pressed)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure latencies at a steady rate.")
    parser.add_argument("--broker", default="amqtt")
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    results = []
    for number in range(options.runs):
        *figures, clicks = run(options.broker, options.rate, options.seconds)
        results.append(figures)
        shown = "  ".join(f"{figure:.2f}" for figure in figures)
        print(f"run {number + 1}: {clicks} clicks, {shown}", flush=True)
    names = ("to iotprocessed p50", "to iotprocessed p99", "to a row p50", "to a row p99")
    for name, values in zip(names, zip(*results, strict=True), strict=True):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name}: median {middle:.2f} ms, from {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
