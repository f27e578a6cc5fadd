"""What a scripted index offers: pages of files, as HTML or JSON, with the hashes one likes."""

from __future__ import annotations

import hashlib
import html
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from packaging.utils import canonicalize_name

from support.scripted import Answer

if TYPE_CHECKING:
    from pathlib import Path

JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class File:
    """A file on a page, and what the page says of it.

    Attributes:
        name: of the file.
        content: its bytes.
        hashes: the kinds of digests that are published.
        yanked: why it was withdrawn (PEP 592), or None.
        python: its Requires-Python, or empty.
        uploaded: when it was uploaded (PEP 700), on JSON pages.
    """

    name: str
    content: bytes
    hashes: tuple[str, ...] = ("sha256",)
    yanked: str | None = None
    python: str = ""
    uploaded: str = ""

    def digests(self) -> dict[str, str]:
        """Return the digests that are published, by their kinds."""
        return {kind: hashlib.new(kind, self.content).hexdigest() for kind in self.hashes}


@dataclass
class Offer:
    """Pages of an index, filled file by file; `form` is ``html`` or ``json``."""

    form: str = "html"
    projects: dict[str, list[File]] = field(default_factory=dict)

    def add(
        self,
        path: Path,
        *,
        name: str = "",
        hashes: tuple[str, ...] = ("sha256",),
        yanked: str | None = None,
        python: str = "",
        uploaded: str = "",
    ) -> None:
        """Offer a file; under another `name`, it is another one."""
        project = canonicalize_name(path.name.partition("-")[0])
        content = path.read_bytes() + name.encode()
        file = File(name or path.name, content, hashes, yanked, python, uploaded)
        self.projects.setdefault(project, []).append(file)

    def answers(self) -> dict[str, Answer]:
        """Return the answers of a scripted index, by the last part of what is asked for."""
        render = self._json if self.form == "json" else self._html
        found = {name: render(name) for name in self.projects}
        for files in self.projects.values():
            for each in files:
                content = Answer(body=each.content, content_type="application/octet-stream")
                found[quote(each.name)] = content
        return found

    def _html(self, project: str) -> Answer:
        lines = []
        for each in self.projects[project]:
            digests = each.digests()
            fragment = next((f"#{kind}={digest}" for kind, digest in digests.items()), "")
            more = f' data-requires-python="{html.escape(each.python)}"' if each.python else ""
            if each.yanked is not None:
                more += f' data-yanked="{html.escape(each.yanked)}"'
            url = f"../../files/{quote(each.name)}{fragment}"
            lines.append(f'<a href="{url}"{more}>{html.escape(each.name)}</a>')
        body = "\n".join(["<!DOCTYPE html><html><body>", *lines, "</body></html>"])
        return Answer(body=body.encode())

    def _json(self, project: str) -> Answer:
        files = []
        for each in self.projects[project]:
            file: dict[str, object] = {"filename": each.name, "hashes": each.digests()}
            file["url"] = f"../../files/{quote(each.name)}"
            file["yanked"] = False if each.yanked is None else each.yanked or True
            if each.python:
                file["requires-python"] = each.python
            if each.uploaded:
                file["upload-time"] = each.uploaded
            files.append(file)
        said = {"meta": {"api-version": "1.1"}, "name": project, "files": files}
        return Answer(body=json.dumps(said).encode(), content_type=JSON)
