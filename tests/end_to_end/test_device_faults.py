"""Device, broker and runtime are killed while a button is pressed; the benchmark does the same."""

import pytest

from bench.device_faults import trial
from tests.support import require_program


@pytest.mark.parametrize("broker", ["amqtt", "mosquitto"])
def test_every_press_that_the_light_called_taken_comes_out(broker: str) -> None:
    if broker == "mosquitto":
        require_program("mosquitto", "mosquitto")
    kills = {"device": 6, "broker": 1, "functions": 1}
    counts = trial(broker, presses=80, kills=kills, seed=None)
    assert counts.kills == kills
    assert counts.lost == []
    assert counts.taken >= 50
    assert counts.repeated == {}
