"""Many simulated buttons on one connection, for load and for demos."""

import secrets
import time
from collections.abc import Callable, Iterator

from device_sim.schedule import Press
from device_sim.tally import Tally
from iot_button.errors import NotAClickError
from iot_button.events import (
    Click,
    decode_processed_click,
    encode_click,
    new_event_id,
    utc_now,
)
from iot_button.lifetime import Lifetime
from iot_button.messages import Message, Session
from iot_button.mqtt import Connection
from iot_button.settings import Settings

MOST_UNDER_WAY = 10_000
"""Clicks under way at which sending waits: a broker that is away must not fill our memory."""
GIVE_UP_AFTER = 60.0
"""Seconds after which a click that was not processed is counted and no longer waited for."""


class Fleet:
    """Presses buttons as a schedule says, and tallies what becomes of the clicks.

    The schedule is an open loop: a slow system does not slow the presses down.

    Args:
        settings: where the broker is, and the topics.
        presses: the schedule.
        client_id: names the session at the broker; None: a random one.
        on_progress: called about twice a second with the tally.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        presses: Iterator[Press],
        client_id: str | None = None,
        on_progress: Callable[[Tally], None] = lambda _tally: None,
    ) -> None:
        self._topics = settings.topic_names
        self._presses = presses
        self._on_progress = on_progress
        self.tally = Tally()
        # Kept by the broker through its own restart, so that no processed click passes us by.
        self._connection = Connection(
            settings.broker.address,
            client_id=client_id or f"iot-button-simulate-{secrets.token_hex(4)}",
            session=Session.UNTIL_STOP,
            on_message=self._on_message,
        )
        self._connection.subscribe(self._topics.processed)

    def run(
        self,
        lifetime: Lifetime,
        *,
        duration: float | None,
        settle: float,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Press until `duration` seconds are over or the lifetime is, then wait for the last.

        Args:
            lifetime: ends the presses.
            duration: seconds of presses; None: no end.
            settle: seconds to wait, at the end, for clicks under way; 1 when interrupted.
            on_ready: called when connected.

        Raises:
            BrokerUnreachableError: there is no broker within 10 s.
        """
        with self._connection:
            self._connection.wait_ready(10.0, unless=lambda: lifetime.is_over)
            if self._connection.is_ready:
                on_ready()
                self._press_all(lifetime, duration)
            self.tally.wait_until_below(1, 1.0 if lifetime.is_over else settle)

    def _press_all(self, lifetime: Lifetime, duration: float | None) -> None:
        start = progress_at = time.monotonic()
        for press in self._presses:
            if duration is not None and press.at > duration:
                lifetime.wait(start + duration - time.monotonic())
                return
            while (wait := start + press.at - time.monotonic()) > 0:
                if lifetime.wait(min(wait, 0.5)):
                    return
                progress_at = self._report(progress_at)
            while not self.tally.wait_until_below(MOST_UNDER_WAY, 0.5):
                progress_at = self._report(progress_at)
                if lifetime.is_over:
                    return
            if lifetime.is_over:
                return
            self._press(press)
            progress_at = self._report(progress_at)

    def _report(self, due: float) -> float:
        now = time.monotonic()
        if now < due:
            return due
        self.tally.give_up_on_old(GIVE_UP_AFTER)
        self._on_progress(self.tally)
        return now + 0.5

    def _press(self, press: Press) -> None:
        moment = utc_now()
        event_id = new_event_id(moment)
        click = Click(
            serial_number=press.serial_number,
            click_type=press.click_type,
            battery_millivolts=press.battery_millivolts,
            event_id=event_id,
            clicked_at=moment,
        )
        self.tally.on_sent(event_id)
        self._connection.publish(
            self._topics.click(press.serial_number),
            encode_click(click),
            on_acknowledged=lambda: self.tally.on_acknowledged(event_id),
        )

    def _on_message(self, message: Message) -> None:
        try:
            self.tally.on_processed(decode_processed_click(message.payload).event_id)
        except NotAClickError:
            return  # someone else's; ours all decode
