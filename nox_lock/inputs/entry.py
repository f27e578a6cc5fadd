"""One line of an input: an `Option`, or an `Entry` by PEP 508, a URL or a path, as pip takes it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from nox_lock.errors import RequirementsError
from nox_lock.inputs.local_projects import metadata_digest, static_name, static_requirements
from nox_lock.inputs.pep508 import EXAMPLE_NAME, normalized, parse_requirement
from nox_lock.inputs.syntax import variables
from nox_lock.project import relative
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet

    from nox_lock.errors import Place
    from nox_lock.inputs.syntax import Line
    from nox_lock.project import Project

# pip's own list: https://pip.pypa.io/en/stable/topics/vcs-support/
URL = re.compile(r"(?:(?:git|hg|svn|bzr)(?:\+\w+)?|https?|ftp|file):", re.IGNORECASE)
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz")
_LIKE_ARCHIVE = re.compile("|".join(map(re.escape, _ARCHIVES)))
_NAMED = r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:(?P<extras>\[[^\]]*\])\s*)?@"
_BEHIND = r"(?<=[^\s/])\[([\w.,\s-]*)\]$"  # extras of a path
_EGG = r"[#&]egg=([\w.-]+)"
# As pip allows them: https://pip.pypa.io/en/stable/cli/pip_install/#hash-checking-mode
_HASH = r"sha(?:256|384|512):"


class Entry(NamedTuple):
    """One requirement or constraint of an input.

    Attributes:
        text: canonical form: equal for every spelling of the same demand.
        place: the file and line where it is written.
        name: normalized project name (PEP 503), or None for a bare URL or path.
        extras: normalized names of its extras.
        specifier: the versions allowed, or None for a direct URL or path.
        marker: when it applies (PEP 508), or None for always.
        url: the direct URL, or the path relative to the project root, or None.
        editable: written with ``-e``.
        constraint: from a ``-c`` file: it narrows versions, and requires nothing.
        metadata: digest of what a local project says it depends on; empty for all others.
        requires: the projects that a local project requires, with all its extras; None where that
            is not static.
        hashes: the ``--hash`` options behind it.
        fragment: of a URL or path, what is behind its ``#``.
        bare: written as a URL or path alone, without a name before it.
    """

    text: str
    place: Place
    name: str | None
    extras: frozenset[str]
    specifier: SpecifierSet | None
    marker: Marker | None
    url: str | None
    editable: bool = False
    constraint: bool = False
    metadata: str = ""
    requires: frozenset[str] | None = None
    hashes: frozenset[str] = frozenset()
    fragment: str = ""
    bare: bool = False


class Option(NamedTuple):
    """An option line such as ``--extra-index-url URL``; a flag's value is empty."""

    name: str
    value: str
    place: Place


def parse_entry(line: Line, project: Project, *, constraint: bool = False) -> Entry:
    """Read one requirement line.

    Raises:
        RequirementsError: when it is neither PEP 508, nor a URL, nor a path that exists.
    """
    place, editable = line.place, line.option("--editable")
    text = (line.requirement or editable or "").rstrip()
    if text.endswith(";"):  # an empty marker
        text = text[:-1].rstrip()
    if "${" in text and variables(text):
        raise RequirementsError(
            f"{quoted(text)} holds a variable, whose value would be written into the lock",
            place,
            "Write the value itself, or put the index into an option line.",
        )
    if editable is not None or URL.match(text) or _is_path(text, project, place):
        entry = _parse_direct(text, place, project, editable=editable is not None)
    else:
        entry = _parse_named(text, place, project)
    if constraint:
        entry = entry._replace(constraint=True)
    if not line.options:
        return entry
    hashes = [value for name, value in line.options if name == "--hash"]
    for each in hashes:
        if not re.match(_HASH, each):
            hint = "Write --hash=sha256:HEXDIGITS."
            raise RequirementsError(f"--hash={each} is no hash", place, hint)
    options = sorted(f"{name}={value}" for name, value in line.options if name != "--editable")
    return entry._replace(text=" ".join([entry.text, *options]), hashes=frozenset(hashes))


