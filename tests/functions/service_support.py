"""Functions with everything of the runtime's but the broker: real processes, files and loop.

What the runtime would send is kept in a list, and acknowledged as a broker would, or held back.
"""

import contextlib
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, cast

import pytest

from functions.runtime import resuming
from functions.runtime.events import ClickId, Event
from functions.runtime.identity import new_request_id
from functions.runtime.intake import Intake
from functions.runtime.manifest.model import FunctionSpec, IotRule, Place
from functions.runtime.matching import Subscription
from functions.runtime.member import Member
from functions.runtime.outputs import Outputs
from functions.runtime.rules import compile_rule
from functions.runtime.runs import Ended, Run
from functions.runtime.seen import Seen
from functions.runtime.shared import Shared
from functions.runtime.switches import Switch
from iot_button.loop import Loop
from iot_button.messages import Delivery, Message
from iot_button.mqtt import Stream
from iot_button.spool import Spool
from iot_button.topics import Topics
from tests.support import DEADLINE, runs_until

PLACE = Place(Path("serverless.yml"), 1)
CLICKS = "SELECT * FROM 'iotbutton/+'"
REGION = "eu-west-1"


def function(folder: Path, code: str, *rules: str, name: str = "mine", **more: Any) -> FunctionSpec:
    """Write a handler, whose file has the function's name, and return its function."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(code)
    return FunctionSpec(
        name=name,
        handler=f"{name}.lambda_handler",
        root=folder,
        place=PLACE,
        rules=tuple(IotRule(sql=rule, place=PLACE) for rule in rules),
        **more,
    )


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


class Clock:
    """The time in seconds since 1970, as the test wants it."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Broker:
    """Stands where the stream to the broker is."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.qos: list[int] = []
        self.is_holding = False
        self.held: set[str] = set()
        """Topics whose messages are not acknowledged."""
        self.is_ready = True
        self.speaks_5 = True
        self._missing: list[tuple[str, Callable[[], None]]] = []
        self._packet_ids = itertools.count(1)

    @property
    def outstanding(self) -> int:
        return len(self._missing)

    def next_packet_id(self) -> int:
        return next(self._packet_ids)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        on_acknowledged: Callable[[], None],
        qos: int = 1,
        retain: bool = False,
        properties: bytes = b"",
    ) -> None:
        self._take(topic, payload, qos, properties)
        self._missing.append((topic, on_acknowledged))

    def publish_once(
        self,
        topic: str,
        payload: bytes,
        *,
        packet_id: int,
        on_received: Callable[[], None],
        on_acknowledged: Callable[[], None],
        properties: bytes = b"",
    ) -> None:
        def both() -> None:
            on_received()
            on_acknowledged()

        self._take(topic, payload, 2, properties)
        self._missing.append((topic, both))

    def resume(self, topic: str, payload: bytes, **options: Any) -> None:
        del options["is_released"]
        self.publish_once(topic, payload, **options)

    def acknowledge_all(self) -> None:
        """Acknowledge what was sent."""
        if not self.is_holding:
            missing = [entry for entry in self._missing if entry[0] not in self.held]
            self._missing = [entry for entry in self._missing if entry[0] in self.held]
            for _topic, on_acknowledged in missing:
                on_acknowledged()

    def _take(self, topic: str, payload: bytes, qos: int, properties: bytes) -> None:
        size = len(payload) + len(properties)
        assert size <= 1_048_576 - 64, f"the broker would hang up at {topic}"
        self.sent.append((topic, payload))
        self.qos.append(qos)


class Workshop:
    """Functions in a loop that runs as long as a condition is not met. Use it with `with`."""

    def __init__(
        self,
        folder: Path,
        *specs: FunctionSpec,
        clock: Callable[[], float] = time.time,
        delays: tuple[float, ...] = (60.0, 120.0),
        handshakes: int = 0,
        idle_timeout: float = 600.0,
        switch: Switch | None = None,
    ) -> None:
        self.clock = clock
        self.specs = specs
        self.is_dead = False
        self.dies_after_spool: Callable[[], bool] = lambda: False
        """Asked after each commit of the spool: whether this is the moment of a `kill -9`."""
        self.broker = Broker()
        self.acknowledged: list[int] = []
        self.settled: list[tuple[str, str, str]] = []
        self.members: dict[str, Member] = {}
        self.folder = folder
        self.loop = Loop()
        self.spool = Spool(folder / "spool.db", clock=clock)
        self.seen = Seen(folder / "seen", clock=clock)
        self._delays = delays
        self._handshakes = handshakes
        self._idle_timeout = idle_timeout
        self._switch = switch or Switch()
        self._on_disk: list[Callable[[], None]] = []
        self._files = contextlib.ExitStack()
        self._packet_ids = itertools.count(1)

    def __enter__(self) -> Self:
        self._files.enter_context(self.spool)
        self._files.enter_context(self.seen)
        self.outputs = Outputs(
            cast(Stream, self.broker),
            self.seen,
            Topics(),
            handshakes=self._handshakes,
            on_resumed=lambda output: resuming.finish(output, self.members, self.seen),
        )
        shared = Shared(
            loop=self.loop,
            spool=self.spool,
            seen=self.seen,
            outputs=self.outputs,
            settled=self._settled,
            outstanding=lambda: self.outputs.outstanding,
            clock=self.clock,
            when_on_disk=self._on_disk.append,
            delays=self._delays,
            folder=self.folder,
        )
        for spec in self.specs:
            self.members[spec.name] = Member(
                spec,
                arn=f"arn:aws:lambda:{REGION}:000000000000:function:{spec.name}",
                region=REGION,
                endpoint="http://127.0.0.1:9",
                shared=shared,
                switch=self._switch,
                idle_timeout=self._idle_timeout,
            )
        subscriptions = [
            Subscription(compile_rule(rule.sql), member.queue, number)
            for member in self.members.values()
            for number, rule in enumerate(member.spec.rules)
        ]
        self.intake = Intake(
            subscriptions, topics=Topics(), shared=shared, acknowledge=self._acknowledge
        )
        self.loop.at_end_of_turn(self._end_of_turn)
        resuming.resume(self.outputs, self.intake, self.members)
        for member in self.members.values():
            member.queue.backlog.refill()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """End as if killed: nothing is finished, but no process and no file is left."""
        for member in self.members.values():
            member.queue.stop()
            member.pool.stop()
            member.pool.kill()
        self.run_until(lambda: not self.environments, what="all environments end")
        killed = SystemExit()  # nothing more is committed
        self._files.__exit__(SystemExit, killed, None)
        self.loop.close()

    @property
    def member(self) -> Member:
        """The only function."""
        (member,) = self.members.values()
        return member

    @property
    def environments(self) -> int:
        return sum(len(member.pool.environments) for member in self.members.values())

    # What comes in.

    def deliver(
        self,
        topic: str,
        payload: bytes,
        *,
        retained: bool = False,
        duplicate: bool = False,
        packet_id: int = 0,
        connection: int = 1,
    ) -> int:
        """Let a message come at QoS 1; return its packet id."""
        packet_id = packet_id or next(self._packet_ids)
        delivery = Delivery(connection, packet_id)
        self.intake.on_message(Message(topic, payload, 1, retained, duplicate, delivery))
        return packet_id

    def click(self, *, serial: str = "one", duplicate: bool = False, **more: object) -> int:
        """Let a click come."""
        payload = body(serialNumber=serial, clickType="SINGLE", **more)
        return self.deliver(f"iotbutton/{serial}", payload, duplicate=duplicate)

    def run(self, event: bytes, *, name: str = "mine", header: bytes = b"") -> list[Ended]:
        """Run an event now; the list holds how it ended, when it has."""
        ended: list[Ended] = []
        run = Run(new_request_id(), event, ended.append, header)
        self.members[name].pool.run(run)
        return ended

    def result(self, event: bytes, *, name: str = "mine") -> Ended:
        """Run an event now and wait for its end."""
        ended = self.run(event, name=name)
        self.run_until(lambda: ended, what=f"{event[:80]!r} ends")
        return ended[0]

    def take(self, event: bytes, *, name: str = "mine", click: ClickId | None = None) -> Event:
        """Queue an asynchronous event."""
        taken = Event(new_request_id(), event, self.clock(), click)
        self.members[name].queue.take(taken)
        return taken

    # What comes out.

    def sent_to(self, topic: str) -> list[Any]:
        """Return what was published to a topic, decoded."""
        return [json.loads(payload) for name, payload in self.broker.sent if name == topic]

    def until_sent(self, topic: str, count: int = 1) -> list[Any]:
        """Run until so many messages were published to a topic, and return them."""
        self.run_until(
            lambda: len(self.sent_to(topic)) >= count, what=f"{count} messages on {topic}"
        )
        return self.sent_to(topic)

    def log_lines(self, name: str = "mine") -> list[str]:
        return [line.text for line in self.members[name].log.lines()]

    # Time.

    def run_until(
        self, condition: Callable[[], object], *, what: str, deadline: float = DEADLINE
    ) -> None:
        """Let the loop run until the condition is true."""
        if not condition() and not runs_until(self.loop, condition, deadline=deadline):
            pytest.fail(f"not within {deadline:g} s: {what}; sent: {self.broker.sent[-5:]}")

    def settle(self) -> None:
        """Let the loop run until nothing runs, waits in memory or is unacknowledged."""

        def is_quiet() -> bool:
            pools = [member.pool for member in self.members.values()]
            return not (
                any(pool.running or pool.waiting for pool in pools)
                or self.broker.outstanding
                or self._on_disk
            )

        self.turn()
        self.run_until(is_quiet, what="all is done")
        self.turn()

    def turn(self, count: int = 3) -> None:
        """Let the loop make some turns."""
        turns = itertools.count()
        self.run_until(lambda: next(turns) > count, what="some turns")

    def advance(self, seconds: float) -> None:
        """Put the driven clock forward, and let every queue look at it."""
        assert isinstance(self.clock, Clock)
        self.clock.now += seconds
        for member in self.members.values():
            member.queue.backlog.refill()
        self.settle()

    # What the service does.

    def _acknowledge(self, delivery: Delivery) -> None:
        self.acknowledged.append(delivery.packet_id)

    def _settled(
        self, function: str, click: ClickId, outcome: str, on_told: Callable[[], None]
    ) -> None:
        self.settled.append((function, click.event_id, outcome))
        self.intake.settled(function, click, outcome, on_told)

    def _end_of_turn(self) -> None:
        if self.is_dead:
            return
        self.seen.commit()
        if self.spool.is_changed:
            self.spool.commit()
            if self.dies_after_spool():
                self.is_dead = True
                return
            callbacks, self._on_disk[:] = self._on_disk[:], []
            for callback in callbacks:
                callback()
            self.seen.commit()
        if self.broker.outstanding and not self.broker.is_holding:
            self.loop.call_later(0, self.broker.acknowledge_all)


@contextlib.contextmanager
def one_function(folder: Path, code: str, *rules: str, **options: Any) -> Iterator[Workshop]:
    """Run one function; `options` are those of the workshop or of the function."""
    names = ("clock", "delays", "handshakes", "idle_timeout", "switch")
    ours = {name: options.pop(name) for name in names if name in options}
    spec = function(folder / "code", code, *rules, **options)
    with Workshop(folder, spec, **ours) as workshop:
        yield workshop


def is_running(process_id: int) -> bool:
    """Whether a process runs: one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def resident_megabytes() -> float:
    """Return how much memory this process uses."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
