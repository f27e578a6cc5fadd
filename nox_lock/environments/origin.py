"""Where a distribution came from that came from no index, against the pin that asks for it.

PEP 610, https://packaging.python.org/en/latest/specifications/direct-url-data-structure/
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from nox_lock.lockfile.pins import Pin

_REPOSITORY = re.compile(r"(?:git|hg|svn|bzr)\+")
# What stands before the path of a folder, also in ``file:///C:/there``.
_FILE = re.compile(r"file:(?://(?=/))?(?:/(?=[A-Za-z]:))?")
_COMMIT = re.compile(r"[0-9a-f]{7,}")


class Origin(NamedTuple):
    """Where a distribution came from.

    Attributes:
        url: as it was recorded, without a revision.
        editable: whether it is a link to a folder.
        revisions: the revision that was asked for, and what it was; empty for no repository.
        subdirectory: the folder of the project in it; empty for its top.
    """

    url: str
    editable: bool = False
    revisions: frozenset[str] = frozenset()
    subdirectory: str = ""


def read_origin(metadata: Path) -> Origin | None:
    """Return where a distribution came from; None for an index, or where nothing tells."""
    try:
        told = json.loads((metadata / "direct_url.json").read_bytes())
        vcs = told.get("vcs_info", {})
        revisions = {vcs.get("requested_revision", ""), vcs.get("commit_id", "")} if vcs else set()
        _place(told["url"])  # which also has to be one
        return Origin(
            told["url"],
            bool(told.get("dir_info", {}).get("editable")),
            frozenset(revisions),
            told.get("subdirectory", ""),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def is_from(pin: Pin, origin: Origin, root: Path) -> bool:
    """Tell whether a distribution from there is the one that a pin asks for."""
    url, _, fragment = (pin.url or "").partition("#")
    if pin.editable is not origin.editable:
        return False
    if not _REPOSITORY.match(url):
        return _place(_absolute(url, root, editable=pin.editable)) == _place(origin.url)
    if pin.editable:
        return _is_clone(url, Path(unquote(urlsplit(origin.url).path)))
    scheme, host, path = _place(url.partition("+")[2])
    path, _, revision = path.partition("@")
    subdirectory = parse_qs(fragment).get("subdirectory", [""])[0]
    same = (scheme, host, path) == _place(origin.url)
    return same and revision in origin.revisions and subdirectory == origin.subdirectory


def _is_clone(url: str, folder: Path) -> bool:
    """Tell whether an editable clone, which pip makes in ``src``, is at the commit of a URL."""
    revision = urlsplit(url).path.partition("@")[2]
    try:
        head = (folder / ".git" / "HEAD").read_text(encoding="utf-8").strip()
    except OSError:
        return False
    return not _COMMIT.fullmatch(revision) or head == revision


def _absolute(url: str, root: Path, *, editable: bool) -> str:
    if editable or url == "." or url.startswith(("./", "../", "file:")):
        return (root / unquote(_FILE.sub("", url))).resolve().as_uri()
    return url


def _place(url: str) -> tuple[str, str, str]:
    """Return scheme, host and path of a URL: ``file:/x`` is ``file:///x``; no user is recorded."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.scheme == "file":
        path = "/" + path.lstrip("/")
    return parts.scheme, parts.netloc.rpartition("@")[2], path
