"""What a function wrote, line by line, with START, END and REPORT as AWS Lambda words them.

The newest lines are kept in memory; what a handler itself writes is also passed on as it comes.
Bounded: in lines, and in bytes of any one run, so that a handler that prints gigabytes harms only
its own log. What is kept is text without control characters: it may reach a terminal.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from functions.runtime.control import LogLine
from functions.runtime.runs import Ended

MOST_RECORDS = 2_000
MOST_BYTES_OF_A_RUN = 64 * 1024
LONGEST_LINE = 8 * 1024


@dataclass(slots=True)
class _Record:
    """One written line, or how a run ended: then the lines that say so are made when asked for."""

    number: int
    moment: float
    request_id: str
    text: str = ""
    ended: Ended | None = None
    has_start: bool = False

    @property
    def lines(self) -> int:
        return 1 if self.ended is None else 3 - self.has_start


@dataclass(slots=True)
class _Output:
    """What a run that still runs has written so far."""

    rest: bytes = b""
    taken: int = 0
    left_out: int = 0


@dataclass(slots=True)
class LogBook:
    """The log of one function.

    Args:
        memory_megabytes: the function's memory size, for REPORT.
        clock: seconds since 1970.
        pass_on: gets request id and line of what a handler writes, as it comes.
    """

    memory_megabytes: int
    pass_on: Callable[[str, str], None] = lambda _request_id, _line: None
    clock: Callable[[], float] = time.time
    _records: deque[_Record] = field(default_factory=deque)
    _outputs: dict[str, _Output] = field(default_factory=dict)
    _next: int = 1

    def write(self, request_id: str, text: bytes) -> None:
        """Take what a run has written; a line is kept when its end has come."""
        output = self._outputs.get(request_id)
        if output is None:
            output = self._outputs[request_id] = _Output()
            self._add(request_id, text=f"START RequestId: {request_id} Version: $LATEST")
        room = MOST_BYTES_OF_A_RUN - output.taken
        output.left_out += max(0, len(text) - room)
        text = text[:room]
        output.taken += len(text)
        *lines, output.rest = (output.rest + text).split(b"\n")
        if len(output.rest) > LONGEST_LINE:
            lines.append(output.rest)
            output.rest = b""
        for line in lines:
            self._add_written(request_id, line)

    def finish(self, request_id: str, ended: Ended) -> None:
        """Take how a run ended."""
        output = self._outputs.pop(request_id, None)
        if output is not None:
            if output.rest:
                self._add_written(request_id, output.rest)
            if output.left_out:
                note = f"({output.left_out} more bytes of this run are left out)"
                self._add_written(request_id, note.encode())
        self._add(request_id, ended=ended, has_start=output is not None)

    def lines(self, *, after: int = 0, limit: int = 1000) -> Sequence[LogLine]:
        """Return lines with a number above `after`, the newest `limit`, oldest first."""
        return list(islice(self._newest_first(after), limit))[::-1]

    def tail(self, request_id: str, *, most_bytes: int = 4096) -> str:
        """Return the last lines of one run, as X-Amz-Log-Result has them."""
        mine = [record for record in self._records if record.request_id == request_id]
        lines = [text for record in mine for text in self._texts(record)]
        return "\n".join(lines)[-most_bytes:]

    def _newest_first(self, after: int) -> Iterator[LogLine]:
        for record in reversed(self._records):
            for offset, text in reversed(list(enumerate(self._texts(record)))):
                number = record.number + offset
                if number <= after:
                    return
                yield LogLine(
                    number=number,
                    moment=record.moment,
                    request_id=record.request_id,
                    text=text,
                )

    def _texts(self, record: _Record) -> list[str]:
        if record.ended is None:
            return [record.text]
        start = f"START RequestId: {record.request_id} Version: $LATEST"
        end = f"END RequestId: {record.request_id}"
        report = _report(record.request_id, record.ended, self.memory_megabytes)
        return [end, report] if record.has_start else [start, end, report]

    def _add_written(self, request_id: str, line: bytes) -> None:
        text = printable(line[:LONGEST_LINE].decode(errors="backslashreplace"))
        self._add(request_id, text=text)
        self.pass_on(request_id, text)

    def _add(
        self,
        request_id: str,
        *,
        text: str = "",
        ended: Ended | None = None,
        has_start: bool = False,
    ) -> None:
        record = _Record(self._next, self.clock(), request_id, text, ended, has_start)
        self._next += record.lines
        self._records.append(record)
        if len(self._records) > MOST_RECORDS:
            self._records.popleft()


def printable(text: str) -> str:
    """Return text in which control characters are spelled out; tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)


def _report(request_id: str, ended: Ended, memory_megabytes: int) -> str:
    milliseconds = ended.duration * 1000
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {milliseconds:.2f} ms",
        f"Billed Duration: {math.ceil(milliseconds)} ms",
        f"Memory Size: {memory_megabytes} MB",
        f"Max Memory Used: {ended.max_memory} MB",
    ]
    if ended.init_duration is not None:
        parts.append(f"Init Duration: {ended.init_duration * 1000:.2f} ms")
    return "\t".join(parts)
