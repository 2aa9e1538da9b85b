import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from iot_button.configuration import load
from iot_button.errors import SettingError
from iot_button.settings import BrokerAddress, Settings, as_environment, is_loopback

SECRET = "hunter2/#@x"


@pytest.fixture(autouse=True)
def own_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No iot-button.toml of the developer's is read."""
    monkeypatch.chdir(tmp_path)


def load_with(environ: Mapping[str, str] | None = None, **broker: Any) -> Settings:
    return load(environ=environ or {}, options={"broker": broker})


def refusal(
    *, config: Path | None = None, environ: Mapping[str, str] | None = None, **sections: Any
) -> SettingError:
    with pytest.raises(SettingError) as caught:
        load(config=config, environ=environ or {}, options=sections)
    assert caught.value.exit_status == 2
    return caught.value


def write(text: str) -> Path:
    path = Path("settings.toml")
    path.write_text(text, "utf-8")
    return path


def test_without_any_setting_everything_is_on_loopback_at_the_contracts_ports() -> None:
    settings = load(environ={})
    assert (settings.broker.use, settings.broker.host) == ("amqtt", "127.0.0.1")
    assert (settings.broker.port, settings.broker.websocket_port) == (1883, 9001)
    assert (settings.dashboard.host, settings.dashboard.port) == ("127.0.0.1", 8080)
    assert (settings.functions.host, settings.functions.port) == ("127.0.0.1", 3000)
    assert settings.topic_names.processed == "iotprocessed"


def test_command_line_beats_environment_beats_file_beats_defaults() -> None:
    config = write("[broker]\nport = 2001\nwebsocket_port = 2001\n[dashboard]\nport = 2001\n")
    settings = load(
        config=config,
        environ={"IOT_BUTTON_BROKER_PORT": "2002", "IOT_BUTTON_BROKER_WEBSOCKET_PORT": "2002"},
        options={"broker": {"port": 2003}},
    )
    assert settings.dashboard.port == 2001
    assert settings.broker.websocket_port == 2002
    assert settings.broker.port == 2003
    assert settings.broker.host == "127.0.0.1"


def test_the_file_in_the_working_directory_is_read_unasked() -> None:
    Path("iot-button.toml").write_text('state_dir = "/s"\n[topics]\nprefix = "home"\n')
    settings = load(environ={})
    assert settings.state_dir == "/s"
    assert settings.topic_names.processed == "home/iotprocessed"


def test_a_named_file_is_read_instead_of_the_one_in_the_working_directory() -> None:
    Path("iot-button.toml").write_text("[broker]\nport = 1\n")
    assert load(config=write("[dashboard]\nport = 2\n"), environ={}).broker.port == 1883


def test_a_named_file_that_is_missing_is_an_error_that_names_it() -> None:
    error = refusal(config=Path("nowhere.toml"))
    assert error.key == "config"
    assert "nowhere.toml" in error.problem


