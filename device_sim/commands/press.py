"""`iot-button press`: one click, and what the function made of it."""

import secrets
import threading
import time

import click
import msgspec

from iot_button.console import emit, say
from iot_button.errors import BrokerUnreachableError, IotButtonError, NotAClickError
from iot_button.events import (
    SERIAL_NUMBER,
    Click,
    ClickType,
    ProcessedClick,
    decode_processed_click,
    encode_click,
    new_event_id,
    parse_millivolts,
    utc_now,
)
from iot_button.house import HOUSE_NAME
from iot_button.lifetime import Lifetime
from iot_button.messages import Message
from iot_button.mqtt import Connection
from iot_button.options import finite, takes_settings
from iot_button.settings import Settings

CONNECT_TIMEOUT = 2.0
_BUTTONS_MEND = (
    "a button's account may not read processed clicks: press with --no-wait, or use an account "
    "that may (`iot-button account add NAME --function` makes one)"
)


def _serial(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if SERIAL_NUMBER.fullmatch(value) is None:
        raise click.BadParameter(f"{value!r} is not 1 to 64 of A-Z a-z 0-9 _ -")
    return value


def _battery(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    try:
        return parse_millivolts(int(value) if value is not None and value.isdecimal() else value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(epilog="Example: iot-button press --serial G030JF055364XVRB --click double")
@click.option("--serial", metavar="SERIAL", default="BUTTON-1", show_default=True, callback=_serial)
@click.option(
    "--click",
    "click_type",
    default="single",
    show_default=True,
    type=click.Choice([kind.lower() for kind in ClickType], case_sensitive=False),
)
@click.option(
    "--battery",
    metavar="MILLIVOLTS",
    callback=_battery,
    help="Millivolts, e.g. 1716mV. [no battery]",
)
@click.option("--no-wait", is_flag=True, help="Be done when the broker has acknowledged the click.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True, max=3600),
    callback=finite,
    help="How long to wait.",
)
@takes_settings
def command(
    settings: Settings,
    serial: str,
    click_type: str,
    battery: int | None,
    no_wait: bool,
    timeout: float,
) -> None:
    """Press a button once, wait for its processed click, and print it as one JSON line.

    Standard error says how long it took. With --no-wait the click itself is printed.
    """
    moment = utc_now()
    pressed = Click(
        serial_number=serial,
        click_type=ClickType(click_type.upper()),
        battery_millivolts=battery,
        event_id=new_event_id(moment),
        clicked_at=moment,
    )
    with Lifetime() as lifetime:
        presser = _Presser(settings, pressed, lifetime)
        done = presser.acknowledged if no_wait else presser.processed
        seconds = presser.press(done, timeout, subscribe=not no_wait)
        if not done.is_set():  # interrupted
            return
        emit(pressed.as_event() if no_wait else msgspec.to_builtins(presser.answer))
        what = f"acknowledged by {settings.broker.address}" if no_wait else "processed"
        say(f"{what} in {seconds * 1000:.1f} ms")


class _Presser:
    """Publishes one click and waits for what is asked of it."""

    def __init__(self, settings: Settings, pressed: Click, lifetime: Lifetime) -> None:
        self._settings = settings
        self._click = pressed
        self._lifetime = lifetime
        self.acknowledged = threading.Event()
        self.processed = threading.Event()
        self.answer: ProcessedClick | None = None

    def press(self, done: threading.Event, timeout: float, *, subscribe: bool) -> float:
        """Press; return the seconds until `done`, or until asked to stop.

        Raises:
            BrokerUnreachableError: there is no broker.
            IotButtonError: the account may not read processed clicks; or `done` has not
                come about within `timeout` seconds.
        """
        topics = self._settings.topic_names
        connection = Connection(
            self._settings.broker.address,
            client_id=f"iot-button-press-{secrets.token_hex(4)}",
            on_message=self._on_message,
        )
        if subscribe:
            connection.subscribe(topics.processed)
        with connection:
            self._wait_ready(connection)
            start = time.monotonic()
            if not connection.is_ready:
                return 0.0
            connection.publish(
                topics.click(self._click.serial_number),
                encode_click(self._click),
                on_acknowledged=self.acknowledged.set,
            )
            while not done.wait(0.1) and not self._lifetime.is_over:
                if time.monotonic() - start > timeout:
                    raise self._failure(timeout)
            return time.monotonic() - start

    def _wait_ready(self, connection: Connection) -> None:
        try:
            connection.wait_ready(CONNECT_TIMEOUT, unless=lambda: self._lifetime.is_over)
        except BrokerUnreachableError as error:
            if error.reason.startswith("it refuses a subscription"):
                raise IotButtonError(
                    f"{error.address} does not let this account read processed clicks; "
                    "nothing was pressed",
                    mend=_BUTTONS_MEND,
                ) from error
            raise

    def _on_message(self, message: Message) -> None:
        try:
            answer = decode_processed_click(message.payload)
        except NotAClickError:
            return
        if self._is_of_our_click(answer):
            self.answer = answer
            self.processed.set()

    def _is_of_our_click(self, answer: ProcessedClick) -> bool:
        """Know it by its id; a function that does not pass that on leaves the rest to go by."""
        if answer.event_id is not None:
            return answer.event_id == self._click.event_id
        ours = self._click.serial_number, self._click.click_type
        return (answer.serial_number, answer.click_type) == ours

    def _failure(self, timeout: float) -> IotButtonError:
        if not self.acknowledged.is_set():
            return IotButtonError(
                f"{self._settings.broker.address} did not acknowledge the click within "
                f"{timeout:g} s: it may or may not have it",
                mend="iot-button doctor says what is wrong",
            )
        mend = "is the function running? start it with `iot-button functions`"
        if self._has_an_account:  # mosquitto grants what may not be read, and delivers nothing
            mend += f"; or is this a button's account? {_BUTTONS_MEND}"
        return IotButtonError(
            f"the broker has the click, but no processed click came within {timeout:g} s", mend=mend
        )

    @property
    def _has_an_account(self) -> bool:
        """Whether we are there as someone of the user's choice."""
        address = self._settings.broker.address
        return bool(address.certificate_file) or address.username not in (None, HOUSE_NAME)
