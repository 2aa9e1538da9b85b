"""A device's core without its hardware and its broker, in a time that the test lets pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from device_sim.commits import Commits
from device_sim.delivery import Delivery
from device_sim.kept import Kept, Progress
from device_sim.moments import Moments
from device_sim.outbox import Outbox
from iot_button.loop import Loop
from iot_button.traces import read_context

STEP = 0.25
SERIAL = "DOOR"
TOPIC = f"iotbutton/{SERIAL}"


class Machine:
    """A machine's clocks; `monotonic` lets it stand in for the module `time`."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.uptime = 1_000.0
        self.boot = "boot 1"
        self.is_right = True

    def monotonic(self) -> float:
        return self.uptime

    def pass_time(self, seconds: float) -> None:
        """Let time pass, for all clocks alike."""
        self.wall += seconds
        self.uptime += seconds

    def reboot(self, *, wall: float | None = None) -> None:
        """Begin a new boot, with its wall clock where one is given."""
        self.boot, self.uptime = f"{self.boot}+", 20.0
        self.wall = self.wall if wall is None else wall

    def moments(self) -> Moments:
        """Return what a process that starts now would use."""
        return Moments(
            wall=lambda: self.wall,
            uptime=lambda: self.uptime,
            boot=self.boot,
            is_right=lambda: self.is_right,
        )


@contextmanager
def time_of(machine: Machine) -> Iterator[None]:
    """Let all timers go by a machine's uptime."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (
            "iot_button.loop",
            "device_sim.delivery",
            "device_sim.recognizer",
            "device_sim.status",
        ):
            patch.setattr(f"{module}.time", machine)
        yield


def turn(loop: Loop) -> None:
    """Let the loop turn once: what is due, and the end of the turn."""
    loop.call_from_thread(loop.stop)
    loop.run()


def pass_time(loop: Loop, machine: Machine, seconds: float) -> None:
    """Let time pass and the loop turn meanwhile."""
    end = machine.uptime + seconds
    while machine.uptime < end:
        machine.pass_time(min(STEP, end - machine.uptime))
        turn(loop)


def click(**more: Any) -> dict[str, Any]:
    """Return a click's event, as the device makes it."""
    return {"serialNumber": SERIAL, "batteryVoltage": None, "clickType": "SINGLE", **more}


def receipt(event_id: str, outcome: str = "processed") -> bytes:
    """Return what the function runtime says of a click."""
    return msgspec.json.encode({"eventId": event_id, "outcome": outcome, "timestamp": "now"})


class Publisher:
    """A connection that keeps what it was given, and acknowledges when it is told to."""

    def __init__(self) -> None:
        self.is_ready = False
        self.topics: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self.unacknowledged: list[Callable[[], None]] = []
        self.reconnects: list[str] = []

    @property
    def ids(self) -> list[str]:
        """The event ids, in the order in which they were published; each time they were."""
        return [event["eventId"] for event in self.events]

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        on_acknowledged: Callable[[], None],
        properties: bytes = b"",
    ) -> None:
        assert read_context(properties) is not None
        assert self.is_ready, "published without a connection"
        self.topics.add(topic)
        self.events.append(msgspec.json.decode(payload))
        self.unacknowledged.append(on_acknowledged)

    def reconnect(self, why: str) -> None:
        self.reconnects.append(why)

    def acknowledge(self, number: int | None = None) -> None:
        """Acknowledge the oldest, or all that were published so far."""
        waiting = self.unacknowledged[:number]
        del self.unacknowledged[:number]
        for callback in waiting:
            callback()


class Workbench:
    """One process of a device: from `open` to `close` or `kill`, and again."""

    def __init__(self, path: Path, machine: Machine, **options: Any) -> None:
        self.path = path
        self.machine = machine
        self.size = options.pop("size", 20_000)
        usual: dict[str, Any] = {
            "done_at_broker": False,
            "give_up_after": 1e9,
            "jitter": lambda: 1.0,
        }
        self.options = usual | options
        self.taken: list[str] = []
        self.refused = 0
        self.progress: list[tuple[str, Progress]] = []
        self.open()

    def open(self) -> None:
        """Begin, as a device does: unconnected."""
        self.loop = Loop()
        self.publisher = Publisher()
        self.outbox = Outbox(self.path, size=self.size, moments=self.machine.moments())
        self.outbox.__enter__()
        self.delivery = Delivery(
            self.loop,
            self.publisher,
            self.outbox,
            topic=TOPIC,
            on_progress=lambda kept, how: self.progress.append((kept.event_id, how)),
            **self.options,
        )
        self.commits = Commits(
            self.loop,
            self.outbox,
            on_taken=lambda id_, kept: self.tell(id_, kept),  # noqa: PLW0108 - tests replace it
            on_refused=self._on_refused,
            on_undone=self.delivery.resume,
        )
        self.loop.at_end_of_turn(self.commits.end_of_turn)
        self.delivery.begin()

    def tell(self, id: int, kept: Kept) -> None:  # noqa: A002
        """Take that a click is on the disk, as the device does."""
        self.taken.append(kept.event_id)
        self.delivery.add(id)

    def _on_refused(self) -> None:
        self.refused += 1

    def close(self) -> None:
        """End in order."""
        self.delivery.stop()
        self.outbox.__exit__(None, None, None)
        self.loop.close()

    def kill(self) -> None:
        """End as by a kill: what was not committed is gone."""
        self.outbox.__exit__(RuntimeError, RuntimeError(), None)
        self.loop.close()

    def put(self, **more: Any) -> None:
        """Press once, without the end of the turn."""
        self.commits.put(click(**more), self.machine.moments().ago(0.0))

    def press(self, times: int = 1) -> list[str]:
        """Press, each press in a turn of its own; return the ids of those that were taken."""
        before = len(self.taken)
        for _ in range(times):
            self.put()
            self.turn()
        return self.taken[before:]

    def turn(self) -> None:
        turn(self.loop)

    def pass_time(self, seconds: float) -> None:
        pass_time(self.loop, self.machine, seconds)

    def connect(self) -> None:
        """Let the connection stand."""
        self.publisher.is_ready = True
        self.delivery.connected()
        self.turn()

    def disconnect(self) -> None:
        """Lose the connection; what was not acknowledged stays the connection's."""
        self.publisher.is_ready = False

    def answer(self, *event_ids: str, outcome: str = "processed") -> None:
        """Let receipts come."""
        for event_id in event_ids:
            self.delivery.take_receipt(receipt(event_id, outcome))
        self.turn()

    def of(self, progress: Progress) -> list[str]:
        """Return the clicks that have come so far, in that order."""
        return [event_id for event_id, how in self.progress if how is progress]

    def on_disk(self) -> list[str]:
        """Return what waits on the disk, read by the next process; this one is killed."""
        self.kill()
        self.open()
        return [kept.event_id for kept in self.outbox.entries()]
