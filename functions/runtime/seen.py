"""What became of each event that has an id, and the outputs that are being sent exactly once.

MQTT's QoS 2 delivers once if the sender keeps its state (MQTT 3.1.1, section 4.3.3 and table 3.1):
this is that state, and the window of events whose outputs are out, so that a repeat is not run.

Guaranteed: what `commit` has returned from is there after a `kill -9` at any moment, for the
operating system has it. No commit waits for the disk. So a power cut, or a crash of the operating
system, can take the last seconds (on Linux up to about half a minute): events of that time which
come again are run again and published again. A repeat is possible then, a loss is not, for an input
is acknowledged only after its output.

Each commit is one write to a journal. Once a mebibyte of it is full, or twice of what it began
with, what is done goes to the files of the window, 16 bytes an event, and the journal begins anew
with what is under way. (Measured before this was chosen: the same in SQLite, without any fsync,
costs ten times as much an event.)
"""

import hashlib
import struct
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from functions.runtime.journal import Journal
from functions.runtime.outcomes import HELD
from functions.runtime.taken import TAKEN, Taken
from functions.runtime.under_way import DONE, KEYED, RELEASED, SENT, Key, Output, Stage, UnderWay
from functions.runtime.window import OUTCOMES, Window, WindowFiles
from iot_button.files import FileLock, make_private_folder

__all__ = ["Key", "Output", "Seen", "Stage", "key_of"]

_JOURNAL_BYTES = 1 << 20
_LATEST_MOMENT = (1 << 32) - 1
_OUTCOME_NUMBERS = {name: number for number, name in enumerate(OUTCOMES) if name}
_HELD = _OUTCOME_NUMBERS[HELD]  # no end: its output may be under way by then

_DONE = struct.Struct("<B16sIB")  # moment, number of the outcome


def key_of(function: str, serial_number: str, event_id: str) -> Key:
    """Return what stands for an event. Lengths go in, so that no two triples run together."""
    text = f"{len(function)},{len(serial_number)},{function}{serial_number}{event_id}"
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


class Seen:
    """The window and the outputs under way, in a folder, used by the one thread that opened it.

    The window holds the newest `size` events (26 bytes of memory each, at most 32 on disk) that
    are not older than `age` seconds. Those too old go as others are done, 200 a commit; one that
    comes again in the meantime is still known. No step takes longer than about a millisecond.
    An event's moment is when it was done, by a clock that may have jumped since.

    When a write fails, nothing is forgotten: the next `commit` tries again. Damaged files are set
    aside, and the window begins anew: a repeat is possible then, too.

    Raises:
        InUseError: another process uses the folder.
        NewerFileError: a newer version made it.
        StorageError: from `with` and `commit`: the disk is full, or cannot be read or written.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: int = 100_000,
        age: float = 7 * 86400,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._clock = clock
        self._lock = FileLock(path)
        self._window = Window(size=size, age=age)
        self._files = WindowFiles(path, size=size)
        self._journal = Journal(path)
        self._under_way = UnderWay()
        self._taken = Taken()
        self._uncommitted: list[bytes] = []  # for the journal
        self._unfiled = bytearray()  # in the journal, not yet in the window's files
        self._length_at_start = 0

    def __enter__(self) -> Self:
        make_private_folder(self.path.parent)
        self._lock.acquire()
        try:
            make_private_folder(self.path)
            self._files.load(self._window)
            for body in self._journal.read():
                self._replay(body)
            self._window.prune(self._clock())
            self._restart_journal()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self._close()

    def __len__(self) -> int:
        """Return how many events the window holds."""
        return len(self._window)

    def outcome(self, key: Key) -> str | None:
        """Return what became of an event; None: not known.

        `processed` and `deadletter` are final; `held`: it lies in the spool and will come to its
        end; `skipped`: its function's rule did not want it.
        """
        return OUTCOMES[self._window.outcome(key)] or None

    def under_way(self) -> list[Output]:
        """Return the outputs whose handshake is not finished, in the order they were sent."""
        return self._under_way.outputs()

    def taken(self, key: Key) -> str | None:
        """Return the id that a delivery got when it first came; None: not known."""
        return self._taken.get(key)

    def take(self, key: Key, text: str) -> None:
        """Note the id, a UUID, that a delivery got; commit before anything comes of it."""
        self._uncommitted.append(self._taken.note(key, text))

    def send(
        self, key: Key, packet_id: int, topic: str, payload: bytes, extra: bytes = b""
    ) -> None:
        """Note an output that is about to be sent; commit before its PUBLISH.

        One of the same event is replaced: sent again under another packet id, it is the newest.
        """
        self._uncommitted.append(self._under_way.send(key, packet_id, topic, payload, extra))

    def release(self, key: Key) -> None:
        """Note that PUBREC has come; commit before its PUBREL. Unknown keys are left alone."""
        if record := self._under_way.release(key):
            self._uncommitted.append(record)

    def done(self, key: Key, outcome: str) -> None:
        """Note that an event is done, its output's handshake finished or acknowledged.

        Raises:
            ValueError: for any outcome that is none of ours.
        """
        if outcome not in _OUTCOME_NUMBERS:
            raise ValueError(f"no outcome: {outcome!r}")
        number = _OUTCOME_NUMBERS[outcome]
        if number != _HELD:
            self._under_way.finish(key)
        self._note(key, number)

    def forget(self, key: Key) -> None:
        """Let a done event run again: it is redriven."""
        self._note(key, 0)

    def commit(self) -> None:
        """Return when all that was noted outlives this process; at once where nothing is new.

        Raises:
            StorageError: it cannot be written; it stays noted, and the next commit tries again.
        """
        if not self._uncommitted:
            return
        self._journal.append(b"".join(self._uncommitted))
        self._uncommitted.clear()
        self._window.prune(self._clock())
        if self._journal.length >= max(_JOURNAL_BYTES, 2 * self._length_at_start):
            self._restart_journal()

    def _note(self, key: Key, number: int) -> None:
        moment = min(max(0, int(self._clock())), _LATEST_MOMENT)
        self._unfiled += self._window.note(key, number, moment)
        self._uncommitted.append(_DONE.pack(DONE, key, moment, number))

    def _restart_journal(self) -> None:
        """Move what is done to the window's files; a kill in between has it in both, harmlessly."""
        self._files.append(self._unfiled)
        self._unfiled.clear()
        self._journal.restart(self._under_way.records() + self._taken.records())
        # What is under way may be longer than a mebibyte, and need not be copied at each commit.
        self._length_at_start = self._journal.length

    def _replay(self, body: bytes) -> None:
        start = 0
        while start < len(body):
            kind, key = KEYED.unpack_from(body, start)
            if kind == SENT:
                start = self._under_way.replay_send(body, start)
            elif kind == RELEASED:
                self._under_way.release(key)
                start += KEYED.size
            elif kind == TAKEN:
                start = self._taken.replay(body, start)
            else:
                _, _, moment, number = _DONE.unpack_from(body, start)
                if number and number != _HELD:
                    self._under_way.finish(key)
                self._unfiled += self._window.note(key, number, moment)
                start += _DONE.size

    def _close(self) -> None:
        self._files.close()
        self._journal.close()
        self._lock.release()
