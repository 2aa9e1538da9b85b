"""Many simulated buttons in one process, each with a connection of its own, on one loop."""

import gc
import logging
import math
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from device_sim.clicking import Clicking
from device_sim.faults import FaultKind, Faults
from device_sim.fleet_button import FleetButton
from device_sim.observer import Observer
from device_sim.pressing import Pressing
from device_sim.schedule import Press, serial_number
from device_sim.tally import DamagedTally, Tally
from iot_button.errors import BrokerUnreachableError, IotButtonError
from iot_button.loop import Loop
from iot_button.mqtt.connecting import Connecting
from iot_button.open_files import allow_open_files
from iot_button.settings import Settings

log = logging.getLogger(__name__)

MOST_DEVICES = 10_000
MOST_UNDER_WAY = 10_000
"""Clicks under way at which sending waits: a broker that is away must not fill our memory."""
GIVE_UP_AFTER = 60.0
"""Seconds after which a click that was not processed is counted and no longer waited for."""
CONNECT_TIMEOUT = 10.0
"""Seconds without one more connection, after which those that stand are taken for all."""
SETTLE_INTERRUPTED = 1.0
_MORE_FILES = 100
_REPORT_EVERY = 0.5
_LOOK_EVERY = 0.02


class Fleet:
    """Presses buttons as a schedule says, and tallies what becomes of the clicks.

    The schedule is an open loop: a slow system does not slow the presses down. It begins when all
    buttons are connected. One that loses its connection comes back by itself, and sends again what
    was not acknowledged.

    Args:
        settings: where the broker is, and the topics.
        devices: how many buttons.
        presses: the schedule, of those buttons.
        faults: what goes wrong at which press.
        client_id: names the observer's session at the broker; None: a random one.
        on_progress: called about twice a second.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        devices: int,
        presses: Iterator[Press],
        faults: Faults,
        client_id: str | None = None,
        on_progress: Callable[["Fleet"], None] = lambda _fleet: None,
    ) -> None:
        self.devices = devices
        self.tally = Tally()
        self.damaged = DamagedTally()
        self.connected = 0
        self.reconnected = 0
        self.has_begun = False
        self._address = settings.broker.address
        self._on_progress = on_progress
        self._loop = Loop()
        # No button connects before the observer has: what came of its clicks would pass us by.
        self._connecting = Connecting(is_held=True)
        self._waiting: dict[FleetButton | Observer, None] = {}
        self._most_connected = 0
        self._ends_at = math.inf
        self._is_ending = False
        self._error: IotButtonError | None = None
        self._observer = Observer(
            self._loop,
            self._address,
            client_id=client_id or f"iot-button-simulate-{secrets.token_hex(4)}",
            topics=settings.topic_names,
            tally=self.tally,
            damaged=self.damaged if FaultKind.CORRUPT in faults.kinds else None,
            on_change=self._observer_changed,
            on_waiting=self._waits,
        )
        self._buttons = self._new_buttons(settings)
        self._clicking = Clicking(self._buttons, faults, tally=self.tally, damaged=self.damaged)
        self._pressing = Pressing(
            self._loop,
            presses,
            press=self._clicking.press,
            may_press=lambda: self.tally.under_way + self.damaged.under_way < MOST_UNDER_WAY,
            on_end=lambda: self._end(self._settle),
        )

    def ask_to_stop(self) -> None:
        """End the presses, and wait for clicks under way no longer than 1 s. Any thread's."""
        self._loop.call_from_thread(self._stop)

    def run(
        self,
        *,
        duration: float | None,
        settle: float,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Press until `duration` seconds are over or someone asks to stop, then wait for the last.

        Args:
            duration: seconds of presses; None: no end.
            settle: seconds to wait, at the end, for clicks under way.
            on_ready: called when all buttons are connected.

        Raises:
            BrokerUnreachableError: there is no broker within 10 s.
            IotButtonError: the system or the broker does not take so many connections.
        """
        self._duration, self._settle, self._on_ready = duration, settle, on_ready
        allow_open_files(self.devices + _MORE_FILES)
        self._open()
        try:
            self._loop.run()
        finally:
            self._close()
        if self._error is not None:
            raise self._error

    def summary(self) -> dict[str, Any]:
        """Return all counts: those of the tally, and of the faults that were asked for."""
        counts = self._clicking.counts()
        return self.tally.summary() | {"reconnected": self.reconnected} | counts

    # Connecting.

    def _new_buttons(self, settings: Settings) -> dict[str, FleetButton]:
        run = secrets.token_hex(3)
        return {
            serial: FleetButton(
                self._loop,
                self._address,
                client_id=f"iot-button-sim-{run}-{serial}",
                topic=settings.topic_names.click(serial),
                connecting=self._connecting,
                on_change=self._button_changed,
                on_waiting=self._waits,
            )
            for serial in map(serial_number, range(self.devices))
        }

    def _open(self) -> None:
        self._progress_at = time.monotonic()
        self._loop.at_end_of_turn(self._flush)
        self._loop.call_later(_REPORT_EVERY, self._report)
        self._observer.open()
        for button in self._buttons.values():
            button.open()

    def _observer_changed(self, is_ready: bool) -> None:
        if is_ready:
            self._connecting.release()
        else:
            self._connecting.hold()
            log.warning("lost %s (%s); trying again", self._address, self._observer.problem)

    def _button_changed(self, is_ready: bool) -> None:
        self.connected += 1 if is_ready else -1
        self.reconnected += is_ready and self.has_begun
        if self.connected > self._most_connected:
            self._most_connected = self.connected
            self._progress_at = time.monotonic()
        if self.connected == self.devices and not self.has_begun and not self._is_ending:
            self._begin()

    def _begin(self) -> None:
        self.has_begun = True
        # What is here stays: the garbage collector need not walk through it again and again, which
        # takes 0.2 s with 10,000 buttons (measured).
        gc.collect()
        gc.freeze()
        self._on_ready()
        self._pressing.begin(self._duration)

    def _report(self) -> None:
        self._loop.call_later(_REPORT_EVERY, self._report)
        self.tally.give_up_on_old(GIVE_UP_AFTER)
        self._on_progress(self)
        if not self.has_begun and time.monotonic() - self._progress_at > CONNECT_TIMEOUT:
            self._error = self._stalled()
            self._loop.stop()

    def _stalled(self) -> IotButtonError:
        if not self._observer.is_ready:
            return BrokerUnreachableError(str(self._address), self._observer.problem)
        problems = Counter(b.problem for b in self._buttons.values() if not b.is_ready)
        return IotButtonError(
            f"{self._most_connected:,} of {self.devices:,} buttons could connect to "
            f"{self._address}, and no more: {problems.most_common(1)[0][0]}",
            mend="let the broker take more (mosquitto: max_connections, and its limit of open "
            "files), or simulate fewer: --devices",
        )

    def _waits(self, one: FleetButton | Observer) -> None:
        self._waiting[one] = None

    def _flush(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            for one in waiting:
                one.flush()

    # The end.

    def _stop(self) -> None:
        self._end(min(self._settle, SETTLE_INTERRUPTED) if self.has_begun else 0.0)

    def _end(self, settle: float) -> None:
        self._ends_at = min(self._ends_at, time.monotonic() + settle)
        if self._is_ending:
            return
        self._is_ending = True
        self._pressing.end()
        for button in self._buttons.values():
            button.let_go()
        self._look_whether_settled()

    def _look_whether_settled(self) -> None:
        is_settled = self.tally.is_settled and self.damaged.is_settled
        if is_settled or time.monotonic() >= self._ends_at:
            # Before thousands of goodbyes keep the broker busy.
            self._observer.leave(self._loop.stop)
        else:
            self._loop.call_later(_LOOK_EVERY, self._look_whether_settled)

    def _close(self) -> None:
        self._connecting.hold()
        for button in self._buttons.values():
            button.close()
        self._observer.close()
        self._loop.close()
        gc.unfreeze()
