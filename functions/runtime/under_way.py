"""The outputs whose QoS 2 handshake is not finished, and the records of them in the journal."""

import enum
import struct
from dataclasses import dataclass

Key = bytes
"""16 bytes that stand for one event of one button in one function: `seen.key_of` makes them."""

SENT, RELEASED, DONE = 1, 2, 3
"""The kinds of records; each begins with its kind and its key."""

KEYED = struct.Struct("<B16s")
_SENT = struct.Struct("<B16sBHHII")  # stage, packet id, lengths of topic, payload and extra

_Sent = tuple[int, str, bytes, bytes]  # packet id, topic, payload, extra


class Stage(enum.IntEnum):
    """How far an output is.

    SENT: PUBLISH may have been sent. RELEASED: PUBREC has come, and PUBREL may have been sent.
    """

    SENT = 1
    RELEASED = 2


@dataclass(frozen=True, slots=True)
class Output:
    """A PUBLISH at QoS 2 whose handshake is not finished.

    `extra` is what the runtime needs to finish the event after a restart; nothing here reads it.
    """

    key: Key
    packet_id: int
    stage: Stage
    topic: str
    payload: bytes
    extra: bytes


class UnderWay:
    """Outputs in the order in which they were sent. What changes one returns the record of it."""

    def __init__(self) -> None:
        # Plain tuples, and a set beside them: a frozen record of each stage costs 3 µs an event.
        self._sent: dict[Key, _Sent] = {}
        self._released: set[Key] = set()

    def outputs(self) -> list[Output]:
        """Return them all."""
        return [
            Output(key, packet_id, self._stage(key), topic, payload, extra)
            for key, (packet_id, topic, payload, extra) in self._sent.items()
        ]

    def send(self, key: Key, packet_id: int, topic: str, payload: bytes, extra: bytes) -> bytes:
        """Add an output, or replace that of the same event."""
        sent = packet_id, topic, payload, extra
        self._begin(key, sent, Stage.SENT)
        return _pack(key, Stage.SENT, sent)

    def release(self, key: Key) -> bytes:
        """Bring an output to its second stage; unknown ones are left alone."""
        if key not in self._sent:
            return b""
        self._released.add(key)
        return KEYED.pack(RELEASED, key)

    def finish(self, key: Key) -> None:
        """Remove an output where there is one; the record of that is the event's outcome."""
        self._sent.pop(key, None)
        self._released.discard(key)

    def records(self) -> bytes:
        """Return records that say all of it."""
        return b"".join(_pack(key, self._stage(key), sent) for key, sent in self._sent.items())

    def replay_send(self, body: bytes, start: int) -> int:
        """Do what the record of a `send` at `start` says; return where it ends."""
        _, key, stage, packet_id, *lengths = _SENT.unpack_from(body, start)
        start += _SENT.size
        parts = []
        for length in lengths:
            parts.append(body[start : start + length])
            start += length
        topic, payload, extra = parts
        self._begin(key, (packet_id, topic.decode(), payload, extra), Stage(stage))
        return start

    def _begin(self, key: Key, sent: _Sent, stage: Stage) -> None:
        self.finish(key)  # so that it comes last
        self._sent[key] = sent
        if stage is Stage.RELEASED:
            self._released.add(key)

    def _stage(self, key: Key) -> Stage:
        return Stage.RELEASED if key in self._released else Stage.SENT


def _pack(key: Key, stage: Stage, sent: _Sent) -> bytes:
    packet_id, topic, payload, extra = sent
    name = topic.encode()
    head = _SENT.pack(SENT, key, stage, packet_id, len(name), len(payload), len(extra))
    return b"".join((head, name, payload, extra))
