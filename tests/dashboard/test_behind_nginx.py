"""The dashboard behind nginx, with the configuration that is given as an example."""

import http.client
import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from broker.certificates import ServerCertificates
from dashboard.gate import Gate
from dashboard.server import listen, serving
from iot_button.accounts_file import AccountFile, Role
from iot_button.tls import CertificateFiles
from tests.dashboard.guests import PASSWORD, make_app, settings_of, token_in
from tests.support import DEADLINE, eventually, free_port, is_listening, require_program

EXAMPLE = Path(__file__).parents[2] / "examples" / "proxy" / "nginx.conf"
NAME = "localhost"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[int]:
    """The port at which nginx lets people in from outside."""
    nginx = require_program("nginx", "nginx-light")
    ServerCertificates.open(tmp_path)
    AccountFile(tmp_path).add("vera", role=Role.DASHBOARD, password=PASSWORD)
    settings = settings_of(tmp_path, login="auto", proxies=1, names=("pi.example",))
    gate, listener, port = Gate(settings), listen(settings.dashboard), free_port()
    configuration = _configured(tmp_path, ours=int(listener.getsockname()[1]), outside=port)
    with serving(make_app(settings, gate), listener), gate:
        process = subprocess.Popen([nginx, "-e", "stderr", "-c", str(configuration)])
        try:
            eventually(lambda: is_listening(port), what="nginx listens")
            yield port
        finally:
            process.terminate()
            process.wait(DEADLINE)


def _configured(folder: Path, *, ours: int, outside: int) -> Path:
    files, site = CertificateFiles.of(folder), EXAMPLE.read_text()
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{outside} ssl"),
        ("pi.example.com;", f"{NAME};"),
        ("127.0.0.1:8080", f"127.0.0.1:{ours}"),
        ("/etc/letsencrypt/live/pi.example.com/fullchain.pem", str(files.server)),
        ("/etc/letsencrypt/live/pi.example.com/privkey.pem", str(files.key)),
    ):
        assert old in site
        site = site.replace(old, new)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{site}}}\n"
    )
    return whole


class Visitor:
    """Somebody outside, with a cookie."""

    def __init__(self, port: int, folder: Path) -> None:
        self.trust = ssl.create_default_context(cafile=CertificateFiles.of(folder).ca)
        self.port = port
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Any:
        """Ask, and return the status and the text."""
        connection = http.client.HTTPSConnection(
            NAME, self.port, timeout=DEADLINE, context=self.trust
        )
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body or None, {"Cookie": cookie, **headers})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            assert "Secure" in line
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, text

    def log_in(self, password: str, **headers: str) -> int:
        """Fill in the form."""
        token = token_in(self.ask("GET", "/login")[1])
        form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.origin}
        body = f"csrf_token={token}&name=vera&password={password.replace(' ', '+')}"
        return int(self.ask("POST", "/login", body, **form, **headers)[0])

    @property
    def origin(self) -> str:
        """What a browser says of the page."""
        return f"https://{NAME}:{self.port}"


def test_one_logs_in_and_watches_from_outside(outside: int, tmp_path: Path) -> None:
    vera = Visitor(outside, tmp_path)
    assert vera.ask("GET", "/", Accept="text/html")[0] == 303
    assert vera.log_in(PASSWORD) == 303
    status, page = vera.ask("GET", "/")
    assert (status, bool(re.search("Log out vera", page))) == (200, True)
    feed = f"wss://{NAME}:{outside}/ws"
    cookie = {"Cookie": f"__Host-iot_button_session={vera.cookies['__Host-iot_button_session']}"}
    with connect(feed, ssl=vera.trust, additional_headers=cookie | {"Origin": vera.origin}) as ws:
        assert "snapshot" in str(ws.recv(timeout=DEADLINE))
    with pytest.raises(InvalidStatus) as refusal:
        connect(
            feed, ssl=vera.trust, additional_headers=cookie | {"Origin": "https://evil.example"}
        )
    assert refusal.value.response.status_code == 403


def test_nobody_outside_says_where_he_comes_from(outside: int, tmp_path: Path) -> None:
    mallory = Visitor(outside, tmp_path)
    lies = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(6)]
    assert [mallory.log_in("a wrong one", **lie) for lie in lies] == [401] * 5 + [429]
    assert mallory.ask("GET", "/login", **{"X-Forwarded-Host": "evil.example"})[0] == 200
    assert mallory.ask("GET", "/login", Host="evil.example")[0] == 403
