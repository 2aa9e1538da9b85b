"""What a bridge is told: rules, settings, and errors that name what is wrong."""

from pathlib import Path
from typing import Any

import pytest

from broker.bridge.addresses import check_elsewhere, remote_address
from iot_button.bridge_rules import Toward, matches, overlap, routes
from iot_button.bridge_settings import read_bridge
from iot_button.configuration import load
from iot_button.errors import SettingError
from iot_button.settings import BrokerSettings, Settings
from tests.conftest import Start

BROKER = "mqtts://broker.example.com"


def bridge_with(**values: Any) -> Any:
    return read_bridge({"to": BROKER, "topics": ["a out"]} | values)


def refusal(**values: Any) -> str:
    with pytest.raises(SettingError) as caught:
        bridge_with(**values)
    assert caught.value.key == "bridge"
    return str(caught.value)


def settings_of(text: str, tmp_path: Path) -> Settings:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return load(config=path, environ={"HOME": str(tmp_path)})


def test_a_rule_is_read_as_mosquitto_reads_it() -> None:
    [route] = routes(["a/# out local/ remote/"])
    assert (route.toward, route.source) == (Toward.REMOTE, "local/a/#")
    assert route.target == "remote/a/#"
    assert route.renamed("local/a/b") == "remote/a/b"
    [back] = routes(["a/# in local/ remote/"])
    assert (back.toward, back.source, back.target) == (Toward.LOCAL, "remote/a/#", "local/a/#")
    assert [route.toward for route in routes(["a both"])] == [Toward.REMOTE, Toward.LOCAL]
    assert [route.toward for route in routes(["a"])] == [Toward.REMOTE]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("a sideways", "no direction"),
        ("a out 1 b/ c/", "QoS 1"),
        ("a out b c d e", "is not PATTERN"),
        (" ", "is not PATTERN"),
        ("a#", "no topic filter"),
        ("a/#/b", "no topic filter"),
        ("+a", "no topic filter"),
        ("$share/g/a", "no topic filter"),
        ("'' out", "no topic filter"),
        ("a out +/", "must have no +"),
        ("a out 'b", "No closing quotation"),
    ],
)
def test_a_rule_that_is_none_is_refused(rule: str, why: str) -> None:
    assert why in refusal(topics=[rule])


def test_rules_that_would_forward_a_message_twice_are_refused() -> None:
    assert "twice" in refusal(topics=["a/+ out", "a/b both"])
    assert bridge_with(topics=["a/+ out", "a/b in"]).topics == ("a/+ out", "a/b in")


@pytest.mark.parametrize(
    ("topic_filter", "topic", "is_match"),
    [
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a", "a/", False),
        ("a/+", "a/", True),
    ],
)
def test_a_filter_matches_as_the_standard_says(
    topic_filter: str, topic: str, is_match: bool
) -> None:
    assert matches(topic_filter, topic) is is_match
    assert overlap(topic_filter, topic) is is_match
    assert overlap(topic, topic_filter) is is_match


def test_filters_with_a_topic_in_common_overlap() -> None:
    assert overlap("a/+/c", "a/b/+")
    assert overlap("a/#", "+/b")
    assert not overlap("a/+", "b/+")
    assert not overlap("a/+/c", "a/b")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"to": "broker.example.com"}, "mqtts://HOST:PORT for TLS"),
        ({"to": "mqtt://host/path"}, "no broker's address"),
        ({"to": "mqtt://host:99999"}, "no broker's address"),
        ({"topics": []}, "bridge.topics"),
        ({"queue_size": 0}, "bridge.queue_size"),
        ({"when_full": "wait"}, "bridge.when_full"),
        ({"queue": 1}, "there is no setting `queue`"),
        ({"name": "../up"}, "cannot name a file"),
        ({"key_file": "k"}, "without its certificate"),
        ({"to": "mqtt://host", "ca_file": "c"}, "no effect without TLS"),
        ({"password": "p"}, "without a bridge.username"),
        ({"username": "u", "password": "p", "password_file": "f"}, "both set"),
    ],
)
def test_a_bad_setting_is_named(values: dict[str, Any], why: str) -> None:
    assert why in refusal(**values)


def test_a_password_is_never_shown() -> None:
    assert "geheim" not in refusal(to="mqtts://u:geheim@host")
    assert "geheim" not in refusal(username="u", password="geheim", topics=["#/a"])
    assert "geheim" not in repr(bridge_with(username="u", password="geheim"))


