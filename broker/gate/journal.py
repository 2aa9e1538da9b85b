"""What must outlive the broker: sessions, subscriptions, their messages, and retained messages.

Everything is told on the event loop and written by a thread of the journal's own, one transaction
at a time: what comes while one is written goes into the next. `acknowledge` sends its packet when
all that was told before is on the disk, so a PUBACK means that a kill cannot take the message.
A message that its subscriber has acknowledged before it is written is not written at all.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from broker.gate.outcomes import Outcomes, Receiver
from broker.gate.turns import Turns
from iot_button.database import Database, Row
from iot_button.errors import StopTimeoutError
from iot_button.files import DamagedFileError, StorageError

log = logging.getLogger(__name__)

_APPLICATION: Final = 0x696F6272  # "iobr"
_SCHEMA: Final = (
    """
    CREATE TABLE sessions (
        key INTEGER PRIMARY KEY, client_id TEXT NOT NULL UNIQUE, owner TEXT, left_at REAL NOT NULL);
    CREATE TABLE subscriptions (
        session INTEGER NOT NULL, filter TEXT NOT NULL, qos INTEGER NOT NULL,
        PRIMARY KEY (session, filter)) WITHOUT ROWID;
    CREATE TABLE received (
        session INTEGER NOT NULL, packet_id INTEGER NOT NULL,
        PRIMARY KEY (session, packet_id)) WITHOUT ROWID;
    CREATE TABLE retained (topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL)
        WITHOUT ROWID;
    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, flags INTEGER NOT NULL);
    """,
)
SHIFT: Final = 40
"""A delivery's id: its session's key, and in the lower bits its number there."""
RELEASED: Final = 8
RETAIN: Final = 4

_RETRY: Final = 0.5

_ADD = "INSERT INTO deliveries VALUES (?, ?, ?, ?)"
_END = "DELETE FROM deliveries WHERE id = ?"


class _Batch(msgspec.Struct, gc=False):
    others: list[tuple[str, tuple[Any, ...]]] = []
    added: dict[int, tuple[int, str, bytes, int]] = {}
    ended: list[tuple[int]] = []
    answers: list[tuple[Receiver, bytes]] = []
    calls: list[Callable[[], None]] = []

    @property
    def is_empty(self) -> bool:
        return not (self.others or self.added or self.ended)


class Journal:
    """One file, from `start` to `close`.

    Args:
        path: the SQLite file; its folder is made when missing.
        on_failure: called, on the loop, when the file is damaged: nothing is acknowledged any more.
        turns: in which many acknowledgements that may go out at once do so.
    """

    def __init__(
        self, path: Path, *, on_failure: Callable[[BaseException], None], turns: Turns
    ) -> None:
        self._database = Database(path, application=_APPLICATION, schema=_SCHEMA)
        self._on_failure = on_failure
        self._batch = _Batch()
        self._outcomes = Outcomes(turns)
        self._is_writing = False
        self._wakes = False
        self._failed = False
        self._is_closing = threading.Event()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._opened: asyncio.Future[Path | None]

    async def start(self) -> Self:
        """Open the file.

        Raises:
            StorageError: it cannot be used; the message says what to do.
        """
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._thread.start()
        aside = await self._opened
        if aside is not None:
            log.error("the journal was damaged and is begun anew; the old one is %s", aside)
        return self

    async def close(self, timeout: float = 2.0) -> None:
        """Write what is left, and close the file.

        Raises:
            StopTimeoutError: the disk takes longer than `timeout` seconds.
        """
        self._hand_over()
        self._is_closing.set()
        self._work.put(None)
        await asyncio.to_thread(self._thread.join, timeout)
        if self._thread.is_alive():
            raise StopTimeoutError("the broker's journal", timeout)

    def tell(self, sql: str, *values: Any) -> None:
        """Change something that is no delivery."""
        self._batch.others.append((sql, values))
        self._wake()

    def add(self, number: int, topic: str, payload: bytes, flags: int) -> None:
        """Keep a message for a session until `end`."""
        self._batch.added[number] = (number, topic, payload, flags)
        self._wake()

    def end(self, number: int) -> None:
        """Keep a message no longer: its session has acknowledged it."""
        if self._batch.added.pop(number, None) is None:
            self._batch.ended.append((number,))
            self._wake()

    def acknowledge(self, receiver: Receiver, packet: bytes) -> None:
        """Send a packet when all that was told so far is on disk; packets keep their order."""
        waits = self._is_writing or self._outcomes.are_due
        if waits or not self._batch.is_empty or self._batch.answers:
            self._batch.answers.append((receiver, packet))
            self._wake()
        else:
            receiver.acknowledge(packet)

    def afterwards(self, call: Callable[[], None]) -> None:
        """Call something when all that was told so far is on disk."""
        self._batch.calls.append(call)
        self._wake()

    def read(self, sql: str, values: tuple[Any, ...], then: Callable[[list[Row]], None]) -> None:
        """Read what has been written so far; `then` gets the rows, later, on the loop."""

        def work() -> None:
            rows = self._database.read(sql, values)
            self._loop.call_soon_threadsafe(then, rows)

        self._work.put(work)

    async def read_all(self, sql: str, *values: Any) -> list[Row]:
        """Read rows, and wait for them."""
        waiting: asyncio.Future[list[Row]] = self._loop.create_future()
        self.read(sql, values, waiting.set_result)
        return await waiting

    def _wake(self) -> None:
        if not self._wakes and not self._is_writing:
            self._wakes = True
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._wakes = False
        if self._is_writing or self._failed:
            return
        batch, self._batch = self._batch, _Batch()
        if batch.is_empty:
            self._outcomes.add(batch.calls, batch.answers)
            return
        self._is_writing = True
        self._work.put(lambda: self._write(batch))

    def _done(self, batch: _Batch) -> None:
        self._is_writing = False
        try:
            self._outcomes.add(batch.calls, batch.answers)
        finally:  # an error of one is told by the loop, and what waits is written nevertheless
            waiting = self._batch
            if not waiting.is_empty or waiting.answers or waiting.calls:
                self._hand_over()

    def _run(self) -> None:
        opened = self._opened
        try:
            with self._database as database:
                self._loop.call_soon_threadsafe(_settle, opened, database.aside)
                while (work := self._work.get()) is not None:
                    work()
        except BaseException as error:  # noqa: BLE001 - told to the loop
            self._failed = True
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._fail, opened, error)

    def _fail(self, opened: "asyncio.Future[Path | None]", error: BaseException) -> None:
        if self._is_closing.is_set():
            log.error("what nobody has been acknowledged is not kept: %s", error)
        elif opened.done():
            self._on_failure(error)
        else:
            opened.set_exception(error)

    def _write(self, batch: _Batch) -> None:
        """Write a batch, again and again where the disk is full; nothing is acknowledged meanwhile.

        Raises:
            StorageError: nobody can mend it, or it is to be closed and the disk still refuses.
        """
        problem = ""
        while True:
            try:
                self._try_to_write(batch)
                break
            except StorageError as error:
                if isinstance(error, DamagedFileError) or not error.mend:
                    raise
                if str(error) != problem:
                    problem = str(error)
                    log.error("%s. Nothing is acknowledged until it can be: %s", error, error.mend)
                with contextlib.suppress(StorageError):
                    self._database.commit()  # there is nothing to commit: it ends the failed one
                if self._is_closing.wait(_RETRY):
                    raise
        if problem:
            log.warning("the disk takes what is written again: acknowledging goes on")
        self._loop.call_soon_threadsafe(self._done, batch)

    def _try_to_write(self, batch: _Batch) -> None:
        write = self._database.write
        for sql, values in batch.others:
            write(sql, values)
        self._database.write_many(_ADD, batch.added.values())
        self._database.write_many(_END, batch.ended)
        self._database.commit()


def _settle(opened: "asyncio.Future[Path | None]", aside: Path | None) -> None:
    if not opened.done():
        opened.set_result(aside)
