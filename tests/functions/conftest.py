"""A function runtime on a real broker."""

import pytest

from tests.conftest import Start
from tests.support import Program


def broker_option(broker: Program) -> tuple[str, str]:
    """Return the option that names a running broker."""
    return "--broker", broker.address("mqtt")


@pytest.fixture
def functions(broker: Program, start: Start) -> Program:
    """`iot-button functions` on each broker in turn, ready."""
    program = start("functions", *broker_option(broker))
    program.wait_for("^ready functions")
    return program
