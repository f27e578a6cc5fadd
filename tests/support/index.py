"""A real package index on the loopback interface.

pypiserver answers; a small reverse proxy in the test process stands before it, which counts what is
asked and can ask for a password. Bodies and headers, and so pypiserver's relative links, pass
through it unchanged, downloads included.
"""

from __future__ import annotations

import base64
import http.client
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from virtualenv.seed.wheels.embed import get_embed_wheel

from support import wheels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self, Unpack

LOOPBACK = "127.0.0.1"
USER = "user"


@dataclass(frozen=True)
class Request:
    """One request as it came in, and the status it was answered with."""

    method: str
    path: str
    status: int


class LocalIndex:
    """An index that serves `folder`; with a `password`, only to those who give it.

    With a `max_age`, clients are told that they may keep what they got for so many seconds.
    """

    def __init__(
        self, folder: Path, *, password: str | None = None, max_age: int | None = None
    ) -> None:
        self.folder = folder
        self.password = password
        self.max_age = max_age
        self._port = 0
        self._log: list[Request] = []
        self._running: tuple[_Backend, _Front] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Return the address without credentials, whether or not they are needed."""
        return f"http://{LOOPBACK}:{self._port}/simple/"

    @property
    def url_with_credentials(self) -> str:
        """Return the address with credentials, where a password was set."""
        if self.password is None:
            return self.url
        secret = urllib.parse.quote(self.password, safe="")
        return self.url.replace("://", f"://{USER}:{secret}@")

    def start(self) -> None:
        """Serve, at the same address as before a `stop`; returns when it answers."""
        if self._running is not None:
            return
        backend = _Backend(self.folder)
        try:
            front = _Front(self._port, backend.port, self.password, self._log)
            front.max_age = self.max_age
        except BaseException:
            backend.stop()
            raise
        self._port = front.server_port
        self._running = backend, front

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._running is not None:
            backend, front = self._running
            self._running = None
            front.stop()
            backend.stop()

    def publish(self, name: str, version: str, **options: Unpack[wheels.WheelOptions]) -> Path:
        """Add a wheel, or replace it; the next request sees it."""
        return wheels.build_wheel(self.folder, name, version, **options)

    def publish_sdist(self, name: str, version: str, *, requires: Sequence[str] = ()) -> Path:
        """Add a source distribution, and what of virtualenv's own builds it."""
        python = "{}.{}".format(*sys.version_info)
        # An old setuptools, of an old virtualenv, needs the wheel that came with it.
        found = {name: get_embed_wheel(name, python) for name in ("setuptools", "wheel")}
        assert found["setuptools"] is not None
        for bundled in filter(None, found.values()):
            shutil.copy(bundled.path, self.folder)
        return wheels.build_sdist(self.folder, name, version, requires=requires)

    def unpublish(self, name: str, version: str) -> None:
        """Take a release away; fails when there is none."""
        stem = wheels.stem(name, version)
        files = [*self.folder.glob(f"{stem}-*.whl"), *self.folder.glob(f"{stem}.tar.gz")]
        assert files, f"{name} {version} is not in the index"
        for path in files:
            path.unlink()

    def requests(self) -> list[Request]:
        """Return all that was asked since the beginning or `clear_requests`, refusals included."""
        return list(self._log)

    def clear_requests(self) -> None:
        """Forget what was asked so far."""
        self._log.clear()

    def pages(self, name: str) -> int:
        """Count the GETs of this project's page, refusals included."""
        page = f"/simple/{canonicalize_name(name)}/"
        return sum(each.method == "GET" and each.path == page for each in self.requests())

    def downloads(self, name: str) -> int:
        """Count the answered GETs of this project's files; a ranged read counts as one too."""
        count = 0
        for request in self.requests():
            found = re.match(r"/packages/(?:[^?]*/)?([^/?]+?)-\d", request.path)
            if found and request.method == "GET" and request.status in {200, 206}:
                count += canonicalize_name(found[1]) == canonicalize_name(name)
        return count


class _Backend:
    """One pypiserver process."""

    def __init__(self, folder: Path) -> None:
        self._log = folder.with_name(f"{folder.name}.log")
        for _ in range(5):
            # The port may be taken by another process before pypiserver has it: then try anew.
            with closing(socket.create_server((LOOPBACK, 0))) as probe:
                self.port: int = probe.getsockname()[1]
            # A path of its own: a stranger who took the port does not know it.
            health = f"/health-{uuid.uuid4().hex}"
            command = [sys.executable, "-m", "pypiserver", "run"]
            command += ["--interface", LOOPBACK, "--port", str(self.port)]
            # `simple-dir` reads the folder at each request; the cached one may lag behind.
            command += ["--backend", "simple-dir", "--server", "wsgiref", "--disable-fallback"]
            command += ["--hash-algo", "sha256", "--health-endpoint", health, str(folder)]
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            if self._comes_up(health):
                return
            self.stop()
        text = self._log.read_text(encoding="utf-8", errors="replace")
        message = f"pypiserver did not start:\n{text}"
        raise RuntimeError(message)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _comes_up(self, health: str) -> bool:
        deadline = time.monotonic() + 30
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if _ask(self.port, "GET", health, {})[0] == http.HTTPStatus.OK:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.01)
        return False


class _Front(ThreadingHTTPServer):
    """The counting, authenticating proxy."""

    # On Windows this would let two servers share a port; POSIX needs it to get a port back.
    allow_reuse_address = sys.platform != "win32"
    daemon_threads = False  # so that closing waits for them: no socket outlives a test
    request_queue_size = 128

    def __init__(
        self, port: int, backend_port: int, password: str | None, log: list[Request]
    ) -> None:
        self.backend_port = backend_port
        self.log = log
        self.backend_turn = threading.Lock()  # wsgiref serves one at a time, with a short queue
        self.authorization: str | None = None
        self.max_age: int | None = None
        if password is not None:
            token = base64.b64encode(f"{USER}:{password}".encode()).decode()
            self.authorization = f"Basic {token}"
        super().__init__((LOOPBACK, port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def server_bind(self) -> None:
        # Not HTTPServer's own, which asks the resolver for the host's name: slow on some machines.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.socket.getsockname()[1]

    def handle_error(self, request: object, client_address: object) -> None:
        # Tests kill clients in the middle of a request; that is no news.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Front
    timeout = 10

    def do_GET(self) -> None:
        front = self.server
        given = self.headers.get("Authorization")
        if front.authorization is not None and given != front.authorization:
            challenge = [("WWW-Authenticate", 'Basic realm="index"'), ("Content-Length", "0")]
            self._answer(401, challenge, b"")
            return
        hidden = {"authorization", "connection"}
        headers = {key: value for key, value in self.headers.items() if key.lower() not in hidden}
        try:
            with front.backend_turn:
                answer = _ask(front.backend_port, self.command, self.path, headers)
        except (OSError, http.client.HTTPException):
            answer = 502, [("Content-Length", "0")], b""
        if front.max_age is not None:
            answer[1].append(("Cache-Control", f"max-age={front.max_age}"))
        self._answer(*answer)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing: `requests()` has it all."""

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.server.log.append(Request(self.command, self.path, status))
        self.send_response_only(status)
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


def _ask(
    port: int, method: str, path: str, headers: Mapping[str, str]
) -> tuple[int, list[tuple[str, str]], bytes]:
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=30)) as connection:
        connection.request(method, path, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
