"""Answers of the data API that a test makes up, put between a browser and a dashboard."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route

Answer = Callable[[dict[str, str]], object]


def answer_with(page: Page, path: str, answer: Answer) -> list[dict[str, str]]:
    """Answer requests of `path` from here; returns the queries that were asked, as they come."""
    asked: list[dict[str, str]] = []

    def fulfill(route: Route) -> None:
        url = urlsplit(route.request.url)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        asked.append(query)
        route.fulfill(json=answer(query))

    page.route(lambda url: urlsplit(url).path == path, fulfill)
    return asked


def row(row_id: int) -> dict[str, object]:
    """Return a click as the API and the feed give it."""
    return {
        "id": row_id,
        "receivedAt": "2026-11-22T10:15:30.131Z",
        "latencyMs": 8,
        "serialNumber": f"B-{row_id}",
        "clickType": "SINGLE",
        "batteryMillivolts": 1716,
        "batteryHighest": 1716,
        "ipAddress": "192.0.2.17",
        "title": "Demo event",
        "timestamp": "2026-11-22T10:15:30.131Z",
        "eventId": f"e-{row_id}",
        "clickedAt": None,
    }
