"""Beyond loopback the dashboard asks who one is, and does not start where nobody could say."""

import socket
import urllib.error
import urllib.request

import pytest

from tests.dashboard.helpers import Mosquitto, Start
from tests.support import DEADLINE

EVERYWHERE = {"IOT_BUTTON_DASHBOARD_HOST": "0.0.0.0"}


@pytest.mark.parametrize("server", ["werkzeug", "gunicorn"])
def test_without_an_account_it_does_not_start_beyond_loopback(start: Start, server: str) -> None:
    program = start("dashboard", "--port", "0", "--server", server, **EVERYWHERE)
    assert program.end() == 2
    assert "dashboard.host = '0.0.0.0' is beyond loopback" in " ".join(program.said)
    assert "iot-button account add NAME --admin" in program.said[-1]


def test_with_an_account_it_starts_and_asks_for_it_at_every_address(
    start: Start, broker: Mosquitto
) -> None:
    assert start("account", "add", "vera", "--dashboard").end() == 0
    address = f"mqtt://127.0.0.1:{broker.port}"
    program = start("dashboard", "--port", "0", "--broker", address, **EVERYWHERE)
    port = program.port("dashboard")
    for host in ("127.0.0.1", socket.gethostbyname(socket.gethostname())):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"http://{host}:{port}/api/clicks", timeout=DEADLINE)
        refusal.value.close()
        assert refusal.value.code == 401
    assert any("in the clear: set dashboard.tls = true" in line for line in program.said)
