"""From bytes to packets: where each begins and ends (MQTT 3.1.1, 2.2)."""

from collections.abc import Iterator

from iot_button.packets import frame_at


class MalformedError(ValueError):
    """Bytes that break the protocol. The connection has to be closed (4.8.0-1)."""


class Frames:
    """Cuts what a connection reads into packets. `limit`: bytes that one may have."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._rest = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the first byte and the body of each packet that is whole.

        Raises:
            MalformedError: a length is not one, or beyond the limit.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        position, end, self._needed = 0, len(data), 0
        while end - position >= 2:
            found = self._bounds(data, position)
            if found is None:
                break
            start, stop = found
            if stop > end:
                self._needed = stop - position
                break
            yield data[position], data[start:stop]
            position = stop
        self._rest += data[position:]

    def _bounds(self, data: bytes, position: int) -> tuple[int, int] | None:
        length = data[position + 1]
        found: tuple[int, int] | None = position + 2, position + 2 + length
        if length >= 128:
            try:
                found = frame_at(data, position)
            except ValueError as error:
                raise MalformedError(str(error)) from error
        if found is not None and found[1] - position > self.limit:
            raise MalformedError(f"a packet of more than {self.limit} bytes")
        return found
