"""The dashboard with TLS of its own: https, and the feed by wss."""

import contextlib
import http.client
import json
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from broker.certificates import ServerCertificates
from dashboard.history import Recorded
from dashboard.live import Hub
from dashboard.server import listen, serving, url
from dashboard.tls import certificate_of
from iot_button.errors import SettingError
from iot_button.tls import CertificateFiles
from tests.conftest import Start
from tests.dashboard.guests import make_app, settings_of
from tests.dashboard.helpers import new_hub
from tests.support import DEADLINE, eventually

Port = int


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    ServerCertificates.open(folder)
    return folder


@pytest.fixture
def trust(state_dir: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CertificateFiles.of(state_dir).ca)


@contextlib.contextmanager
def serving_with_tls(state_dir: Path) -> Iterator[tuple[Hub, Port]]:
    settings, hub = settings_of(state_dir, login="auto", tls=True), new_hub()
    listener = listen(settings.dashboard)
    assert url(settings.dashboard, listener).startswith("https://127.0.0.1:")
    port = int(listener.getsockname()[1])
    app = make_app(settings, hub=hub)
    with serving(app, listener, certificate=certificate_of(settings)), hub:
        yield hub, port


@pytest.fixture
def served(state_dir: Path) -> Iterator[tuple[Hub, Port]]:
    with serving_with_tls(state_dir) as both:
        yield both


def get(port: Port, path: str, trust: ssl.SSLContext) -> http.client.HTTPResponse:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=DEADLINE, context=trust)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
    return response


def test_pages_come_by_https_and_let_the_page_open_its_feed(
    served: tuple[Hub, Port], trust: ssl.SSLContext
) -> None:
    _hub, port = served
    response = get(port, "/", trust)
    assert response.status == 200
    assert f"wss://127.0.0.1:{port}" in response.headers["Content-Security-Policy"]


def row(number: int) -> Recorded:
    return Recorded(number, "B-1", json.dumps({"id": number, "pad": "x" * 4000}).encode())


def test_a_browser_that_reads_late_misses_nothing_and_gets_each_event_whole(
    served: tuple[Hub, Port], trust: ssl.SSLContext
) -> None:
    hub, port = served
    count = 600  # 2.4 MB: more than all buffers between us hold
    with connect(f"wss://127.0.0.1:{port}/ws", ssl=trust, max_queue=1) as client:
        client.recv(timeout=DEADLINE)
        for number in range(1, count + 1):
            hub.tell([row(number)])
        seen: list[int] = []
        while len(seen) < count:
            message = json.loads(client.recv(timeout=DEADLINE))
            if message["type"] == "click":
                seen.append(message["click"]["id"])
    assert seen == list(range(1, count + 1))
    eventually(lambda: hub.clients == 0, what="the browser is forgotten")


def test_browsers_are_told_when_it_stops(state_dir: Path, trust: ssl.SSLContext) -> None:
    with contextlib.ExitStack() as stack:
        with serving_with_tls(state_dir) as (_hub, port):
            feed = f"wss://127.0.0.1:{port}/ws"
            clients = [stack.enter_context(connect(feed, ssl=trust)) for _ in range(5)]
            for client in clients:
                client.recv(timeout=DEADLINE)
            began = time.monotonic()
        assert time.monotonic() - began < 2.0
        for client in clients:
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=DEADLINE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001


@pytest.mark.parametrize(
    "sent", [b"", b"\x16\x03\x01\x02\x00\x01", b"\xff" * 600], ids=["nothing", "part", "noise"]
)
def test_what_is_no_tls_is_cut_off_without_a_trace(
    served: tuple[Hub, Port],
    sent: bytes,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    _hub, port = served
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := raw.recv(4096):
                answer += chunk
    assert b"HTTP" not in answer
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_an_old_protocol_is_refused(served: tuple[Hub, Port], trust: ssl.SSLContext) -> None:
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    assert get(served[1], "/healthz", trust).status == 200
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        trust.minimum_version = trust.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):  # noqa: PT011 - the library's own errors are several
        get(served[1], "/healthz", trust)


