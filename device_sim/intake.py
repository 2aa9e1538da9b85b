"""From what a driver tells to clicks as they are published, all but for their ids and times."""

from collections.abc import Callable
from typing import Any

from device_sim.drivers.base import Driver, Presence
from device_sim.gestures import Gesture
from device_sim.moments import Moment, Moments
from device_sim.own_clicks import read_own_click
from device_sim.recognizer import Recognizer
from iot_button.events import ClickType, format_millivolts
from iot_button.loop import Loop
from iot_button.settings import DeviceSettings


class Intake:
    """The device as its driver sees it (`drivers.base.Sink`).

    Args:
        on_click: gets each click: its fields, when it was pressed, and whether the button itself
            says when, in `clickedAt`.
        on_presence: gets whether the hardware answers.
        on_ended: called when there will be no more presses.
    """

    def __init__(
        self,
        loop: Loop,
        settings: DeviceSettings,
        driver: Driver,
        *,
        serial_number: str,
        moments: Moments,
        on_click: Callable[[dict[str, Any], Moment, bool], None],
        on_presence: Callable[[Presence], None],
        on_ended: Callable[[], None],
    ) -> None:
        self._extended = settings.extended
        self._driver = driver
        self._serial_number = serial_number
        self._moments = moments
        self._on_click = on_click
        self._on_ended = on_ended
        self._on_presence = on_presence
        self._recognizer = Recognizer(loop, settings, on_gesture=self._on_gesture)

    def close(self) -> None:
        """Forget half a gesture, for good."""
        self._recognizer.close()

    @property
    def is_in_gesture(self) -> bool:
        """Whether time alone can still make a click of what the contact said."""
        return self._recognizer.is_busy

    def edge(self, is_pressed: bool, moment: float) -> None:
        """Take an edge."""
        self._recognizer.edge(is_pressed, moment)

    def start_over(self) -> None:
        """Forget half a gesture."""
        self._recognizer.start_over()

    def clicked(self, click_type: ClickType) -> None:
        """Take a click that the hardware recognised by itself."""
        self._on_click(self._event(click_type), self._moments.ago(0.0), False)

    def sent(self, payload: bytes) -> bool:
        """Take a click in the button's own form; return whether it is one."""
        own = read_own_click(payload, serial_number=self._serial_number)
        if own is None:
            return False
        event = {**self._event(ClickType(own["clickType"])), **own}
        self._on_click(event, self._moments.ago(0.0), "clickedAt" in own)
        return True

    def present(self, presence: Presence) -> None:
        """Take that the hardware answers, or does not."""
        self._on_presence(presence)

    def ended(self) -> None:
        """Take that there will be no more presses."""
        self._on_ended()

    def _on_gesture(self, gesture: Gesture) -> None:
        event = self._event(gesture.click_type)
        if self._extended:
            event["presses"] = gesture.presses
        ago = self._recognizer.seconds_ago(gesture.pressed_at)
        self._on_click(event, self._moments.ago(ago), False)

    def _event(self, click_type: ClickType) -> dict[str, Any]:
        return {
            "serialNumber": self._serial_number,
            "batteryVoltage": format_millivolts(self._driver.battery()),
            "clickType": click_type.value,
        }
