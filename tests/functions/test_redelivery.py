"""A message that comes again, to the same runtime or to the next: which id its events have."""

from pathlib import Path
from typing import Any

from functions.runtime.journal import Journal
from functions.runtime.seen import Seen
from functions.runtime.switches import Switch
from functions.runtime.taken import WINDOW
from tests.functions.service_support import CLICKS, Workshop, body, function, one_function

IDS = "def lambda_handler(event, context):\n    return {'id': context.aws_request_id}\n"
ECHO = "def lambda_handler(event, context):\n    return event\n"
RULE = "SELECT encode(*, 'base64') AS data FROM 'in'"
PRESS = b"single"


def ids(folder: Path, *rules: str, **more: Any) -> Any:
    return one_function(folder, IDS, *(rules or (RULE,)), publish_result_to="out", **more)


def test_a_message_that_comes_again_to_the_next_runtime_has_the_same_request_id(
    tmp_path: Path,
) -> None:
    with ids(tmp_path) as workshop:
        packet = workshop.deliver("in", PRESS)
        (first,) = workshop.until_sent("out")
    with ids(tmp_path) as workshop:
        workshop.deliver("in", PRESS, packet_id=packet, duplicate=True, connection=2)
        assert workshop.until_sent("out") == [first]
        workshop.deliver("in", PRESS, packet_id=packet + 1, duplicate=True)
        workshop.deliver("in", b"double", packet_id=packet, duplicate=True)
        others = workshop.until_sent("out", 3)[1:]
    assert len({first["id"], *(other["id"] for other in others)}) == 3


def test_equal_presses_have_ids_of_their_own_also_with_the_packet_id_of_another(
    tmp_path: Path,
) -> None:
    with ids(tmp_path) as workshop:
        for _ in range(2):
            workshop.deliver("in", PRESS, packet_id=7)
        first, second = workshop.until_sent("out", 2)
        assert first != second
    with ids(tmp_path) as workshop:
        workshop.deliver("in", PRESS, packet_id=7, duplicate=True)
        assert workshop.until_sent("out") == [second]


def test_each_rule_that_a_message_matches_has_its_own_request_id_again(tmp_path: Path) -> None:
    rules = (RULE, "SELECT 1 AS one FROM 'in'", "SELECT 2 AS two FROM '+' WHERE 1 = 2")
    with ids(tmp_path, *rules) as workshop:
        packet = workshop.deliver("in", PRESS)
        first = {result["id"] for result in workshop.until_sent("out", 2)}
        assert len(first) == 2
    with ids(tmp_path, *rules) as workshop:
        workshop.deliver("in", PRESS, packet_id=packet, duplicate=True)
        assert {result["id"] for result in workshop.until_sent("out", 2)} == first


def test_a_click_without_an_id_gets_the_same_from_the_next_runtime(tmp_path: Path) -> None:
    options = {"publish_result_to": "out"}
    with one_function(tmp_path, ECHO, CLICKS, **options) as workshop:
        packet = workshop.click()
        (first,) = workshop.until_sent("out")
    payload = body(serialNumber="one", clickType="SINGLE")
    with one_function(tmp_path, ECHO, CLICKS, **options) as workshop:
        workshop.deliver("iotbutton/one", payload, packet_id=packet, duplicate=True)
        (again,) = workshop.until_sent("out")
        workshop.click()
        assert workshop.until_sent("out", 2)[1]["eventId"] != first["eventId"]
    assert again["eventId"] == first["eventId"]


def test_what_lies_on_disk_is_not_run_beside_the_message_that_comes_again(tmp_path: Path) -> None:
    """Killed after the event was on disk, before the broker was told: both have it."""
    with ids(tmp_path) as workshop:
        workshop.dies_after_spool = lambda: True
        workshop.member.set_switch(Switch(is_paused=True))
        packet = workshop.deliver("in", PRESS)
        workshop.run_until(lambda: workshop.is_dead, what="the kill")
        assert workshop.acknowledged == []
    with ids(tmp_path) as workshop:
        workshop.deliver("in", PRESS, packet_id=packet, duplicate=True)
        workshop.until_sent("out")
        workshop.settle()
        assert len(workshop.sent_to("out")) == 1
        assert workshop.acknowledged == [packet]
        assert workshop.member.queue.waiting == 0


def test_messages_that_no_rule_wants_are_not_remembered(tmp_path: Path) -> None:
    with one_function(tmp_path, IDS, f"{RULE} WHERE 1 = 2") as workshop:
        workshop.deliver("in", PRESS)
        workshop.settle()
        assert workshop.seen._taken.records() == b""  # noqa: SLF001 - nothing else shows it


# The file.


def test_ids_are_known_after_a_restart_the_newest_of_them(tmp_path: Path) -> None:
    keys = [number.to_bytes(16, "big") for number in range(WINDOW + 10)]
    texts = [f"00000000-0000-4000-8000-{number:012x}" for number in range(WINDOW + 10)]
    with Seen(tmp_path / "seen") as seen:
        for key, text in zip(keys, texts, strict=True):
            seen.take(key, text)
    for _ in range(2):  # once from single records, once from what they were put together to
        with Seen(tmp_path / "seen") as seen:
            assert [seen.taken(key) for key in keys] == [None] * 10 + texts[10:]


def test_a_journal_of_the_version_before_is_read(tmp_path: Path) -> None:
    with Seen(tmp_path / "seen") as seen:
        seen.done(b"k" * 16, "processed")
    (file,) = (tmp_path / "seen").glob("journal-*")
    file.write_bytes(file.read_bytes().replace(b"journal 2\n", b"journal 1\n", 1))
    assert Journal(tmp_path / "seen").read()
    with Seen(tmp_path / "seen") as seen:
        assert seen.outcome(b"k" * 16) == "processed"


def test_two_functions_of_one_message_have_their_own_ids(tmp_path: Path) -> None:
    specs = [
        function(tmp_path / "code", IDS, RULE, name=name, publish_result_to=f"out/{name}")
        for name in ("one", "two")
    ]
    with Workshop(tmp_path, *specs) as workshop:
        workshop.deliver("in", PRESS)
        assert workshop.until_sent("out/one") != workshop.until_sent("out/two")
