"""The handler by itself, as AWS would call it."""

import ast
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from functions.handlers import enrich

EVENT = {"serialNumber": "G030JF055364XVRB", "batteryVoltage": "1716mV", "clickType": "SINGLE"}
SHOW_ADDRESS = "from functions.handlers.enrich import host_address; print(host_address())"


def test_the_six_fields_of_the_original_are_there_in_its_order() -> None:
    processed = enrich.lambda_handler(EVENT, None)
    assert list(processed) == [
        *("title", "timestamp", "ipAddress"),
        *("serialNumber", "batteryVoltage", "clickType"),
    ]
    assert processed["title"] == "Demo event assembled by lambda python function"
    assert {key: processed[key] for key in EVENT} == EVENT


def test_id_and_time_of_the_click_are_passed_on() -> None:
    more = {"eventId": "abc", "clickedAt": "2026-11-22T10:15:30.123Z"}
    processed = enrich.lambda_handler(EVENT | more, None)
    assert {key: processed[key] for key in more} == more


def test_unknown_fields_are_kept_out() -> None:
    assert "colour" not in enrich.lambda_handler(EVENT | {"colour": "red"}, None)


def test_the_timestamp_is_now_in_utc_with_milliseconds() -> None:
    before = datetime.now(UTC)
    text = enrich.lambda_handler(EVENT, None)["timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert abs((datetime.fromisoformat(text) - before).total_seconds()) < 60


def test_the_address_is_one_of_this_host_and_not_loopback() -> None:
    addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    if not addresses:
        pytest.skip("this machine has no address but loopback")
    assert enrich.host_address() in addresses


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        ("ip link set lo up", "127.0.0.1"),
        (
            "ip link add name lan0 type veth peer name lan1 && "
            "ip addr add 10.1.2.3/24 dev lan0 && ip link set lan0 up",
            "10.1.2.3",
        ),
    ],
    ids=["loopback alone", "a closed network without a default route"],
)
def test_a_host_without_a_route_to_anywhere(setup: str, expected: str) -> None:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("needs unshare and ip (util-linux, iproute2)")
    ran = subprocess.run(
        [
            "unshare",
            "-n",
            "sh",
            "-c",
            f'{setup} && exec "$0" -c "$1"',
            sys.executable,
            SHOW_ADDRESS,
        ],
        capture_output=True,
        text=True,
        cwd=Path(enrich.__file__).parents[2],
    )
    if "Operation not permitted" in ran.stderr:
        pytest.skip("making a network namespace needs root")
    assert ran.stdout.strip() == expected, ran.stderr


def test_the_file_imports_the_standard_library_alone_so_that_it_runs_on_aws() -> None:
    tree = ast.parse(Path(enrich.__file__).read_text())
    modules = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert modules <= sys.stdlib_module_names
