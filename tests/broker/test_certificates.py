"""The certificates of an installation: handshakes with them, their renewal, and who reads them."""

import datetime
import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from broker import certificate_authority, certificates
from broker.certificate_files import pem, read_key, read_list
from broker.certificates import (
    ClientCertificates,
    ServerCertificates,
    common_name,
    open_authority,
    server_context,
)
from broker.machine_names import addresses, host_name
from broker.tls import renew
from iot_button.errors import IotButtonError, SettingError
from iot_button.files import DamagedFileError, StorageError
from tests.broker.handshakes import Clock, Tls, button, client_context

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock to be moved; what it says is looked at by each `refresh`."""
    monkeypatch.setattr(certificates, "_LOOKED_EVERY", 0.0)
    return Clock()


@pytest.fixture
def server(tmp_path: Path, clock: Clock) -> ServerCertificates:
    return ServerCertificates.open(tmp_path, clock=clock)


def _server_certificate(server: ServerCertificates) -> x509.Certificate:
    return x509.load_pem_x509_certificate(server.files.server.read_bytes())


# Handshakes


@VERSIONS
def test_a_provisioned_button_is_known_by_its_serial_number(
    tmp_path: Path, server: ServerCertificates, version: ssl.TLSVersion
) -> None:
    own = client_context(server.files, button(tmp_path), version=version)
    tls = Tls(server.context, own)
    tls.exchange()
    assert common_name(tls.server.getpeercert()) == "BUTTON-1"


@VERSIONS
def test_who_has_no_certificate_may_come_where_none_is_required(
    server: ServerCertificates, version: ssl.TLSVersion
) -> None:
    for context in (server.context, server.websocket_context):
        tls = Tls(context, client_context(server.files, version=version))
        tls.exchange()
        assert common_name(tls.server.getpeercert()) is None


@VERSIONS
def test_who_has_no_certificate_is_refused_where_one_is_required(
    server: ServerCertificates, version: ssl.TLSVersion
) -> None:
    strict = server_context(server.files, clients=ClientCertificates.REQUIRED)
    with pytest.raises(ssl.SSLError):
        Tls(strict, client_context(server.files, version=version))


@VERSIONS
def test_a_certificate_of_another_ca_is_refused(
    tmp_path: Path, server: ServerCertificates, version: ssl.TLSVersion
) -> None:
    foreign = button(tmp_path / "another")
    with pytest.raises(ssl.SSLError):
        Tls(server.context, client_context(server.files, foreign, version=version))


@VERSIONS
def test_a_revoked_certificate_is_refused_and_others_are_not(
    tmp_path: Path, server: ServerCertificates, version: ssl.TLSVersion
) -> None:
    lost = client_context(server.files, button(tmp_path), version=version)
    kept = client_context(server.files, button(tmp_path, "BUTTON-2"), version=version)
    Tls(server.context, lost)
    open_authority(tmp_path).revoke("BUTTON-1")
    assert server.refresh()
    with pytest.raises(ssl.SSLError):
        Tls(server.context, lost)
    assert Tls(server.context, kept).server.getpeercert()
    with pytest.raises(ssl.SSLError):  # and so it is after a restart
        Tls(ServerCertificates.open(tmp_path).context, lost)


def test_revocations_of_one_second_all_count(tmp_path: Path, server: ServerCertificates) -> None:
    contexts = [client_context(server.files, button(tmp_path, f"B-{n}")) for n in range(5)]
    for number in range(5):
        open_authority(tmp_path).revoke(f"B-{number}")
        assert server.refresh()
        with pytest.raises(ssl.SSLError):
            Tls(server.context, contexts[number])


def test_a_session_taken_up_again_is_known_as_revoked(
    tmp_path: Path, server: ServerCertificates
) -> None:
    lost = client_context(server.files, button(tmp_path), version=ssl.TLSVersion.TLSv1_2)
    first = Tls(server.context, lost)  # kept: a connection that breaks off takes its session along
    open_authority(tmp_path).revoke("BUTTON-1")
    server.refresh()
    again = Tls(server.context, lost, session=first.client.session)
    assert again.client.session_reused
    certificate = again.server.getpeercert(binary_form=True)
    assert certificate is not None
    assert server.is_revoked(certificate)


def test_a_tls_1_3_session_is_never_taken_up_again(
    tmp_path: Path, server: ServerCertificates
) -> None:
    own = client_context(server.files, button(tmp_path))
    first = Tls(server.context, own)
    first.exchange()
    assert not Tls(server.context, own, session=first.client.session).client.session_reused


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", f"{host_name()}.local"])
def test_the_machine_is_known_by_its_names(server: ServerCertificates, name: str) -> None:
    Tls(server.context, client_context(server.files), name=name).exchange()


def test_the_machine_is_known_by_its_addresses(server: ServerCertificates) -> None:
    for address in addresses():
        Tls(server.context, client_context(server.files), name=str(address)).exchange()


def test_the_machine_is_known_by_the_names_that_are_set(tmp_path: Path) -> None:
    server = ServerCertificates.open(
        tmp_path, names=("Broker.Example.com", "192.0.2.77", "fd00::7")
    )
    for name in ("broker.example.com", "192.0.2.77", "fd00::7"):
        Tls(server.context, client_context(server.files), name=name).exchange()
    with pytest.raises(ssl.SSLCertVerificationError):
        Tls(server.context, client_context(server.files), name="example.com")


def test_a_buttons_key_does_not_pass_for_the_broker(
    tmp_path: Path, server: ServerCertificates
) -> None:
    impostor = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    impostor.load_cert_chain(button(tmp_path, "localhost"))
    client = client_context(server.files)
    client.check_hostname = False
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        Tls(impostor, client)


def test_the_brokers_key_does_not_pass_for_a_client(server: ServerCertificates) -> None:
    thief = client_context(server.files)
    thief.load_cert_chain(server.files.server, server.files.key)
    with pytest.raises(ssl.SSLError):
        Tls(server.context, thief)


def test_the_ca_vouches_for_no_site_of_others(tmp_path: Path, server: ServerCertificates) -> None:
    authority = open_authority(tmp_path)
    key = read_key(server.files.key)
    forged = tmp_path / "forged.pem"
    certificate = authority.sign_server(key.public_key(), ["bank.example"])
    forged.write_bytes(pem(certificate))
    impostor = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    impostor.load_cert_chain(forged, server.files.key)
    with pytest.raises(ssl.SSLCertVerificationError, match="subtree"):
        Tls(impostor, client_context(server.files), name="bank.example")


# Renewal


def test_nothing_is_written_or_loaded_while_nothing_changes(server: ServerCertificates) -> None:
    folder = server.files.ca.parent
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert not server.refresh()
    assert not server.refresh()
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_certificate_is_good_for_397_days_at_most(server: ServerCertificates) -> None:
    found = _server_certificate(server)
    life = found.not_valid_after_utc - found.not_valid_before_utc
    assert life <= datetime.timedelta(days=397)


def test_a_certificate_is_renewed_30_days_before_its_end(
    server: ServerCertificates, clock: Clock
) -> None:
    first = _server_certificate(server)
    clock.now = first.not_valid_after_utc - datetime.timedelta(days=31)
    server.refresh()  # the list of revoked ones alone is due
    assert _server_certificate(server) == first
    clock.advance(days=2)
    assert server.refresh()
    second = _server_certificate(server)
    assert second.not_valid_after_utc > first.not_valid_after_utc
    assert second.public_key() == first.public_key()


def test_a_renewal_drops_no_client_and_is_for_the_next(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        certificate_authority, "_EARLIEST", clock.now - datetime.timedelta(days=400)
    )
    clock.advance(days=-375)  # OpenSSL has a clock of its own
    server = ServerCertificates.open(tmp_path, clock=clock)
    clock.advance(days=375)
    open_authority(tmp_path, clock=clock).keep_list_fresh()
    renew(server.context, server.files)
    own = client_context(server.files, button(tmp_path))
    live = Tls(server.context, own)
    context = server.context
    assert server.refresh()
    live.exchange()
    assert server.context is context
    shown = Tls(context, own).client.getpeercert(binary_form=True)
    assert shown is not None
    assert x509.load_der_x509_certificate(shown) == _server_certificate(server)


def test_a_new_name_of_the_machine_is_taken_up(
    server: ServerCertificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "host_name", lambda: "renamed")
    assert server.refresh()
    Tls(server.context, client_context(server.files), name="renamed.local").exchange()
    monkeypatch.undo()


def test_an_address_that_goes_away_is_no_reason_to_renew(
    server: ServerCertificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "addresses", list)
    assert not server.refresh()


def test_a_name_that_the_ca_was_made_without_is_refused_with_a_mend(
    tmp_path: Path, server: ServerCertificates
) -> None:
    with pytest.raises(SettingError, match=r"late\.example\.com") as caught:
        ServerCertificates.open(tmp_path, names=("late.example.com",))
    assert caught.value.key == "broker.names"
    assert str(server.files.ca.parent) in caught.value.mend


def test_the_list_of_revoked_ones_is_never_old(server: ServerCertificates, clock: Clock) -> None:
    first = read_list(server.files.crl)
    clock.advance(days=200)
    assert server.refresh()
    second = read_list(server.files.crl)
    assert second.last_update_utc > first.last_update_utc


@pytest.mark.parametrize("content", [None, b"", b"no list"])
def test_a_list_that_is_gone_comes_back_with_all_who_were_revoked(
    tmp_path: Path, server: ServerCertificates, content: bytes | None
) -> None:
    lost = client_context(server.files, button(tmp_path))
    open_authority(tmp_path).revoke("BUTTON-1")
    server.files.crl.unlink()
    if content is not None:
        server.files.crl.write_bytes(content)
    assert server.refresh()
    for one in (server, ServerCertificates.open(tmp_path)):
        with pytest.raises(ssl.SSLError):
            Tls(one.context, lost)


def test_a_list_made_while_the_clock_was_ahead_is_made_anew(tmp_path: Path, clock: Clock) -> None:
    own = button(tmp_path)
    open_authority(tmp_path).issue("BUTTON-2")
    ServerCertificates.open(tmp_path)
    clock.advance(days=300)
    open_authority(tmp_path, clock=clock).revoke("BUTTON-2")
    server = ServerCertificates.open(tmp_path)  # with the true time
    Tls(server.context, client_context(server.files, own)).exchange()


@pytest.mark.parametrize("part", ["server", "key"])
def test_a_damaged_server_certificate_is_made_anew(server: ServerCertificates, part: str) -> None:
    getattr(server.files, part).write_bytes(b"-----BEGIN NOTHING-----")
    assert server.refresh()
    Tls(server.context, client_context(server.files)).exchange()


# The files


def test_everything_is_readable_for_this_user_alone(
    tmp_path: Path, server: ServerCertificates
) -> None:
    old = os.umask(0)
    try:
        open_authority(tmp_path).issue("BUTTON-1")
        open_authority(tmp_path).issue("BUTTON-2")
        open_authority(tmp_path).revoke("BUTTON-1")
        server.refresh()
    finally:
        os.umask(old)
    folder = server.files.ca.parent
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_buttons_key_is_not_kept(tmp_path: Path) -> None:
    open_authority(tmp_path).issue("BUTTON-1")
    keys = [
        path.name for path in tmp_path.rglob("*") if path.is_file() and b"KEY" in path.read_bytes()
    ]
    assert keys == ["ca.key"]


def test_a_button_has_one_certificate_at_a_time(tmp_path: Path) -> None:
    authority = open_authority(tmp_path)
    authority.issue("BUTTON-1")
    with pytest.raises(IotButtonError, match="--revoke BUTTON-1"):
        authority.issue("BUTTON-1")
    assert authority.revoke("BUTTON-1") == 1
    authority.issue("BUTTON-1")
    assert [one.revoked for one in authority.issued()] in ([True, False], [False, True])


def test_one_whose_name_is_the_beginning_of_anothers_is_another(tmp_path: Path) -> None:
    authority = open_authority(tmp_path)
    authority.issue("BUTTON")
    authority.issue("BUTTON-1")
    assert authority.revoke("BUTTON") == 1
    assert [one.serial_number for one in authority.issued() if not one.revoked] == ["BUTTON-1"]


@pytest.mark.parametrize("name", ["ca.pem", "ca.key"])
@pytest.mark.parametrize("content", [None, b"no PEM"])
def test_a_ca_that_is_damaged_is_an_error_and_is_not_made_anew(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = open_authority(tmp_path).folder
    open_authority(tmp_path).issue("BUTTON-1")
    path = folder / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=name) as caught:
        open_authority(tmp_path).issue("BUTTON-2")
    assert caught.value.mend


def test_a_ca_key_of_another_is_an_error(tmp_path: Path) -> None:
    folder = open_authority(tmp_path).folder
    other = open_authority(tmp_path / "other").folder
    (folder / "ca.key").write_bytes((other / "ca.key").read_bytes())
    with pytest.raises(DamagedFileError, match="not the key"):
        open_authority(tmp_path).issue("BUTTON-1")


def test_a_clock_that_was_never_set_is_an_error_that_says_so(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = datetime.datetime(1970, 1, 1, 0, 1, tzinfo=datetime.UTC)
    with pytest.raises(IotButtonError, match=r"(?s)1970-01-01.*set-ntp"):
        open_authority(tmp_path, clock=clock)


def test_a_ca_that_has_ended_is_an_error_that_says_so(tmp_path: Path, clock: Clock) -> None:
    authority = open_authority(tmp_path, clock=clock)
    clock.advance(days=3660)
    with pytest.raises(IotButtonError, match="has ended"):
        authority.issue("BUTTON-1")


def test_in_the_last_days_of_the_ca_nothing_is_renewed_in_vain(
    tmp_path: Path, clock: Clock
) -> None:
    open_authority(tmp_path, clock=clock)
    clock.advance(days=3640)
    server = ServerCertificates.open(tmp_path, clock=clock)
    clock.advance(hours=1)
    assert not server.refresh()


def test_a_state_directory_that_is_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "broker").write_text("")
    with pytest.raises(StorageError, match="broker"):
        ServerCertificates.open(tmp_path)