@pytest.mark.parametrize("text", [b"port = ", b"[broker\n", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_broken_file_is_an_error_that_names_it(text: bytes) -> None:
    path = Path("broken.toml")
    path.write_bytes(text)
    error = refusal(config=path)
    assert error.key == "config"
    assert "broken.toml" in error.problem


def test_a_folder_in_place_of_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    assert str(tmp_path) in refusal(config=tmp_path).problem


def test_an_unknown_setting_in_the_file_is_named_with_its_source_and_a_suggestion() -> None:
    error = refusal(config=write("[broker]\nprot = 1\n"))
    assert error.key == "broker.prot"
    assert "settings.toml" in error.problem
    assert "broker.port" in error.mend


def test_an_unknown_variable_is_named_with_a_suggestion() -> None:
    error = refusal(environ={"IOT_BUTTON_DASHBOARD_PROT": "1"})
    assert "IOT_BUTTON_DASHBOARD_PROT" in error.problem
    assert "dashboard.port" in error.mend


def test_an_unknown_setting_like_no_other_is_answered_with_all_there_are() -> None:
    error = refusal(environ={"IOT_BUTTON_ZZZ": "1"})
    for name in ("state_dir", "broker.ca_file", "topics.prefix", "functions.client_id"):
        assert name in error.mend


@pytest.mark.parametrize("text", ["broker = 5\n", "[broker.port]\nx = 1\n", "[state_dir]\nx = 1\n"])
def test_a_file_of_another_shape_is_an_error_that_names_the_file(text: str) -> None:
    assert "settings.toml" in refusal(config=write(text)).problem


@pytest.mark.parametrize("value", ["many", "", "65536", "-1", "1.5", " "])
def test_a_bad_value_is_named_with_setting_value_and_source(value: str) -> None:
    error = refusal(environ={"IOT_BUTTON_BROKER_PORT": value})
    assert error.key == "broker.port"
    for part in ("IOT_BUTTON_BROKER_PORT", "broker.port", repr(value)):
        assert part in error.problem


def test_a_bad_value_in_the_file_names_the_file() -> None:
    error = refusal(config=write('[dashboard]\nport = "no"\n'))
    assert "settings.toml: dashboard.port = 'no'" in error.problem


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"IOT_BUTTON_BROKER_USE": "rabbit"}, "broker.use"),
        ({"IOT_BUTTON_BROKER_USE": "tcp://h"}, "broker.use"),
        ({"IOT_BUTTON_TOPICS_PREFIX": "a/#"}, "topics.prefix"),
        ({"IOT_BUTTON_FUNCTIONS_HOST": "0.0.0.0"}, "functions.host"),
        ({"IOT_BUTTON_FUNCTIONS_CLIENT_ID": ""}, "functions.client_id"),
    ],
)
def test_a_value_that_only_its_meaning_forbids_names_its_source_too(
    environ: dict[str, str], key: str
) -> None:
    error = refusal(environ=environ)
    assert error.key == key
    assert next(iter(environ)) in error.problem
    assert repr(next(iter(environ.values()))) in error.problem


def test_a_bad_value_from_the_command_line_names_the_option_as_it_is_typed() -> None:
    assert "--websocket-port" in refusal(broker={"websocket_port": "x"}).problem
    assert "--broker" in refusal(broker={"use": "rabbit"}).problem


def test_a_password_of_the_wrong_type_is_not_shown() -> None:
    error = refusal(config=write(f'[broker]\npassword = ["{SECRET}"]\n'))
    assert error.key == "broker.password"
    assert SECRET not in str(error)


def test_state_is_kept_under_xdg_state_home() -> None:
    assert load(environ={"XDG_STATE_HOME": "/x"}).state_dir == "/x/iot-button"


@pytest.mark.parametrize("environ", [{}, {"XDG_STATE_HOME": ""}])
def test_without_xdg_state_home_state_is_kept_in_the_home(environ: dict[str, str]) -> None:
    assert load(environ=environ).state_dir == str(Path.home() / ".local/state/iot-button")


def test_the_state_directory_may_begin_with_a_tilde() -> None:
    assert load(config=write('state_dir = "~/iot"\n'), environ={}).state_dir == str(
        Path.home() / "iot"
    )


def test_an_empty_state_directory_is_refused() -> None:
    assert refusal(environ={"IOT_BUTTON_STATE_DIR": ""}).key == "state_dir"


def test_the_state_directory_is_set_by_every_source() -> None:
    assert load(environ={"IOT_BUTTON_STATE_DIR": "/e"}).state_dir == "/e"
    layer = {"": {"state_dir": "/c"}}
    assert load(environ={"IOT_BUTTON_STATE_DIR": "/e"}, options=layer).state_dir == "/c"


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("http://a", ("http://a",)),
        ("http://a, https://b:1,", ("http://a", "https://b:1")),
    ],
)
def test_origins_in_the_environment_are_separated_by_commas(
    text: str, origins: tuple[str, ...]
) -> None:
    environ = {"IOT_BUTTON_BROKER_WEBSOCKET_ORIGINS": text}
    assert load(environ=environ).broker.websocket_origins == origins


@pytest.mark.parametrize("empty", ["IOT_BUTTON_TOPICS_PREFIX", "IOT_BUTTON_BROKER_USERNAME"])
def test_an_empty_text_in_the_environment_is_an_empty_text(empty: str) -> None:
    settings = load(environ={empty: ""})
    assert "" in (settings.topics.prefix, settings.broker.username)


def test_variables_of_others_are_left_alone() -> None:
    environ = {"IOT_BUTTONS_X": "1", "BROKER_PORT": "1", "iot_button_x": "1"}
    assert load(environ=environ) == load(environ={})


