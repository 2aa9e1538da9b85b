"""The one root error, and the failures that every part can meet.

A message names what was wrong, with the value; `mend` says what the user can do about it.
The facts of a failure are attributes, so that nobody parses a message.
"""

from typing import ClassVar


class IotButtonError(Exception):
    """Any failure of ours. The command prints it in one or two lines, never as a trace."""

    exit_status: ClassVar[int] = 1

    def __init__(self, problem: str, *, mend: str = "") -> None:
        super().__init__(f"{problem}\n  {mend}" if mend else problem)
        self.problem = problem
        self.mend = mend


class SettingError(IotButtonError, ValueError):
    """A setting that is unknown or has a value it cannot have."""

    exit_status = 2

    def __init__(self, key: str, problem: str, *, mend: str = "") -> None:
        super().__init__(problem, mend=mend)
        self.key = key


class PortTakenError(IotButtonError, OSError):
    """Another process listens where we were told to listen."""

    def __init__(self, host: str, port: int, *, setting: str, mend: str) -> None:
        super().__init__(
            f"port {port} on {host} is taken by another program ({setting})", mend=mend
        )
        self.host = host
        self.port = port
        self.setting = setting


ACCOUNT_MEND = (
    "set the account: broker.username, and its password in IOT_BUTTON_BROKER_PASSWORD; "
    "or ask who runs it for the right to our topics"
)


class BrokerUnreachableError(IotButtonError, ConnectionError):
    """No MQTT connection could be made before the deadline."""

    def __init__(self, address: str, reason: str) -> None:
        if reason.startswith("it refuses"):
            super().__init__(f"the broker at {address} is of no use: {reason}", mend=ACCOUNT_MEND)
        else:
            super().__init__(
                f"no MQTT broker answers at {address}: {reason}",
                mend="start one with `iot-button up`, or name yours with --broker mqtt://HOST:PORT",
            )
        self.address = address
        self.reason = reason


class StopTimeoutError(IotButtonError, TimeoutError):
    """Something that was told to stop was still running when its time was over."""

    def __init__(self, what: str, timeout: float) -> None:
        super().__init__(f"{what} did not stop within {timeout:g} s")
        self.what = what
        self.timeout = timeout


class NotAClickError(IotButtonError, ValueError):
    """A payload that breaks the rules of a click. Keeps the bytes as they came."""

    def __init__(self, reason: str, payload: bytes) -> None:
        super().__init__(f"not a click: {reason}")
        self.reason = reason
        self.payload = payload
