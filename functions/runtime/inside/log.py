"""Where a handler's output goes: one pipe for standard output, standard error and `logging`.

Before the first thing that is written in an invocation comes a line of 0x1E and the request id, so
that the reader of the pipe knows whose the lines are. Nothing printed, nothing written. A line that
an invocation leaves open is ended when the invocation ends. What a handler or its children write
past Python (`os.write(1, ...)`) goes out as it is, and gets no mark.
"""

import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

MARK = b"\x1e"
FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
"""Text logs as AWS Lambda writes them; the time is UTC."""

_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2


class Log:
    """The log of this execution environment; `request_id` is empty before the first event."""

    def __init__(self) -> None:
        self.request_id = ""
        self.is_marked = True
        self.is_line_open = False
        self._raw = _Raw(_STANDARD_OUTPUT, self)
        self._streams = (_text(_STANDARD_OUTPUT, self), _text(_STANDARD_ERROR, self))
        sys.stdout, sys.stderr = self._streams

    def begin(self, request_id: str) -> None:
        """Attribute what follows to a request."""
        self.request_id = request_id
        self.is_marked = False

    def end(self) -> None:
        """Write what is still buffered, and end the line."""
        self._flush()
        if self.is_line_open:
            self._put(b"\n")

    def entry(self, text: str) -> None:
        """Write one entry, after what was printed before it."""
        self._flush()
        data = text if text.endswith("\n") else f"{text}\n"
        self._put(data.encode(errors="backslashreplace"))

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest and (count := self._raw.write(rest)):
                rest = rest[count:]
        except OSError:
            self.is_line_open = False  # closed by the handler: its own log is lost

    def _flush(self) -> None:
        for stream in self._streams:
            try:  # noqa: SIM105 - contextlib would have to be imported
                stream.flush()
            except (ValueError, OSError):
                pass  # closed by the handler, it or its file descriptor


class _Raw(io.FileIO):
    """A standard stream's file, which writes the mark first."""

    def __init__(self, descriptor: int, log: Log) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._log = log

    def write(self, data: "Any") -> int:
        log = self._log
        if not log.is_marked:
            log.is_marked = True
            os.write(self.fileno(), b"%b%b\n" % (MARK, log.request_id.encode()))
        count = super().write(data)
        if count:
            log.is_line_open = data[count - 1] != 10  # "\n"
        return count


def _text(descriptor: int, log: Log) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Raw(descriptor, log)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


class WhenLoggingIsImported:
    """A finder that sets `logging` up at the moment it is imported.

    A handler's `logging.basicConfig` does nothing on AWS, as the root logger has a handler already;
    so it must here, also at import. Importing `logging` ourselves would take 10 ms of each start.
    """

    def __init__(self, log: Log) -> None:
        # Found now, before the user's folder is on the path: there may be a `logging.py` in it.
        specs = (finder.find_spec("logging", None) for finder in sys.meta_path)
        self._spec: ModuleSpec | None = next((spec for spec in specs if spec), None)
        self._log = log

    def install(self) -> None:
        """Put it in its place, or do its work at once."""
        if "logging" in sys.modules:
            _set_up(sys.modules["logging"], self._log)
        else:
            sys.meta_path.insert(0, self)

    def find_spec(self, name: str, _path: "Any" = None, _target: "Any" = None) -> "Any":
        """Return the spec of `logging`, which runs our part after its own (PEP 451)."""
        if name != "logging" or self._spec is None:
            return None
        sys.meta_path.remove(self)
        loader: Any = self._spec.loader
        execute = loader.exec_module

        def execute_and_set_up(module: "ModuleType") -> None:
            execute(module)
            _set_up(module, self._log)

        loader.exec_module = execute_and_set_up
        return self._spec


def _set_up(logging: "Any", log: Log) -> None:
    """Give the root logger the one handler that AWS's runtime gives it; levels stay as they are."""

    class LambdaLoggerHandler(logging.Handler):  # type: ignore[misc]  # any: imported by the handler
        def emit(self, record: "Any") -> None:
            # As on AWS, what cannot be formatted is an error of the caller and not swallowed.
            log.entry(self.format(record))

    def add_request_id(record: "Any") -> bool:
        record.aws_request_id = log.request_id
        return True

    formatter = logging.Formatter(FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = sys.modules["time"].gmtime
    handler = LambdaLoggerHandler()
    handler.setFormatter(formatter)
    handler.addFilter(add_request_id)
    root = logging.getLogger()
    root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
    if level in logging.getLevelNamesMapping():
        root.setLevel(level)
