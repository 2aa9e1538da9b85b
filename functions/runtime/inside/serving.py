"""An execution environment's life: import the handler once, then one event at a time.

Nothing that a handler raises ends it. It ends when it is told to, when the runtime is gone, or when
its own descriptors are closed.
"""

import gc
import json
import os
import signal
import sys
from time import monotonic

# The package has another name inside (see bootstrap.py), so its modules name each other relatively.
from . import channel as channels  # noqa: TID252
from .channel import Channel  # noqa: TID252
from .context import Facts, LambdaContext  # noqa: TID252
from .failures import LambdaError, as_text, error_response  # noqa: TID252
from .handlers import load  # noqa: TID252
from .log import Log, WhenLoggingIsImported  # noqa: TID252
from .watch import WORTH_A_SAMPLE, Memory, Parent  # noqa: TID252

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RESPONSE_BYTES = 6_291_556
"""The longest result (AWS Lambda quotas, "Invocation payload": 6 MB, and what AWS's error says)."""

_TRACE_ID = "_X_AMZN_TRACE_ID"
_GIVE_BACK = signal.SIGUSR2


def serve(config_json: str) -> None:
    """Run until told to stop; then return, so that `atexit` handlers run."""
    config = json.loads(config_json)
    parent = Parent(config["parent"], timeout=config["timeout"])
    # Its default would end us, if we were asked between being ready and listening for it.
    signal.signal(_GIVE_BACK, signal.SIG_IGN)
    log = Log()
    channel = Channel(events=config["events"], results=config["results"], on_idle=parent.check)
    WhenLoggingIsImported(log).install()
    memory = Memory()
    handler = _init(config, channel, log, memory)
    environment = Environment(config, handler, channel=channel, log=log, memory=memory)
    try:
        environment.run(parent)
    except OSError:
        os._exit(1)  # nobody reads results any more, or the handler closed what is ours


def _init(
    config: "dict[str, Any]", channel: Channel, log: Log, memory: Memory
) -> "Callable[[Any, Any], Any]":
    start = monotonic()
    try:
        handler = load(config["handler"], config["root"])
    except BaseException as error:  # noqa: BLE001 - a module may raise anything
        response = error_response(error)
        log.entry(as_text(response))
        duration = monotonic() - start
        channel.send(channels.INIT_FAILURE, 0, duration, memory.sample(start), _encode(response))
        os._exit(1)  # not orderly: a thread that the module started would keep us here
    log.end()
    gc.freeze()  # what the import made stays; looking through it for garbage is wasted
    duration = monotonic() - start
    channel.send(channels.READY, 0, duration, memory.sample(start), b"")
    return handler


