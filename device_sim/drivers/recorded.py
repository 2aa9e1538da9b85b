"""A driver whose edges are written down as they come, for `iot-button device replay`."""

from device_sim.drivers.base import Driver, Light, Presence, Sink
from device_sim.edges import EdgeRecorder
from iot_button.events import ClickType
from iot_button.loop import Loop


class RecordedDriver(Driver):
    """Another driver, in every way, but for the file. The recorder is the caller's to close."""

    def __init__(self, driver: Driver, recorder: EdgeRecorder) -> None:
        self.name = driver.name  # type: ignore[misc]  # this driver's name is the other's
        self._driver = driver
        self._recorder = recorder

    @property
    def label(self) -> str:
        """The driver's own."""
        return self._driver.label

    def open(self, loop: Loop, sink: Sink) -> None:
        """Begin; see `Driver.open`."""
        self._driver.open(loop, _Writer(sink, self._recorder))

    def close(self) -> None:
        """Give the hardware back."""
        self._driver.close()

    def show(self, light: Light) -> None:
        """Let the light say something."""
        self._driver.show(light)

    def battery(self) -> int | None:
        """Return the battery in millivolts."""
        return self._driver.battery()

    def firmware(self) -> str | None:
        """Return the hardware's own program."""
        return self._driver.firmware()


class _Writer:
    """The device as the recorded driver sees it."""

    def __init__(self, sink: Sink, recorder: EdgeRecorder) -> None:
        self._sink = sink
        self._recorder = recorder

    def edge(self, is_pressed: bool, moment: float) -> None:
        self._recorder.edge(is_pressed, moment)
        self._sink.edge(is_pressed, moment)

    def start_over(self) -> None:
        self._recorder.start_over()
        self._sink.start_over()

    def clicked(self, click_type: ClickType) -> None:
        self._sink.clicked(click_type)

    def sent(self, payload: bytes) -> bool:
        return self._sink.sent(payload)

    def present(self, presence: Presence) -> None:
        self._sink.present(presence)

    def ended(self) -> None:
        self._sink.ended()
