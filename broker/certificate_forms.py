"""The certificates of an installation, as RFC 5280 wants them. Nothing here touches disk."""

import datetime
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = datetime.timedelta(days=3652)
SERVER_LIFE = datetime.timedelta(days=397)
"""Clients take no server certificate for longer: the rule of browsers, and Apple's for any."""
CRL_LIFE = SERVER_LIFE
"""It is made anew with each revocation: this is for a broker that our files were copied to."""
BACKDATED = datetime.timedelta(days=1)
"""So far may the clock of a device be behind ours."""
LOCAL_DOMAINS = ("localhost", "local", "lan", "home.arpa", "internal")
"""Where no public name can be: RFC 6761, RFC 6762, RFC 8375; `lan` is many home routers' own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate that was given out. `fingerprint`: SHA-256 of it, in hexadecimal."""

    serial_number: str
    fingerprint: str
    not_after: datetime.datetime
    revoked: bool

    @classmethod
    def of(cls, certificate: x509.Certificate, *, revoked: bool = False) -> Self:
        """Return what there is to say of a button's certificate."""
        (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return cls(
            serial_number=str(name.value),
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            not_after=certificate.not_valid_after_utc,
            revoked=revoked,
        )


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a private key on P-256, the curve that small devices know too."""
    return ec.generate_private_key(ec.SECP256R1())


def ca_certificate(
    key: ec.EllipticCurvePrivateKey,
    *,
    name: str,
    dns_names: Sequence[str],
    now: datetime.datetime,
) -> x509.Certificate:
    """Return a CA's own certificate: for names of local domains and `dns_names` only.

    Who installs it in a phone so lets it vouch for nobody else's site. Addresses are not limited:
    those of a machine change, and a certificate with one that is not allowed would be refused
    whole. RFC 5280, 4.2.1.10, wants this extension critical; Mbed TLS (ESP32) refuses a critical
    one, which it does not know, while those that know it heed it either way.
    """
    permitted = [x509.DNSName(dns) for dns in dict.fromkeys((*LOCAL_DOMAINS, *dns_names))]
    builder = (
        _builder(key.public_key(), name, now - BACKDATED, now + CA_LIFE)
        .issuer_name(_name(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def server_certificate(
    public_key: ec.EllipticCurvePublicKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    *,
    names: Sequence[str],
    now: datetime.datetime,
) -> x509.Certificate:
    """Return a broker's certificate for names and addresses."""
    begin = now - BACKDATED
    end = min(begin + SERVER_LIFE, ca.not_valid_after_utc)
    alternatives = x509.SubjectAlternativeName([general_name(name) for name in names])
    builder = (
        _builder(public_key, "iot-button broker", begin, end)
        .add_extension(alternatives, critical=False)
        # Not for clients: whoever has the broker's key is not let in anywhere with it.
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return _signed_leaf(builder, ca, ca_key)


def device_certificate(
    public_key: ec.EllipticCurvePublicKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    *,
    serial_number: str,
    now: datetime.datetime,
) -> x509.Certificate:
    """Return a button's certificate: its common name is the serial number, until the CA ends."""
    builder = _builder(public_key, serial_number, now - BACKDATED, ca.not_valid_after_utc)
    # Not for servers: a button's key must not let anyone pass for the broker.
    use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    return _signed_leaf(builder.add_extension(use, critical=False), ca, ca_key)


def revocation_list(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    *,
    revoked: Mapping[int, datetime.datetime],
    before: x509.CertificateRevocationList | None,
    now: datetime.datetime,
) -> x509.CertificateRevocationList:
    """Return the list of revoked certificates by serial number, newer than the one `before`.

    OpenSSL takes, of several lists that it has loaded, the one whose date is later, and knows
    whole seconds only: so each is dated a second after the one before, and the first an hour back.
    One whose predecessor is lost, or was made while the clock was ahead, is dated now.
    """
    hour_ago, number = now - datetime.timedelta(hours=1), 1
    dated = now if revoked else hour_ago
    if before is not None:
        if before.last_update_utc < now:
            dated = max(hour_ago, before.last_update_utc + datetime.timedelta(seconds=1))
        number = before.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number + 1
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.subject)
        .last_update(dated)
        .next_update(dated + CRL_LIFE)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority(ca), critical=False)
    )
    for serial, moment in revoked.items():
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(ca_key, hashes.SHA256())


def is_fresh(crl: x509.CertificateRevocationList, now: datetime.datetime) -> bool:
    """Whether a list of revoked certificates is good for half its life at least."""
    return crl.last_update_utc <= now <= crl.last_update_utc + CRL_LIFE / 2


def general_name(name: str) -> x509.GeneralName:
    """Return a host name or an address as a certificate has it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _signed_leaf(
    builder: x509.CertificateBuilder, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    return (
        builder.issuer_name(ca.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(_authority(ca), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    public_key: ec.EllipticCurvePublicKey,
    name: str,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _authority(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    known = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def is_address(name: str) -> bool:
    """Whether a name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def may_vouch(ca: x509.Certificate, name: str) -> bool:
    """Whether a name is among those that the CA is limited to (RFC 5280, 4.2.1.10)."""
    if is_address(name):
        return True
    limits = ca.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = [
        one.value for one in limits.permitted_subtrees or () if isinstance(one, x509.DNSName)
    ]
    return any(f".{name.lower()}".endswith(f".{one.lower()}") for one in permitted)
