"""The serial number of a button whose owner gave it none."""

import socket
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim import identity
from device_sim.identity import serial_number
from iot_button.events import SERIAL_NUMBER

LABEL = st.text("ABCXYZabcxyz019_-", min_size=1, max_size=64)


@pytest.fixture
def machine_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that names the machine, and a host's name."""
    path = tmp_path / "machine-id"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    monkeypatch.setattr(identity, "_MACHINE_ID", path)
    monkeypatch.setattr(socket, "gethostname", lambda: "raspberrypi.fritz.box")
    return path


@pytest.mark.usefixtures("machine_id")
def test_it_names_host_and_driver_and_is_the_same_at_each_start() -> None:
    assert serial_number("gpio17") == serial_number("gpio17")
    assert serial_number("gpio17").startswith("raspberrypi-")
    assert serial_number("gpio17").endswith("-gpio17")


def test_two_machines_of_one_name_differ(machine_id: Path) -> None:
    first = serial_number("gpio17")
    machine_id.write_text("f" * 32)
    assert serial_number("gpio17") != first


@pytest.mark.usefixtures("machine_id")
def test_the_buttons_of_one_machine_differ() -> None:
    assert serial_number("gpio17") != serial_number("gpio27")


@pytest.mark.parametrize("content", [None, b"", b"\n", b"uninitialized\n", b"\xff\xfe"])
def test_a_machine_without_an_id_is_told_by_its_network_address(
    machine_id: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    machine_id.unlink()
    if content is not None:
        machine_id.write_bytes(content)
    numbers = []
    for address in (0x1234, 0x5678):
        monkeypatch.setattr(uuid, "getnode", lambda address=address: address)
        numbers.append(serial_number("gpio17"))
    assert numbers[0] != numbers[1]


def test_the_machines_id_itself_is_not_shown(machine_id: Path) -> None:
    assert machine_id.read_text()[:4] not in serial_number("gpio17")


@settings(deadline=None)
@given(host=st.text(max_size=80), label=LABEL)
def test_it_is_a_serial_number_whatever_the_host_is_called(host: str, label: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: host)
        assert SERIAL_NUMBER.fullmatch(serial_number(label))


@given(label=LABEL, other=LABEL)
def test_labels_that_begin_alike_do_not_become_one(label: str, other: str) -> None:
    long = "x" * 50
    assert (serial_number(long + label[:14]) == serial_number(long + other[:14])) == (
        label[:14] == other[:14]
    )
