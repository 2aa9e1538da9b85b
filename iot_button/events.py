"""The two events of the system and their one codec: `Click` and `ProcessedClick`.

A click is what a button publishes: the AWS IoT Button's own payload, with two optional fields
(`eventId`, `clickedAt`). A processed click is what the `enrich` function makes of it.
Names are snake_case here and camelCase on the wire.
"""

import enum
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec

from iot_button.errors import NotAClickError
from iot_button.randomness import random_hex

T = TypeVar("T")

_REASON_CHARACTERS = 200  # a reason may quote the payload, and goes into log lines

MAX_PAYLOAD_BYTES = 128 * 1024
"""AWS IoT Core's own limit for one message (AWS IoT Core endpoints and quotas)."""

SERIAL_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EVENT_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MILLIVOLTS = re.compile(r"([0-9]{1,6})mV")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""From where moments are counted."""

_VARIANTS = "89ab"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


class ClickType(enum.StrEnum):
    """What the user did. LONG: the first press was held longer than 1.5 s."""

    SINGLE = "SINGLE"
    DOUBLE = "DOUBLE"
    LONG = "LONG"


class Click(msgspec.Struct, frozen=True, kw_only=True):
    """One click of one button.

    `battery_millivolts` is None where the button has no battery or does not say.
    `clicked_at` is aware and UTC; a button that was offline sends the click late and says so there.
    """

    serial_number: str
    click_type: ClickType
    battery_millivolts: int | None = None
    event_id: str | None = None
    clicked_at: datetime | None = None

    def as_event(self) -> dict[str, str | None]:
        """Return the `event` that a Lambda handler gets: the wire's own names and forms."""
        event: dict[str, str | None] = {
            "serialNumber": self.serial_number,
            "batteryVoltage": format_millivolts(self.battery_millivolts),
            "clickType": self.click_type.value,
        }
        if self.event_id is not None:
            event["eventId"] = self.event_id
        if self.clicked_at is not None:
            event["clickedAt"] = format_instant(self.clicked_at)
        return event


