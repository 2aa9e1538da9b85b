"""Where presses come from: one small interface, and what a driver tells its device.

A driver turns hardware into edges, or into clicks where the hardware knows more itself. It knows
nothing of MQTT, of gestures or of the outbox. Its hardware library is imported in its own module
only, when the driver is opened.
"""

import abc
import enum
from typing import ClassVar, Protocol

from iot_button.errors import IotButtonError
from iot_button.events import ClickType
from iot_button.loop import Loop


class Light(enum.StrEnum):
    """What the button's light says, in the order of a click's way.

    CONNECTING: no click waits, and there is no broker yet. TAKEN: this click is on our disk now; it
    is said once for each. QUEUED: clicks wait there for the broker. PUBLISHED: the broker has it.
    PROCESSED: the function has done its work; OFF follows. FAILED: the click was refused, given up
    or dead-lettered.
    """

    OFF = "off"
    CONNECTING = "connecting"
    TAKEN = "taken"
    QUEUED = "queued"
    PUBLISHED = "published"
    PROCESSED = "processed"
    FAILED = "failed"


class Presence(enum.StrEnum):
    """Whether the button's hardware answers; `sleeping`: it said that it will not for a while."""

    ONLINE = "online"
    SLEEPING = "sleeping"
    OFFLINE = "offline"


class DriverError(IotButtonError):
    """The hardware, its library or the right to use it is missing; `mend` names the way out."""


class Sink(Protocol):
    """The device, as its driver sees it. Everything is called on the loop's thread."""

    def edge(self, is_pressed: bool, moment: float) -> None:
        """Tell that the contact closed or opened.

        Args:
            is_pressed: whether it closed.
            moment: in seconds, by any clock that only goes forward, but one and the same for all
                edges since the last `start_over`. Bounces are edges too.
        """

    def start_over(self) -> None:
        """Tell that the hardware or its clock began anew: half a gesture is forgotten."""

    def clicked(self, click_type: ClickType) -> None:
        """Tell of a click that the hardware recognised by itself."""

    def sent(self, payload: bytes) -> bool:
        """Tell of a click in the button's own JSON form; return whether it is one.

        What it leaves out (serial number, event id, time, battery) is added.
        """

    def present(self, presence: Presence) -> None:
        """Tell whether the hardware answers. Until the first call it is taken to."""

    def ended(self) -> None:
        """Tell that there will be no more presses: the device ends when its clicks are done."""


class Driver(abc.ABC):
    """One button's hardware. The constructor stores; `open` begins, `close` gives back.

    All methods are called on the loop's thread, and none blocks.
    """

    name: ClassVar[str]
    """How the driver is chosen: the subcommand of `iot-button device`."""

    @property
    def label(self) -> str:
        """A word of `A-Z a-z 0-9 _ -` that tells this machine's buttons apart, e.g. `gpio17`."""
        return self.name

    @abc.abstractmethod
    def open(self, loop: Loop, sink: Sink) -> None:
        """Begin: from now on the sink hears of presses.

        Raises:
            DriverError: what is missing will not come by itself.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Give the hardware back, the light off. Does nothing where `open` failed."""

    def show(self, light: Light) -> None:  # noqa: B027 - a button without a light is one too
        """Let the light say something, until the next call."""

    def battery(self) -> int | None:
        """Return the battery in millivolts as last measured; None: mains, or not known."""
        return None

    def firmware(self) -> str | None:
        """Return what the hardware calls its own program; None where it has or says none."""
        return None
