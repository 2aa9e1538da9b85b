"""A button: gesture -> click -> outbox -> topic, and the light that says how far it has come.

One loop on one thread. A click is on the disk before anything says that it was taken, and before it
is published; it leaves the disk when it is known to be done (`delivery`).
"""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from device_sim.commits import Commits
from device_sim.delivery import Delivery
from device_sim.drivers.base import Driver, Light
from device_sim.home_link import HomeLink
from device_sim.indicator import FAILED_FOR, PROCESSED_FOR, TAKEN_FOR, Indicator
from device_sim.intake import Intake
from device_sim.kept import Kept, Progress
from device_sim.moments import Moment, Moments
from device_sim.outbox import Outbox
from device_sim.status import OFFLINE, Status, facts
from iot_button.loop import Loop
from iot_button.messages import Message, Session, Will
from iot_button.mqtt import Stream
from iot_button.settings import Settings

log = logging.getLogger(__name__)

KEEP_ALIVE = 15
"""Seconds of silence after which a broker that hangs, and no longer only is away, is left."""
_NO_BROKER_AFTER = 3.0


class Device:
    """One button on this machine, from `with` to the end of its block. `run` does the work.

    Args:
        settings: the broker, the topics, and the section `device`.
        driver: where the presses come from.
        serial_number: which button it is.
        on_taken: gets each click that is on the disk, as it will be published.
        on_ended: called when the driver has no more presses.
    """

    def __init__(
        self,
        settings: Settings,
        driver: Driver,
        *,
        serial_number: str,
        on_taken: Callable[[dict[str, Any]], None] = lambda _event: None,
        on_ended: Callable[[], None] = lambda: None,
    ) -> None:
        ours, topics = settings.device, settings.topic_names
        self.loop = Loop()
        self.serial_number = serial_number
        self._topics = topics
        self._driver = driver
        self._on_taken = on_taken
        self._is_done_at_broker = ours.done_at == "broker"
        moments = Moments()
        path = outbox_path(settings, serial_number)
        self.outbox = Outbox(path, size=ours.outbox_size, moments=moments)
        self._stream = Stream(
            self.loop,
            settings.broker.address,
            client_id=settings.client_id_of(f"device-{serial_number}"),
            on_message=self._on_message,
            on_change=self._on_change,
            session=Session.CLEAN,
            will=Will(topic=topics.status(serial_number), payload=OFFLINE),
            keep_alive=KEEP_ALIVE,
            is_5_tried=True,
        )
        self._delivery = Delivery(
            self.loop,
            self._stream,
            self.outbox,
            topic=topics.click(serial_number),
            done_at_broker=self._is_done_at_broker,
            give_up_after=ours.outbox_age,
            on_progress=self._on_progress,
        )
        self._status = Status(self.loop, facts=self._facts, publish=self._publish_status)
        self._intake = Intake(
            self.loop,
            ours,
            driver,
            serial_number=serial_number,
            moments=moments,
            on_click=self._take,
            on_presence=self._status.present,
            on_ended=on_ended,
        )
        self._indicator = Indicator(self.loop, show=driver.show, rest=self._rest)
        self._home = HomeLink(
            settings, driver, self._stream, self.outbox, serial_number=serial_number
        )
        self._commits = Commits(
            self.loop,
            self.outbox,
            on_taken=self._on_disk,
            on_refused=self._on_refused,
            on_undone=self._delivery.resume,
        )

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as ending:
            ending.callback(self.loop.close)
            self.outbox.__enter__()
            # What was taken is taken, whatever went wrong.
            ending.callback(self.outbox.__exit__, None, None, None)
            for close in (self._stream.close, self._status.close, self._driver.close):
                ending.callback(close)
            for stop in (self._indicator.close, self._intake.close, self._delivery.stop):
                ending.callback(stop)
            if not self._is_done_at_broker:  # whose accounts may not allow it, or know no receipts
                self._stream.subscribe(self._topics.receipt(self.serial_number))
            self.loop.at_end_of_turn(self._end_of_turn)
            self._driver.open(self.loop, self._intake)
            self._ending = ending.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.close()

    def run(self) -> None:
        """Take presses and deliver clicks until `stop`."""
        self._stream.open()
        self._delivery.begin()
        self._indicator.refresh()
        self.loop.call_later(_NO_BROKER_AFTER, self._say_if_there_is_no_broker)
        self.loop.run()

    @property
    def is_idle(self) -> bool:
        """Whether no gesture is under way, and every click is done."""
        return not (self.is_in_gesture or self._commits.is_pending or len(self.outbox))

    @property
    def is_in_gesture(self) -> bool:
        """Whether time alone can still make a click of what the contact said."""
        return self._intake.is_in_gesture

    def stop(self) -> None:
        """Let `run` return, from any thread."""
        self.loop.call_from_thread(self.loop.stop)

    # From the driver to the disk.

    def _take(self, event: dict[str, Any], pressed: Moment, has_own_time: bool) -> None:
        event_id = event.get("eventId")
        if event_id is None or self.outbox.find(event_id) is None:
            self._commits.put(event, pressed, has_own_time=has_own_time)
        elif not self._commits.is_pending:  # otherwise it may not be on the disk yet
            self._indicator.flash(Light.TAKEN, TAKEN_FOR)  # the button says it again; we have it

    def _on_refused(self) -> None:
        self._indicator.flash(Light.FAILED, FAILED_FOR)

    def _on_disk(self, id: int, kept: Kept) -> None:  # noqa: A002
        self._delivery.add(id)  # first: whatever the others do, it is on its way
        self._on_taken(self.outbox.event(kept))
        self._indicator.flash(Light.TAKEN, TAKEN_FOR)
        self._status.changed()

    def _end_of_turn(self) -> None:
        self._commits.end_of_turn()
        self._stream.flush()

    # From the disk to the function.

    def _on_message(self, message: Message) -> None:
        self._stream.acknowledge(message.delivery)
        self._delivery.take_receipt(message.payload)

    def _on_change(self, is_ready: bool) -> None:
        if is_ready:
            log.info("connected to %s", self._stream.address)
            self._home.connected()
            self._status.connected()  # which announces it too
            self._delivery.connected()
        else:
            self._status.lost()
        self._indicator.refresh()

    def _on_progress(self, kept: Kept, progress: Progress) -> None:
        if progress is Progress.PUBLISHED:
            self._indicator.flash(Light.PUBLISHED)
        elif progress is Progress.PROCESSED:
            self._indicator.flash(Light.PROCESSED, PROCESSED_FOR)
            if self._home.is_on:
                # Once at most: only when the click is off the disk, and cannot be done again.
                self._commits.then(lambda: self._home.done(kept))
        else:
            if progress is Progress.DEAD_LETTER:
                log.warning("click %s is in the dead letters", kept.event_id)
            self._indicator.flash(Light.FAILED, FAILED_FOR)
        self._status.changed()

    def _rest(self) -> Light:
        if not len(self.outbox):
            return Light.OFF if self._stream.is_ready else Light.CONNECTING
        is_with_broker = self._stream.is_ready and not self._delivery.has_unpublished
        return Light.PUBLISHED if is_with_broker else Light.QUEUED

    def _facts(self) -> dict[str, Any]:
        return facts(
            driver=self._driver.name,
            firmware=self._driver.firmware(),
            battery=self._driver.battery(),
            waiting=len(self.outbox),
            given_up=self.outbox.given_up,
        )

    def _publish_status(self, payload: bytes) -> None:
        topic = self._topics.status(self.serial_number)
        self._stream.publish(topic, payload, retain=True, on_acknowledged=lambda: None)
        self._home.refresh()

    def _say_if_there_is_no_broker(self) -> None:
        if not self._stream.is_ready:
            log.warning(
                "no broker at %s yet (%s); clicks are kept on disk, and sent when there is one",
                self._stream.address,
                self._stream.problem,
            )


def outbox_path(settings: Settings, serial_number: str) -> Path:
    """Return the file of a button's outbox."""
    return Path(settings.state_dir) / "device" / f"{serial_number}.db"
