"""Parts are killed while clicks run; nothing that was acknowledged may be lost."""

import json
import os
import signal

import pytest

from iot_button.messages import Session
from tests.conftest import Start
from tests.end_to_end.conftest import Up, children
from tests.support import Listener, require_program

KILLS: tuple[tuple[str, int], ...] = (
    ("functions", 60),
    ("dashboard", 120),
    ("broker", 180),
    ("functions", 240),
)
"""Which part is killed after how many processed clicks."""


@pytest.mark.parametrize("use", ["amqtt", "mosquitto"])
def test_no_acknowledged_click_is_lost_when_parts_are_killed(
    up: Up, start: Start, use: str
) -> None:
    kills = KILLS
    if (
        use == "mosquitto"
    ):  # 2.0.11 acknowledges before it saves: what a kill loses there is its own
        require_program("mosquitto", "mosquitto")
        kills = tuple(kill for kill in KILLS if kill[0] != "broker")
    program = up("--broker", use)
    port = program.port("mqtt")
    simulated = start(
        *("simulate", "--broker", f"mqtt://127.0.0.1:{port}"),
        *("--devices", "20", "--rate", "60", "--duration", "8", "--settle", "15"),
    )
    with Listener(port, "iotprocessed", session=Session.UNTIL_STOP) as listener:
        seen = 0
        for part, after in kills:
            while seen < after:
                listener.next()
                seen += 1
            os.kill(children(program.process.pid)[part], signal.SIGKILL)
    assert simulated.end(deadline=60) == 0, simulated.said
    summary = json.loads(simulated.printed[-1])
    assert summary["sent"] > 300
    assert summary["acknowledged"] == summary["sent"]
    assert summary["acknowledgedNotProcessed"] == 0
    assert all(any(line.startswith(f"{part} ended") for line in program.said) for part, _ in kills)


def test_a_click_in_hand_survives_the_death_of_the_embedded_broker(up: Up, start: Start) -> None:
    program = up("--no-dashboard")
    port = program.port("mqtt")
    os.kill(children(program.process.pid)["broker"], signal.SIGKILL)
    # Pressed while there is no broker: the simulator keeps its clicks until one is there again.
    simulated = start(
        *("simulate", "--broker", f"mqtt://127.0.0.1:{port}"),
        *("--rate", "50", "--duration", "2", "--settle", "1"),
    )
    program.wait_for("^broker is ready again")
    simulated.end(deadline=60)
    summary = json.loads(simulated.printed[-1])
    assert summary["acknowledged"] == summary["sent"] > 0