@pytest.mark.parametrize(
    ("use", "host", "port", "tls"),
    [
        ("mqtt://example.org", "example.org", 1883, False),
        ("mqtts://example.org", "example.org", 8883, True),
        ("mqtt://example.org:99", "example.org", 99, False),
        ("mqtts://example.org:99/", "example.org", 99, True),
        ("MQTTS://Example.org", "example.org", 8883, True),
        ("mqtt://[::1]:99", "::1", 99, False),
        ("mqtt://192.0.2.1", "192.0.2.1", 1883, False),
    ],
)
def test_a_brokers_address_is_read(use: str, host: str, port: int, *, tls: bool) -> None:
    broker = load_with(use=use).broker
    assert broker.is_external
    assert broker.address == BrokerAddress(host=host, port=port, tls=tls, may_speak_5=True)


def test_an_address_is_shown_as_it_would_be_typed_and_without_the_account() -> None:
    assert str(load_with(use="mqtts://u:p@[::1]").broker.address) == "mqtts://[::1]:8883"
    assert str(load_with().broker.address) == "mqtt://127.0.0.1:1883"


def test_an_account_in_the_address_is_percent_decoded() -> None:
    address = load_with(use="mqtt://us%40er:p%2F%3A%25@h").broker.address
    assert (address.username, address.password) == ("us@er", "p/:%")


def test_the_account_of_the_address_beats_the_one_of_the_settings() -> None:
    settings = load_with(use="mqtt://a:b@h", username="c", password="d")
    assert (settings.broker.address.username, settings.broker.address.password) == ("a", "b")


def test_an_account_and_a_ca_of_the_settings_reach_the_address() -> None:
    environ = {"IOT_BUTTON_BROKER_USERNAME": "c", "IOT_BUTTON_BROKER_PASSWORD": "null"}
    address = load_with(environ, use="mqtts://h", ca_file="/ca.pem").broker.address
    assert (address.username, address.password, address.ca_file) == ("c", "null", "/ca.pem")


def test_our_own_broker_is_reached_where_it_listens() -> None:
    settings = load_with(use="mosquitto", port=99)
    assert not settings.broker.is_external
    assert settings.broker.address == BrokerAddress(host="127.0.0.1", port=99, may_speak_5=True)


@pytest.mark.parametrize(
    "use",
    [
        f"mqtt://user:{SECRET}@host",
        f"mqtt:user:{SECRET}@host",
        f"user:{SECRET}@host:1883",
        "http://user:hunter2@host",
        "mqtt://user:hunter2@host:99999",
        "mqtt://user:hunter2@host:0",
        "mqtt://user:hunter2@host:x",
        "mqtt://user:hunter2@",
        "mqtt://user:hunter2@host/path",
        "mqtt://user:hunter2@host?x=1",
        "mqtt://user:hunter2@[::1",
        "mqtt://user:hunter2@a..b",
        f"mqtt://user:hunter2@{'x' * 64}.org",
        "mqtt://",
        "://",
    ],
)
def test_a_bad_address_is_refused_and_its_account_is_not_shown(use: str) -> None:
    error = refusal(broker={"use": use})
    assert error.key == "broker.use"
    assert "mqtt://HOST:PORT" in error.mend
    assert "user" not in error.problem
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "localhost.x"])
def test_functions_beyond_loopback_are_refused_with_a_way_out(host: str) -> None:
    error = refusal(functions={"host": host})
    assert error.key == "functions.host"
    assert repr(host) in error.problem
    assert "--broker mqtts://HOST:PORT" in error.mend


@pytest.mark.parametrize(
    ("ours", "asks"),
    [
        ({}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "localhost.x"}, True),
        ({"login": "required"}, True),
        ({"proxies": 1}, True),
        ({"names": ["pi.example"]}, True),
    ],
)
def test_the_dashboard_asks_who_one_is_where_others_can_come(
    ours: dict[str, Any], asks: bool
) -> None:
    assert load(environ={}, options={"dashboard": ours}).dashboard.asks_who is asks


