"""A forwarding proxy on the loopback interface that counts what comes through."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

_CHUNK = 1 << 18
_LOOPBACK = "127.0.0.1"


class CountingProxy(socketserver.ThreadingTCPServer):
    """Tunnels (`CONNECT`) for clients that reach a package index by https.

    Attributes:
        received: bytes that came from the other side: TLS and headers included.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__((_LOOPBACK, 0), _Tunnel)
        self.received = 0
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that lead pip, uv and the like through here."""
        url = f"http://{_LOOPBACK}:{self.server_address[1]}"
        return {"HTTPS_PROXY": url, "https_proxy": url, "NO_PROXY": "", "no_proxy": ""}

    def count(self, size: int) -> None:
        """Add what came from the other side."""
        with self._turn:
            self.received += size


class _Tunnel(socketserver.StreamRequestHandler):
    server: CountingProxy

    def handle(self) -> None:
        method, target, *_ = [*self.rfile.readline().decode("latin-1").split(), "", ""]
        while self.rfile.readline().strip():
            pass
        host, _, port = target.rpartition(":")
        if method != "CONNECT" or not port.isdecimal():
            self.wfile.write(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n")
            return
        try:
            far = socket.create_connection((host.strip("[]"), int(port)), timeout=60)
        except OSError:
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with far:
            far.settimeout(None)
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            upwards = threading.Thread(target=_pump, args=(self.connection, far), daemon=True)
            upwards.start()
            _pump(far, self.connection, self.server)
            upwards.join()


def _pump(source: socket.socket, sink: socket.socket, counter: CountingProxy | None = None) -> None:
    """Hand on what comes until its end; the end of what is counted is the end of both ways."""
    with suppress(OSError):  # a client that was killed or has enough just goes
        while chunk := source.recv(_CHUNK):
            if counter is not None:
                counter.count(len(chunk))
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
    if counter is not None:
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RD)
