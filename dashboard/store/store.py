"""What is kept, as the rest of the dashboard has it: a way in, and a thread behind it."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Self, TypeVar

from dashboard.history import MAX_ROWS, Recorded, recorded
from dashboard.store.arrivals import Arrival
from dashboard.store.engine import Engine, Sqlite
from dashboard.store.pages import latest
from dashboard.store.reader import Reader
from dashboard.store.schema import FILE
from dashboard.store.tidying import Keep, Tidying
from dashboard.store.writer import Item, Job, Writer
from iot_button.files import StorageError

T = TypeVar("T")

MAX_WAITING = 10_000
"""What may wait to be written. With more, `put` waits too, and so does the broker."""

JOB_TIMEOUT = 10.0
CLEAN_TIMEOUT = 300.0
_AGAIN_AFTER = 0.05


class Store:
    """The file and its writing thread, from `with` to the end of the block.

    What the disk does not take stays in memory and is tried again, while the broker keeps what is
    not acknowledged. A damaged file ends the work: `on_failed` is called, and the end of the block
    raises; the next start sets the file aside.

    Args:
        state_dir: where the file is.
        url: of a PostgreSQL database to be used in place of the file.
        keep: how much is kept.
        on_failed: called on the writing thread when it can write no more.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        url: str | None = None,
        keep: Keep | None = None,
        on_failed: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = state_dir / FILE
        self._url = url
        self.id = ""
        self.latest: list[Recorded] = []
        self._tidying = Tidying(keep or Keep())
        self._on_failed = on_failed
        self._on_rows: Callable[[Sequence[Recorded]], None] = lambda _rows: None
        self._waiting: Queue[Item] = Queue(MAX_WAITING)
        self._opened: Future[Writer] = Future()
        self._stopping = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._opened.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        while self._thread.is_alive():  # with a full disk nobody takes anything from a full queue
            with contextlib.suppress(Full):
                self._waiting.put(None, timeout=0.1)
                break
        self._thread.join()
        if kind is None and self._failure is not None:
            raise self._failure

    @property
    def buttons(self) -> int:
        """How many buttons are known."""
        return self._opened.result().buttons

    @property
    def repeated(self) -> int:
        """How many clicks came that were here already."""
        return self._opened.result().repeated

    def tell(self, on_rows: Callable[[Sequence[Recorded]], None]) -> None:
        """Have a function called, on the writing thread, with the clicks of each commit."""
        self._on_rows = on_rows

    def put(self, arrival: Arrival) -> None:
        """Take something in. Waits while `MAX_WAITING` wait; does nothing after a failure."""
        if self._failure is None:
            self._waiting.put(arrival)

    def run(self, work: Callable[[Engine], T], *, timeout: float = JOB_TIMEOUT) -> T:
        """Have something done on the writing thread, in a transaction of its own.

        Raises:
            StorageError: it cannot be written.
            TimeoutError: it was not done within `timeout` seconds.
        """
        if self._failure is not None:
            raise StorageError(self.path, str(self._failure))
        job = Job(work)
        try:
            self._waiting.put(job, timeout=timeout)
        except Full as error:
            raise TimeoutError from error
        found: T = job.result.result(timeout)
        return found

    def clean(self) -> None:
        """Take what is left of deleted rows off the disk, in steps between which clicks come in.

        A file from before deleted rows were overwritten is written anew at the first time, as the
        tables of PostgreSQL are each time: clicks wait then, a second or more for 100 MB, and
        there must be room for a second copy.

        Raises:
            StorageError: it cannot be written, or others read the same for long.
        """
        place: int | None = 0
        deadline = time.monotonic() + CLEAN_TIMEOUT
        while place is not None:
            work = partial(_clean, place=place)
            following = self.run(work, timeout=CLEAN_TIMEOUT)
            if following == place:
                if time.monotonic() > deadline:
                    raise StorageError(self.path, "somebody has been reading it all the time")
                self._stopping.wait(_AGAIN_AFTER)
            place = following

    def reader(self) -> Reader:
        """Return a way to read what is kept, for any thread."""
        if self._url is None:
            return Reader(self.path)
        from dashboard.store.postgres import PostgresReader  # psycopg is an extra

        return PostgresReader(self._url)

    def _run(self) -> None:
        try:
            with self._engine() as database:
                writer = self._open(database)
                self._opened.set_result(writer)
                writer.run()
        except Exception as error:  # noqa: BLE001 - raised again where someone waits for us
            self._fail(error)

    def _engine(self) -> Engine:
        if self._url is None:
            return Sqlite(self.path.parent)
        from dashboard.store.postgres import Postgres  # psycopg is an extra

        return Postgres(self._url)

    def _open(self, database: Engine) -> Writer:
        ((self.id,),) = database.read("SELECT value FROM fact WHERE name = 'id'")
        self.latest = [recorded(row) for row in latest(database.read, MAX_ROWS)]
        return Writer(
            database,
            self._waiting,
            tidying=self._tidying,
            on_stored=self._tell,
            stopping=self._stopping,
        )

    def _tell(self, rows: Sequence[Recorded]) -> None:
        self._on_rows(rows)

    def _fail(self, error: Exception) -> None:
        """Let who waits know: for the opening, at the end of the block, for a job."""
        if not self._opened.done():
            self._opened.set_exception(error)
            return
        self._failure = error
        self._on_failed()
        with contextlib.suppress(Empty):
            while True:
                item = self._waiting.get_nowait()
                if isinstance(item, Job):
                    item.result.set_exception(StorageError(self.path, str(error)))


def _clean(database: Engine, *, place: int) -> int | None:
    return database.clean(place)