@pytest.mark.parametrize(
    ("name", "value"),
    [("HOST", ""), ("LOGIN", "never"), ("NAMES", "a..b"), ("PROXIES", "-1"), ("SESSION_IDLE", "1")],
)
def test_a_setting_of_the_dashboard_that_cannot_be_is_named(name: str, value: str) -> None:
    error = refusal(environ={f"IOT_BUTTON_DASHBOARD_{name}": value})
    assert error.key == f"dashboard.{name.lower()}"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_may_be_named_in_every_way(host: str) -> None:
    assert is_loopback(host)
    assert load_with(host=host).broker.host == host


def test_port_0_may_be_set_everywhere() -> None:
    settings = load(environ={"IOT_BUTTON_BROKER_PORT": "0", "IOT_BUTTON_DASHBOARD_PORT": "0"})
    assert (settings.broker.port, settings.dashboard.port) == (0, 0)


def test_settings_cross_an_environment_unchanged() -> None:
    settings = load(
        environ={},
        options={
            "": {"state_dir": "/s"},
            "broker": {
                "use": "mqtts://u:p@h:1",
                "websocket_origins": ("http://a", "http://b"),
                "password": " x,y ",
            },
            "topics": {"prefix": "a/b"},
        },
    )
    assert load(environ=as_environment(settings)) == settings


@pytest.mark.parametrize("name", ["a..b", "-a", "a b", "*.example.com", "mqtts://host", "x" * 254])
def test_what_is_no_host_name_is_no_name_of_the_broker(name: str) -> None:
    error = refusal(environ={"IOT_BUTTON_BROKER_NAMES": f"broker.example.com,{name}"})
    assert error.key == "broker.names"


def test_the_broker_may_have_names_and_addresses() -> None:
    settings = load(environ={"IOT_BUTTON_BROKER_NAMES": "my_pi, b.example.com,192.0.2.7,fd00::1"})
    assert settings.broker.names == ("my_pi", "b.example.com", "192.0.2.7", "fd00::1")


@pytest.mark.parametrize("name", ["broker.key_file", "dashboard.key_file"])
def test_a_key_without_its_certificate_is_refused(name: str) -> None:
    section, key = name.split(".")
    layer: dict[str, Any] = {section: {key: "k"}}
    assert refusal(**layer).key == name


def test_a_certificate_without_its_key_is_refused() -> None:
    error = refusal(dashboard={"certificate_file": "c"})
    assert error.key == "dashboard.certificate_file"


def test_gunicorn_with_tls_is_refused_with_a_way_out() -> None:
    error = refusal(dashboard={"server": "gunicorn", "tls": True})
    assert error.key == "dashboard.server"
    assert "dashboard.proxies = 1" in error.mend


def test_every_setting_has_a_variable() -> None:
    fields = {
        f"IOT_BUTTON_{section.name}_{field.name}".upper()
        for section in msgspec.structs.fields(Settings)
        if inspect.isclass(section.type) and issubclass(section.type, msgspec.Struct)
        for field in msgspec.structs.fields(section.type)
    }
    settings = load_with(username="u", password="p", ca_file="c")
    unset = {
        "IOT_BUTTON_BROKER_CERTIFICATE_FILE",
        "IOT_BUTTON_BROKER_KEY_FILE",
        "IOT_BUTTON_BROKER_METRICS_PORT",
        "IOT_BUTTON_BROKER_TLS_PORT",
        "IOT_BUTTON_BROKER_WEBSOCKET_TLS_PORT",
        "IOT_BUTTON_FUNCTIONS_CLIENT_ID",
        "IOT_BUTTON_FUNCTIONS_EXACTLY_ONCE",
        "IOT_BUTTON_FUNCTIONS_MANIFEST",
        "IOT_BUTTON_FUNCTIONS_NOTIFY",
        "IOT_BUTTON_DASHBOARD_CERTIFICATE_FILE",
        "IOT_BUTTON_DASHBOARD_CLIENT_ID",
        "IOT_BUTTON_DASHBOARD_DATABASE",
        "IOT_BUTTON_DASHBOARD_KEY_FILE",
        "IOT_BUTTON_DASHBOARD_OTLP_ENDPOINT",
        "IOT_BUTTON_DEVICE_NAME",
        "IOT_BUTTON_DEVICE_SERIAL_NUMBER",
    }
    assert set(as_environment(settings)) == fields - unset | {"IOT_BUTTON_STATE_DIR"}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("LONG_AT", "later", "must be threshold or release"),
        ("DONE_AT", "", "must be receipt or broker"),
        ("SERIAL_NUMBER", "my button", "use 1 to 64 of A-Z a-z 0-9 _ -"),
        ("HOLD_TIME", "0", "at least 0.05"),
    ],
)
def test_a_device_setting_that_cannot_be_says_what_can(key: str, value: str, said: str) -> None:
    variable = f"IOT_BUTTON_DEVICE_{key}"
    with pytest.raises(SettingError, match=re.escape(said)) as caught:
        load(environ={variable: value, "HOME": "/home/someone"})
    assert str(caught.value).startswith(variable)


