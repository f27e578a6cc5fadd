"""Servers on the loopback interface: a forwarding proxy, and a small package index."""

from __future__ import annotations

import hashlib
import socket
import socketserver
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

_CHUNK = 1 << 18
_LOOPBACK = "127.0.0.1"


class _Serving(socketserver.ThreadingTCPServer):
    """Answers in threads of its own while it is entered."""

    daemon_threads = True
    request_queue_size = 256

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def address(self) -> str:
        """Return where it answers, as a URL without a path."""
        return f"http://{_LOOPBACK}:{self.server_address[1]}"


class Proxy(_Serving):
    """Tunnels (`CONNECT`) for clients that reach a package index by https.

    Attributes:
        received: bytes that came from the other side: TLS and headers included.
    """

    def __init__(self) -> None:
        super().__init__((_LOOPBACK, 0), _Tunnel)
        self.received = 0
        self._turn = threading.Lock()

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that lead pip, uv and the like through here."""
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), self.address),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
        }

    def count(self, size: int) -> None:
        """Add what came from the other side."""
        with self._turn:
            self.received += size


class _Tunnel(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: Proxy

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
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            upwards = threading.Thread(target=_pump, args=(self.connection, far), daemon=True)
            upwards.start()
            _pump(far, self.connection, self.server)
            upwards.join()


def _pump(source: socket.socket, sink: socket.socket, counter: Proxy | None = None) -> None:
    """Hand on what comes until its end; the end of what is counted is the end of both ways."""
    with suppress(OSError):  # a client that was killed or has enough just goes
        while chunk := source.recv(_CHUNK):
            if counter is not None:
                counter.count(len(chunk))
            sink.sendall(chunk)
    _end(sink, both=counter is not None)


def _end(sink: socket.socket, *, both: bool) -> None:
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
    if both:
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RD)


class Index(_Serving):
    """The files of a folder as a package index of HTML pages (PEP 503), each with its sha256.

    It is quick, and has no project but those: a company's own beside the default index.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__((_LOOPBACK, 0), _Answer)
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}

    @property
    def url(self) -> str:
        """Return the address of the index."""
        return f"{self.address}/simple/"

    def answer(self, path: str) -> bytes | None:
        """Return a page or a file; None for what is not here."""
        folder, _, name = path.strip("/").rpartition("/")
        if folder == "files":
            return self.files.get(name)
        links = [
            f'<a href="/files/{file}#sha256={hashlib.sha256(content).hexdigest()}">{file}</a>'
            for file, content in self.files.items()
            if file.partition("-")[0].replace("_", "-") == name
        ]
        return "<br>".join(links).encode() if links else None


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open, as those of real indexes do
    disable_nagle_algorithm = True
    server: Index

    def do_GET(self) -> None:
        body = self.server.answer(self.path)
        self.send_response(HTTPStatus.NOT_FOUND if body is None else HTTPStatus.OK)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body or b"")

    do_HEAD = do_GET  # noqa: N815  (the name is of the protocol)

    def log_message(self, *_: object) -> None:
        pass
