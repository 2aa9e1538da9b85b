"""`iot-button provision`: certificates for buttons, as a child process."""

import base64
import fcntl
import json
import os
import pty
import ssl
import stat
import struct
import subprocess
import sys
import tarfile
import termios
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs12

from broker import machine_names
from broker.bundle import Identity, new_passphrase
from broker.certificates import ServerCertificates, common_name, open_authority
from iot_button.accounts_file import AccountFile, Role
from iot_button.configuration import load
from iot_button.house import HOUSE_NAME
from tests.broker.handshakes import Tls, client_context
from tests.conftest import Start
from tests.support import DEADLINE

STATE = ".local/state/iot-button"


class Shell:
    """`iot-button provision ...` in an installation of its own."""

    def __init__(self, start: Start, home: Path) -> None:
        self._start = start
        self.state = home / STATE

    def run(self, *arguments: str, status: int = 0, **environment: str) -> list[dict[str, Any]]:
        """Return the JSON lines that it printed."""
        program = self._start("provision", *arguments, **environment)
        assert program.end() == status, program.said
        self.said = "\n".join(program.said)
        assert "Traceback" not in self.said
        return [json.loads(line) for line in program.printed]

    def server(self) -> ServerCertificates:
        return ServerCertificates.open(self.state)


@pytest.fixture
def shell(start: Start, tmp_path: Path) -> Shell:
    return Shell(start, tmp_path)


