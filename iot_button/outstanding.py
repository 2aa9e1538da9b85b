"""What was published and not yet acknowledged by the broker, and what to do when it is."""

import logging
import threading
from collections.abc import Callable

from iot_button.errors import StopTimeoutError

log = logging.getLogger(__name__)


class Outstanding:
    """Callbacks by packet id, from the PUBLISH to the PUBACK; safe to use from several threads.

    Its lock guards the entries alone and is never held while a callback runs: paho calls
    `on_publish` with a lock of its own held, and a lock of ours around both would deadlock.
    """

    def __init__(self) -> None:
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._early: set[int] = set()
        self._lock = threading.Lock()
        self._all_done = threading.Condition(self._lock)

    def __len__(self) -> int:
        return len(self._callbacks)

    def add(self, packet_id: int, on_acknowledged: Callable[[], None]) -> None:
        """Note a message that was sent. Its PUBACK can be here before paho has told its id."""
        with self._lock:
            self._callbacks[packet_id] = on_acknowledged
            early = packet_id in self._early
            self._early.discard(packet_id)
        if early:
            self._finish(packet_id, on_acknowledged)

    def acknowledged(self, packet_id: int) -> None:
        """Note that the broker has acknowledged a message, and call its callback."""
        with self._lock:
            on_acknowledged = self._callbacks.get(packet_id)
            if on_acknowledged is None:
                self._early.add(packet_id)
        if on_acknowledged is not None:
            self._finish(packet_id, on_acknowledged)

    def wait(self, timeout: float) -> None:
        """Wait until all is acknowledged, and the callbacks have returned.

        Raises:
            StopTimeoutError: when some are still outstanding after `timeout` seconds.
        """
        with self._all_done:
            if not self._all_done.wait_for(lambda: not self._callbacks, timeout):
                raise StopTimeoutError(f"sending {len(self._callbacks)} messages", timeout)

    def _finish(self, packet_id: int, on_acknowledged: Callable[[], None]) -> None:
        try:
            on_acknowledged()
        except Exception:
            log.exception("an error in a callback; the connection goes on")
        # Not before: `wait` waits for what the callbacks do, their own publishes included.
        with self._lock:
            del self._callbacks[packet_id]
            if not self._callbacks:
                self._all_done.notify_all()
