"""The sockets that a broker listens on, bound before anything else starts."""

import errno
import socket

from iot_button.errors import IotButtonError, PortTakenError

MAX_PACKET_BYTES = 1 << 20
"""No click and no dead letter comes near; a client that sends more is disconnected."""


def bind(host: str, port: int, *, setting: str) -> socket.socket:
    """Bind a TCP socket; port 0 picks a free one.

    Raises:
        PortTakenError: another program listens there; the message says what to do.
        IotButtonError: the address cannot be bound for another reason.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise IotButtonError(f"broker.host = {host!r} is no address: {error.strerror}") from error
    bound = socket.socket(family, socket.SOCK_STREAM)
    # A port that a killed broker has just left is free to us, TIME_WAIT or not.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        # SO_REUSEADDR lets two sockets bind one port on some systems; listening tells at once.
        bound.listen(128)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(host, port, setting=setting, mend=_mend(port, setting)) from error
        problem = f"cannot listen on {host}:{port} ({setting}): {error.strerror}"
        raise IotButtonError(problem, mend="choose a port above 1023") from error
    return bound


def port_of(bound: socket.socket) -> int:
    """Return the port that a socket is bound to."""
    return int(bound.getsockname()[1])


def _mend(port: int, setting: str) -> str:
    option = "--" + setting.removeprefix("broker.").replace("_", "-")
    another = f"choose another port: {option} 0 picks a free one"
    if setting != "broker.port":
        return another
    return f"use the broker that is already there: --broker mqtt://127.0.0.1:{port}, or {another}"
