"""What the doctor sees of who may come in, and of what goes out."""

import datetime
from pathlib import Path

from iot_button.accounts_file import AccountFile
from iot_button.commands.findings import Finding, State
from iot_button.files import StorageError
from iot_button.house import HOUSE_NAME
from iot_button.settings import Settings, is_loopback
from iot_button.tls import CertificateFiles

_SOON = datetime.timedelta(days=14)
_MAKE_ONE = "make one: iot-button account add NAME --admin"
_PROVISION = "where the broker is ours, `iot-button provision SERIAL` on its machine"


def accounts(settings: Settings) -> Finding:
    """Say how many accounts there are, and whether they are needed."""
    try:
        found = AccountFile(Path(settings.state_dir)).read()
    except StorageError as error:
        return Finding("accounts", State.BROKEN, error.problem, error.mend)
    roles = [one.role.value for name, one in sorted(found.items()) if name != HOUSE_NAME]
    if roles:
        counts = ", ".join(f"{roles.count(role)} {role}" for role in sorted(set(roles)))
        return Finding("accounts", State.OK, counts)
    if settings.broker.is_external or is_loopback(settings.broker.host):
        return Finding("accounts", State.OK, "none: this machine's own users need none")
    detail = f"none, and broker.host = {settings.broker.host!r} is beyond loopback"
    return Finding("accounts", State.BROKEN, detail, _MAKE_ONE)


def certificates(settings: Settings) -> Finding:
    """Say until when the certificate is good: the server's, or ours at a broker elsewhere."""
    files = CertificateFiles.of(Path(settings.state_dir))
    own = settings.broker.certificate_file if settings.broker.is_external else None
    path = Path(own) if own else files.server
    if not path.exists():
        if own:
            mend = "write it there, or leave broker.certificate_file out"
            return Finding("certificates", State.BROKEN, f"{path} is not there", mend)
        detail = "none yet; they are made at the first start with --tls-port"
        return Finding("certificates", State.OFF, detail)
    from cryptography import x509

    try:
        end = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        return Finding("certificates", State.BROKEN, f"{path}: {error}", "put a good one there")
    left = end - datetime.datetime.now(datetime.UTC)
    whose = "the one that we show the broker" if own else "the server's"
    detail = f"{whose} ({path}) is good until {end:%Y-%m-%d}"
    if left > _SOON:
        return Finding("certificates", State.OK, detail)
    if left.total_seconds() > 0:
        mend = (
            f"get a new one in time: {_PROVISION}"
            if own
            else "start the broker: it renews it by itself"
        )
        return Finding("certificates", State.OK, detail, mend)
    mend = f"get a new one: {_PROVISION}" if own else "start the broker: it makes a new one"
    return Finding("certificates", State.BROKEN, f"{path} has ended on {end:%Y-%m-%d}", mend)


def bridges(settings: Settings) -> Finding:
    """Say where bridges of the settings lead."""
    if not settings.bridge:
        detail = "none in the settings ([[bridge]])"
        return Finding("bridges", State.OFF, detail)
    told = "; ".join(
        f"{one.called} to {one.url.scheme}://{one.url.netloc.rpartition('@')[2]}"
        for one in settings.bridge
    )
    return Finding("bridges", State.OK, told)
