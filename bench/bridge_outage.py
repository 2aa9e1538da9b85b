"""What a bridge loses while the other broker is away.

    python bench/bridge_outage.py [--outage 600] [--rate 50] [--buttons 10] [--kills 0]
        [--broker mosquitto|amqtt] [--remote mosquitto|amqtt]

A broker of ours, `iot-button bridge`, and another broker with a subscriber. Buttons click at our
broker all the time; 10 s after the beginning the other broker is killed with SIGKILL, and started
again when the outage is over. With `--kills` the bridge itself is killed so many times meanwhile.
Counts what was acknowledged to the buttons and has not arrived, what arrived twice, and what
arrived first behind a later click of the same button.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.system import environment
from iot_button.messages import Message, Session
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress

BEFORE = AFTER = 10.0
ALL_THERE_WITHIN = 600.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def address(port: int) -> BrokerAddress:
    return BrokerAddress(host="127.0.0.1", port=port)


class Part:
    """`iot-button ARGUMENTS` in a process group of its own, killed with all that it has started."""

    def __init__(self, home: str, *arguments: str) -> None:
        self._home = home
        self._arguments = arguments
        self.said: list[str] = []
        self.printed = ""
        self.start()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        ready = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "iot_button", *self._arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(self._home),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process, ready), daemon=True)
        self._reader.start()
        if not ready.wait(30):
            raise TimeoutError(f"{self._arguments} is not ready: {self.said}")

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(10)

    def stop(self) -> None:
        """End it in order."""
        self.process.terminate()
        assert self.process.stdout is not None  # noqa: S101 - it is a PIPE
        self.printed = self.process.stdout.read()
        self.process.wait(20)

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stderr is not None  # noqa: S101 - it is a PIPE
        with process.stderr:
            for line in process.stderr:
                self.said.append(line.rstrip())
                if line.startswith("ready"):
                    ready.set()


class Buttons:
    """Buttons that click in turn, at an even rate, on a thread of their own."""

    def __init__(self, port: int, buttons: int, rate: float) -> None:
        self._connection = Connection(address(port), client_id="bench-buttons")
        self._buttons = buttons
        self._rate = rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._click)
        self.sent = 0
        self.acknowledged: set[tuple[str, int]] = set()

    def __enter__(self) -> "Buttons":
        self._connection.__enter__()
        self._connection.wait_ready(10)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        self._connection.__exit__()

    def stop(self) -> None:
        """Stop clicking, and wait for the answers."""
        self._over.set()
        self._thread.join()
        self._connection.drain(30)

    def _click(self) -> None:
        begin = time.monotonic()
        while not self._over.wait(max(0.0, begin + self.sent / self._rate - time.monotonic())):
            serial, number = f"B{self.sent % self._buttons:03}", self.sent // self._buttons
            click = {
                "serialNumber": serial,
                "batteryVoltage": "1716mV",
                "clickType": "SINGLE",
                "eventId": str(uuid.uuid4()),
                "number": number,
            }
            self._connection.publish(
                f"iotbutton/{serial}",
                json.dumps(click).encode(),
                on_acknowledged=lambda key=(serial, number): self.acknowledged.add(key),  # type: ignore[misc]
            )
            self.sent += 1


class Arrivals:
    """What comes out at the other broker."""

    def __init__(self, port: int) -> None:
        self.first: set[tuple[str, int]] = set()
        self.twice = 0
        self.out_of_order = 0
        self._latest: dict[str, int] = {}
        self.connection = Connection(
            address(port),
            client_id="bench-arrivals",
            session=Session.KEPT,
            on_message=self._on_message,
        )
        self.connection.subscribe("iotbutton/+")

    def _on_message(self, message: Message) -> None:
        click = json.loads(message.payload)
        serial, number = click["serialNumber"], click["number"]
        if (serial, number) in self.first:
            self.twice += 1
            return
        self.first.add((serial, number))
        self.out_of_order += number < self._latest.get(serial, -1)
        self._latest[serial] = max(number, self._latest.get(serial, -1))


def through_the_outage(remote: Part, bridge: Part, outage: float, kills: int) -> None:
    """Let the time go by: before, the outage, and after."""
    time.sleep(BEFORE)
    remote.kill()
    print(f"the other broker is killed; {outage:g} s without it", flush=True)
    for _ in range(kills):
        time.sleep(outage / (kills + 1))
        bridge.kill()
        bridge.start()
    time.sleep(outage / (kills + 1))
    remote.start()
    time.sleep(AFTER)


def run(options: argparse.Namespace, home: str) -> None:
    local_port, remote_port = free_port(), free_port()
    ports = ("--websocket-port", "0", "--port")
    ours = Part(f"{home}/local", "broker", "--broker", options.broker, *ports, str(local_port))
    other = Part(f"{home}/remote", "broker", "--broker", options.remote, *ports, str(remote_port))
    bridge = Part(
        *(f"{home}/local", "bridge", "--broker", f"mqtt://127.0.0.1:{local_port}"),
        *("--to", f"mqtt://127.0.0.1:{remote_port}", "--topic", "iotbutton/+ out"),
    )
    arrivals = Arrivals(remote_port)
    with arrivals.connection, Buttons(local_port, options.buttons, options.rate) as buttons:
        arrivals.connection.wait_ready(10)
        through_the_outage(other, bridge, options.outage, options.kills)
        buttons.stop()
        last_click = time.monotonic()
        while buttons.acknowledged - arrivals.first:
            if time.monotonic() > last_click + ALL_THERE_WITHIN:
                break
            time.sleep(0.05)
        took = time.monotonic() - last_click
        time.sleep(1.0)  # for what comes twice
        print("    sent  acknowledged  arrived  lost  twice  out of order  all there after the end")
        print(
            f"{buttons.sent:8} {len(buttons.acknowledged):13} {len(arrivals.first):8}"
            f" {len(buttons.acknowledged - arrivals.first):5} {arrivals.twice:6}"
            f" {arrivals.out_of_order:13} {took:22.1f} s",
            flush=True,
        )
    for part in (bridge, other, ours):
        part.stop()
    print("\n".join(line for line in bridge.said if "bridge" in line))
    print(bridge.printed.strip(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="An outage of the other broker, bridged.")
    parser.add_argument("--outage", type=float, default=600)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--buttons", type=int, default=10)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--broker", choices=("mosquitto", "amqtt"), default="mosquitto")
    parser.add_argument("--remote", choices=("mosquitto", "amqtt"), default="mosquitto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, contextlib.suppress(KeyboardInterrupt):
        for name in ("local", "remote"):
            (Path(home) / name).mkdir()
        run(options, home)


if __name__ == "__main__":
    main()
