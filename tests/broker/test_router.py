"""What we rely on in amqtt 0.12.1: an upgrade that changes it shows here."""

import asyncio
import inspect
from importlib.metadata import version
from pathlib import Path

import pytest
from amqtt.broker import Broker, BrokerContext

from broker.figures import Figures
from broker.gate.journal import Journal
from broker.gate.router import Router, at_once
from broker.gate.session import Session
from broker.gate.turns import Turns
from tests.support import run_async

OVERRIDDEN = {
    "_broadcast_message": ["self", "session", "topic", "data", "force_qos"],
    "_session_monitor": ["self"],
    "shutdown": ["self"],
}
USED = {
    "retain_message": ["self", "source_session", "topic_name", "data", "qos"],
    "_matches": ["self", "topic", "a_filter"],
    "start": ["self"],
}


def _session(client_id: str) -> Session:
    journal = Journal(Path("unused"), on_failure=print, turns=Turns())
    return Session(client_id, key=0, owner=None, journal=journal, figures=Figures())


def test_the_version_is_the_one_that_was_read() -> None:
    assert version("amqtt") == "0.12.1"


@pytest.mark.parametrize(("name", "parameters"), [*OVERRIDDEN.items(), *USED.items()])
def test_amqtts_methods_have_the_parameters_that_we_know(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(Broker, name)).parameters) == parameters


def test_it_routes_retains_and_publishes_for_amqtt_itself() -> None:
    said: list[tuple[str, bytes, int]] = []

    async def work() -> None:
        router = Router(lambda *message: said.append(message), Turns())
        await router.start()
        one = _session("one")
        router.sessions["one"] = (one, None)
        router.subscribe(one, "a/+", 2)
        router.subscribe(one, "a/+", 1)
        assert router.matching("a/b") == {one: 1}
        router.retain("a/b", b"x", 1)
        assert list(router.retained_topics("a/#")) == ["a/b"]
        router.retain("a/b", b"", 1)
        assert list(router.retained_topics("a/b")) == []
        await BrokerContext(router).broadcast_message("a/b", b"from a plugin", 1)
        router.forget(one)
        assert router.sessions == {}
        while router.matching("a/b"):
            await asyncio.sleep(0)
        assert (one.subscriptions, one.levels) == ({}, 0)
        await router.shutdown()

    run_async(work())
    assert said == [("a/b", b"from a plugin", 1)]


def test_a_coroutine_that_waits_after_all_is_an_error() -> None:
    async def work() -> None:
        with pytest.raises(RuntimeError, match="a version that we do not know"):
            at_once(asyncio.sleep(1))

    run_async(work())
