"""A browser's page that several tests of one module share, and what they find out about it."""

import contextlib
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, Page

from tests.conftest import EXPECTED_NOISE
from tests.support import DEADLINE


@contextlib.contextmanager
def quiet_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """Lend a page whose console must stay empty: no script errors, no violated policy."""
    said: list[str] = []
    options.setdefault("viewport", {"width": 1280, "height": 800})
    with browser.new_context(**options) as context:
        page = context.new_page()
        page.set_default_timeout(DEADLINE * 1000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
    assert [line for line in said if not any(noise in line for noise in EXPECTED_NOISE)] == []


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    pixels: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return pixels
