import pytest

from iot_button.errors import SettingError
from iot_button.topics import Topics


def test_without_a_prefix_the_topics_are_the_contracts() -> None:
    topics = Topics()
    assert topics.clicks == "iotbutton/+"
    assert topics.click("G030") == "iotbutton/G030"
    assert topics.receipt("G030") == "iotbutton/G030/receipt"
    assert topics.processed == "iotprocessed"
    assert topics.dead_letter("enrich") == "deadletter/enrich"


@pytest.mark.parametrize("prefix", ["home", "home/ground-floor", "ünter uns", "a$b"])
def test_a_prefix_comes_before_every_topic(prefix: str) -> None:
    plain, prefixed = Topics(), Topics(prefix)
    assert prefixed.clicks == f"{prefix}/{plain.clicks}"
    assert prefixed.click("G030") == f"{prefix}/{plain.click('G030')}"
    assert prefixed.receipt("G030") == f"{prefix}/{plain.receipt('G030')}"
    assert prefixed.processed == f"{prefix}/{plain.processed}"
    assert prefixed.dead_letter("enrich") == f"{prefix}/{plain.dead_letter('enrich')}"


@pytest.mark.parametrize("prefix", ["", "home", "home/ground-floor"])
def test_the_serial_number_is_read_back_from_a_clicks_topic(prefix: str) -> None:
    assert Topics.serial_number(Topics(prefix).click("G030-x_1")) == "G030-x_1"


@pytest.mark.parametrize(
    "prefix", ["/", "/home", "home/", "a//b", "+", "a/+/b", "a+", "#", "a/#", "$SYS", "$a/b", "a\0"]
)
def test_a_prefix_that_is_no_topic_name_is_refused_by_name_and_value(prefix: str) -> None:
    with pytest.raises(SettingError) as caught:
        Topics(prefix)
    assert caught.value.key == "topics.prefix"
    assert repr(prefix) in caught.value.problem
    assert caught.value.mend
