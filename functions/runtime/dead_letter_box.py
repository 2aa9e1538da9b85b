"""The dead letters of one function that are kept on disk, each with what a redrive runs again."""

from functions.runtime.events import Event
from iot_button.spool import Entry, Spool

_MOST = 1_000
_SIZE_BYTES = 4


class DeadLetterBox:
    """Keeps the newest 1,000. `queue` is its name in the spool."""

    def __init__(self, function: str, spool: Spool) -> None:
        self.queue = f"deadletters/{function}"
        self._spool = spool

    def keep(self, record: bytes, event: Event | None) -> None:
        """Keep a dead letter; None: it was no event, and nothing can run again."""
        again = b"" if event is None else event.to_bytes()
        self._spool.put(self.queue, len(record).to_bytes(_SIZE_BYTES, "big") + record + again)
        self._spool.trim(self.queue, most=_MOST)


def record_of(entry: Entry) -> bytes:
    """Return a dead letter's record, as JSON."""
    return entry.body[_SIZE_BYTES : _end_of_record(entry)]


def event_of(entry: Entry) -> Event | None:
    """Return the event that a redrive runs again; None: it was no event."""
    again = entry.body[_end_of_record(entry) :]
    return Event.from_bytes(again) if again else None


def _end_of_record(entry: Entry) -> int:
    return _SIZE_BYTES + int.from_bytes(entry.body[:_SIZE_BYTES], "big")