def test_a_button_gets_a_certificate_that_the_broker_takes(shell: Shell, tmp_path: Path) -> None:
    (line,) = shell.run("KITCHEN-1")
    folder = shell.state / "provisioned" / "KITCHEN-1"
    names = ["ca.pem", "KITCHEN-1.pem", "KITCHEN-1.key"]
    assert line["files"] == [str(folder / name) for name in names]
    assert "--tls-port 8883" in shell.said
    client = ssl.create_default_context(cafile=folder / "ca.pem")
    client.load_cert_chain(folder / "KITCHEN-1.pem", folder / "KITCHEN-1.key")
    tls = Tls(shell.server().context, client)
    assert common_name(tls.server.getpeercert()) == "KITCHEN-1"
    certificate = x509.load_pem_x509_certificate((folder / "KITCHEN-1.pem").read_bytes())
    shown = subprocess.run(
        ["openssl", "x509", "-in", folder / "KITCHEN-1.pem", "-noout", "-fingerprint", "-sha256"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert line["fingerprint"] == shown.stdout.partition("=")[2].strip().replace(":", "").lower()
    assert line["notAfter"] == f"{certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%S}.000Z"
    assert [path for path in tmp_path.iterdir() if path.name != ".local"] == []


def test_what_is_made_is_readable_for_this_user_alone(shell: Shell) -> None:
    shell.run("KITCHEN-1", "--bundle", "--qr")
    folder = shell.state / "provisioned" / "KITCHEN-1"
    assert {path.name for path in folder.iterdir()} == {
        *("ca.pem", "KITCHEN-1.pem", "KITCHEN-1.key"),
        *("KITCHEN-1.tar", "KITCHEN-1.p12", "KITCHEN-1.svg"),
    }
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for path in (folder, shell.state / "broker", shell.state / "broker" / "certificates"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path


def test_the_files_can_be_put_elsewhere(shell: Shell, tmp_path: Path) -> None:
    (line,) = shell.run("KITCHEN-1", "--out", str(tmp_path / "usb" / "stick"))
    assert line["files"][0] == str(tmp_path / "usb" / "stick" / "ca.pem")
    assert not (shell.state / "provisioned").exists()


@pytest.mark.parametrize(
    ("name", "is_warned"),
    [("nowhere.invalid", True), ("localhost", False), ("192.0.2.7", False), ("b.local", False)],
)
def test_a_broker_name_that_leads_nowhere_is_said_with_its_setting(
    shell: Shell, name: str, is_warned: bool
) -> None:
    """RFC 6761: `invalid` has no names. A button with it would look for its broker for ever."""
    shell.run("KITCHEN-1", IOT_BUTTON_BROKER_NAMES=name)
    assert (f"{name} leads nowhere from this machine" in shell.said) == is_warned
    assert ("set broker.names" in shell.said) == is_warned


def test_a_resolver_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: answer.wait(DEADLINE))
    assert machine_names.is_known("slow.example.com", timeout=0.01)
    assert not answer.is_set()
    answer.set()


def test_the_ca_of_another_installation_is_not_overwritten(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("another")
    assert shell.run("KITCHEN-1", "--out", str(tmp_path), status=1) == []
    assert "--out" in shell.said
    assert (tmp_path / "ca.pem").read_text() == "another"
    assert shell.run("--list") == []


def test_the_archive_is_a_folder_to_run_a_button_in(shell: Shell, tmp_path: Path) -> None:
    shell.run("KITCHEN-1", "--bundle", IOT_BUTTON_BROKER_NAMES="broker.example.com")
    archive = shell.state / "provisioned" / "KITCHEN-1" / "KITCHEN-1.tar"
    with tarfile.open(archive) as tar:
        assert all(member.mode == 0o600 for member in tar)
        tar.extractall(tmp_path, filter="data")
    folder = tmp_path / "KITCHEN-1"
    settings = load(config=folder / "iot-button.toml", environ={})
    assert settings.device.serial_number == "KITCHEN-1"
    address = settings.broker.address
    assert (address.host, address.port, address.tls) == ("broker.example.com", 8883, True)
    assert address.ca_file is not None
    assert address.certificate_file is not None
    assert address.key_file is not None
    client = ssl.create_default_context(cafile=folder / address.ca_file)
    client.load_cert_chain(folder / address.certificate_file, folder / address.key_file)
    Tls(shell.server().context, client).exchange()


def test_the_archive_names_the_port_and_the_prefix_that_are_set(shell: Shell) -> None:
    (line,) = shell.run(
        *("KITCHEN-1", "--bundle"),
        IOT_BUTTON_BROKER_TLS_PORT="18883",
        IOT_BUTTON_BROKER_NAMES="fd00::7",
        IOT_BUTTON_TOPICS_PREFIX='a "b"/ü',
    )
    assert line["broker"] == "mqtts://[fd00::7]:18883"
    with tarfile.open(shell.state / "provisioned" / "KITCHEN-1" / "KITCHEN-1.tar") as tar:
        member = tar.extractfile("KITCHEN-1/iot-button.toml")
        assert member is not None
        settings = tomllib.loads(member.read().decode())
    assert settings["broker"]["use"] == "mqtts://[fd00::7]:18883"
    assert settings["topics"]["prefix"] == 'a "b"/ü'


def test_a_phone_gets_a_file_with_a_passphrase(shell: Shell) -> None:
    (line,) = shell.run("KITCHEN-1", "--bundle")
    data = (shell.state / "provisioned" / "KITCHEN-1" / "KITCHEN-1.p12").read_bytes()
    content = pkcs12.load_pkcs12(data, line["passphrase"].encode())
    assert content.cert is not None
    assert content.cert.certificate.subject.rfc4514_string() == "CN=KITCHEN-1"
    assert len(content.additional_certs) == 1
    assert line["passphrase"] not in shell.said
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_pkcs12(data, b"another")


def test_no_two_passphrases_are_the_same() -> None:
    assert len({new_passphrase() for _ in range(100)}) == 100


def test_the_code_holds_what_an_app_needs_and_fits(tmp_path: Path) -> None:
    server = ServerCertificates.open(tmp_path)
    authority = open_authority(tmp_path)
    name = "X" * 64
    certificate, key = authority.issue(name)
    identity = Identity(
        serial_number=name,
        certificate=certificate,
        key=key,
        ca=authority.certificate,
        address=f"mqtts://{'a' * 63}.example.com:8883",
    )
    content = json.loads(identity.content())
    assert (content["url"], content["id"]) == (identity.address, name)
    assert x509.load_der_x509_certificate(base64.b64decode(content["ca"])) == authority.certificate
    shown = x509.load_der_x509_certificate(base64.b64decode(content["cert"]))
    private = load_der_private_key(base64.b64decode(content["key"]), password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.public_key() == shown.public_key()
    assert len(identity.content()) < 2_953
    assert int(identity.code().version) < 40
    assert server.files.ca.exists()


def test_the_code_is_shown_with_the_messages(shell: Shell) -> None:
    (line,) = shell.run("KITCHEN-1", "--qr")
    assert line["serialNumber"] == "KITCHEN-1"
    rows = [row for row in shell.said.splitlines() if set(row) <= set("█▀▄ ")]
    assert len(rows) > 50
    assert len({len(row) for row in rows}) == 1
    assert (shell.state / "provisioned" / "KITCHEN-1" / "KITCHEN-1.svg").read_bytes()[:4] == b"<?xm"


@pytest.mark.parametrize(("columns", "is_shown"), [(80, False), (200, True)])
def test_a_terminal_that_is_too_narrow_for_the_code_is_told_so(
    environment: dict[str, str], tmp_path: Path, columns: int, is_shown: bool
) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 100, columns, 0, 0))
    environment.pop("COLUMNS", None)
    program = subprocess.Popen(
        [sys.executable, "-m", "iot_button", "provision", "KITCHEN-1", "--qr"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        cwd=tmp_path,
    )
    os.close(theirs)
    said = b""
    try:
        while block := os.read(ours, 65_536):
            said += block
    except OSError:  # Linux's way to say that the other side is closed
        pass
    os.close(ours)
    assert program.wait(DEADLINE) == 0
    assert ("▀".encode() in said) == is_shown
    assert (b"KITCHEN-1.svg instead" in said) != is_shown


def test_the_list_names_who_has_a_certificate_and_who_had(shell: Shell) -> None:
    assert shell.run("--list") == []
    assert "provision SERIAL" in shell.said
    assert not shell.state.exists()
    (first,) = shell.run("A")
    (second,) = shell.run("B")
    shell.run("--revoke", "A")
    assert shell.run("--list") == [
        {
            "serialNumber": made["serialNumber"],
            "fingerprint": made["fingerprint"],
            "notAfter": made["notAfter"],
            "revoked": revoked,
        }
        for made, revoked in ((first, True), (second, False))
    ]


def test_who_is_revoked_is_refused_from_the_next_handshake_on(shell: Shell) -> None:
    server = shell.server()
    shell.run("LOST")
    folder = shell.state / "provisioned" / "LOST"
    client = client_context(server.files)
    client.load_cert_chain(folder / "LOST.pem", folder / "LOST.key")
    Tls(server.context, client).exchange()
    assert shell.run("--revoke", "LOST") == [{"serialNumber": "LOST", "revoked": 1}]
    assert server.refresh()
    with pytest.raises(ssl.SSLError):
        Tls(server.context, client)


def test_a_button_that_was_revoked_can_have_a_new_certificate(shell: Shell) -> None:
    (first,) = shell.run("KITCHEN-1")
    shell.run("KITCHEN-1", status=1)
    assert "iot-button provision --revoke KITCHEN-1" in shell.said
    shell.run("--revoke", "KITCHEN-1")
    (second,) = shell.run("KITCHEN-1")
    assert first["fingerprint"] != second["fingerprint"]


def test_commands_that_run_at_once_share_one_ca(start: Start, shell: Shell) -> None:
    programs = [start("provision", f"B-{number}") for number in range(4)]
    assert [program.end() for program in programs] == [0] * 4
    made = [path.read_bytes() for path in shell.state.glob("provisioned/*/ca.pem")]
    assert (len(made), len(set(made))) == (4, 1)
    assert {f"B-{number}" for number in range(4)} <= set(AccountFile(shell.state).read())
    assert len(shell.run("--list")) == 4


def test_a_button_has_an_account_of_its_name_until_it_is_revoked(shell: Shell) -> None:
    accounts = AccountFile(shell.state)
    shell.run("KITCHEN-1")
    account = accounts.read()["KITCHEN-1"]
    assert (account.role, account.serial_number) == (Role.BUTTON, "KITCHEN-1")
    assert account.password is None
    shell.run("--revoke", "KITCHEN-1")
    assert "KITCHEN-1" not in accounts.read()


def test_a_button_whose_account_was_made_before_keeps_its_password(shell: Shell) -> None:
    accounts = AccountFile(shell.state)
    accounts.add("KITCHEN-1", role=Role.BUTTON, serial_number="KITCHEN-1", password="secret")
    shell.run("KITCHEN-1")
    assert accounts.read()["KITCHEN-1"].password is not None


def test_no_button_is_given_the_name_of_anothers_account(shell: Shell) -> None:
    accounts = AccountFile(shell.state)
    accounts.add("boss", role=Role.ADMIN, password="secret")
    accounts.add("hall", role=Role.BUTTON, serial_number="OTHER", password="secret")
    for name in ("boss", "hall", HOUSE_NAME):
        shell.run(name, status=1)
        assert "another serial number" in shell.said
    assert shell.run("--list") == []
    shell.run("--revoke", "boss", status=1)
    assert set(accounts.read()) == {HOUSE_NAME, "boss", "hall"}


def test_whom_nobody_knows_cannot_be_revoked(shell: Shell) -> None:
    shell.run("--revoke", "NOBODY", status=1)
    assert "--list" in shell.said


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["A", "--list"],
        ["A", "--revoke", "A"],
        ["--list", "--bundle"],
        ["--revoke", "A", "--out", "x"],
        ["a/b"],
        [".."],
        ["a*"],
        ["x" * 65],
        ["CA"],
        ["--revoke", "../A"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(shell: Shell, arguments: list[str]) -> None:
    assert shell.run(*arguments, status=2) == []
    assert not shell.state.exists()


def test_a_damaged_ca_is_an_error_with_a_mend(shell: Shell) -> None:
    shell.run("A")
    (shell.state / "broker" / "certificates" / "ca.key").write_text("damaged")
    shell.run("B", status=1)
    assert "backup" in shell.said


def test_the_help_has_an_example(start: Start) -> None:
    program = start("provision", "--help")
    assert program.end() == 0
    assert any("iot-button provision KITCHEN-1 --bundle" in line for line in program.printed)
