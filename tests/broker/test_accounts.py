"""Accounts: the file, the command, and what comes of mistakes."""

import json
import subprocess
from pathlib import Path

import pytest

from iot_button.accounts_file import AccountError, AccountFile, Role
from iot_button.files import StorageError
from iot_button.house import HOUSE_NAME, read_house
from iot_button.passwords import is_right
from tests import support
from tests.conftest import Start


@pytest.fixture
def file(tmp_path: Path) -> AccountFile:
    return AccountFile(tmp_path)


def run(
    environment: dict[str, str], *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `iot-button account ARGUMENTS`."""
    return support.run("account", *arguments, environment=environment, given=given.encode())


def test_an_account_is_there_with_hashes_only_and_for_its_owner_alone(file: AccountFile) -> None:
    file.add("door", role=Role.BUTTON, serial_number="DOOR", password="a good password")
    account = file.read()["door"]
    assert (account.role, account.serial_number) == (Role.BUTTON, "DOOR")
    assert account.password is not None
    assert is_right(account.password, b"a good password")
    assert not is_right(account.password, b"a wrong password")
    assert b"a good password" not in file.path.read_bytes()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert "$" not in repr(account)


def test_the_first_account_brings_that_of_the_installations_own_parts(
    file: AccountFile, tmp_path: Path
) -> None:
    file.add("one", role=Role.ADMIN, password="a good password")
    file.add("two", role=Role.ADMIN, password="a good password")
    house = file.read()[HOUSE_NAME]
    password = read_house(tmp_path)
    assert password is not None
    assert house.password is not None
    assert is_right(house.password, password.encode())


def test_removing_everyone_opens_no_door(file: AccountFile) -> None:
    file.add("one", role=Role.ADMIN, password="a good password")
    assert file.remove("one")
    assert not file.remove("one")
    with pytest.raises(AccountError):
        file.remove(HOUSE_NAME)
    assert list(file.read()) == [HOUSE_NAME]


def test_a_damaged_file_opens_no_door(file: AccountFile) -> None:
    file.add("one", role=Role.ADMIN, password="a good password")
    file.path.write_text("[{")
    with pytest.raises(StorageError, match="no list of accounts"):
        file.read()


@pytest.mark.parametrize("name", ["", "_house", "a b", "a:b", "a\n", "#", "x" * 65, "ü"])
def test_a_name_that_cannot_be_one_is_refused(file: AccountFile, name: str) -> None:
    with pytest.raises(AccountError, match="cannot be an account's name"):
        file.add(name, role=Role.ADMIN, password="a good password")
    assert not file.path.exists()


def test_the_command_prints_a_new_password_once(environment: dict[str, str]) -> None:
    added = run(environment, "add", "door", "--button", "DOOR")
    fields = json.loads(added.stdout)
    assert fields["username"] == "door"
    assert len(fields["password"]) == 40
    listed = run(environment, "list")
    assert json.loads(listed.stdout) == {
        "name": "door",
        "role": "button",
        "serialNumber": "DOOR",
        "login": "password",
    }


def test_the_command_changes_a_password_and_removes_an_account(
    environment: dict[str, str],
) -> None:
    run(environment, "add", "me", "--admin", "--password-stdin", given="a good password\n")
    changed = run(environment, "passwd", "me")
    assert json.loads(changed.stdout)["username"] == "me"
    assert run(environment, "remove", "me").returncode == 0
    assert run(environment, "list").stdout == ""


def provision(environment: dict[str, str], *arguments: str) -> list[dict[str, object]]:
    ended = support.run("provision", *arguments, environment=environment)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_removing_a_buttons_account_revokes_its_certificate(environment: dict[str, str]) -> None:
    provision(environment, "DOOR")
    removed = run(environment, "remove", "DOOR")
    assert (removed.returncode, removed.stderr) == (
        0,
        "removed DOOR, and revoked its certificate\n",
    )
    assert [one["revoked"] for one in provision(environment, "--list")] == [True]
    assert run(environment, "add", "DOOR", "--admin").returncode == 0


def test_no_certificate_of_earlier_opens_an_account_that_is_no_buttons(
    environment: dict[str, str],
) -> None:
    provision(environment, "DOOR")
    accounts = next(Path(environment["HOME"]).rglob("accounts.json"))
    accounts.unlink()  # its certificate is still a good one
    for role in (["--admin"], ["--button", "BELL"]):
        refused = run(environment, "add", "DOOR", *role)
        assert refused.returncode == 1
        assert "iot-button provision --revoke DOOR" in refused.stderr
    assert run(environment, "add", "DOOR", "--button", "DOOR").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "given", "status", "said"),
    [
        (["add", "x"], "", 2, "say what it is for"),
        (["add", "x", "--button", "X", "--admin"], "", 2, "say what it is for"),
        (["add", "x", "--admin", "--dashboard"], "", 2, "say what it is for"),
        (["add", "x", "--button", "a/b"], "", 2, "is no serial number"),
        (["add", "x", "--admin", "--password-stdin"], "short\n", 1, "cannot be used"),
        (["remove", "x"], "", 1, "there is no account 'x'"),
        (["passwd", "x"], "", 1, "there is no account 'x'"),
    ],
)
def test_a_mistake_is_said_in_words(
    environment: dict[str, str], arguments: list[str], given: str, status: int, said: str
) -> None:
    ended = run(environment, *arguments, given=given)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_no_accounts_are_said_to_be_none_with_the_command_that_makes_one(start: Start) -> None:
    listing = start("account", "list")
    assert listing.end() == 0
    assert listing.printed == []
    assert "iot-button account add NAME --admin" in listing.said[0]
