"""What Linux says when hardware comes or goes: a wake-up, so that nothing looks all the time."""

import contextlib
import socket
import sys
from collections.abc import Callable

from iot_button.loop import READ, Loop

_NETLINK_KOBJECT_UEVENT = 15
_FROM_KERNEL_AND_UDEV = 3
"""Two groups: the kernel's word comes first, udev's when the device can be opened by its group."""


class Uevents:
    """Calls when hardware comes or goes. Where that cannot be heard, it never does.

    What is said is not looked at: whoever is woken looks for what it needs.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._socket: socket.socket | None = None

    def open(self, loop: Loop) -> None:
        """Begin to listen."""
        if sys.platform != "linux":
            return
        with contextlib.suppress(OSError):  # e.g. not let by a sandbox
            listening = socket.socket(
                socket.AF_NETLINK,
                socket.SOCK_DGRAM | socket.SOCK_NONBLOCK,
                _NETLINK_KOBJECT_UEVENT,
            )
            try:
                listening.bind((0, _FROM_KERNEL_AND_UDEV))
                loop.watch(listening.fileno(), READ, self._read)
            except BaseException:
                listening.close()
                raise
            self._loop, self._socket = loop, listening

    def close(self) -> None:
        """Listen no more."""
        if self._socket is not None:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _read(self) -> None:
        if self._socket is None:
            return
        # Nothing more is there; or ENOBUFS, more was said than we heard: that is a change too.
        with contextlib.suppress(OSError):
            while True:
                self._socket.recv(4096)
        self._on_change()
