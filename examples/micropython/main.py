# A push button as lines over USB, for `iot-button device serial`. README.md has the wiring.
#
# An interrupt notes each change of the contact with its moment; the loop sends them. So no press is
# lost while the serial line is busy. Debouncing is the computer's work: every bounce is sent.
#
# MicroPython's zip knows no `strict`, and print is how a board talks:
# ruff: noqa: B905, D100, D101, D102, D103, RUF012, T201

import array
import select
import sys
import time

from machine import ADC, PWM, Pin, disable_irq, enable_irq

# --- What may be changed

BUTTON_PIN = 15
LED_PINS = (16, 17, 18)  # red, green, blue; or one number: a single LED; "LED" is the board's own
COMMON_ANODE = False  # True: the LED's common pin is at 3.3 V, and low means lit
BATTERY_PIN = None  # 28, say: a battery behind a divider
BATTERY_FULL_SCALE = 6600  # mV of the battery at which the pin has 3.3 V
BATTERY_EVERY = 600_000  # ms
FIRMWARE = "micropython 1.0"

# --- The ring between the interrupt and the loop: one writes `head`, the other `tail`.
# An interrupt may not allocate memory: all that it writes is here already.

RING = 64
HEAD, TAIL, NOTED = 0, 1, 2
moments = array.array("i", [0] * RING)  # ticks_ms, which wraps below 2**30
levels = bytearray(RING)
state = bytearray(3)
button = Pin(BUTTON_PIN, Pin.IN, Pin.PULL_UP)


def note(_pin):
    pressed = 1 - button.value()
    head = state[HEAD]
    following = (head + 1) % RING
    if pressed == state[NOTED] or following == state[TAIL]:
        return  # too short to be seen, or the ring is full: the loop will see
    moments[head] = time.ticks_ms()
    levels[head] = pressed
    state[HEAD] = following
    state[NOTED] = pressed


class Clock:
    """Milliseconds below 2**32, as the protocol has them, out of ticks that wrap earlier."""

    def __init__(self):
        self.ticks = time.ticks_ms()
        self.total = self.ticks

    def at(self, ticks):
        step = time.ticks_diff(ticks, self.ticks)
        if step > 0:
            self.ticks = ticks
            self.total += step
        return self.total & 0xFFFFFFFF


class Light:
    """One LED or three. A single one has no colours: each state has a rhythm."""

    COLOURS = {
        "off": (0, 0, 0),
        "connecting": (255, 255, 255),
        "taken": (255, 80, 0),  # amber
        "queued": (255, 80, 0),
        "published": (0, 255, 0),
        "processed": (0, 255, 0),
        "failed": (255, 0, 0),
    }
    BLINKING = ("connecting", "published")
    # A bit is an eighth of a second, the last first.
    RHYTHMS = {
        "off": 0x00,
        "connecting": 0x0F,
        "taken": 0x77,
        "queued": 0x11,
        "published": 0x55,
        "processed": 0xFF,
        "failed": 0x05,
    }

    def __init__(self):
        self.says = "off"
        self.lit = None
        if isinstance(LED_PINS, tuple):
            self.leds = [PWM(Pin(pin)) for pin in LED_PINS]
            for led in self.leds:
                led.freq(1000)
        else:
            self.led = Pin(LED_PINS, Pin.OUT)
            self.leds = None

    def show(self):
        moment = time.ticks_ms()
        if self.leds is None:
            lit = self.RHYTHMS[self.says] >> (moment // 125 % 8) & 1
        else:
            is_dark = self.says in self.BLINKING and moment // 250 % 2
            lit = self.COLOURS["off" if is_dark else self.says]
        if lit != self.lit:
            self.lit = lit
            self.set(lit)

    def set(self, lit):
        if self.leds is None:
            self.led.value(1 - lit if COMMON_ANODE else lit)
            return
        for led, value in zip(self.leds, lit):
            led.duty_u16(257 * (255 - value if COMMON_ANODE else value))


class Battery:
    def __init__(self):
        self.pin = None if BATTERY_PIN is None else ADC(BATTERY_PIN)
        self.told = time.ticks_ms()

    def tell(self):
        self.told = time.ticks_ms()
        if self.pin is not None:
            print("BATTERY", self.pin.read_u16() * BATTERY_FULL_SCALE // 65536)

    def tell_now_and_then(self):
        if time.ticks_diff(time.ticks_ms(), self.told) >= BATTERY_EVERY:
            self.tell()


clock = Clock()
light = Light()
battery = Battery()


def send_edges():
    while state[TAIL] != state[HEAD]:
        tail = state[TAIL]
        pressed, moment = levels[tail], moments[tail]
        state[TAIL] = (tail + 1) % RING
        print("D" if pressed else "U", clock.at(moment))
    # A change that found the ring full, or came before the interrupt was on, is seen here.
    if state[NOTED] == button.value():
        enabled = disable_irq()
        note(button)
        enable_irq(enabled)
    elif state[TAIL] == state[HEAD]:
        clock.at(time.ticks_ms())  # ticks may not be left alone for longer than six days


def say_hello():
    # After an empty line: whatever noise there was before is then a line of its own.
    print("\nHELLO iot-button", FIRMWARE)
    battery.tell()


def obey(line):
    if line == b"HELLO?":
        say_hello()
    for name in Light.COLOURS:
        if line == b"LIGHT " + name.encode():
            light.says = name


class Reader:
    """Lines from standard input, as far as they are there."""

    LONGEST = 32

    def __init__(self):
        self.line = b""
        self.poll = select.poll()
        self.poll.register(sys.stdin, select.POLLIN)

    def read(self):
        while self.poll.poll(0):
            byte = sys.stdin.buffer.read(1)
            if byte == b"\n":
                obey(self.line)
                self.line = b""
            elif byte != b"\r":
                # One that is too long stays too long, and so is none.
                self.line = (self.line + byte)[: self.LONGEST]


def main():
    reader = Reader()
    say_hello()
    button.irq(note, Pin.IRQ_FALLING | Pin.IRQ_RISING, hard=True)
    while True:
        send_edges()
        reader.read()
        light.show()
        battery.tell_now_and_then()
        time.sleep_ms(1)


main()
