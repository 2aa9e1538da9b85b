"""From a press of the schedule to what its button sends, and what goes wrong on that way."""

import functools
from collections import Counter
from collections.abc import Mapping
from typing import Any

from device_sim.damage import damage
from device_sim.faults import Fault, FaultKind, Faults
from device_sim.fleet_button import FleetButton, Send
from device_sim.schedule import Press
from device_sim.tally import DamagedTally, Tally
from iot_button.events import Click, encode_click, new_event_id, utc_now

_COUNTED_AS = {
    FaultKind.DROP: "dropped",
    FaultKind.FREEZE: "frozen",
    FaultKind.DUPLICATE: "duplicated",
    FaultKind.REORDER: "reordered",
}


class Clicking:
    """Makes clicks of presses, and counts them and the faults that came about.

    Args:
        buttons: by serial number.
        faults: what goes wrong at which press.
        tally: gets the clicks.
        damaged: gets what was damaged so that it is no click.
    """

    def __init__(
        self,
        buttons: Mapping[str, FleetButton],
        faults: Faults,
        *,
        tally: Tally,
        damaged: DamagedTally,
    ) -> None:
        self._buttons = buttons
        self._faults = faults
        self._tally = tally
        self._damaged = damaged
        self._counts: Counter[FaultKind] = Counter()

    def press(self, press: Press) -> None:
        """Let a button click."""
        fault = self._faults.next()
        button = self._buttons[press.serial_number]
        is_overtaking = button.press(self._send(button, press, fault), at=press.at, fault=fault)
        self._counts[FaultKind.REORDER] += is_overtaking
        if fault is not None and fault.kind is not FaultKind.REORDER:
            self._counts[fault.kind] += 1

    def counts(self) -> dict[str, Any]:
        """Return how often each fault that was asked for came about, by name."""
        counts = {_COUNTED_AS[k]: self._counts[k] for k in self._faults.kinds if k in _COUNTED_AS}
        if FaultKind.CORRUPT in self._faults.kinds:
            counts["corrupted"] = self._damaged.sent
            counts["deadLettered"] = self._damaged.dead_lettered
        return counts

    def _send(self, button: FleetButton, press: Press, fault: Fault | None) -> Send:
        moment = utc_now()
        event_id = new_event_id(moment)
        click = Click(
            serial_number=press.serial_number,
            click_type=press.click_type,
            battery_millivolts=press.battery_millivolts,
            event_id=event_id,
            clicked_at=moment,
        )
        payload = encode_click(click)
        if fault is not None and fault.kind is FaultKind.CORRUPT:
            rng = self._faults.randomness()
            payload = damage(payload, serial_number=press.serial_number, rng=rng)
            return functools.partial(self._publish_damaged, button, payload)
        is_twice = fault is not None and fault.kind is FaultKind.DUPLICATE
        return functools.partial(self._publish, button, payload, event_id, is_twice=is_twice)

    def _publish(
        self, button: FleetButton, payload: bytes, event_id: str, *, is_twice: bool
    ) -> None:
        self._tally.on_sent(event_id)
        acknowledged = functools.partial(self._tally.on_acknowledged, event_id)
        button.publish(payload, on_acknowledged=acknowledged)
        if is_twice:
            button.publish(payload, on_acknowledged=lambda: None)

    def _publish_damaged(self, button: FleetButton, payload: bytes) -> None:
        self._damaged.on_sent(payload)
        button.publish(payload, on_acknowledged=self._damaged.on_acknowledged)
