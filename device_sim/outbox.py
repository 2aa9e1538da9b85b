"""A device's outbox: every click that is not done, on disk, in the order of the presses.

One spool file holds three queues: what waits; what was given up, kept for its owner to see; and the
time of the last event id, so that ids go up even where the clock goes back.
"""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from device_sim.kept import Kept, read_kept
from device_sim.moments import Moment, Moments
from iot_button.errors import IotButtonError
from iot_button.events import event_id_at, format_instant
from iot_button.files import DamagedFileError, StorageError
from iot_button.spool import Entry, Spool

log = logging.getLogger(__name__)

_WAITING = "waiting"
_GIVEN_UP = "given up"
_LAST_ID = "last id"


class OutboxFullError(IotButtonError):
    """There is no room for another click; nothing that waits is dropped for it."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the outbox is full: {size} clicks wait",
            mend="is the broker up, and the function runtime? or set device.outbox_size higher",
        )
        self.size = size


class Outbox:
    """The outbox in a file, for the one thread that opened it. Use it with `with`.

    Args:
        size: how many clicks may wait; and how many that were given up are kept, newest first.

    An entry that cannot be read as a click is left where it is, and counts for nothing.

    Raises:
        StorageError: from any method: the disk is full, or cannot be read or written. What was
            changed since the last `commit` is undone then.
    """

    def __init__(self, path: Path, *, size: int, moments: Moments) -> None:
        self.path = path
        self._size = size
        self._moments = moments
        self._spool = Spool(path)
        self._by_event_id: dict[str, int] = {}
        self._given_up: dict[str, int] = {}
        self._last_id_entry = 0
        self._last_id = 0

    def __enter__(self) -> Self:
        try:
            self._open()
        except DamagedFileError:  # the next opening checks the file, and saves what it can
            self._open()
        unreadable = self._spool.count(_WAITING) - len(self)
        if unreadable:
            log.error("%d clicks in %s cannot be read; they stay there", unreadable, self.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spool.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return len(self._by_event_id)

    @property
    def given_up(self) -> int:
        """How many clicks were given up and are kept."""
        return self._spool.count(_GIVEN_UP)

    def ids(self) -> list[int]:
        """Return the ids of all that waits, in the order of the presses."""
        return sorted(self._by_event_id.values())

    def find(self, event_id: str) -> int | None:
        """Return the id of a click that waits, or None."""
        return self._by_event_id.get(event_id)

    def put(self, event: dict[str, Any], pressed: Moment, *, has_own_time: bool = False) -> int:
        """Add a click and return its id; it gets an `eventId` where it has none.

        Raises:
            OutboxFullError: nothing was added.
        """
        if len(self) >= self._size:
            raise OutboxFullError(self._size)
        if event.get("eventId") is None:
            event = event | {"eventId": self._new_event_id(pressed)}
        kept = Kept(event, pressed, has_own_time)
        id = self._spool.put(_WAITING, msgspec.json.encode(kept))  # noqa: A001
        self._by_event_id[kept.event_id] = id
        return id

    def get(self, id: int) -> Kept | None:  # noqa: A002
        """Return a click that waits, or None where it is gone."""
        entry = self._spool.get(id)
        return None if entry is None or entry.queue != _WAITING else read_kept(entry.body)

    def event(self, kept: Kept) -> dict[str, Any]:
        """Return what is published of a click: with the time of the press, as it is known now."""
        if kept.has_own_time:
            return kept.event
        return kept.event | {"clickedAt": format_instant(self._moments.date(kept.pressed))}

    def payload(self, kept: Kept) -> bytes:
        """Return the same as JSON."""
        return msgspec.json.encode(self.event(kept))

    def age(self, kept: Kept) -> float:
        """Return for how many seconds a click has waited."""
        return self._moments.age(kept.taken_back or kept.pressed)

    def remove(self, kept: Kept) -> None:
        """Remove a click that is done. Where that cannot be written, `commit` tells."""
        id = self._by_event_id.pop(kept.event_id, None)  # noqa: A001
        if id is not None:
            with contextlib.suppress(StorageError):
                self._spool.remove(id)

    def give_up(self, kept: Kept) -> None:
        """Let a click wait no longer, and keep it apart. `commit` tells, as for `remove`."""
        id = self._by_event_id.pop(kept.event_id, None)  # noqa: A001
        if id is not None:
            self._given_up[kept.event_id] = id
            with contextlib.suppress(StorageError):
                self._spool.move(id, _GIVEN_UP)
                gone = self._spool.trim(_GIVEN_UP, most=self._size)
                if gone:
                    log.error("%d clicks that were given up are gone: there are too many", gone)

    def done_after_all(self, event_id: str) -> bool:
        """Remove a click that was given up, for it was processed; return whether there was one."""
        id = self._given_up.pop(event_id, None)  # noqa: A001
        if id is not None:
            with contextlib.suppress(StorageError):
                self._spool.remove(id)
        return id is not None

    def entries(self, *, given_up: bool = False) -> Iterator[Kept]:
        """Yield what waits, or what was given up, oldest first."""
        entries = self._given_up_entries() if given_up else self._waiting_entries()
        yield from filter(None, (read_kept(entry.body) for entry in entries))

    def take_back(self) -> int:
        """Let everything that was given up wait again, for as long as a new click; say how many."""
        taken = 0
        for entry in self._given_up_entries():
            kept = read_kept(entry.body)
            if kept is None:
                continue
            self._given_up.pop(kept.event_id, None)
            if kept.event_id in self._by_event_id:  # its button has sent it anew since
                self._spool.remove(entry.id)
                continue
            kept = msgspec.structs.replace(kept, taken_back=self._moments.ago(0.0))
            self._spool.move(entry.id, _WAITING, body=msgspec.json.encode(kept))
            self._by_event_id[kept.event_id] = entry.id
            taken += 1
        return taken

    def drop_given_up(self) -> int:
        """Remove everything that was given up; return how many."""
        self._given_up.clear()
        return self._spool.trim(_GIVEN_UP, most=0)

    @property
    def is_changed(self) -> bool:
        """Whether there is something to commit."""
        return self._spool.is_changed

    def commit(self) -> None:
        """Return when every change so far is on the disk.

        Raises:
            StorageError: it is not; all since the last commit is undone.
        """
        try:
            self._spool.commit()
        except StorageError:
            self._read_index()
            raise

    def _new_event_id(self, pressed: Moment) -> str:
        """Make an id that sorts behind every earlier one of this button, whatever the clock did."""
        self._last_id = max(int(pressed.wall * 1000), self._last_id + 1)
        body = str(self._last_id).encode()
        if self._last_id_entry:
            self._spool.postpone(self._last_id_entry, due=0.0, body=body)
        else:
            self._last_id_entry = self._spool.put(_LAST_ID, body)
        return event_id_at(self._last_id)

    def _open(self) -> None:
        self._spool.__enter__()
        try:
            self._read_index()
        except BaseException as error:
            self._spool.__exit__(type(error), error, None)
            raise

    def _read_index(self) -> None:
        self._by_event_id = _index(self._waiting_entries())
        self._given_up = _index(self._given_up_entries())
        self._last_id_entry = self._last_id = 0
        for entry in self._spool.entries(_LAST_ID, limit=1):
            self._last_id_entry = entry.id
            self._last_id = int(entry.body) if entry.body.isdigit() else 0

    def _waiting_entries(self) -> list[Entry]:
        return self._spool.entries(_WAITING, limit=self._spool.count(_WAITING))

    def _given_up_entries(self) -> list[Entry]:
        return self._spool.entries(_GIVEN_UP, limit=self._spool.count(_GIVEN_UP))


def _index(entries: list[Entry]) -> dict[str, int]:
    """Return the ids of the entries by their clicks' event ids."""
    return {kept.event_id: entry.id for entry in entries if (kept := read_kept(entry.body))}
