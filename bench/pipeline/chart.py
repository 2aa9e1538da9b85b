"""The chart: throughput by window and latency by rate, as an SVG written by hand.

It brings its own background, so that it is readable on a page of either theme, whichever of the two
the browser tells it (an image on a page knows the browser's theme, not the page's).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.pipeline.figures import Results, Spread
from bench.pipeline.measure import Kind, Load
from bench.pipeline.tables import number

PANEL, LABELS, BARS, ROW, GROUP, TOP = 440, 132, 232, 17, 30, 76
"""Pixels: a panel, the names in it, its longest bar; a bar's row, a group's heading, the head."""

STYLE = """\
  .card { fill: #ffffff; stroke: #d0d7de }
  text { fill: #1f2328; font: 12px system-ui, sans-serif }
  .head { font-size: 14px; font-weight: 600 }
  .small, .value { fill: #59636e }
  .ours { fill: #0969da }
  .peer { fill: #afb8c1 }
  .range { stroke: #1f2328; stroke-width: 1.2; fill: none }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .small, .value { fill: #9198a1 }
    .ours { fill: #4493f8 }
    .peer { fill: #656c76 }
    .range { stroke: #f0f6fc }
  }"""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar, and a thin line over it from `low` to `high`."""

    name: str
    title: str
    length: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Bars in groups, on one scale."""

    title: str
    note: str
    groups: dict[str, list[Bar]]

    @property
    def longest(self) -> float:
        return max(bar.high for bars in self.groups.values() for bar in bars)

    @property
    def height(self) -> int:
        return sum(GROUP + ROW * len(bars) for bars in self.groups.values())


def chart(results: Results) -> str:
    """Return the chart of everything that was measured."""
    panels = [panel for panel in (_throughput(results), _latency(results)) if panel.groups]
    width = PANEL * len(panels) + 16
    height = TOP + max((panel.height for panel in panels), default=0)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-labelledby="title desc">',
        '<title id="title">The pipeline beside its peers</title>',
        f'<desc id="desc">{escape(" ".join(map(_in_words, panels)))}</desc>',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>',
    ]
    for index, panel in enumerate(panels):
        lines += [f'<g transform="translate({16 + PANEL * index} 0)">', *_panel(panel), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _throughput(results: Results) -> Panel:
    def bars(load: Load) -> Iterator[Bar]:
        for peer, title in results.titles.items():
            found = results.spread("messages_per_s", peer, load)
            if found:
                yield _bar(peer, title, found.median, found)

    return Panel(
        title="Throughput, messages/s",
        note="longer is better; the line spans all rounds",
        groups=_groups(results, Kind.CLOSED, "{:g} clicks under way", bars),
    )


def _latency(results: Results) -> Panel:
    def bars(load: Load) -> Iterator[Bar]:
        for peer, title in results.titles.items():
            half = results.spread("p50_ms", peer, load)
            most = results.spread("p99_ms", peer, load)
            if half and most:
                yield _bar(peer, title, half.median, Spread(half.median, half.median, most.median))

    return Panel(
        title="Latency, ms",
        note="shorter is better; the bar is the median (p50), the line ends at p99",
        groups=_groups(results, Kind.OPEN, "{:g} clicks/s", bars),
    )


def _groups(
    results: Results, kind: Kind, heading: str, bars: Callable[[Load], Iterator[Bar]]
) -> dict[str, list[Bar]]:
    loads = (load for load in results.loads if load.kind is kind)
    found = {heading.format(load.size): list(bars(load)) for load in loads}
    return {name: group for name, group in found.items() if group}


def _bar(name: str, title: str, length: float, line: Spread) -> Bar:
    return Bar(name=name, title=title, length=length, low=line.low, high=line.high)


def _panel(panel: Panel) -> Iterator[str]:
    yield f'<text class="head" x="0" y="30">{escape(panel.title)}</text>'
    yield f'<text class="small" x="0" y="50">{escape(panel.note)}</text>'
    scale, y = BARS / panel.longest, TOP - ROW
    for heading, bars in panel.groups.items():
        y += GROUP
        yield f'<text class="small" x="0" y="{y - 8}">{escape(heading)}</text>'
        for bar in bars:
            yield from _drawn(bar, scale, y)
            y += ROW


def _drawn(bar: Bar, scale: float, y: int) -> Iterator[str]:
    length, low, high = (LABELS + scale * value for value in (bar.length, bar.low, bar.high))
    kind = "ours" if bar.name == "ours" else "peer"
    yield f'<text x="{LABELS - 8}" y="{y + 10}" text-anchor="end">{escape(bar.title)}</text>'
    yield (
        f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{max(1.0, length - LABELS):.1f}" '
        f'height="{ROW - 4}" rx="2"/>'
    )
    yield (
        f'<path class="range" d="M{low:.1f} {y + 6.5}H{high:.1f}m0 -3v6"/>'
        f'<text class="value" x="{max(length, high) + 6:.1f}" y="{y + 10}">'
        f"{number(bar.length)}</text>"
    )


def _in_words(panel: Panel) -> str:
    groups = (
        f"{heading}: " + ", ".join(f"{bar.title} {number(bar.length)}" for bar in bars)
        for heading, bars in panel.groups.items()
    )
    return f"{panel.title}. {'; '.join(groups)}."