def _parse_named(text: str, place: Place, project: Project) -> Entry:
    """Read a requirement by name: PEP 508."""
    found = parse_requirement(text, place)
    name, extras = normalized(found.name), _extras(found.extras)
    url = found.url and _local(found.url, place, project)
    demand = f" @ {url}" if url else found.specifier
    return Entry(
        text=f"{name}{_in_brackets(extras)}{demand}{_behind(found.marker)}",
        place=place,
        name=name,
        extras=extras,
        specifier=None if url else found.specifier,
        marker=found.marker,
        url=url,
        **_local_facts(url, project),
        fragment=(found.url or "").partition("#")[2],
    )


def _parse_direct(text: str, place: Place, project: Project, *, editable: bool) -> Entry:
    """Read a bare URL or path, with its marker and extras."""
    name: str | None = None
    extras = ""
    if editable and (named := re.match(_NAMED, text)):
        name, extras = normalized(named["name"]), named["extras"] or ""
        text = text[named.end() :].strip()
    bare, _, when = text.partition("; " if URL.match(text) else ";")
    marker = None
    if when.strip():
        message = f"{quoted(when.strip())} is no marker"
        marker = parse_requirement(f"x; {when}", place, message).marker
    bare = bare.strip()
    if found := re.search(_BEHIND, bare):
        bare, extras = bare[: found.start()], found[1]
    url = _local(bare, place, project)
    if egg := re.search(_EGG, bare):
        name = normalized(egg[1])
    elif urlsplit(url).path.endswith(".whl"):
        name = normalized(unquote(url.rsplit("/", 1)[-1]).split("-")[0])
    elif name is None and not URL.match(url):
        name = static_name(project, url)
    asked = _extras(extras.strip("[]").split(","))
    return Entry(
        text=f"{'-e ' * editable}{url}{_in_brackets(asked)}{_behind(marker)}",
        place=place,
        name=name,
        extras=asked,
        specifier=None,
        marker=marker,
        url=url,
        editable=editable,
        **_local_facts(url, project),
        fragment=bare.partition("#")[2],
        bare=True,
    )


def _extras(extras: Iterable[str]) -> frozenset[str]:
    return frozenset(normalized(each.strip()) for each in extras if each.strip())


def _in_brackets(extras: frozenset[str]) -> str:
    return f"[{','.join(sorted(extras))}]" if extras else ""


def _behind(marker: Marker | None) -> str:
    return f"; {marker}" if marker else ""


def _local_facts(url: str | None, project: Project) -> dict[str, Any]:
    """Return the attributes of an entry that the files of a local project give."""
    if not url or URL.match(url):
        return {}
    return {
        "metadata": metadata_digest(project, url),
        "requires": static_requirements(project, url),
    }


def _is_path(text: str, project: Project, place: Place) -> bool:
    """Return whether a line that is no URL names, to pip, a local project or archive."""
    if not (text[:1] == "." or "/" in text or os.sep in text or _LIKE_ARCHIVE.search(text)):
        return False  # nearly all lines: a check must stay instant
    if re.match(_NAMED, text):
        return False
    path = text.partition(";")[0].strip()
    path = path[: path.rfind("[")].strip() if path.endswith("]") and "[" in path else path
    if path.startswith(".") or "/" in path or os.sep in path:
        if not project.exists(path):
            hint = f"Write the path from there; a project of an index is: {EXAMPLE_NAME}"
            if egg := re.search(_EGG, path):
                hint = f"pip takes no fragment behind a path: {egg[1]} @ file:{path[: egg.start()]}"
            raise RequirementsError(f"there is no {path}, seen from the project root", place, hint)
        return True
    return path.endswith(_ARCHIVES)


def _local(url: str, place: Place, project: Project) -> str:
    """Return a path or file: URL as a path relative to the project root; else the URL."""
    path = url
    if URL.match(url):
        refuse_bad_url(url, place)
        if not url.lower().startswith("file:"):
            return url
        bare = url.partition("#")[0]
        path = unquote(urlsplit(bare).path if bare.startswith("file:/") else bare[len("file:") :])
    located = relative(project.root / path, project.root)
    if Path(path).is_absolute() and located.startswith("../"):
        raise RequirementsError(
            f"{path} lies outside the project: the lock would hold a path of this machine",
            place,
            "Write it relative to the project root, such as ../other.",
        )
    return located


def refuse_bad_url(url: str, place: Place) -> None:
    """Refuse what cannot be taken apart as a URL.

    Raises:
        RequirementsError: naming the place.
    """
    try:
        urlsplit(url)
    except ValueError as error:
        message = f"{quoted(url)} is no URL: {error}"
        raise RequirementsError(message, place, "Such as: https://host/path") from error
