"""Keeping results: raw as JSON, and as tables and a chart in the documentation."""

import json
from dataclasses import asdict
from pathlib import Path

from bench.pipeline.chart import chart
from bench.pipeline.figures import Results
from bench.pipeline.measure import Kind, Load, Measurement
from bench.pipeline.tables import markdown
from iot_button.errors import IotButtonError

PAGE, CHART = "performance.md", "performance.svg"
BEGIN = "<!-- bench/pipeline writes from here -->"
END = "<!-- bench/pipeline writes to here -->"


def save(results: Results, file: Path) -> None:
    """Write everything that was found, every round of it."""
    content = {
        "setting": results.setting,
        "titles": results.titles,
        "left_out": results.left_out,
        "loads": [asdict(load) for load in results.loads],
        "measurements": [asdict(measurement) for measurement in results.measurements],
    }
    file.write_text(json.dumps(content, indent=1) + "\n")


def load_saved(file: Path) -> Results:
    """Read what `save` has written.

    Raises:
        IotButtonError: it is no such file.
    """
    try:
        content = json.loads(file.read_text())
        return Results(
            setting=content["setting"],
            titles=content["titles"],
            left_out=content["left_out"],
            loads=[Load(Kind(load["kind"]), load["size"]) for load in content["loads"]],
            measurements=[Measurement(**each) for each in content["measurements"]],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IotButtonError(
            f"{file} cannot be read as results: {error!r}", mend="make one with --json FILE"
        ) from error


def write_report(results: Results, directory: Path) -> None:
    """Write the chart, and the tables between the two marks of the page; its prose stays.

    Raises:
        IotButtonError: the page is not there or has lost a mark.
    """
    page = directory / PAGE
    text = page.read_text() if page.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not (begin and end):
        raise IotButtonError(
            f"{page} has no place for the tables", mend=f"give it two lines: {BEGIN} and {END}"
        )
    page.write_text(f"{before}{BEGIN}\n\n{markdown(results)}\n\n{END}{after}")
    (directory / CHART).write_text(chart(results))
