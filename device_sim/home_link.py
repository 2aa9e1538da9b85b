"""Telling Home Assistant of a button and its clicks, where the settings say so."""

from device_sim.drivers.base import Driver
from device_sim.home_assistant import FRESH_FOR, Announcement, action_payload, discovery
from device_sim.kept import Kept
from device_sim.outbox import Outbox
from iot_button.events import decode_click
from iot_button.mqtt import Stream
from iot_button.settings import Settings


class HomeLink:
    """What is published for Home Assistant, on the device's own connection."""

    def __init__(
        self,
        settings: Settings,
        driver: Driver,
        stream: Stream,
        outbox: Outbox,
        *,
        serial_number: str,
    ) -> None:
        self.is_on = settings.device.home_assistant
        self._settings = settings
        self._driver = driver
        self._stream = stream
        self._outbox = outbox
        self._serial_number = serial_number
        self._has_battery = False
        self._announced: Announcement | None = None
        if self.is_on:
            self._announcement()  # a prefix that is no topic name is an error of the start

    def connected(self) -> None:
        """Announce the button at the next `refresh`, whatever is known of it: brokers forget."""
        self._announced = None

    def refresh(self) -> None:
        """Announce the button where something is known of it that was not: battery, firmware."""
        if not self.is_on:
            return
        announcement = self._announcement()
        if announcement != self._announced:
            self._announced = announcement
            for payload in announcement.payloads:
                self._stream.publish(
                    announcement.topic, payload, retain=True, on_acknowledged=lambda: None
                )

    def done(self, kept: Kept) -> None:
        """Tell of a click that is done and off the disk, unless it is an old one: once at most.

        At QoS 0: what waits for its PUBACK is sent again at the next connection, perhaps tomorrow,
        and would switch the light once more.
        """
        if not self.is_on or self._outbox.age(kept) > FRESH_FOR:
            return
        click = decode_click(self._outbox.payload(kept), serial_number=self._serial_number)
        # A button's own JSON may count presses too; no trigger for more than two was announced.
        presses = kept.event.get("presses", 2) if self._settings.device.extended else 2
        payload = action_payload(click, presses if isinstance(presses, int) else 2)
        topic = self._settings.topic_names.action(self._serial_number)
        self._stream.publish(topic, payload, qos=0, on_acknowledged=lambda: None)

    def _announcement(self) -> Announcement:
        self._has_battery = self._has_battery or self._driver.battery() is not None
        return discovery(
            self._settings,
            self._serial_number,
            driver=self._driver.name,
            firmware=self._driver.firmware(),
            has_battery=self._has_battery,
        )