def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    files = CertificateFiles.of(tmp_path)
    ServerCertificates.open(tmp_path)
    certificate = certificate_of(settings_of(tmp_path, tls=True))
    assert certificate is not None
    before = certificate.context.get_ca_certs(), files.server.read_bytes()
    files.server.unlink()
    ServerCertificates.open(tmp_path)
    assert files.server.read_bytes() != before[1]
    certificate.refresh()
    shown = shown_by(certificate.context, files)
    assert ssl.DER_cert_to_PEM_cert(shown).encode() in files.server.read_bytes()


def shown_by(context: ssl.SSLContext, files: CertificateFiles) -> bytes:
    """Shake hands in memory, and return the certificate that a server shows."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    trust = ssl.create_default_context(cafile=files.ca)
    client = trust.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(4):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    shown = client.getpeercert(binary_form=True)
    assert shown is not None
    return shown


@pytest.mark.parametrize("ours", [{"tls": True}, {"certificate_file": "a", "key_file": "b"}])
def test_without_its_certificate_it_does_not_start_and_says_what_mends_it(
    tmp_path: Path, ours: dict[str, object]
) -> None:
    with pytest.raises(SettingError, match="cannot use") as refusal:
        certificate_of(settings_of(tmp_path, **ours))
    assert "dashboard.certificate_file" in refusal.value.mend


def test_the_broker_makes_the_dashboards_certificate(start: Start, tmp_path: Path) -> None:
    tls = {"IOT_BUTTON_DASHBOARD_TLS": "true", "IOT_BUTTON_DASHBOARD_NAMES": "pi.example"}
    arguments = ("--dashboard-port", "0", "--port", "0", "--websocket-port", "0")
    state = ("--state-dir", str(tmp_path / "s"))
    made = start("account", "add", "ada", "--admin", *state)
    assert made.end() == 0
    account = json.loads(made.printed[0])
    up = start("up", *arguments, *state, **tls)
    up.wait_for("^ready up", deadline=30)
    address = up.address("dashboard")
    assert address.startswith("https://127.0.0.1:")
    trust = ssl.create_default_context(cafile=CertificateFiles.of(tmp_path / "s").ca)
    port = int(address.rpartition(":")[2])
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=DEADLINE, context=trust)
    with contextlib.closing(connection):
        connection.request("GET", "/readyz", headers={"Host": f"pi.example:{port}"})
        assert json.loads(connection.getresponse().read()) == {"status": "ready"}
        connection.request("GET", "/api/clicks")
        refused = connection.getresponse()
        assert (refused.status, bool(refused.read())) == (401, True)
    assert account["username"] == "ada"
    doctor = start("doctor", *state, IOT_BUTTON_DASHBOARD_PORT=str(port), **tls)
    eventually(lambda: doctor.process.poll() is not None, what="the doctor is done")
    assert f"https://127.0.0.1:{port} answers" in " ".join([*doctor.printed, *doctor.said])
    assert CertificateFiles.of(tmp_path / "s").key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_address_of_all_interfaces_is_one_that_the_certificate_covers(
    state_dir: Path, host: str
) -> None:
    settings = settings_of(state_dir, login="auto", tls=True, host=host)
    with listen(replace(settings.dashboard, host="127.0.0.1")) as listener:
        name = urlsplit(url(settings.dashboard, listener)).hostname
    assert name not in ("0.0.0.0", "::", None)
    ours = x509.load_pem_x509_certificate(CertificateFiles.of(state_dir).server.read_bytes())
    names = ours.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert name in [str(one) for one in names.get_values_for_type(x509.IPAddress)]


def test_ones_own_certificate_is_shown_under_its_name(state_dir: Path) -> None:
    own = {"certificate_file": "c.pem", "key_file": "k.pem", "names": ("pi.example",)}
    settings = settings_of(state_dir, host="0.0.0.0", **own).dashboard
    with listen(replace(settings, host="127.0.0.1")) as listener:
        assert url(settings, listener).startswith("https://pi.example:")


def test_a_request_without_tls_is_told_to_come_with_it(
    served: tuple[Hub, Port], capfd: pytest.CaptureFixture[str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served[1], timeout=DEADLINE)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.status == 400
        assert b"https://" in answer.read()
    finally:
        connection.close()
    assert capfd.readouterr() == ("", "")
