"""A package index that answers as it is told to: badly, mostly."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from support.index import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self


@dataclass(frozen=True)
class Answer:
    """What a page is answered with.

    Attributes:
        status: HTTP status.
        body: what is sent.
        content_type: what it is said to be.
        missing: bytes that are promised and never sent.
        hangs: say nothing at all until the index ends.
        drips: one byte a second.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html"
    missing: int = 0
    hangs: bool = False
    drips: bool = False


NOT_FOUND = Answer(404)
FORBIDDEN = Answer(403)
UNAUTHORIZED = Answer(401)
BROKEN = Answer(500)
LOGIN = Answer(body=b"<!DOCTYPE html><html><body><form>Who are you?</form></body></html>")
GARBAGE = Answer(body=b"\x00\x01 it works!", content_type="text/plain")
TRUNCATED = Answer(body=b"<!DOCTYPE html><html><body>", missing=1000)
SILENT = Answer(hangs=True)
EMPTY = Answer()
NO_FILES = Answer(body=b"<!DOCTYPE html><html><body></body></html>")
DRIPPING = Answer(body=NO_FILES.body * 10, drips=True)
_JSON = "application/vnd.pypi.simple.v1+json"
# Answers of a project's page that are none of the simple API, though pip reads them as empty ones.
NO_PAGES = {
    "a login page": LOGIN,
    "a login page with links": Answer(
        203, b'<html><body><form></form><a href="/forgot">Forgot your password?</a></body></html>'
    ),
    "a page of a browser's app": Answer(
        body=b"<!DOCTYPE html><html><head><title>Repositories</title></head><body>"
        b'<script src="/app.js"></script><script>fetch("/api?api-version=7")</script></body></html>'
    ),
    "an error as JSON": Answer(body=b'{"errors": [{"status": 401}]}', content_type=_JSON),
    "no JSON": Answer(body=b"<html></html>", content_type=_JSON),
    "no object": Answer(body=b"[]", content_type=_JSON),
}
# How real servers answer for a project of which they have no file.
EMPTY_PAGES = {
    "PEP 691": Answer(
        body=b'{"meta": {"api-version": "1.0"}, "name": "new", "files": []}', content_type=_JSON
    ),
    "PEP 629": Answer(
        body=b'<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0">'
        b"</head><body></body></html>"
    ),
    "PyPI until PEP 629, Artifactory": Answer(
        body=b'<html><head><title>Simple Index</title><meta name="api-version" value="2" />'
        b"</head><body></body></html>"
    ),
    "piwheels": Answer(
        body=b"<!doctype html>\n<html>\n<head>\n<title>piwheels - Links for new</title>\n</head>\n"
        b"<body>\n<h1>Links for new</h1>\n\n\n</body>\n</html>\n"
    ),
    "devpi": Answer(
        body=b'<!DOCTYPE html><html lang="en"><head><title>root/dev: links for new</title></head>'
        b"<body><h1>root/dev: links for new</h1>\n</body></html>"
    ),
}


class ScriptedIndex:
    """Serves `answer` for every page, or what `pages` has for a project."""

    def __init__(self, answer: Answer, pages: Mapping[str, Answer] | None = None) -> None:
        self._server = _Server(answer, dict(pages or {}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self) -> str:
        """Return host and port."""
        return f"{LOOPBACK}:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Return the address of the index."""
        return f"http://{self.host}/simple/"

    def wait(self, seconds: float = 120) -> None:
        """Return once something was asked."""
        assert self._server.reached.wait(seconds), "nothing was asked"

    @property
    def asked(self) -> list[str]:
        """Return the paths that were asked for."""
        return list(self._server.asked)


class RefusingIndex:
    """An address that nobody listens at, and nobody else can take."""

    def __enter__(self) -> Self:
        # Bound and not listening: the system refuses every connection.
        self._socket = socket.socket()
        self._socket.bind((LOOPBACK, 0))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def url(self) -> str:
        """Return the address of the index that is not there."""
        return f"http://{LOOPBACK}:{self._socket.getsockname()[1]}/simple/"


class _Server(ThreadingHTTPServer):
    def __init__(self, answer: Answer, pages: dict[str, Answer]) -> None:
        self.answer = answer
        self.pages = pages
        self.asked: list[str] = []
        self.reached = threading.Event()
        self.ended = threading.Event()
        super().__init__((LOOPBACK, 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: TLS at a plain port, a client that left."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.reached.set()
        project = self.path.rstrip("/").rpartition("/")[2]
        answer = self.server.pages.get(project, self.server.answer)
        if answer.hangs:
            self.server.ended.wait(30)
            return
        self.send_response_only(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body) + answer.missing))
        if answer.status == UNAUTHORIZED.status:
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
        self.end_headers()
        if not answer.drips:
            self.wfile.write(answer.body)
            return
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            if self.server.ended.wait(1):
                return

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing: `asked` has it."""
