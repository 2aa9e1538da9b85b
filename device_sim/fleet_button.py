"""One simulated button of a fleet: a connection of its own, and what goes wrong with it."""

from collections.abc import Callable

from device_sim.faults import Fault, FaultKind
from iot_button.loop import Loop, Timer
from iot_button.messages import Message, Session
from iot_button.mqtt import Stream
from iot_button.mqtt.connecting import Connecting
from iot_button.settings import BrokerAddress

KEEP_ALIVE = 60
Send = Callable[[], None]


class FleetButton:
    """A button without an outbox on disk: what the broker has acknowledged is done.

    All else waits in memory, and is sent again at the next connection. It does not wait for
    receipts, and sends nothing again for want of one.

    Args:
        client_id: names the session at the broker, a clean one.
        topic: where its clicks go.
        connecting: the places of all buttons that do not connect at once.
        on_change: called when the connection stands, and when it is lost.
        on_waiting: called when something waits for `flush`.
    """

    __slots__ = (
        *("_cuts", "_freeze_for", "_held", "_is_frozen", "_loop", "_on_change", "_on_waiting"),
        *("_stream", "_topic"),
    )

    def __init__(
        self,
        loop: Loop,
        address: BrokerAddress,
        *,
        client_id: str,
        topic: str,
        connecting: Connecting,
        on_change: Callable[[bool], None],
        on_waiting: Callable[["FleetButton"], None],
    ) -> None:
        self._loop = loop
        self._topic = topic
        self._on_change = on_change
        self._on_waiting = on_waiting
        self._held: _Held | None = None
        self._cuts = 0
        self._freeze_for = 0.0
        self._is_frozen = False
        self._stream = Stream(
            loop,
            address,
            client_id=client_id,
            session=Session.CLEAN,
            on_message=_ignore,
            on_change=self._changed,
            keep_alive=KEEP_ALIVE,
            connecting=connecting,
            on_waiting=self._waits,
        )

    def open(self) -> None:
        """Begin to connect."""
        self._stream.open()

    def close(self) -> None:
        """Disconnect."""
        self._stream.close()

    @property
    def is_ready(self) -> bool:
        """Whether it is connected."""
        return self._stream.is_ready

    @property
    def problem(self) -> str:
        """Why it is not connected, or last was not."""
        return self._stream.problem

    def publish(self, payload: bytes, *, on_acknowledged: Callable[[], None]) -> None:
        """Publish at QoS 1, now or at the next connection."""
        self._stream.publish(self._topic, payload, on_acknowledged=on_acknowledged)

    def press(self, send: Send, *, at: float, fault: Fault | None) -> bool:
        """Send a click, or something like it; return whether it was sent before an earlier one.

        Args:
            send: publishes it.
            at: when it was pressed, in seconds of the schedule.
            fault: what goes wrong with it.
        """
        held, self._held = self._held, None
        if held is not None and not held.lasts_until(at):
            held.let_go()
            held = None
        if fault is not None and fault.kind is FaultKind.REORDER and held is None:
            self._hold(send, at, fault.seconds)
            return False
        send()
        if held is not None:
            held.let_go()
        if fault is not None:
            self._begin(fault)
        return held is not None

    def flush(self) -> None:
        """Write what waits; then be cut off or frozen, if that comes next."""
        self._stream.flush()
        if self._is_frozen or not self._stream.is_ready:
            return  # nothing has gone out: later
        if self._cuts:
            self._cuts -= 1
            self._stream.reconnect("a fault cuts it")
        elif self._freeze_for:
            self._is_frozen = True
            self._stream.freeze()
            self._loop.call_later(self._freeze_for, self._thaw)
            self._freeze_for = 0.0

    def let_go(self) -> None:
        """Send what is held back."""
        held, self._held = self._held, None
        if held is not None:
            held.let_go()

    def _thaw(self) -> None:
        self._is_frozen = False
        self._stream.thaw()
        self._waits()

    def _changed(self, is_ready: bool) -> None:
        if is_ready:
            self._waits()
        self._on_change(is_ready)

    def _waits(self) -> None:
        self._on_waiting(self)

    def _hold(self, send: Send, at: float, seconds: float) -> None:
        # By the schedule's clock `press` decides what is late; this only ends a lonely wait.
        self._held = _Held(send, at + seconds, self._loop.call_later(seconds, self.let_go))

    def _begin(self, fault: Fault) -> None:
        if fault.kind is FaultKind.DROP:
            self._cuts += 1
        elif fault.kind is FaultKind.FREEZE:
            self._freeze_for = max(self._freeze_for, fault.seconds)
        self._waits()


class _Held:
    """A click that is held back, at the latest until a moment of the schedule."""

    __slots__ = ("_send", "_timer", "_until")

    def __init__(self, send: Send, until: float, timer: Timer) -> None:
        self._send = send
        self._until = until
        self._timer = timer

    def lasts_until(self, at: float) -> bool:
        return at <= self._until

    def let_go(self) -> None:
        self._timer.cancel()
        self._send()


def _ignore(_message: Message) -> None:
    """Take no message: a simulated button subscribes to nothing."""
