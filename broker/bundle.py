"""What a button takes along: its certificate, its key and the CA's certificate, in forms to copy.

- PEM files, as `iot-button device`, mosquitto's clients, MicroPython and Arduino read them.
- A tar archive with those and the settings file for them, for another computer.
- PKCS #12, as the settings of phones import it.
- A QR code: one JSON object, for an app.
"""

import base64
import io
import json
import secrets
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

import segno
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from broker.certificate_files import key_pem, pem

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""What nobody mistakes for another: no i, l, o, 0, 1."""
_BORDER = 2
"""Light modules around a code; 4 by the standard (ISO/IEC 18004), 2 are enough for phones."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Identity:
    """A button's certificate and key, the CA's certificate, and the broker's address (a URL)."""

    serial_number: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    ca: x509.Certificate
    address: str
    prefix: str = ""

    def files(self) -> dict[str, bytes]:
        """Return the PEM files by name."""
        return {
            "ca.pem": pem(self.ca),
            f"{self.serial_number}.pem": pem(self.certificate),
            f"{self.serial_number}.key": key_pem(self.key),
        }

    def archive(self) -> bytes:
        """Return a tar archive: a folder with the PEM files, and the settings file for them."""
        files = {**self.files(), "iot-button.toml": self._settings().encode()}
        return _tar(self.serial_number, files)

    def pkcs12(self, passphrase: str) -> bytes:
        """Return a PKCS #12 file.

        Encrypted as phones of all ages can read it, Triple DES: what protects is the passphrase,
        which is random.
        """
        encryption = (
            serialization.PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(50_000)
            .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
            .hmac_hash(hashes.SHA1())  # noqa: S303 - see above
            .build(passphrase.encode())
        )
        return pkcs12.serialize_key_and_certificates(
            self.serial_number.encode(), self.key, self.certificate, [self.ca], encryption
        )

    def code(self) -> segno.QRCode:
        """Return a QR code of `content`: some 1,500 of the 2,953 bytes that one can hold."""
        return segno.make_qr(self.content(), error="L", mode="byte")

    def content(self) -> str:
        """Return JSON with `url`, `id` and, each DER in base64, `ca`, `cert`, `key`.

        `id` is the serial number, `key` is PKCS #8.
        """
        der = serialization.Encoding.DER
        key = self.key.private_bytes(
            der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = {
            "url": self.address,
            "id": self.serial_number,
            "ca": _base64(self.ca.public_bytes(der)),
            "cert": _base64(self.certificate.public_bytes(der)),
            "key": _base64(key),
        }
        return json.dumps(content, separators=(",", ":"))

    def _settings(self) -> str:
        def text(value: str) -> str:
            return json.dumps(value, ensure_ascii=False)  # a basic string of TOML

        lines = [
            "# Run iot-button in this folder: iot-button device gpio",
            "[broker]",
            f"use = {text(self.address)}",
            'ca_file = "ca.pem"',
            f"certificate_file = {text(f'{self.serial_number}.pem')}",
            f"key_file = {text(f'{self.serial_number}.key')}",
            "",
            "[device]",
            f"serial_number = {text(self.serial_number)}",
        ]
        if self.prefix:
            lines += ["", "[topics]", f"prefix = {text(self.prefix)}"]
        return "\n".join(lines) + "\n"


def new_passphrase() -> str:
    """Return a passphrase of 79 random bits, to be typed on a phone."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def drawn(code: segno.QRCode, *, in_color: bool) -> str:
    """Return a code for a terminal: two rows of it in one line, light on dark.

    `in_color`: say so to the terminal, which may itself be dark on light.
    """
    out = io.StringIO()
    code.terminal(out, border=_BORDER, compact=True)
    lines = out.getvalue().splitlines()
    return "\n".join(f"\x1b[97;40m{line}\x1b[0m" if in_color else line for line in lines)


def columns(code: segno.QRCode) -> int:
    """Return how wide a terminal must be for a code."""
    return int(code.symbol_size(border=_BORDER)[0])


def svg(code: segno.QRCode) -> bytes:
    """Return a code as a picture."""
    out = io.BytesIO()
    code.save(out, kind="svg", scale=4, light="#fff")
    return out.getvalue()


def _tar(folder: str, files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            member.mode = 0o600
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