class ProcessedClick(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came out of a function, as subscribers read it.

    Read leniently: whoever may publish to `iotprocessed` chose these texts, so they are hostile
    until shown as text, and a function of the user's own may word its timestamp as it likes.
    """

    serial_number: str
    click_type: str
    title: str = ""
    timestamp: str = ""
    ip_address: str = ""
    battery_voltage: str | int | float | None = None
    event_id: str | None = None
    clicked_at: str | None = None

    @property
    def battery_millivolts(self) -> int | None:
        """The battery in millivolts; None where it is absent or not in a form we know."""
        try:
            return parse_millivolts(self.battery_voltage)
        except ValueError:
            return None


class TracedClick(ProcessedClick, frozen=True, kw_only=True, rename="camel"):
    """A processed click and where its time went: as it came, for `iot_button.traces.read_trace`."""

    trace: msgspec.Raw = msgspec.Raw()


class _WireClick(msgspec.Struct, frozen=True, rename="camel"):
    """A click's shape in JSON; the rules that JSON types cannot say are in `decode_click`."""

    serial_number: Annotated[str, msgspec.Meta(max_length=64)]
    click_type: ClickType
    battery_voltage: str | int | float | None = None
    event_id: str | None = None
    clicked_at: str | None = None


_click_decoder = msgspec.json.Decoder(_WireClick)
_processed_decoder = msgspec.json.Decoder(ProcessedClick)
_traced_decoder = msgspec.json.Decoder(TracedClick)
_encoder = msgspec.json.Encoder()


def decode_click(payload: bytes, *, serial_number: str) -> Click:
    """Decode and check a click that came on the topic of `serial_number`.

    Raises:
        NotAClickError: with the reason and the bytes, whatever is wrong with them.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise NotAClickError(f"{len(payload)} bytes, more than {MAX_PAYLOAD_BYTES}", payload)
    try:
        wire = _click_decoder.decode(payload)
        click = Click(
            serial_number=_matching(SERIAL_NUMBER, wire.serial_number, "serialNumber"),
            click_type=wire.click_type,
            battery_millivolts=parse_millivolts(wire.battery_voltage),
            event_id=_optional(wire.event_id, lambda text: _matching(_EVENT_ID, text, "eventId")),
            clicked_at=_optional(wire.clicked_at, parse_instant),
        )
    except (ValueError, RecursionError) as error:
        raise NotAClickError(str(error)[:_REASON_CHARACTERS], payload) from error
    if click.serial_number != serial_number:
        reason = f"serialNumber {click.serial_number!r} came on the topic of {serial_number!r}"
        raise NotAClickError(reason, payload)
    return click


def encode_click(click: Click) -> bytes:
    """Encode a click as its button sends it."""
    return _encoder.encode(click.as_event())


def decode_processed_click(payload: bytes) -> ProcessedClick:
    """Decode what a function published.

    Raises:
        NotAClickError: when it is not a JSON object with a serialNumber and a clickType.
    """
    return _decoded(payload, _processed_decoder.decode)


def decode_traced_click(payload: bytes) -> TracedClick:
    """Decode what a function published, and where its time went, if that is there.

    Raises:
        NotAClickError: as `decode_processed_click`.
    """
    return _decoded(payload, _traced_decoder.decode)


def _decoded(payload: bytes, decode: Callable[[bytes], T]) -> T:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise NotAClickError(f"{len(payload)} bytes, more than {MAX_PAYLOAD_BYTES}", payload)
    try:
        return decode(payload)
    except (ValueError, RecursionError) as error:
        raise NotAClickError(str(error)[:_REASON_CHARACTERS], payload) from error


def parse_millivolts(value: str | int | float | None) -> int | None:
    """Read a battery voltage: `"1716mV"`, or a plain number taken as millivolts. None stays None.

    Raises:
        ValueError: for any other text, and for a number outside 0 to 999,999.
    """
    if value is None:
        return None
    if isinstance(value, str):
        match = _MILLIVOLTS.fullmatch(value)
        if match is None:
            raise ValueError(f'batteryVoltage {value[:40]!r} is not of the form "1716mV"')
        return int(match[1])
    if not 0 <= value <= 999_999:  # also false for NaN
        raise ValueError(f"batteryVoltage {value!r} is not between 0 and 999999 mV")
    return round(value)


def format_millivolts(millivolts: int | None) -> str | None:
    """Write a battery voltage as on the wire: `"1716mV"`; None stays None."""
    return None if millivolts is None else f"{millivolts}mV"


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 moment that ends in `Z`; below a microsecond is cut off.

    Raises:
        ValueError: for any other form, and for a moment that no calendar has.
    """
    if _INSTANT.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is not of the form 2026-11-22T10:15:30.123Z")
    return datetime.fromisoformat(text)


def format_instant(moment: datetime) -> str:
    """Write a moment as on the wire: UTC, milliseconds, `Z` (RFC 3339)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> datetime:
    """Return this moment: the clock that everything takes where a test gives no other."""
    return datetime.now(UTC)


def new_event_id(moment: datetime) -> str:
    """Return a UUID version 7 of that moment (RFC 9562, section 5.7): it sorts by time."""
    return event_id_at((moment - EPOCH) // timedelta(milliseconds=1))  # floats would round


def event_id_at(milliseconds: int) -> str:
    """Return a UUID version 7 of a moment in milliseconds since 1970."""
    time = f"{milliseconds & (1 << 48) - 1:012x}"
    # By hand: `uuid.UUID` and its text take several times as long.
    rest = random_hex(20)
    variant = _VARIANTS[int(rest[3], 16) & 3]
    return f"{time[:8]}-{time[8:]}-7{rest[:3]}-{variant}{rest[4:7]}-{rest[7:19]}"


def _optional(text: str | None, read: Callable[[str], T]) -> T | None:
    return None if text is None else read(text)


def _matching(pattern: re.Pattern[str], value: str, name: str) -> str:
    if pattern.fullmatch(value) is None:
        raise ValueError(f"{name} {value[:70]!r} does not match {pattern.pattern}")
    return value
