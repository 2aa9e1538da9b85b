"""Who is let in, at what cost, and for how long."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from broker import account_door
from broker.account_door import AccountDoor
from broker.door import Credentials, RefusedError
from iot_button import passwords
from iot_button.accounts_file import AccountFile, Role
from iot_button.files import StorageError
from iot_button.house import HOUSE_NAME, read_house
from iot_button.patience import Patience
from iot_button.topics import Topics
from tests.support import run_async

PASSWORD = "a good password"


@pytest.fixture
def file(tmp_path: Path) -> AccountFile:
    file = AccountFile(tmp_path)
    file.add("door", role=Role.BUTTON, serial_number="DOOR", password=PASSWORD)
    file.add("CERT", role=Role.BUTTON, serial_number="CERT", password=None)
    return file


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        await work()

    run_async(all_of_it())


def door_of(state_dir: Path, *, opens: bool = True) -> AccountDoor:
    return AccountDoor(state_dir, Topics(), open_without_accounts=opens)


def credentials(
    username: str | None = "door",
    password: str | None = PASSWORD,
    *,
    certificate: str | None = None,
) -> Credentials:
    return Credentials(
        address="192.0.2.1",
        client_id="x",
        username=username,
        password=None if password is None else password.encode(),
        certificate=certificate,
    )


async def refused(door: AccountDoor, who: Credentials) -> tuple[int, str]:
    with pytest.raises(RefusedError) as error:
        await door.admit(who)
    return error.value.return_code, error.value.reason


def test_without_accounts_everyone_may_come_in_on_loopback_alone(tmp_path: Path) -> None:
    async def work() -> None:
        guest = await door_of(tmp_path).admit(credentials(None, None))
        assert guest.name is None
        assert guest.may_publish("anything")
        assert (await refused(door_of(tmp_path, opens=False), credentials(None, None)))[0] == 5

    run(work)


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    "who",
    [
        credentials(password="wrong"),
        credentials("nobody"),
        credentials("CERT"),
        credentials("CERT", ""),
        credentials(None, None),
        credentials(password=None),
        credentials(None, None, certificate="REVOKED"),
        credentials(None, None, certificate="door"),
    ],
)
def test_the_wrong_ones_are_refused(tmp_path: Path, who: Credentials) -> None:
    async def work() -> None:
        assert (await refused(door_of(tmp_path), who))[0] == 5

    run(work)


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("who", [credentials(), credentials(None, None, certificate="CERT")])
def test_the_right_ones_are_let_in_with_their_rights(tmp_path: Path, who: Credentials) -> None:
    async def work() -> None:
        guest = await door_of(tmp_path).admit(who)
        assert guest.may_publish(f"iotbutton/{guest.name.upper() if guest.name else ''}")
        assert not guest.may_publish("iotprocessed")

    run(work)


def test_a_password_is_checked_once_and_remembered(
    file: AccountFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = _count_checks(monkeypatch)

    async def work() -> None:
        door = door_of(tmp_path)
        for _ in range(50):
            await door.admit(credentials())
        assert len(checks) == 1
        file.set_password("door", "another password")
        assert (await refused(door, credentials()))[0] == 5
        await door.admit(credentials(password="another password"))

    run(work)


@pytest.mark.usefixtures("file")
def test_a_flood_of_wrong_passwords_is_checked_a_few_times_and_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = _count_checks(monkeypatch)

    async def work() -> None:
        still = Patience(lambda: 0.0)
        door = AccountDoor(tmp_path, Topics(), open_without_accounts=True, patience=still)
        await door.admit(credentials())
        for number in range(300):
            await refused(door, credentials(f"name{number % 10}", "wrong"))
        assert len(checks) <= 30
        await door.admit(credentials())

    run(work)


@pytest.mark.usefixtures("file")
def test_more_than_can_be_checked_are_told_to_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_door, "_MOST_CHECKS", 2)

    async def work() -> None:
        door = door_of(tmp_path)
        whos = [credentials(f"n{number}", "wrong") for number in range(10)]
        ends = await asyncio.gather(*(door.admit(one) for one in whos), return_exceptions=True)
        codes = [end.return_code for end in ends if isinstance(end, RefusedError)]
        assert sorted(codes) == [3] * 8 + [5] * 2

    run(work)


def test_one_whose_account_changes_is_not_welcome_any_more(
    file: AccountFile, tmp_path: Path
) -> None:
    async def work() -> None:
        door = door_of(tmp_path)
        guest = await door.admit(credentials())
        assert not door.refresh()
        file.add("other", role=Role.ADMIN, password=PASSWORD)
        assert door.refresh()
        assert door.is_welcome(guest)
        file.set_password("door", "another password")
        assert door.refresh()
        assert not door.is_welcome(guest)

    run(work)


def test_one_of_a_time_without_accounts_is_not_welcome_with_the_first(tmp_path: Path) -> None:
    async def work() -> None:
        door = door_of(tmp_path)
        guest = await door.admit(credentials(None, None))
        assert door.is_welcome(guest)
        AccountFile(tmp_path).add("me", role=Role.ADMIN, password=PASSWORD)
        assert door.refresh()
        assert not door.is_welcome(guest)

    run(work)


def test_a_burst_from_one_address_is_checked_a_few_times(
    file: AccountFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = _count_checks(monkeypatch)
    assert file.read()

    async def work() -> None:
        still = Patience(lambda: 0.0)
        door = AccountDoor(tmp_path, Topics(), open_without_accounts=True, patience=still)
        whos = [credentials(f"n{number}", "wrong") for number in range(150)]
        ends = await asyncio.gather(*(door.admit(one) for one in whos), return_exceptions=True)
        assert all(isinstance(end, RefusedError) and end.return_code == 5 for end in ends)
        assert len(checks) == 10

    run(work)


@pytest.mark.usefixtures("file")
def test_the_installations_own_parts_come_in_at_once_also_under_a_flood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = _count_checks(monkeypatch)
    house = read_house(tmp_path)

    async def work() -> None:
        still = Patience(lambda: 0.0)
        door = AccountDoor(tmp_path, Topics(), open_without_accounts=True, patience=still)
        for number in range(20):
            await refused(door, credentials(f"name{number}", "wrong"))
            await refused(door, credentials(HOUSE_NAME, "wrong"))
        so_far = len(checks)
        guest = await door.admit(credentials(HOUSE_NAME, house))
        assert guest.name == HOUSE_NAME
        assert len(checks) == so_far

    run(work)


def test_a_damaged_file_leaves_all_as_it_was_and_is_said_once(
    file: AccountFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        door = door_of(tmp_path)
        guest = await door.admit(credentials())
        whole = file.path.read_bytes()
        file.path.write_bytes(whole[:100])
        for _ in range(3):
            assert not door.refresh()
        assert door.is_welcome(guest)
        await door.admit(credentials())
        assert (await refused(door, credentials(None, None)))[0] == 5
        assert caplog.text.count("accounts stay as they were") == 1
        file.path.write_bytes(whole)
        assert door.refresh()
        assert door.is_welcome(guest)
        file.path.write_bytes(b"{")
        with pytest.raises(StorageError):
            door_of(tmp_path)

    run(work)


def test_a_door_that_was_closed_is_not_opened_by_taking_the_file_away(
    file: AccountFile, tmp_path: Path
) -> None:
    async def work() -> None:
        door = door_of(tmp_path)
        guest = await door.admit(credentials())
        file.path.unlink()
        assert door.refresh()
        assert not door.is_welcome(guest)
        assert (await refused(door, credentials(None, None)))[0] == 5
        assert (await refused(door, credentials()))[0] == 5

    run(work)


def test_an_account_that_is_removed_while_its_password_is_checked_does_not_come_in(
    file: AccountFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = passwords.is_right

    def removing(hashed: str, password: bytes) -> bool:
        file.remove("door")
        door.refresh()
        return real(hashed, password)

    monkeypatch.setattr(account_door, "is_right", removing)
    door = door_of(tmp_path)

    async def work() -> None:
        assert (await refused(door, credentials()))[0] == 5

    run(work)


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("client_id", "prefix", "is_let_in"),
    [
        ("anything", "", True),
        ("iot-button-device-DOOR", "", True),
        ("iot-button-device-DOOR-home", "home", True),
        ("iot-button-press-1a2b", "", True),
        ("iot-button-device-OTHER", "", False),
        ("iot-button-device-DOOR-OTHER", "", False),
        ("iot-button-device-DOOR", "home", False),
        ("iot-button-functions", "", False),
        ("iot-button-functions-home", "home", False),
        ("iot-button-dashboard", "", False),
    ],
)
def test_a_button_takes_no_client_id_of_our_parts_or_of_another_button(
    tmp_path: Path, client_id: str, prefix: str, is_let_in: bool
) -> None:
    async def work() -> None:
        door = AccountDoor(tmp_path, Topics(prefix), open_without_accounts=True)
        who = dataclasses.replace(credentials(), client_id=client_id)
        if is_let_in:
            assert (await door.admit(who)).name == "door"
        else:
            assert (await refused(door, who))[0] == 2

    run(work)


def _count_checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    checks: list[bytes] = []
    real = passwords.is_right

    def counting(hashed: str, password: bytes) -> bool:
        checks.append(password)
        return real(hashed, password)

    monkeypatch.setattr(account_door, "is_right", counting)
    return checks


def test_one_who_comes_right_after_a_change_does_not_hide_it(
    file: AccountFile, tmp_path: Path
) -> None:
    async def work() -> None:
        door = door_of(tmp_path)
        file.set_password("door", "another password")
        await refused(door, credentials())
        assert door.refresh()
        assert not door.refresh()

    run(work)
