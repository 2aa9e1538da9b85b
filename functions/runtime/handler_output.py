"""What a handler writes: a pipe out of an execution environment, cut by requests.

Where the request changes, a line with a mark before it names it: `inside/log.py` writes that line.
"""

import os
from collections.abc import Callable, Sequence

from functions.runtime.runs import Run
from iot_button.loop import READ, Loop

_MARK = b"\x1e"
_CHUNK = 65_536
_MOST_AT_ONCE = 16


class HandlerOutput:
    """One pipe, from `open` to `close`. All on the loop's thread.

    `request_id`: whose output comes now, as the last mark said; empty: nobody's that is known.

    Args:
        runs: those that may write; what nobody is named for is of the first.
        on_output: gets a request id, and what belongs to it.
    """

    def __init__(
        self, loop: Loop, runs: Sequence[Run], on_output: Callable[[str, bytes], None]
    ) -> None:
        self.request_id = ""
        self._loop = loop
        self._runs = runs
        self._on_output = on_output

    def open(self) -> int:
        """Make the pipe; return its end for the process, which the caller closes."""
        self._ours, theirs = os.pipe()
        os.set_blocking(self._ours, False)
        return theirs

    def watch(self) -> None:
        """Read whatever comes, from here on."""
        self._loop.watch(self._ours, READ, self.read)

    def read(self) -> None:
        """Take what is in the pipe at this moment, up to a mebibyte."""
        for _ in range(_MOST_AT_ONCE):
            try:
                data = os.read(self._ours, _CHUNK)
            except BlockingIOError:
                return
            if not data:
                self._loop.unwatch(self._ours)
                return
            self._cut(data)
            if len(data) < _CHUNK:
                return

    def close(self) -> None:
        """Close our end."""
        self._loop.unwatch(self._ours)
        os.close(self._ours)

    def _cut(self, data: bytes) -> None:
        before, *marked = data.split(_MARK)
        head = self._runs[0].request_id if self._runs else ""
        if before:
            self._on_output(self.request_id or head, before)
        for part in marked:
            name, _, text = part.partition(b"\n")
            known = name.decode("ascii", "replace")
            if any(run.request_id == known for run in self._runs):
                self.request_id = known
            else:
                text = part  # no mark of ours
            if text:
                self._on_output(self.request_id or head, text)
