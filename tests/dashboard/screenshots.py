"""Make the pictures of the documentation: `python -m tests.dashboard.screenshots [FOLDER]`.

It needs chromium-headless-shell and pngquant, both from Debian. The clicks are made up, the
dashboard is real.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from iot_button.events import utc_now
from tests.conftest import CHROMIUM_ARGUMENTS
from tests.dashboard.kept import BUTTONS, Kept, processed_click

COLOURS = "96"
RECENT = (0, 4, 9, 15, 16, 24, 31, 38, 44, 52, 57)
"""Seconds since the latest clicks, so that a page of live clicks looks like one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: of which page, how large, and in which colours."""

    name: str
    path: str
    scheme: Literal["light", "dark"] = "light"
    width: int = 1280
    height: int = 800


PICTURES = (
    Picture("live", "/"),
    Picture("live-phone", "/", "dark", 390, 844),
    Picture("buttons", "/buttons"),
    Picture("button", "/buttons/KITCHEN", height=1000),
    Picture("button-phone", "/buttons/KITCHEN", "dark", 390, 844),
    Picture("charts", "/charts?range=30d", "dark", height=1000),
    Picture("charts-phone", "/charts?serialNumber=LAB-07&range=30d", "light", 390, 844),
    Picture("press", "/press/KITCHEN", "light", 390, 844),
    Picture("api", "/reference"),
)


def main(folder: Path) -> None:
    """Write all pictures into a folder."""
    programs = {name: shutil.which(name) for name in ("chromium-headless-shell", "pngquant")}
    if missing := [name for name, path in programs.items() if path is None]:
        sys.exit(f"{' and '.join(missing)} missing: sudo apt-get install {' '.join(missing)}")
    with tempfile.TemporaryDirectory() as state, sync_playwright() as playwright:
        with Kept(Path(state)) as kept:
            kept.fill()
        with Kept(Path(state)) as kept:  # anew, so that a month is not counted as this minute
            make_it_live(kept)
            browser = playwright.chromium.launch(
                executable_path=programs["chromium-headless-shell"], args=CHROMIUM_ARGUMENTS
            )
            for picture in PICTURES:
                file = folder / f"dashboard-{picture.name}.png"
                take(browser, kept, picture, file)
                reduce(file)
            browser.close()


def make_it_live(kept: Kept) -> None:
    """Bring the broker, and the clicks of the last minute."""
    kept.hub.broker_changed(connected=True)
    now = utc_now()
    kinds = ("SINGLE", "SINGLE", "DOUBLE", "SINGLE", "LONG")
    for number, seconds in enumerate(reversed(RECENT)):
        moment = now - timedelta(seconds=seconds)
        fields: dict[str, object] = {"click_type": kinds[number % 5], "battery_voltage": "2860mV"}
        serial_number = BUTTONS[number * 3 % 4][0]
        if serial_number != "KITCHEN":
            del fields["battery_voltage"]
        click = processed_click(serial_number, moment, fields, took_ms=5 + number * 7 % 11)
        kept.put(click, moments=[moment])


def take(browser: Browser, kept: Kept, picture: Picture, file: Path) -> None:
    """Take one picture when the page has settled."""
    viewport = ViewportSize(width=picture.width, height=picture.height)
    with browser.new_context(
        viewport=viewport,
        color_scheme=picture.scheme,
        reduced_motion="reduce",
    ) as context:
        page: Page = context.new_page()
        page.goto(kept.url(picture.path))
        page.wait_for_selector("#page-link[data-state=good]")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=file)


def reduce(file: Path) -> None:
    """Keep a few colours only: a third of the bytes, and nobody sees it."""
    program = shutil.which("pngquant") or "pngquant"
    subprocess.run(
        [program, "--force", "--strip", "--speed", "1", "--output", file, COLOURS, file], check=True
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
