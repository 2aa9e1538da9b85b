"""The results as Markdown tables."""

from collections.abc import Iterable, Iterator

from bench.pipeline.figures import Results, Spread
from bench.pipeline.goals import goals
from bench.pipeline.measure import Kind, Load


def markdown(results: Results) -> str:
    """Return all tables, with a heading each."""
    closed = [load for load in results.loads if load.kind is Kind.CLOSED]
    opened = [load for load in results.loads if load.kind is Kind.OPEN]
    sections = []
    if closed:
        sections += ["### Throughput, messages/s", _throughput(results, closed)]
        sections += ["### Latency in the closed loops, ms", _latency(results, closed)]
    if opened:
        sections += ["### Latency at a steady rate, ms", _latency(results, opened)]
    sections += ["### Memory and start", _memory(results)]
    sections += ["### Processor time per click, µs", _processor(results)]
    sections += ["### Goals", _goals(results)]
    sections += ["### This run", "\n".join(_remarks(results))]
    return "\n\n".join(sections)


def number(value: float) -> str:
    """Write a figure with as many digits as a noisy measurement deserves."""
    if value >= 1000:
        return f"{round(value, -1 if value < 10_000 else -2):,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    digits = 1 if value >= 10 else 2 if value >= 0.1 else 3
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def with_range(spread: Spread | None) -> str:
    """Write the median, and the lowest and the highest round."""
    if spread is None:
        return "-"
    if spread.low == spread.high:
        return number(spread.low)
    return f"{number(spread.median)} ({number(spread.low)} to {number(spread.high)})"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _throughput(results: Results, loads: list[Load]) -> str:
    rows = [
        [title, *(with_range(results.spread("messages_per_s", peer, load)) for load in loads)]
        for peer, title in results.titles.items()
    ]
    for reference in ("node-red", "c"):
        if reference in results.titles and "ours" in results.titles:
            ratios = [with_range(results.ratio("ours", reference, load)) for load in loads]
            rows.append([f"iot-button ÷ {results.titles[reference]}, round by round", *ratios])
    return _table(["", *(load.name for load in loads)], rows)


def _latency(results: Results, loads: list[Load]) -> str:
    def cell(peer: str, load: Load) -> str:
        spreads = [results.spread(f"{which}_ms", peer, load) for which in ("p50", "p99", "max")]
        return " / ".join(number(spread.median) for spread in spreads if spread) or "-"

    head = ["p50 / p99 / longest", *(load.name for load in loads)]
    rows = (
        [title, *(cell(peer, load) for load in loads)] for peer, title in results.titles.items()
    )
    return _table(head, rows)


def _memory(results: Results) -> str:
    figures = ("rss_mb", "pss_mb", "processes", "first_click_s")
    head = ["", "RSS of all its processes, MB", "PSS, MB", "processes", "first click, s"]
    rows = (
        [title, *(with_range(results.spread(figure, peer)) for figure in figures)]
        for peer, title in results.titles.items()
    )
    return _table(head, rows)


def _processor(results: Results) -> str:
    rows = [
        [title, *(with_range(results.spread("cpu_us", peer, load)) for load in results.loads)]
        for peer, title in results.titles.items()
    ]
    for figure, title in (("broker_cpu_us", "mosquitto"), ("load_cpu_us", "the load generator")):
        cells = []
        for load in results.loads:
            spreads = [results.spread(figure, peer, load) for peer in results.titles]
            middles = [spread.median for spread in spreads if spread]
            cells.append(f"{number(min(middles))} to {number(max(middles))}" if middles else "-")
        rows.append([f"{title}, beside these", *cells])
    return _table(["", *(load.name for load in results.loads)], rows)


def _goals(results: Results) -> str:
    rows = (
        [goal.text, f"{with_range(goal.found)}{goal.unit if goal.found else ''}", goal.verdict]
        for goal in goals(results)
    )
    return _table(["goal", "found", ""], rows)


def _remarks(results: Results) -> Iterator[str]:
    for name, value in results.setting.items():
        yield f"- {name}: {value}"
    for peer, title in results.titles.items():
        if results.unanswered(peer):
            yield f"- {title}: {results.unanswered(peer)} clicks were never answered"
    for failure in results.failures():
        reason = failure.failed.splitlines()[0]
        title = results.titles[failure.peer]
        yield f"- {title}, {failure.load}, round {failure.round}: failed: {reason}"
    for peer, reason in results.left_out.items():
        yield f"- left out: {peer}: {reason.splitlines()[0]}"
