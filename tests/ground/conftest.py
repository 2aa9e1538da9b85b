"""What the tests of the ground share: a real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ground.mosquitto_child import MosquittoChild


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MosquittoChild]:
    """A running mosquitto with persistence, of this test alone."""
    child = MosquittoChild(tmp_path)
    child.start()
    yield child
    child.stop()


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic of this test's own."""
    return f"tests/{request.node.originalname}"
