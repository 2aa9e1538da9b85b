"""`iot-button broker export mosquitto`: a folder from which mosquitto runs by itself."""

import json
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.mosquitto_configuration import Listeners
from broker.mosquitto_export import export
from broker.mosquitto_files import AccessTexts, write_private
from iot_button.files import StorageError
from iot_button.settings import BrokerAddress
from tests.broker.mosquitto_house import Visitor
from tests.conftest import Start
from tests.support import DEADLINE, Program, eventually, free_port, is_listening, require_program

RunFolder = Callable[[Path, int], None]
CLICK = "iotbutton/DOOR"


@pytest.fixture
def run_folder() -> Iterator[RunFolder]:
    """Start mosquitto from an exported folder and wait for a port; all end with the test."""
    program = require_program("mosquitto", "mosquitto")
    children: list[subprocess.Popen[bytes]] = []

    def start(folder: Path, port: int) -> None:
        children.append(subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")]))
        eventually(lambda: is_listening(port), what="mosquitto listens")

    yield start
    for child in children:
        child.terminate()
        child.wait(DEADLINE)


def done(program: Program) -> Program:
    """Wait until a program has ended well."""
    assert program.end() == 0, program.said
    return program


def ports(*names: str) -> dict[str, int]:
    """Return a free port for each option."""
    return {name: free_port() for name in names}


def as_options(chosen: dict[str, int]) -> list[str]:
    return [part for name, port in chosen.items() for part in (f"--{name}", str(port))]


def account(start: Start, *arguments: str) -> tuple[str, str]:
    """Make an account, and return its name and password."""
    password = json.loads(done(start("account", "add", *arguments)).printed[0])["password"]
    return arguments[0], password


def address(port: int, account: tuple[str, str]) -> BrokerAddress:
    return BrokerAddress(host="127.0.0.1", port=port, username=account[0], password=account[1])


def test_mosquitto_runs_from_the_folder_with_accounts_and_what_each_may(
    start: Start, tmp_path: Path, run_folder: RunFolder
) -> None:
    door = account(start, "door", "--button", "DOOR")
    admin = account(start, "ann", "--admin")
    chosen = ports("port", "websocket-port")
    folder = tmp_path / "a folder"
    said = done(start("broker", "export", "mosquitto", str(folder), *as_options(chosen))).said
    assert f"mosquitto -c '{folder / 'mosquitto.conf'}'" in said[-1]
    run_folder(folder, chosen["port"])
    eventually(lambda: is_listening(chosen["websocket-port"]), what="it listens for WebSockets")
    with (
        Visitor(address(chosen["port"], door), "#", "iotbutton/DOOR/receipt") as button,
        Visitor(address(chosen["port"], admin), "#") as all_seeing,
        Visitor(address(chosen["port"], ("door", "wrong"))) as stranger,
    ):
        button.ready()
        all_seeing.ready()
        eventually(lambda: stranger.is_refused, what="a wrong password is refused")
        button.publish("iotprocessed", b"not its to say")
        button.publish("iotbutton/BELL", b"another's click")
        button.publish(CLICK, b"its own")
        assert all_seeing.next() == b"its own"
        all_seeing.publish("iotbutton/BELL/receipt", b"another's")
        all_seeing.publish("iotbutton/DOOR/receipt", b"its own receipt")
        assert button.next() == b"its own receipt"


def test_a_device_comes_in_with_its_certificate(
    start: Start, tmp_path: Path, run_folder: RunFolder
) -> None:
    given = tmp_path / "given"
    done(start("provision", "DOOR", "--out", str(given)))
    admin = account(start, "ann", "--admin")
    chosen = ports("port", "websocket-port", "tls-port")
    folder = tmp_path / "out"
    done(start("broker", "export", "mosquitto", str(folder), *as_options(chosen)))
    assert not list(folder.rglob("ca.key"))
    run_folder(folder, chosen["tls-port"])
    device = BrokerAddress(
        host="127.0.0.1",
        port=chosen["tls-port"],
        tls=True,
        ca_file=str(folder / "certificates" / "ca.pem"),
        certificate_file=str(given / "DOOR.pem"),
        key_file=str(given / "DOOR.key"),
    )
    with (
        Visitor(device) as button,
        Visitor(address(chosen["port"], admin), "iotbutton/+") as listener,
    ):
        listener.ready()
        button.ready()
        button.publish("iotbutton/BELL", b"another's click")
        button.publish(CLICK, b"pressed")
        assert listener.next() == b"pressed"
    assert "crl.pem is good until 20" in (folder / "README.txt").read_text()


def test_what_is_there_is_not_touched_and_force_renews_an_export_alone(
    start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    command = ("broker", "export", "mosquitto", str(folder))
    done(start(*command))
    (folder / "data" / "mosquitto.db").write_text("what waits")
    (folder / "notes").write_text("mine")
    again = start(*command, "--port", "1999")
    assert again.end() == 1
    assert "is not empty" in again.said[0]
    assert "--force" in again.said[1]
    done(start(*command, "--port", "1999", "--force"))
    assert "listener 1999 127.0.0.1" in (folder / "mosquitto.conf").read_text()
    assert (folder / "data" / "mosquitto.db").read_text() == "what waits"
    assert (folder / "notes").read_text() == "mine"

    home = tmp_path / "home"
    home.mkdir()
    (home / "mosquitto.conf").write_text("# my own")
    refused = start(*command[:-1], str(home), "--force")
    assert refused.end() == 1
    assert "not exported by iot-button" in refused.said[0]
    assert [path.name for path in home.iterdir()] == ["mosquitto.conf"]


def test_a_port_that_is_picked_at_each_start_is_not_exported(start: Start, tmp_path: Path) -> None:
    program = start("broker", "export", "mosquitto", str(tmp_path / "out"), "--port", "0")
    assert program.end() == 1
    assert "broker.port = 0" in program.said[0]
    assert not (tmp_path / "out").exists()


def test_options_before_the_subcommand_are_refused_and_not_forgotten(start: Start) -> None:
    program = start("broker", "--port", "1999", "export", "mosquitto", "out")
    assert program.end() == 2
    assert "after `export ...`" in program.said[-1]


@pytest.mark.parametrize("place", ["/proc/x", "/etc/nope/../../proc/x", "/dev/null/x"])
def test_a_folder_that_cannot_be_made_is_named_and_mended(start: Start, place: str) -> None:
    program = start("broker", "export", "mosquitto", place)
    assert program.end() == 1
    assert not any("/." in line.replace("/..", "") for line in program.said)
    assert "name a folder where this user may write" in program.said[-1]


HERE = Listeners(address="127.0.0.1", port=1883, websocket_port=9001)
ACCOUNTS = AccessTexts(passwords="ann:hash\n", access="user ann\n")


def test_nothing_half_written_is_left_where_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        if path.name == "mosquitto.conf":
            raise StorageError(path, "no space left")
        write_private(path, text)

    monkeypatch.setattr("broker.mosquitto_export.write_private", full)
    with pytest.raises(StorageError, match="no space left"):
        export(tmp_path / "out", listeners=HERE, accounts=ACCOUNTS, certificates=None)
    assert list(tmp_path.iterdir()) == []


def test_its_files_are_for_the_user_alone_and_old_secrets_do_not_stay(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    export(folder, listeners=HERE, accounts=ACCOUNTS, certificates=None)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"mosquitto.conf", "passwords", "access", "README.txt"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert "hash" not in (folder / "mosquitto.conf").read_text()
    export(folder, listeners=HERE, accounts=None, certificates=None, force=True)
    assert not (folder / "passwords").exists()
