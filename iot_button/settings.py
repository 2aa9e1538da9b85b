"""The settings: one frozen record per part. `iot_button/configuration.py` reads them."""

from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from iot_button.bridge_settings import BridgeSettings
from iot_button.dashboard_settings import DashboardSettings as DashboardSettings
from iot_button.hosts import in_url
from iot_button.house import HOUSE_NAME
from iot_button.setting_types import Delays, Port, Seconds, Text
from iot_button.setting_types import is_loopback as is_loopback
from iot_button.topics import Topics

ENVIRONMENT_PREFIX = "IOT_BUTTON_"


class BrokerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where an MQTT broker is, and who we are there.

    `alpn`: the protocol that TLS names (RFC 7301). `section`: whose settings these are.
    `may_speak_5`: MQTT 5 is worth a try there.
    """

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    alpn: str | None = None
    section: str = "broker"
    may_speak_5: bool = False

    def __str__(self) -> str:
        """Return the address without its account, fit for a message."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{in_url(self.host)}:{self.port}"

    def __repr__(self) -> str:
        return f"BrokerAddress({self})"  # no password in a log


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which broker, where it listens, and the account and CA for one that is not ours.

    `use`: `amqtt` (embedded), `mosquitto` (a child process), or the address of one that runs.
    `websocket_origins`: web origins, beside loopback's own, whose pages may connect.
    `certificate_file`, `key_file`: PEM, what a client shows of itself at one that is not ours.
    `tls_port`, `websocket_tls_port`: where ours listens with TLS; None: nowhere.
    `metrics_port`: where ours shows Prometheus its figures, on loopback; None: nowhere.
    `announce`: tell the local network where ours is, by mDNS.
    `names`: what clients call this machine, for its certificate, beside the names it has itself.
    `mqtt_5`: speak MQTT 5 with a broker that can (the embedded one cannot); False: 3.1.1 always.
    """

    use: str = "amqtt"
    host: Text = "127.0.0.1"
    port: Port = 1883
    websocket_port: Port = 9001
    websocket_origins: tuple[str, ...] = ()
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    certificate_file: Text | None = None
    key_file: Text | None = None
    tls_port: Port | None = None
    websocket_tls_port: Port | None = None
    metrics_port: Port | None = None
    announce: bool = False
    names: tuple[Text, ...] = ()
    mqtt_5: bool = True

    def __repr__(self) -> str:
        return f"BrokerSettings({self.address})"  # no password in a log

    @property
    def is_given_a_password(self) -> bool:
        """Whether a password of the user's is among the settings."""
        return self.password is not None and self.username != HOUSE_NAME

    @property
    def is_external(self) -> bool:
        """Whether the broker is one that runs already, and not ours to start."""
        return "://" in self.use

    @property
    def address(self) -> BrokerAddress:
        """Where clients connect."""
        if not self.is_external:
            everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
            return BrokerAddress(
                host=everywhere.get(self.host, self.host),
                port=self.port,
                username=self.username,
                password=self.password,
                may_speak_5=self.mqtt_5 and self.use != "amqtt",
            )
        url = urlsplit(self.use)
        tls = url.scheme == "mqtts"
        return BrokerAddress(
            host=url.hostname or "",
            port=url.port or (8883 if tls else 1883),
            tls=tls,
            username=self.username if url.username is None else unquote(url.username),
            password=self.password if url.password is None else unquote(url.password),
            ca_file=self.ca_file,
            certificate_file=self.certificate_file,
            key_file=self.key_file,
            may_speak_5=self.mqtt_5,
        )


class FunctionsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The function runtime, and where its HTTP side listens.

    `manifest`: a serverless.yml, a SAM template, or a folder with one; None: our own functions.
    `client_id`: names its session at the broker; None: made from the topic prefix, so that two
    installations on one broker do not take each other's session.
    `exactly_once`: publish the result of a click that has an id once, also across a crash (QoS 2);
    None: yes.
    `retry_delays`: seconds before the first retry of a failed event, the second, and so on.
    `idle_timeout`: seconds after which an execution environment without work ends.
    `notify`: who gets a message of each click, as apprise takes it: ntfy://TOPIC, and many more.
    `window_size`, `window_days`: how many ids of clicks are remembered, and for how long. 26 bytes
    of memory for each are taken at the start.
    `traces_per_second`: so many processed clicks of each second say where their time went, in an
    object named `trace`; the others of a flood go without, which saves a tenth of the work.
    """

    manifest: Text | None = None
    host: str = "127.0.0.1"
    port: Port = 3000
    client_id: Text | None = None
    exactly_once: bool | None = None
    retry_delays: Delays = (60.0, 120.0)
    idle_timeout: Seconds = 600.0
    notify: Text | None = None
    window_size: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100_000
    window_days: Annotated[float, msgspec.Meta(ge=0)] = 7.0
    traces_per_second: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 200

    def __repr__(self) -> str:
        return f"FunctionsSettings({self.manifest}, {self.host}:{self.port})"  # no key in a log


class DeviceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A real button on this machine. Times are in seconds.

    `serial_number`: None: made from the host's name, the machine and the driver.
    `name`: what people call it; None: the serial number.
    `bounce_time`: after a change, the contact is not listened to for so long.
    `double_window`: how long after a release a second press still makes it double; 0: at once
    single, and never double.
    `hold_time`: a first press that is longer is long; `long_at`: and is reported when it is, or
    when it ends.
    `extended`: count presses beyond two, and send their number along as `presses`.
    `done_at`: a click leaves the outbox when its receipt says that a function has processed it
    (`receipt`), or when the broker has acknowledged it (`broker`), where no runtime of ours is.
    `outbox_size`: clicks that may wait; `outbox_age`: after which one is given up.
    `home_assistant`: announce the button to Home Assistant, under `home_assistant_prefix`.
    """

    serial_number: Text | None = None
    name: Text | None = None
    bounce_time: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.02
    double_window: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.4
    hold_time: Annotated[float, msgspec.Meta(ge=0.05, le=60)] = 1.5
    long_at: Literal["threshold", "release"] = "threshold"
    extended: bool = False
    done_at: Literal["receipt", "broker"] = "receipt"
    outbox_size: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    outbox_age: Annotated[float, msgspec.Meta(ge=1, le=31_536_000)] = 7 * 86_400.0
    home_assistant: bool = False
    home_assistant_prefix: Text = "homeassistant"


class TopicSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every topic begins with, for a broker that several installations share."""

    prefix: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one installation."""

    state_dir: Text
    broker: BrokerSettings = BrokerSettings()
    functions: FunctionsSettings = FunctionsSettings()
    dashboard: DashboardSettings = DashboardSettings()
    device: DeviceSettings = DeviceSettings()
    topics: TopicSettings = TopicSettings()
    bridge: tuple[BridgeSettings, ...] = ()

    @property
    def functions_client_id(self) -> str:
        """What names the function runtime's session at the broker."""
        return self.functions.client_id or self.client_id_of("functions")

    @property
    def handshakes(self) -> int:
        """How many results may be on their way exactly once (QoS 2) at a time; 0: none may.

        mosquitto 2.0.11 drops what goes beyond its max_inflight_messages, which is 20 in ours; of
        another's we know nothing, but that 1 works.
        """
        if self.functions.exactly_once is False:
            return 0
        return 1 if self.broker.is_external else 16

    @property
    def dashboard_client_id(self) -> str:
        """What names the dashboard's session at the broker."""
        return self.dashboard.client_id or self.client_id_of("dashboard")

    def client_id_of(self, part: str) -> str:
        """Return the default client id of a part: another under each topic prefix."""
        return f"iot-button-{part}{'-' if self.topics.prefix else ''}{self.topics.prefix}"

    @property
    def topic_names(self) -> Topics:
        """The topics under the prefix that is set."""
        return Topics(self.topics.prefix)


def as_environment(settings: Settings) -> dict[str, str]:
    """Return environment variables from which the same settings can be read again."""
    environment = {f"{ENVIRONMENT_PREFIX}STATE_DIR": settings.state_dir}
    for name in known_names()[1:]:
        section, key = name.split(".")
        value = getattr(getattr(settings, section), key)
        if value is not None:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            environment[f"{ENVIRONMENT_PREFIX}{section}_{key}".upper()] = text
    return environment


def known_names() -> list[str]:
    """Return every setting as `section.key`; `state_dir`, which stands alone, comes first."""
    names = ["state_dir"]
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            names += [f"{field.name}.{f.name}" for f in msgspec.structs.fields(field.type)]
    return names
