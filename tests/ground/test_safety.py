"""What the doctor says of accounts, certificates and bridges."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from iot_button.accounts_file import AccountFile, Role
from iot_button.bridge_settings import BridgeSettings
from iot_button.commands import safety
from iot_button.commands.findings import State
from iot_button.settings import Settings
from iot_button.tls import CertificateFiles


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=str(tmp_path))


def beyond(settings: Settings) -> Settings:
    return replace(settings, broker=replace(settings.broker, host="0.0.0.0"))


def write_certificate(path: Path, *, days: int) -> None:
    """Write a certificate that ends so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a server")])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days, hours=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - datetime.timedelta(days=400))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def test_accounts_are_counted_by_role_without_the_installations_own(settings: Settings) -> None:
    file = AccountFile(Path(settings.state_dir))
    for name, role in (("ann", Role.ADMIN), ("bob", Role.ADMIN), ("wall", Role.DASHBOARD)):
        file.add(name, role=role, password=None)
    found = safety.accounts(settings)
    assert (found.state, found.detail) == (State.OK, "2 admin, 1 dashboard")


def test_no_accounts_are_fine_on_loopback_and_nowhere_else(settings: Settings) -> None:
    assert safety.accounts(settings).state is State.OK
    found = safety.accounts(beyond(settings))
    assert found.state is State.BROKEN
    assert "iot-button account add" in found.mend


def test_a_damaged_account_file_is_broken(settings: Settings) -> None:
    path = AccountFile(Path(settings.state_dir)).path
    path.parent.mkdir(parents=True)
    path.write_text("[")
    assert safety.accounts(settings).state is State.BROKEN


@pytest.mark.parametrize(
    ("days", "state", "mend"),
    [(300, State.OK, ""), (3, State.OK, "renews it by itself"), (-2, State.BROKEN, "a new one")],
)
def test_the_end_of_the_servers_certificate_is_told(
    settings: Settings, days: int, state: State, mend: str
) -> None:
    write_certificate(CertificateFiles.of(Path(settings.state_dir)).server, days=days)
    found = safety.certificates(settings)
    assert found.state is state
    assert mend in found.mend
    assert bool(found.mend) == bool(mend)


def test_a_certificate_of_ones_own_that_is_not_there_is_broken(settings: Settings) -> None:
    assert safety.certificates(settings).state is State.OFF
    broker = replace(settings.broker, use="mqtts://them", certificate_file="/nowhere.pem")
    assert safety.certificates(replace(settings, broker=broker)).state is State.BROKEN


@pytest.mark.parametrize(
    ("days", "state", "mend"),
    [
        (300, State.OK, ""),
        (3, State.OK, "iot-button provision"),
        (-2, State.BROKEN, "iot-button provision"),
    ],
)
def test_a_certificate_of_ones_own_is_not_taken_for_the_servers(
    settings: Settings, tmp_path: Path, days: int, state: State, mend: str
) -> None:
    path = tmp_path / "KITCHEN-1.pem"
    write_certificate(path, days=days)
    broker = replace(settings.broker, use="mqtts://them", certificate_file=str(path))
    found = safety.certificates(replace(settings, broker=broker))
    assert found.state is state
    assert "server" not in found.detail + found.mend
    assert str(path) in found.detail
    assert mend in found.mend


def test_bridges_are_told_without_their_passwords(settings: Settings) -> None:
    assert safety.bridges(settings).state is State.OFF
    bridge = BridgeSettings(to="mqtts://them.example:8883", topics=("a out",), password="secret")
    found = safety.bridges(replace(settings, bridge=(bridge,)))
    assert found.detail == "them-example-8883 to mqtts://them.example:8883"
