"""What the same work would have cost on AWS: what was used times what AWS asks for it.

On-demand prices of the region us-east-1 (N. Virginia) for x86, before taxes, as AWS published them:
- Lambda, in force since 1 October 2025 (AWS's price list, asked on 28 October 2025;
  https://aws.amazon.com/lambda/pricing/): 0.20 USD for a million requests, 0.0000166667 USD for a
  GB-second (up to 6 billion a month), billed by the millisecond, begun ones in full. Free in each
  month, for ever: a million requests and 400,000 GB-seconds.
- IoT Core, in 2025 (https://aws.amazon.com/iot-core/pricing/): 1.00 USD for a million messages of
  up to 5 KB, 0.15 USD for a million rules triggered, as much for a million actions, 0.08 USD for a
  million minutes of connection. Messages and minutes cost the same in the examples of AWS's pages
  on 20 September and 7 October 2026; for rules and actions we know of no later date. Its free tier
  ends after a year, and is left out here.

What one event is there: a message in, a rule with one action, the result's message in, and the same
out to one dashboard. A button is connected for a minute with each click, a dashboard always.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from iot_button.dashboard_settings import SERVER_PRICE

REGION: Final = "us-east-1"
PRICES_OF: Final = (
    "1 October 2025 (Lambda) and of 2025 (IoT Core; messages and minutes the same in October 2026)"
)
SOURCES: Final = (
    "https://aws.amazon.com/lambda/pricing/",
    "https://aws.amazon.com/iot-core/pricing/",
)
SERVER: Final = "Amazon Lightsail, 512 MB with IPv4, in March 2026"
"""Whose price `SERVER_PRICE` is: https://aws.amazon.com/lightsail/pricing/."""

MILLION: Final = 1_000_000
MESSAGES_PER_EVENT: Final = 3
_ROUNDING: Final = 0.001
"""Seconds that Lambda's rounding adds to a run at most; to ours, of microseconds, nearly that."""


class Used(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a function has used within a month. `events`: what came to it by rules and schedules."""

    requests: int = 0
    gb_seconds: float = 0.0
    events: int = 0

    def __add__(self, other: "Used") -> "Used":
        return Used(
            requests=self.requests + other.requests,
            gb_seconds=self.gb_seconds + other.gb_seconds,
            events=self.events + other.events,
        )


class Item(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A line of the bill. `price`: US dollars for so many as `per` says; `free`: in each month."""

    service: str
    item: str
    quantity: float
    price: float
    per: int
    free: int
    cost: float
    cost_after_free: float


class Server(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A small server that would do. `price`: US dollars a month."""

    name: str
    price: float


class Costs(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A month on AWS, in US dollars.

    `since`: from when on in it we know. `pace`: what a whole month comes to when it goes on like
    this; null within the first hour.
    """

    month: str
    since: str
    region: str
    prices_of: str
    sources: tuple[str, ...]
    items: list[Item]
    total: float
    total_after_free: float
    pace: float | None
    pace_after_free: float | None
    server: Server


def gb_seconds(*, seconds: float, runs: int, megabytes: int) -> float:
    """Return what Lambda bills for so many runs: an upper bound, by less than 1 ms a run."""
    return (seconds + runs * _ROUNDING) * megabytes / 1024


def bill(used: Iterable[Used], *, minutes: float) -> list[Item]:
    """Return the lines of the bill. `minutes`: how long a dashboard was connected."""
    all_of_it = sum(used, Used())
    events = all_of_it.events
    return [
        _item("AWS Lambda", "requests", all_of_it.requests, 0.20, free=MILLION),
        _item("AWS Lambda", "GB-seconds", all_of_it.gb_seconds, 0.0000166667, per=1, free=400_000),
        _item("AWS IoT Core", "messages", events * MESSAGES_PER_EVENT, 1.00),
        _item("AWS IoT Core", "rules triggered", events, 0.15),
        _item("AWS IoT Core", "actions executed", events, 0.15),
        _item("AWS IoT Core", "minutes of connection", events + minutes, 0.08),
    ]


def costs(
    used: Iterable[Used], *, since: datetime, now: datetime, server_price: float = SERVER_PRICE
) -> Costs:
    """Return what a month has cost until now."""
    items = bill(used, minutes=(now - since).total_seconds() / 60)
    total = sum(item.cost for item in items)
    after_free = sum(item.cost_after_free for item in items)
    months = _share_of_month(since, now)
    factor = 1 / months if months else None
    whole = [] if factor is None else [_scaled(item, factor) for item in items]
    return Costs(
        month=f"{now:%Y-%m}",
        since=since.isoformat(timespec="seconds").replace("+00:00", "Z"),
        region=REGION,
        prices_of=PRICES_OF,
        sources=SOURCES,
        items=items,
        total=total,
        total_after_free=after_free,
        pace=sum(item.cost for item in whole) if whole else None,
        pace_after_free=sum(item.cost_after_free for item in whole) if whole else None,
        server=Server(name=SERVER if server_price == SERVER_PRICE else "", price=server_price),
    )


def _item(
    service: str, item: str, quantity: float, price: float, *, per: int = MILLION, free: int = 0
) -> Item:
    return Item(
        service=service,
        item=item,
        quantity=quantity,
        price=price,
        per=per,
        free=free,
        cost=quantity * price / per,
        cost_after_free=max(0.0, quantity - free) * price / per,
    )


def _scaled(item: Item, factor: float) -> Item:
    quantity = item.quantity * factor
    return _item(item.service, item.item, quantity, item.price, per=item.per, free=item.free)


def _share_of_month(since: datetime, now: datetime) -> float | None:
    """Return how much of an average month (30.44 days) lies between; None below an hour."""
    seconds = (now - since).total_seconds()
    return seconds / (30.44 * 86_400) if seconds >= 3600 else None
