"""The end of the runtime's work: nothing new begins, and what runs may finish, for a moment."""

import logging
import time
from collections.abc import Mapping

from functions.runtime.member import Member
from functions.runtime.outputs import Outputs
from iot_button.loop import Loop
from iot_button.mqtt import Stream

log = logging.getLogger(__name__)

FINISH_TIMEOUT = 1.5
"""Seconds for what runs, and for the broker's acknowledgements."""
_LOOK_EVERY = 0.005


class Finishing:
    """Stops the loop when all is done, or its time is over. On the loop's thread."""

    def __init__(
        self, loop: Loop, members: Mapping[str, Member], outputs: Outputs, stream: Stream
    ) -> None:
        self._loop = loop
        self._members = members
        self._outputs = outputs
        self._stream = stream

    def begin(self) -> None:
        """Let what waits go back to its source, or stay on disk, and wait for what runs."""
        for member in self._members.values():
            member.queue.stop()
            member.pool.stop()
        self._stop_by = time.monotonic() + FINISH_TIMEOUT
        self._stop_when_done()

    def _stop_when_done(self) -> None:
        running = sum(member.pool.running for member in self._members.values())
        is_done = running == 0 and (self._outputs.outstanding == 0 or not self._stream.is_ready)
        if is_done or time.monotonic() >= self._stop_by:
            if running:
                log.warning("%d events were still running; they will be run again", running)
            self._loop.stop()
        else:
            self._loop.call_later(_LOOK_EVERY, self._stop_when_done)
