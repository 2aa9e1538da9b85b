"""mosquitto with the certificates of our CA: who may come, who is shut out."""

import os
import pwd
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.certificates import CertificateFiles, ServerCertificates, open_authority
from iot_button.errors import SettingError
from iot_button.mqtt import Connection
from iot_button.settings import BrokerAddress
from tests.broker.handshakes import button
from tests.support import DEADLINE, eventually, free_port, require_program


@pytest.fixture
def server(tmp_path: Path) -> ServerCertificates:
    return ServerCertificates.open(tmp_path)


class Mosquitto:
    """mosquitto with a TLS listener of our files, and its own command for a client."""

    def __init__(self, directory: Path, files: CertificateFiles) -> None:
        self.port = free_port()
        self.files = files
        self.log = directory / "mosquitto.log"
        access = directory / "access"
        user = pwd.getpwuid(os.getuid()).pw_name
        access.write_text("pattern readwrite iotbutton/%u\n")
        configuration = directory / "mosquitto.conf"
        configuration.write_text(
            f"listener {self.port} 127.0.0.1\ncafile {files.ca}\ncertfile {files.server}\n"
            f"keyfile {files.key}\ncrlfile {files.crl}\nrequire_certificate true\n"
            f"use_identity_as_username true\nacl_file {access}\nuser {user}\nlog_type all\n"
        )
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [require_program("mosquitto", "mosquitto"), "-c", str(configuration)],
                stdout=log,
                stderr=log,
            )

    def publish(self, serial_number: str, certificate: Path) -> bool:
        """Publish as a button, and say whether it went."""
        done = subprocess.run(
            [
                *(require_program("mosquitto_pub", "mosquitto-clients"), "-h", "localhost"),
                *("-p", str(self.port), "--cafile", str(self.files.ca), "-q", "1"),
                *("--cert", str(certificate), "--key", str(certificate)),
                *("-t", f"iotbutton/{serial_number}", "-m", "{}"),
            ],
            check=False,
            capture_output=True,
            timeout=DEADLINE,
        )
        return done.returncode == 0

    def reload(self) -> None:
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE)


@pytest.fixture
def mosquitto_with_tls(tmp_path: Path, server: ServerCertificates) -> Iterator[Mosquitto]:
    child = Mosquitto(tmp_path, server.files)
    yield child
    child.stop()


def test_mosquitto_takes_our_files_and_hears_of_a_revocation(
    tmp_path: Path, server: ServerCertificates, mosquitto_with_tls: Mosquitto
) -> None:
    lost, kept = button(tmp_path, "LOST"), button(tmp_path, "KEPT")
    foreign = button(tmp_path / "another", "KEPT")
    broker = mosquitto_with_tls
    eventually(lambda: broker.publish("LOST", lost), what="mosquitto takes a button's publish")
    assert "LOST" in broker.log.read_text()
    assert not broker.publish("KEPT", foreign)
    open_authority(tmp_path).revoke("LOST")
    server.refresh()
    broker.reload()
    eventually(lambda: not broker.publish("LOST", lost), what="mosquitto refuses who is revoked")
    assert broker.publish("KEPT", kept)


def test_a_client_of_ours_shows_its_certificate(
    tmp_path: Path, server: ServerCertificates, mosquitto_with_tls: Mosquitto
) -> None:
    own = str(button(tmp_path))
    address = BrokerAddress(
        host="localhost",
        port=mosquitto_with_tls.port,
        tls=True,
        ca_file=str(server.files.ca),
        certificate_file=own,
        key_file=own,
    )
    done = threading.Event()
    with Connection(address, client_id="c") as connection:
        connection.wait_ready(DEADLINE)
        connection.publish("iotbutton/BUTTON-1", b"{}", on_acknowledged=done.set)
        assert done.wait(DEADLINE)
    assert "u'BUTTON-1'" in mosquitto_with_tls.log.read_text()


def test_a_certificate_that_cannot_be_used_is_an_error_that_names_the_setting(
    server: ServerCertificates,
) -> None:
    address = BrokerAddress(
        host="localhost",
        port=1,
        tls=True,
        ca_file=str(server.files.ca),
        certificate_file="none.pem",
    )
    with pytest.raises(SettingError, match=r"none\.pem") as caught:
        Connection(address, client_id="c")
    assert caught.value.key == "broker.certificate_file"


def test_a_key_of_another_certificate_is_an_error_that_names_the_setting(
    tmp_path: Path, server: ServerCertificates
) -> None:
    address = BrokerAddress(
        host="localhost",
        port=1,
        tls=True,
        ca_file=str(server.files.ca),
        certificate_file=str(button(tmp_path)),
        key_file=str(server.files.key),
    )
    with pytest.raises(SettingError, match=r"(?i)mismatch") as caught:
        Connection(address, client_id="c")
    assert caught.value.key == "broker.key_file"


def test_a_key_with_a_password_is_an_error_and_nobody_is_asked(
    tmp_path: Path, server: ServerCertificates
) -> None:
    locked = tmp_path / "locked.key"
    subprocess.run(
        [
            *(require_program("openssl", "openssl"), "pkcs8", "-topk8", "-passout", "pass:x"),
            *("-in", str(server.files.key), "-out", str(locked)),
        ],
        check=True,
    )
    address = BrokerAddress(
        host="localhost",
        port=1,
        tls=True,
        ca_file=str(server.files.ca),
        certificate_file=str(server.files.server),
        key_file=str(locked),
    )
    with pytest.raises(SettingError, match="encrypted"):
        Connection(address, client_id="c")
