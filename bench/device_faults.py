"""Kill everything with SIGKILL while a button is pressed, and count what is lost.

    python bench/device_faults.py [--presses 1000] [--broker amqtt|mosquitto] [--seed 1]

A microcontroller is played on a pseudo-terminal: it closes and opens its contact and reads what
becomes of its light. Behind it `iot-button device serial` and `iot-button up`; the device is killed
50 times, the broker 5 times and the function runtime 5 times, at moments drawn by the seed. Counts
at the end: every click that was told to be taken must come out of `iotprocessed`, once. (A rare
repeat is to be expected of amqtt, which keeps no handshake of a runtime that was killed.)

A broker that forgets its subscribers (amqtt) leaves nobody to watch while it is away. So that all
is seen, device and runtime are stopped (SIGSTOP) from its death until the watcher is back.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.board import Board
from bench.system import System, environment
from iot_button.messages import Message, Session
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress

SERIAL = "FAULTS"


class Device:
    """`iot-button device serial`, started again whenever it was killed."""

    def __init__(self, board: Board, broker: str, home: str) -> None:
        self._command = [
            *(sys.executable, "-m", "iot_button", "device", "serial", "--port", board.port),
            *("--serial", SERIAL, "--double-window", "0", "--broker", broker),
        ]
        self._environment = environment(home)
        self._log = (Path(home) / "device.log").open("a")
        self.taken: list[str] = []
        self.start()

    def start(self) -> None:
        """Start it, and note each click that it tells to be on its disk."""
        self.process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=self._environment,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """Kill it, take what it had still said, and start it again."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.start()

    def stop(self) -> None:
        """End it in order."""
        self.process.terminate()
        self.process.wait(10)
        self._reader.join()
        self._log.close()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None  # noqa: S101 - it is a PIPE
        with process.stdout:
            for line in process.stdout:
                if line.endswith("\n"):
                    self.taken.append(json.loads(line)["eventId"])


class Watcher:
    """Counts what comes out of `iotprocessed`.

    A broker that was killed may deliver again what it had delivered before: that is its right at
    QoS 1, and is counted apart from what comes twice on one connection: published twice.
    """

    def __init__(self, port: int) -> None:
        self.came: Counter[str] = Counter()
        self.delivered_again: set[str] = set()
        self._on_connection: Counter[tuple[str, int]] = Counter()
        self.connection = Connection(
            BrokerAddress(host="127.0.0.1", port=port),
            client_id="bench-watcher",
            session=Session.UNTIL_STOP,
            on_message=self._count,
        )
        self.connection.subscribe("iotprocessed")

    def _count(self, message: Message) -> None:
        event_id = json.loads(message.payload)["eventId"]
        on_connection = event_id, message.delivery.connection_number
        self._on_connection[on_connection] += 1
        if event_id in self.came and self._on_connection[on_connection] == 1:
            self.delivered_again.add(event_id)
        else:
            self.came[event_id] += 1


@dataclass
class Counts:
    """What is printed: all by event id."""

    presses: int = 0
    lit: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    taken: int = 0
    processed: int = 0
    lost: list[str] = field(default_factory=list)
    repeated: dict[str, int] = field(default_factory=dict)
    delivered_again: int = 0


