"""As much of MicroPython's `machine` as the example uses, on a computer: see board.py."""

from collections.abc import Callable

levels: dict[object, int] = {}
outputs: dict[object, int] = {}
samples: dict[object, int] = {}
_handlers: dict[object, "tuple[Callable[[Pin], None], Pin]"] = {}
_pending: list[object] = []
_masks: list[str] = []


class Pin:
    IN, OUT, PULL_UP, IRQ_FALLING, IRQ_RISING = 0, 1, 2, 4, 8

    def __init__(self, number: object, mode: int = IN, pull: int | None = None) -> None:
        self.number = number
        if pull == Pin.PULL_UP:
            levels.setdefault(number, 1)

    def value(self, level: int | None = None) -> int | None:
        if level is None:
            return levels[self.number]
        outputs[self.number] = 255 * level
        return None

    def irq(self, handler: "Callable[[Pin], None]", trigger: int, *, hard: bool) -> None:
        assert hard, "a soft interrupt may be dropped"
        assert trigger == Pin.IRQ_FALLING | Pin.IRQ_RISING
        _handlers[self.number] = handler, self


class PWM:
    def __init__(self, pin: Pin) -> None:
        self._pin = pin

    def freq(self, hertz: int) -> None:
        assert hertz > 100, "the eye would see it"

    def duty_u16(self, duty: int) -> None:
        assert 0 <= duty <= 65_535
        outputs[self._pin.number] = duty // 257


class ADC:
    def __init__(self, number: int) -> None:
        self._number = number

    def read_u16(self) -> int:
        return samples.get(self._number, 0)


def disable_irq() -> str:
    _masks.append("as it was")
    return _masks[-1]


def enable_irq(state: str) -> None:
    assert state == _masks.pop()
    while _pending:
        interrupt(_pending.pop(0))


def interrupt(number: object) -> None:
    if _masks:
        _pending.append(number)
    elif number in _handlers:
        handler, pin = _handlers[number]
        handler(pin)
