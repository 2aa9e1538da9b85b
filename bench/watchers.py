"""Many browsers' sockets in one process: what reaches them, and how long after it was published.

    python bench/watchers.py PORT COUNT STUCK [flowfuse]

Each opens the dashboard's `/ws` as a browser does, or FlowFuse's Socket.IO (protocol 5, on
Engine.IO 4): polling first, and then a WebSocket. Prints `ready`, and when standard input closes
one JSON object: `waits`, the seconds from the moment in a click's title (nanoseconds since 1970, as
`bench/dashboard_fanout.py` writes it) to its arrival, and `fewest`, the clicks of the browser that
had the fewest. The STUCK ones take their first bytes and never read again.
"""

import http.client
import json
import re
import selectors
import socket
import sys
import time

_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_MOMENT = re.compile(rb'"title":"(\d{16,20})"')
_PING = b"\x81\x012"
_BUFFER = bytearray(262_144)
_IO = "/dashboard/socket.io/?EIO=4&transport="


class Watcher:
    """One browser's socket."""

    def __init__(self, port: int, *, path: str = "/ws", receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(_HANDSHAKE.format(path=path, port=port).encode())
        self.count = 0
        self._rest = b""
        if not self.socket.recv(65_536).startswith(b"HTTP/1.1 101"):
            raise ConnectionError("the dashboard takes no further browser")

    def say(self, text: str) -> None:
        """Send a short text, masked with zeros (RFC 6455, section 5.3)."""
        data = text.encode()
        self.socket.sendall(bytes((0x81, 0x80 | len(data), 0, 0, 0, 0)) + data)

    def read(self, waits: list[float]) -> None:
        """Take what is there."""
        count = self.socket.recv_into(_BUFFER)  # a new one of that size each time is 10 us
        data = self._rest + _BUFFER[:count]
        now, end = time.time_ns(), 0
        for found in _MOMENT.finditer(data):
            waits.append((now - int(found[1])) / 1e9)
            self.count += 1
            end = found.end()
        if _PING in data[end:]:
            self.say("3")
            data, end = b"", 0
        self._rest = data[end:][-64:]  # a moment may be cut in two


def of_flowfuse(port: int, *, receive_buffer: int | None = None) -> Watcher:
    """Open FlowFuse's Socket.IO as its page does."""
    polling = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(method: str, query: str, body: str | None = None) -> str:
        polling.request(method, _IO + query, body, {"Content-Type": "text/plain"})
        return polling.getresponse().read().decode()

    sid = json.loads(ask("GET", "polling")[1:])["sid"]
    ask("POST", f"polling&sid={sid}", "40")
    ask("GET", f"polling&sid={sid}")
    watcher = Watcher(port, path=f"{_IO}websocket&sid={sid}", receive_buffer=receive_buffer)
    watcher.say("2probe")
    watcher.socket.recv(65_536)
    watcher.say("5")
    polling.close()
    return watcher


def main() -> None:
    port, count, stuck = map(int, sys.argv[1:4])
    open_one = of_flowfuse if "flowfuse" in sys.argv else Watcher
    deaf = [open_one(port, receive_buffer=4096) for _ in range(stuck)]
    watchers = [open_one(port) for _ in range(count)]
    with selectors.DefaultSelector() as selector:
        for watcher in watchers:
            selector.register(watcher.socket, selectors.EVENT_READ, watcher)
        selector.register(sys.stdin, selectors.EVENT_READ, None)
        print("ready", flush=True)
        waits: list[float] = []
        is_over = False
        while not is_over:
            for key, _events in selector.select():
                if key.data is None:
                    is_over = True
                else:
                    key.data.read(waits)
    print(json.dumps({"waits": waits, "fewest": min(one.count for one in watchers)}))
    for one in (*deaf, *watchers):
        one.socket.close()


if __name__ == "__main__":
    main()
