"""What crosses an MQTT connection, as frozen values, and how long a broker keeps our session."""

import enum

import msgspec


class Session(enum.Enum):
    """How long the broker keeps our subscriptions and what came for them (Clean Session, 3.1.2.4).

    CLEAN: while connected. UNTIL_STOP: through lost connections and a killed process, until our own
    orderly stop. KEPT: for ever, so that the next process with this client id carries on.
    """

    CLEAN = "clean"
    UNTIL_STOP = "until stop"
    KEPT = "kept"


class Will(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker publishes, retained at QoS 1, when we go without a word (3.1.2.5)."""

    topic: str
    payload: bytes


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """Which delivery a message was, for its acknowledgement: packet ids restart with a session."""

    connection_number: int
    packet_id: int


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message as it came. `duplicate` is MQTT's DUP flag: it may have come before.

    `properties`: of MQTT 5, as they came, for `user_property`; empty at 3.1.1.
    """

    topic: str
    payload: bytes
    qos: int
    retained: bool
    duplicate: bool
    delivery: Delivery
    properties: bytes = b""