class Environment:
    """A handler, and the channel that its events come from."""

    def __init__(
        self,
        config: "dict[str, Any]",
        handler: "Callable[[Any, Any], Any]",
        *,
        channel: Channel,
        log: Log,
        memory: Memory,
    ) -> None:
        self._handler = handler
        self._channel = channel
        self._datagram = memoryview(channel.buffer)
        self._log = log
        self._memory = memory
        self._facts = Facts(config)
        self._timeout = float(config["timeout"])
        self._is_traced = False
        self._left: list[tuple[int, int]] = []
        self._wants_back = False

    def run(self, parent: Parent) -> None:
        """Take events until there are no more to come."""
        signal.signal(_GIVE_BACK, self._asked_to_give_back)
        buffer, receive = self._channel.buffer, self._channel.receive
        while length := receive():
            if monotonic() >= parent.renew_at:
                parent.renew(monotonic())
            if buffer[0] == channels.PACK:
                self._run_pack(parent)
            elif buffer[0] == channels.STOP[0]:
                return
            else:
                self._invoke(0, length)

    def _run_pack(self, parent: Parent) -> None:
        """Run the events of a pack one after the other; those not begun can be given back."""
        buffer = self._channel.buffer
        _, count = channels.PACK_HEAD.unpack_from(buffer)
        position, places = channels.PACK_HEAD.size, []
        for _ in range(count):
            (length,) = channels.LENGTH.unpack_from(buffer, position)
            start = position + channels.LENGTH.size
            position = start + length
            places.append((start, position))
        places.reverse()
        self._left = left = places
        while left:
            self._invoke(*left.pop())
            if self._wants_back:
                self._give_back()
            if left and monotonic() >= parent.renew_at:
                parent.renew(monotonic())

    def _asked_to_give_back(self, _number: int, _frame: object) -> None:
        # On the main thread, between two steps of whatever it does: of the handler, mostly.
        self._wants_back = True
        if not self._channel.is_sending:
            self._give_back()

    def _give_back(self) -> None:
        """Say which events of the pack are not begun, and forget them."""
        self._wants_back = False
        if self._left:
            _, first, _, _ = _unpack(self._channel.buffer, self._left[-1][0])
            count = len(self._left)
            self._left.clear()
            self._channel.send(channels.GIVEN_BACK, first, 0.0, 0, count.to_bytes(2, "little"))

    def _invoke(self, begin: int, end_of_event: int) -> None:
        """Run the event that stands at these places of the datagram."""
        start = monotonic()
        kind, sequence, header_length, raw_id = _unpack(self._channel.buffer, begin)
        request_id = str(raw_id, "ascii")
        log = self._log
        log.begin(request_id)
        try:
            header_start = begin + _HEADER_SIZE
            payload_start = header_start + header_length
            header = self._header(header_start, payload_start) if header_length else _NO_HEADER
            if header or self._is_traced:
                self._trace(header.get("traceId"))
            event = _event(kind, self._datagram[payload_start:end_of_event])
            context = LambdaContext(
                self._facts,
                request_id=request_id,
                deadline=monotonic() + self._timeout,
                client_context=header.get("clientContext"),
                identity=header.get("identity"),
            )
            body = _marshal(self._handler(event, context))
            outcome = channels.SUCCESS
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything
            outcome = channels.FAILURE
            response = error_response(error, request_id)
            log.entry(as_text(response))
            body = _encode(response)
        log.end()
        end = monotonic()
        duration = end - start
        if duration >= WORTH_A_SAMPLE:
            self._memory.sample(end)
        self._channel.send(outcome, sequence, duration, self._memory.peak, body)
        if end >= self._memory.sample_at:  # now that nobody waits for it
            self._memory.sample(end)

    def _header(self, start: int, end: int) -> "dict[str, Any]":
        try:
            header: dict[str, Any] = json.loads(bytes(self._datagram[start:end]))
        except ValueError as error:
            raise LambdaError(
                "Runtime.LambdaContextUnmarshalError",
                f"Unable to parse Client Context JSON: {error}",
            ) from error
        return header

    def _trace(self, trace_id: str | None) -> None:
        self._is_traced = trace_id is not None
        if trace_id is None:
            os.environ.pop(_TRACE_ID, None)
        else:
            os.environ[_TRACE_ID] = trace_id


_unpack = channels.EVENT.unpack_from
_HEADER_SIZE = channels.EVENT.size
_NO_HEADER: "dict[str, Any]" = {}


def _event(kind: bytes, payload: memoryview) -> object:
    try:
        if kind == channels.INLINE:
            text = str(payload, "utf-8")
        else:
            with open(bytes(payload), encoding="utf-8") as file:  # noqa: PTH123 - see failures.py
                text = file.read()
        return _decode(text)
    except Exception as error:
        raise LambdaError(
            "Runtime.UnmarshalError", f"Unable to unmarshal input: {error}"
        ) from error


def _number(value: object) -> "int | float":
    """Let `Decimal` be a number in results, as on AWS; refuse other types as `json` does it."""
    decimal = sys.modules.get("decimal")
    if decimal is None or not isinstance(value, decimal.Decimal):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    number = float(value)
    return int(value) if number.is_integer() else number


def _decode(text: str) -> object:
    # `decode` looks for white space on both sides with regular expressions: twice the time.
    try:
        value, end = _raw_decode(text)
    except ValueError:
        return _careful_decode(text)
    return value if end == len(text) else _careful_decode(text)


_raw_decode = json.JSONDecoder().raw_decode
_careful_decode = json.JSONDecoder().decode
_encode_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_number).encode


def _encode(value: object) -> bytes:
    return _encode_text(value).encode()


def _marshal(result: object) -> bytes:
    try:
        body = _encode(result)
    except Exception as error:
        raise LambdaError("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
    if len(body) > RESPONSE_BYTES:
        raise LambdaError(
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size "
            f"({RESPONSE_BYTES} bytes).",
        )
    return body
