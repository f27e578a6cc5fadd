"""A real package index on the loopback interface.

pypiserver answers, as a WSGI application in the test process; what stands before it counts what is
asked and can ask for a password.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import shutil
import sys
import threading
import urllib.parse
import warnings
from dataclasses import dataclass
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from packaging.utils import canonicalize_name
from virtualenv.seed.wheels.embed import get_embed_wheel

from support import wheels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from typing_extensions import Self, Unpack

with warnings.catch_warnings():
    # Its copy of bottle imports what is deprecated, and adds an importer of an old kind.
    warnings.simplefilter("ignore")
    importers = sys.meta_path[:]
    import pypiserver

    sys.meta_path[:] = importers

LOOPBACK = "127.0.0.1"
_JSON = "application/vnd.pypi.simple.v1+json"
USER = "user"
# What the bottle in pypiserver does not close, when it is asked for a part of a file.
LEFT_OPEN = r"unclosed file .*[.](whl|tar[.]gz)'>"

# nox in this process shows what is logged, whoever logs it.
logging.getLogger(pypiserver.__name__).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Request:
    """One request as it came in, and the status it was answered with."""

    method: str
    path: str
    status: int


class LocalIndex:
    """An index that serves `folder`; with a `password`, only to those who give it.

    With a `max_age`, clients are told that they may keep what they got for so many seconds. If
    `speaks_json`, pages are JSON for who takes that (PEP 691), with sizes and times (PEP 700).
    """

    def __init__(
        self,
        folder: Path,
        *,
        password: str | None = None,
        max_age: int | None = None,
        speaks_json: bool = False,
    ) -> None:
        self.speaks_json = speaks_json
        self.folder = folder
        self.password = password
        self.max_age = max_age
        self._port = 0
        self._log: list[Request] = []
        self._front: _Front | None = None
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
        if self._front is None:
            self._front = _Front(self, self._port, self._log)
            self._port = self._front.server_port

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._front is not None:
            self._front.stop()
            self._front = None

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

    def json_page(self, name: str) -> bytes:
        """Return a project's page as JSON."""
        files = [
            {
                "filename": path.name,
                "url": f"../../packages/{path.name}",
                "hashes": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
                "size": path.stat().st_size,
                "upload-time": "2024-02-03T04:05:06.780000Z",
            }
            for path in sorted(self.folder.iterdir())
            if canonicalize_name(re.split(r"-\d", path.name)[0]) == name
        ]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files}).encode()

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


class _Front(ThreadingMixIn, WSGIServer):
    """Serves pypiserver's application; counts, and asks for the password, before that does."""

    # On Windows this would let two servers share a port; POSIX needs it to get a port back.
    allow_reuse_address = sys.platform != "win32"
    daemon_threads = False  # so that closing waits for them: no socket outlives a test
    request_queue_size = 128

    def __init__(self, index: LocalIndex, port: int, log: list[Request]) -> None:
        self.index = index
        self.log = log
        self._secret = ""
        if index.password is not None:
            self._secret = base64.b64encode(f"{USER}:{index.password}".encode()).decode()
        # `simple-dir` reads the folder at each request; the cached one may lag behind.
        self.packages = pypiserver.app(
            roots=[index.folder],
            backend_arg="simple-dir",
            hash_algo="sha256",
            disable_fallback=True,
        )
        super().__init__((LOOPBACK, port), _Handler)
        self.set_app(self.answer)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def server_bind(self) -> None:
        # Not HTTPServer's own, which asks the resolver for the host's name: slow on some machines.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.socket.getsockname()[1]
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        # Tests kill clients in the middle of a request; that is no news.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as a WSGI application."""

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            path = environ["PATH_INFO"]
            self.log.append(Request(environ["REQUEST_METHOD"], path, int(status[:3])))
            return start_response(status, headers + caching, *error)

        caching: list[tuple[str, str]] = []
        if self._secret and environ.get("HTTP_AUTHORIZATION") != f"Basic {self._secret}":
            start("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="index"')])
            return [b""]
        if self.index.max_age is not None:
            caching = [("Cache-Control", f"max-age={self.index.max_age}")]
        page = re.fullmatch(r"/simple/([a-z0-9-]+)/", environ["PATH_INFO"])
        if page and self.index.speaks_json and _JSON in environ.get("HTTP_ACCEPT", ""):
            start("200 OK", [("Content-Type", _JSON)])
            return [self.index.json_page(page[1])]
        answer: Iterable[bytes] = self.packages(environ, start)
        try:
            return [b"".join(answer)]
        finally:  # a file that is open when the client goes away would stay open
            getattr(answer, "close", lambda: None)()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, *_: object) -> None:
        """Say nothing: `requests()` has it all."""
