"""A click becomes a message: with apprise, to a webhook that listens."""

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from functions.notify import handler
from tests.conftest import Start
from tests.functions.conftest import broker_option
from tests.support import DEADLINE, Listener, Program

CLICK = {
    "serialNumber": "KITCHEN",
    "clickType": "DOUBLE",
    "batteryVoltage": "2860mV",
    "timestamp": "2026-11-22T10:15:30.131Z",
}


class Webhook:
    """An HTTP server that takes messages; `status` is what it answers with."""

    def __init__(self) -> None:
        self.bodies: queue.Queue[dict[str, str]] = queue.Queue()
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                hook.bodies.put(json.loads(self.rfile.read(length)))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_what: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()
    thread = threading.Thread(target=hook.server.serve_forever, args=(0.05,))
    thread.start()
    yield hook
    hook.server.shutdown()
    thread.join()
    hook.server.server_close()


def test_a_processed_click_reaches_a_webhook(
    webhook: Webhook, amqtt: Program, start: Start
) -> None:
    runtime = start(*("functions", *broker_option(amqtt)), IOT_BUTTON_FUNCTIONS_NOTIFY=webhook.url)
    runtime.wait_for("functions=enrich,normalize,currentTime,notify")
    with Listener(amqtt.port("mqtt")) as listener:
        listener.publish("iotbutton/KITCHEN", json.dumps(CLICK))
        message = webhook.bodies.get(timeout=DEADLINE)
    assert message["title"] == "KITCHEN: double click"
    assert message["message"].endswith(", battery 2860mV.")


def test_an_address_that_apprise_does_not_know_is_refused_without_what_is_secret_in_it(
    start: Start,
) -> None:
    runtime = start("functions", IOT_BUTTON_FUNCTIONS_NOTIFY="ntfy://fine carrier-pigeon://key@x")
    assert runtime.end() == 2
    said = " ".join(runtime.said)
    assert "functions.notify: apprise does not know address number 2" in said
    assert "key" not in said
    assert "Traceback" not in said


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # apprise looks for it
def test_who_cannot_be_reached_is_an_error_so_that_it_is_tried_again(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook.status = 503
    monkeypatch.setenv("NOTIFY_URLS", webhook.url)
    with pytest.raises(RuntimeError, match="not everyone"):
        handler.lambda_handler(CLICK, None)


def test_a_text_of_a_device_is_one_short_line() -> None:
    title, body = handler.words({"serialNumber": "a\x1b[31m\n" + "x" * 500, "clickType": "LONG"})
    assert title == f"{'a[31m' + 'x' * 95}: long click"
    assert body.isprintable()