class Trial:
    """One run."""

    def __init__(self, system: System, board: Board, device: Device, watcher: Watcher) -> None:
        self._system = system
        self._board = board
        self._device = device
        self._watcher = watcher
        self.counts = Counts()

    def run(self, presses: int, kills: dict[str, int], rng: random.Random) -> None:
        """Press so many times, with the kills spread over them."""
        at = {part: set(rng.sample(range(presses), count)) for part, count in kills.items()}
        self._board.wait_opened(1)
        for press in range(presses):
            timers = [
                threading.Timer(rng.uniform(0, 0.02), self._kill, args=[part])
                for part, moments in at.items()
                if press in moments
            ]
            for timer in timers:
                timer.start()
            self.counts.presses += 1
            self.counts.lit += self._board.press()
            for timer in timers:
                timer.join()
            # Of those after it, most are to be taken: a busy machine is slow to start a device.
            self._board.wait_opened(1 + self.counts.kills["device"])

    def settle(self, deadline: float) -> None:
        """Wait until all that was taken has come out."""
        end = time.monotonic() + deadline
        while self._missing() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(1.0)  # for a repeat

    def finish(self) -> Counts:
        """Count."""
        counts, came = self.counts, self._watcher.came
        counts.taken = len(set(self._device.taken))
        counts.processed = len(came)
        counts.lost = self._missing()
        counts.delivered_again = len(self._watcher.delivered_again)
        counts.repeated = {event_id: times for event_id, times in came.items() if times > 1}
        return counts

    def _missing(self) -> list[str]:
        return [event_id for event_id in self._device.taken if event_id not in self._watcher.came]

    def _kill(self, part: str) -> None:
        if part == "device":
            self._device.kill()
        elif part == "functions":
            os.kill(self._running("functions"), signal.SIGKILL)
        else:
            self._kill_broker()
        self.counts.kills[part] += 1

    def _kill_broker(self) -> None:
        with self._held("functions"):
            os.kill(self._running("broker"), signal.SIGKILL)
            connection = self._watcher.connection
            while connection.is_ready:
                time.sleep(0.001)
            connection.wait_ready(30.0)

    def _running(self, part: str) -> int:
        """Return a part's process id; it may be on its way back from an earlier kill."""
        while (pid := self._system.processes().get(part)) is None:
            time.sleep(0.01)
        return pid

    @contextlib.contextmanager
    def _held(self, part: str) -> Iterator[None]:
        """Let neither the device nor a part of the system do anything meanwhile."""
        held = [self._device.process.pid]
        with contextlib.suppress(KeyError):
            held.append(self._system.processes()[part])
        _send(signal.SIGSTOP, held)
        try:
            yield
        finally:
            _send(signal.SIGCONT, held)


def _send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # dead itself at this moment
            os.kill(pid, number)


def trial(broker: str, *, presses: int, kills: dict[str, int], seed: int | None) -> Counts:
    """Run one trial and return its counts."""
    with (
        tempfile.TemporaryDirectory() as home,
        System("--broker", broker, "--functions-port", "0", "--no-dashboard") as system,
    ):
        address = system.address("mqtt")
        watcher = Watcher(int(address.rpartition(":")[2]))
        board = Board()
        with watcher.connection:
            watcher.connection.wait_ready(10.0)
            device = Device(board, address, home)
            try:
                run = Trial(system, board, device, watcher)
                run.run(presses, kills, random.Random(seed))
                run.settle(60.0)
            finally:
                device.stop()
            return run.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill everything while a button is pressed.")
    parser.add_argument("--presses", type=int, default=1000)
    parser.add_argument("--device-kills", type=int, default=50)
    parser.add_argument("--broker-kills", type=int, default=5)
    parser.add_argument("--functions-kills", type=int, default=5)
    parser.add_argument("--broker", default="amqtt", choices=["amqtt", "mosquitto"])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    kills = {
        "device": options.device_kills,
        "broker": options.broker_kills,
        "functions": options.functions_kills,
    }
    start = time.monotonic()
    counts = trial(options.broker, presses=options.presses, kills=kills, seed=options.seed)
    print(
        f"{options.broker}: {counts.presses} presses in {time.monotonic() - start:.0f} s; killed:"
        f" {', '.join(f'{part} {count}' for part, count in sorted(counts.kills.items()))}\n"
        f"the light said taken for {counts.lit}; on the device's disk {counts.taken};"
        f" processed {counts.processed}; lost {len(counts.lost)};"
        f" published twice {len(counts.repeated)};"
        f" delivered again by a broker that was killed {counts.delivered_again}"
    )
    if counts.lost or counts.repeated:
        print(f"lost: {counts.lost}; more than once: {counts.repeated}")
        sys.exit(1)


if __name__ == "__main__":
    main()
