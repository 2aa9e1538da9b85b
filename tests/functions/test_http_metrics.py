"""/metrics, read by Prometheus's own parser."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.functions.fake_control import FakeControl, ask, http_side

EXPECTED = {
    "aws_lambda_invocations": "counter",
    "aws_lambda_errors": "counter",
    "aws_lambda_throttles": "counter",
    "aws_lambda_async_events_received": "counter",
    "aws_lambda_async_events_dropped": "counter",
    "aws_lambda_dead_letter_errors": "counter",
    "aws_lambda_concurrent_executions": "gauge",
    "aws_lambda_duration_seconds": "histogram",
    "aws_lambda_init_duration_seconds": "histogram",
    "aws_lambda_async_event_age_seconds": "histogram",
    "iot_button_function_waiting_events": "gauge",
    "iot_button_function_environments": "gauge",
}


def scrape(control: FakeControl) -> dict[tuple[str, str, str], float]:
    """Samples by name, function and bucket bound; each family's kind under an empty function."""
    with http_side(control) as side:
        reply = ask(side, "GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain")
    found: dict[tuple[str, str, str], float] = {}
    for family in text_string_to_metric_families(reply.body.decode()):
        if family.name in EXPECTED:
            assert family.type == EXPECTED[family.name]
        for sample in family.samples:
            labels = sample.labels
            found[sample.name, labels["function_name"], labels.get("le", "")] = sample.value
    return found


def fail(*_: object) -> None:
    raise ValueError


@pytest.fixture
def control() -> FakeControl:
    return FakeControl({"good": lambda *_: 1, "bad": fail})


def test_every_metric_is_there_for_every_function(control: FakeControl) -> None:
    names = {(name.removesuffix("_total"), function) for name, function, _ in scrape(control)}
    for name, kind in EXPECTED.items():
        sample = f"{name}_count" if kind == "histogram" else name
        assert {(sample, "good"), (sample, "bad")} <= names


def test_counts_are_those_of_the_runtime(control: FakeControl) -> None:
    for _ in range(3):
        control.invoke("good", b"{}")
    control.invoke("bad", b"{}")
    control.invoke_later("good", b"{}")
    found = scrape(control)
    assert found["aws_lambda_invocations_total", "good", ""] == 4
    assert found["aws_lambda_errors_total", "good", ""] == 0
    assert found["aws_lambda_errors_total", "bad", ""] == 1
    assert found["aws_lambda_async_events_received_total", "good", ""] == 1


def test_a_histogram_counts_each_duration_in_every_bucket_that_holds_it(
    control: FakeControl,
) -> None:
    control.invoke("good", b"{}")
    control.invoke("good", b"{}")
    found = scrape(control)
    buckets = [
        found["aws_lambda_duration_seconds_bucket", "good", le] for le in ("0.1", "1.0", "+Inf")
    ]
    assert buckets == [2, 2, 2]
    assert found["aws_lambda_duration_seconds_count", "good", ""] == 2
    assert 0 < found["aws_lambda_duration_seconds_sum", "good", ""] < 1


def test_what_waits_is_shown(control: FakeControl) -> None:
    control.pause("good")
    control.invoke_later("good", b"{}")
    found = scrape(control)
    assert found["iot_button_function_waiting_events", "good", ""] == 1
    assert found["iot_button_function_paused", "good", ""] == 1
    assert found["iot_button_function_oldest_waiting_event_seconds", "good", ""] == 1.5


def test_a_name_with_quotes_is_no_harm() -> None:
    name = 'a"b\\c\nd'
    found = scrape(FakeControl({name: lambda *_: 1}))
    assert found["aws_lambda_invocations_total", name, ""] == 0


def test_a_scraper_that_speaks_openmetrics_gets_it(control: FakeControl) -> None:
    with http_side(control) as side:
        reply = ask(side, "GET", "/metrics", Accept="application/openmetrics-text")
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert reply.body.endswith(b"# EOF\n")
