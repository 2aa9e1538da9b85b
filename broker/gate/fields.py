"""The fields that packets are made of (MQTT 3.1.1, 1.5)."""

from broker.gate.frames import MalformedError


class Body:
    """Reads the fields of a packet's body in turn; each raises a MalformedError."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self.position >= len(self.data)

    def byte(self) -> int:
        """Read one byte."""
        return self._take(1)[0]

    def number(self) -> int:
        """Read two bytes as a number (1.5.2)."""
        return int.from_bytes(self._take(2), "big")

    def binary(self) -> bytes:
        """Read a length of two bytes and as many bytes."""
        return self._take(self.number())

    def text(self) -> str:
        """Read an UTF-8 string (1.5.3)."""
        return text(self.binary())

    def ends(self) -> None:
        """Check that nothing is left."""
        if not self.is_at_end:
            raise MalformedError("a packet with bytes after its end")

    def _take(self, count: int) -> bytes:
        taken = self.data[self.position : self.position + count]
        if len(taken) < count:
            raise MalformedError("a packet shorter than its fields")
        self.position += count
        return taken


def text(data: bytes) -> str:
    """Decode an UTF-8 string (1.5.3): no surrogates, no U+0000."""
    try:
        decoded = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("a text that is not UTF-8 (1.5.3-1)") from error
    if "\0" in decoded:
        raise MalformedError("a text with U+0000 (1.5.3-2)")
    return decoded
