"""Which port the button is on: the one that was named, a lone board, or the one that says hello."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from device_sim.drivers.serial_lines import Hello, read_line
from device_sim.drivers.serial_link import Link
from device_sim.drivers.serial_opening import BAUD, PortError, Trouble, open_port
from device_sim.drivers.serial_ports import UsbId, UsbPort, usb_ports
from iot_button.loop import Loop, Timer

log = logging.getLogger(__name__)

Lines = list[bytes | None]
_MOST_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where to look for the button.

    `port`: its path; None: any port of `usb_id`, or of a known kind of board where that is None.
    `answer_timeout`: seconds in which a board must say hello, where there are several; an Arduino
    Uno's bootloader takes 2 of them.
    """

    port: str | None = None
    usb_id: UsbId | None = None
    baud: int = BAUD
    answer_timeout: float = 5.0
    list_ports: Callable[[], Iterable[UsbPort]] = usb_ports

    def __str__(self) -> str:
        if self.port is not None:
            return self.port
        return "a known board on USB" if self.usb_id is None else f"the USB device {self.usb_id}"

    def candidates(self) -> list[str]:
        """Return the paths of the ports that it may be.

        Raises:
            PortError: there is none.
        """
        if self.port is not None:
            return [self.port]
        ports = list(self.list_ports())
        found = [port.path for port in ports if self._may_be(port)]
        if not found:
            others = ", ".join(f"{port.path} ({port.usb_id})" for port in ports)
            raise PortError(
                Trouble.ABSENT,
                f"{self} is not there" + (f"; there are {others}" if others else ""),
                mend="plug it in, or name its port with --port",
            )
        return found

    def _may_be(self, port: UsbPort) -> bool:
        return port.is_known_board if self.usb_id is None else port.usb_id == self.usb_id


class Search:
    """One look for the button. It ends with a call of `on_found` or of `on_failed`, or is closed.

    Args:
        on_found: gets the open port, now the caller's, and the lines that came already.
        on_failed: gets the reason why none was found.
    """

    def __init__(
        self,
        where: Where,
        loop: Loop,
        *,
        on_found: Callable[[Link, Lines], None],
        on_failed: Callable[[PortError], None],
    ) -> None:
        self._where = where
        self._loop = loop
        self._on_found = on_found
        self._on_failed = on_failed
        self._asked: dict[str, _Asked] = {}
        self._timer: Timer | None = None

    def start(self) -> None:
        """Look; several boards are asked, and the first to say hello is it.

        Raises:
            PortError: it is clear already that there is none; `on_failed` is not called.
        """
        paths = self._where.candidates()
        links = self._open(paths)
        if len(paths) == 1:
            self._on_found(links[0], [])
            return
        for link in links:
            self._asked[link.path] = _Asked(link, self._answered, self._lost)
        self._timer = self._loop.call_later(
            self._where.answer_timeout, lambda: self._fail("none says hello", paths)
        )

    def close(self) -> None:
        """Give up."""
        if self._timer is not None:
            self._timer.cancel()
        asked, self._asked = self._asked, {}
        for one in asked.values():
            one.link.close()

    def _open(self, paths: list[str]) -> list[Link]:
        """Open those that can be.

        Raises:
            PortError: none can; the one that says most.
        """
        links: list[Link] = []
        failures: list[PortError] = []
        for path in paths:
            try:
                port = open_port(path, baud=self._where.baud)
            except PortError as error:
                log.debug("%s", error)
                failures.append(error)
            else:
                links.append(Link(port, self._loop))
        if not links:
            raise _most_telling(failures)
        return links

    def _answered(self, asked: "_Asked") -> None:
        del self._asked[asked.link.path]
        self.close()
        self._on_found(asked.link, asked.lines)

    def _lost(self, asked: "_Asked") -> None:
        del self._asked[asked.link.path]
        if not self._asked:
            self._fail("all were unplugged", [asked.link.path])

    def _fail(self, what: str, paths: list[str]) -> None:
        self.close()
        problem = f"of several boards {what}: {', '.join(paths)}"
        mend = "name the button's port with --port"
        self._on_failed(PortError(Trouble.ABSENT, problem, mend=mend))


class _Asked:
    """A board that was asked for its hello."""

    def __init__(
        self,
        link: Link,
        on_hello: Callable[["_Asked"], None],
        on_lost: Callable[["_Asked"], None],
    ) -> None:
        self.link = link
        self.lines: Lines = []
        self._on_hello = on_hello
        link.listen(on_lines=self._take, on_lost=lambda _reason: on_lost(self))
        link.ask()

    def _take(self, lines: Lines) -> None:
        self.lines = (self.lines + lines)[-_MOST_KEPT:]
        if any(line is not None and isinstance(read_line(line), Hello) for line in lines):
            self._on_hello(self)


def _most_telling(failures: list[PortError]) -> PortError:
    """Prefer what a person can mend to what may end by itself."""
    for trouble in (Trouble.UNUSABLE, Trouble.DENIED, Trouble.BUSY):
        for failure in failures:
            if failure.trouble is trouble:
                return failure
    return failures[0]
