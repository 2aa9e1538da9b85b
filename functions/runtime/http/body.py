"""A request's body as a stream that ends where the body ends (RFC 9112, section 6)."""

import io
import re
from email.message import Message
from http import HTTPStatus
from typing import Any, Final

_MAX_LINE: Final = 1024
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;[^\r\n]*)?\r?\n")
_PIECE: Final = 65536
_MAX_DIGITS: Final = 18


class BadBodyError(Exception):
    """A body whose length cannot be told, that does not keep to it, or that stopped coming."""

    def __init__(self, status: HTTPStatus, problem: str) -> None:
        super().__init__(problem)
        self.status = status


class Body(io.RawIOBase):
    """The body of one request, read as the application asks for it.

    Raises:
        BadBodyError: a length that is no number or not one only, or an unknown transfer coding.
    """

    def __init__(self, source: io.BufferedReader, headers: Message) -> None:
        self._source = source
        self._is_chunked = _is_chunked(headers)
        self._left = 0 if self._is_chunked else _length(headers)
        self._is_over = not self._is_chunked and self._left == 0
        self._is_broken = False
        self._ahead = io.BytesIO()

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some of the body; 0 at its end."""
        if count := self._ahead.readinto(buffer):
            return count
        try:
            return 0 if self._is_broken else self._read(buffer)
        except (OSError, BadBodyError) as error:
            self._is_broken = True
            if isinstance(error, BadBodyError):
                raise
            raise BadBodyError(HTTPStatus.REQUEST_TIMEOUT, "the body stopped coming") from error

    def fetch(self, limit: int) -> None:
        """Wait until it has come whole, or is known to have more than `limit` bytes.

        Raises:
            BadBodyError: it does not keep to its length, or stopped coming.
        """
        ahead = io.BytesIO()
        while max(ahead.tell(), self._left) <= limit and (piece := self.read(_PIECE)):
            ahead.write(piece)
        ahead.seek(0)
        self._ahead = ahead

    def drain(self, limit: int) -> bool:
        """Read what the application left; return whether at most `limit` bytes were."""
        if self._left > limit:
            return False
        try:
            while limit >= 0 and (piece := self.read(_PIECE)):
                limit -= len(piece)
        except BadBodyError:
            return False
        return self._is_over

    def _read(self, buffer: Any) -> int:
        if self._is_chunked and self._left == 0 and not self._is_over:
            self._next_chunk()
        if self._is_over:
            return 0
        with memoryview(buffer) as view:
            count = self._source.readinto1(view[: self._left])
        if count == 0:
            raise ConnectionError("the client went away in the middle of a body")
        self._left -= count
        if self._left == 0:
            self._after_piece()
        return count

    def _after_piece(self) -> None:
        if not self._is_chunked:
            self._is_over = True
        elif self._source.readline(3) not in (b"\r\n", b"\n"):
            raise BadBodyError(HTTPStatus.BAD_REQUEST, "a chunk does not end where it should")

    def _next_chunk(self) -> None:
        match = _SIZE.fullmatch(self._source.readline(_MAX_LINE))
        if match is None:
            raise BadBodyError(HTTPStatus.BAD_REQUEST, "a chunk has no size")
        self._left = int(match[1], 16)
        if self._left == 0:
            self._is_over = True
            while self._source.readline(_MAX_LINE) not in (b"\r\n", b"\n", b""):
                pass  # trailers


def _is_chunked(headers: Message) -> bool:
    coding = headers.get("Transfer-Encoding")
    if coding is None:
        return False
    if "Content-Length" in headers:
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "Content-Length beside Transfer-Encoding")
    if coding.strip().lower() != "chunked":
        raise BadBodyError(HTTPStatus.NOT_IMPLEMENTED, "a transfer coding other than chunked")
    return True


def _length(headers: Message) -> int:
    told = ",".join(headers.get_all("Content-Length", ["0"]))
    lengths = {text.strip() for text in told.split(",")}
    if len(lengths) > 1:
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "several values of Content-Length differ")
    text = lengths.pop()
    if re.fullmatch("-[0-9]+", text):
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "Content-Length is negative")
    if not re.fullmatch("[0-9]+", text):
        raise BadBodyError(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
    digits = text.lstrip("0") or "0"
    if len(digits) > _MAX_DIGITS:
        raise BadBodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
    return int(digits)