def test_bridges_are_read_from_the_settings_file(tmp_path: Path) -> None:
    settings = settings_of(
        '[[bridge]]\nto = "mqtt://a"\ntopics = ["x out"]\n'
        '[[bridge]]\nname = "cloud"\nto = "mqtts://b"\ntopics = ["y both"]\nqueue_size = 5\n',
        tmp_path,
    )
    assert [bridge.called for bridge in settings.bridge] == ["a-1883", "cloud"]
    assert settings.bridge[1].queue_size == 5


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('bridge = "mqtt://a"', "must be a list of tables"),
        ('[bridge]\nto = "mqtt://a"', "cannot be set here"),
        ('[[bridge]]\nto = "mqtt://a"', "required field|there must be a setting `topics`"),
        ('[[bridge]]\nto = "mqtt://a"\ntopics = ["x"]\n' * 2, "two bridges are called"),
    ],
)
def test_a_bad_table_is_refused_with_the_file_named(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=why) as caught:
        settings_of(text, tmp_path)
    assert "settings.toml" in str(caught.value)


def test_the_environment_cannot_hold_a_bridge() -> None:
    with pytest.raises(SettingError, match=r"\[\[bridge\]\] table into the settings file"):
        load(environ={"IOT_BUTTON_BRIDGE_TO": "mqtt://a"})


def test_aws_is_told_its_protocol_on_its_port_alone() -> None:
    host = "abc-ats.iot.eu-west-1.amazonaws.com"
    assert remote_address(bridge_with(to=f"mqtts://{host}:443")).alpn == "x-amzn-mqtt-ca"
    assert remote_address(bridge_with(to=f"mqtts://{host}")).alpn is None
    assert remote_address(bridge_with(to="mqtts://host:443")).alpn is None
    assert remote_address(bridge_with(to="mqtts://host:443", alpn="mqtt")).alpn == "mqtt"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "there is no bridge"),
        (("--to", "mqtt://a"), "say what is to be forwarded"),
        (("--topic", "a out"), "describe the bridge of --to"),
        (("--to", "mqtt://a", "--topic", ""), "write --topic 'iotprocessed out'"),
        (("--to", "mqtt://localhost", "--topic", "a both"), "is our own broker"),
        (("--to", "mqtt://u:p@a", "--topic", "a out"), "has an account in it"),
        (("--to", "mqtts://a", "--topic", "a out", "--ca-file", "none.pem"), "bridge.ca_file"),
        (
            ("--to", "mqtts://a", "--topic", "a", "--username", "u", "--password-file", "none"),
            "bridge.password_file",
        ),
    ],
)
def test_wrong_usage_ends_with_2(start: Start, arguments: tuple[str, ...], why: str) -> None:
    program = start("bridge", *arguments)
    assert program.end() == 2
    assert why in " ".join(program.said)
    assert "Traceback" not in " ".join(program.said)


def test_no_broker_of_ours_ends_with_1(start: Start) -> None:
    program = start(
        "bridge", "--broker", "mqtt://127.0.0.1:1", "--to", "mqtt://127.0.0.1:2", "--topic", "a"
    )
    assert program.end(deadline=20) == 1
    assert "no MQTT broker answers at mqtt://127.0.0.1:1" in " ".join(program.said)


@pytest.mark.parametrize(
    ("to", "topic", "broker", "is_refused"),
    [
        ("mqtt://127.0.0.1:1883", "iotprocessed out", {}, True),
        ("mqtt://LOCALHOST", "#", {}, True),
        ("mqtts://127.0.0.1:8883", "a both", {"tls_port": 8883}, True),
        ("mqtt://127.0.0.1:1883", "a/# out '' copy/", {}, False),
        ("mqtt://127.0.0.1:1884", "a both", {}, False),
        ("mqtt://127.0.0.2:1883", "a both", {}, False),
        ("mqtt://them", "a both", {"use": "mqtt://them:1883"}, True),
        ("mqtt://them", "a both", {"use": "mqtt://other@them:1883"}, False),
    ],
)
def test_a_bridge_from_our_broker_to_itself_is_refused(
    to: str, topic: str, broker: dict[str, Any], is_refused: bool
) -> None:
    settings = Settings(state_dir="state", broker=BrokerSettings(**broker))
    bridge = bridge_with(to=to, topics=[topic])
    if not is_refused:
        check_elsewhere(bridge, settings)
        return
    with pytest.raises(SettingError, match="is our own broker") as caught:
        check_elsewhere(bridge, settings)
    assert caught.value.mend