def test_no_password_is_shown_where_settings_are_printed() -> None:
    for use in ("mqtt://me:geheim@127.0.0.1", "amqtt"):
        settings = load(
            environ={"IOT_BUTTON_BROKER_PASSWORD": "geheim", "HOME": "/tmp"},
            options={"broker": {"use": use}},
        )
        assert "geheim" not in repr(settings) + repr(settings.broker.address)


@pytest.mark.parametrize(
    ("use", "may"), [("amqtt", False), ("mosquitto", True), ("mqtts://broker.example.com", True)]
)
def test_mqtt_5_is_tried_where_the_broker_can_unless_it_is_not_wanted(use: str, may: bool) -> None:
    options = {"broker": {"use": use}}
    for wanted in (True, False):
        environ = {"HOME": "/home/someone", "IOT_BUTTON_BROKER_MQTT_5": str(wanted).lower()}
        address = load(environ=environ, options=options).broker.address
        assert address.may_speak_5 is (may and wanted)


def test_a_relative_state_home_is_ignored_as_xdg_has_it() -> None:
    assert ".local/state" in load(environ={"XDG_STATE_HOME": "relative"}).state_dir


def test_installations_with_different_prefixes_have_different_sessions() -> None:
    ids = set()
    for prefix in ("", "home", "office"):
        settings = load(environ={}, options={"topics": {"prefix": prefix}})
        ids |= {settings.functions_client_id, settings.dashboard_client_id}
    assert len(ids) == 6
    named = load(environ={"IOT_BUTTON_FUNCTIONS_CLIENT_ID": "mine"})
    assert named.functions_client_id == "mine"


@pytest.mark.parametrize(
    ("section", "key"), [("", "state_dir"), ("broker", "host"), ("functions", "client_id")]
)
def test_a_control_character_is_refused(section: str, key: str) -> None:
    with pytest.raises(SettingError, match="control character"):
        load(environ={}, options={section: {key: "/tmp/a\nlistener 1 0.0.0.0"}})


@pytest.mark.parametrize(
    ("section", "key", "value", "words"),
    [
        ("broker", "websocket_origins", "x", "it must be a list, not a text"),
        ("broker", "websocket_origins", ["a", 5], "item 2 must be a text, not a whole number"),
        ("broker", "port", "many", "it must be a whole number, not a text"),
        ("broker", "port", 65536, "it must be a whole number, at most 65535"),
        ("functions", "exactly_once", "maybe", "it must be true or false, not a text"),
        ("functions", "retry_delays", [], "it must not be empty"),
        ("functions", "retry_delays", [1, "x"], "item 2 must be a number, not a text"),
        ("functions", "idle_timeout", -1, "it must be a number, at least 0"),
        ("functions", "client_id", "", "it must not be empty"),
        ("functions", "window_size", 0, "it must be a whole number, at least 1"),
        ("functions", "window_size", 10**9, "it must be a whole number, at most 10000000"),
        ("topics", "prefix", {"a": 1}, "it must be a text, not a section of settings"),
    ],
)
def test_a_value_of_the_wrong_kind_is_explained_in_plain_words(
    section: str, key: str, value: Any, words: str
) -> None:
    layer: dict[str, Any] = {section: {key: value}}
    assert refusal(**layer).problem.endswith(f"cannot be used: {words}")


@pytest.mark.parametrize("text", ["1,,2", ",1", " , ,1", "1,,"])
def test_an_empty_item_of_a_list_is_refused(text: str) -> None:
    error = refusal(environ={"IOT_BUTTON_FUNCTIONS_RETRY_DELAYS": text})
    assert error.key == "functions.retry_delays"
    assert "IOT_BUTTON_FUNCTIONS_RETRY_DELAYS: functions.retry_delays" in error.problem
    assert "has an empty item" in error.problem
