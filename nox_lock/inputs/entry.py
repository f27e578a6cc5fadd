"""One line of an input: an `Option`, or an `Entry` by PEP 508, a URL or a path, as pip takes it.

Of a local project it has the dependencies that the project's own files give.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from nox_lock.errors import NoxLockError, RequirementsError
from nox_lock.inputs.syntax import EXAMPLE_NAME, name_of, normalized, parse_requirement, variables
from nox_lock.inputs.toml_tables import FILE, parse_toml
from nox_lock.project import local_path, relative
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
_FILES = (FILE, "setup.py", "setup.cfg")
_DEPENDENCIES = ("dependencies", "optional-dependencies")
_KEYS = (*_DEPENDENCIES, "dynamic", "requires-python")
# What may be the path of a file: a word behind a quote, `file:` or a comma.
_PATH = r"""(?:["',]|file:)\s*([\w./-]+)"""
_PROSE = (".md", ".rst")


class Entry(NamedTuple):
    """One requirement or constraint of an input.

    Attributes:
        text: canonical form: equal for every spelling of the same demand.
        name: normalized project name (PEP 503), or None for a bare URL or path.
        extras: normalized names of its extras.
        specifier: the versions allowed, or None for a direct URL or path.
        marker: when it applies (PEP 508), or None for always.
        url: the direct URL, or the path relative to the project root, or None.
        constraint: from a ``-c`` file: it narrows versions, and requires nothing.
        metadata: digest of what a local project says it depends on; empty for all others.
        requires: the projects that a local project requires, with all its extras; None where that
            is not static.
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
    """Read a requirement by PEP 508, a URL or a path that exists; else RequirementsError."""
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
    text = f"{name}{_in_brackets(extras)}{demand}{_behind(found.marker)}"
    if not found.url:
        return Entry(text, place, name, extras, found.specifier, found.marker, None)
    entry = Entry(text, place, name, extras, None, found.marker, url)
    fragment = found.url.partition("#")[2]
    return entry._replace(**_local_facts(url, project), fragment=fragment)


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
        path = urlsplit(bare).path if bare.startswith("file:/") else bare[len("file:") :]
        path = local_path(unquote(path))
    located = relative(project.root / path, project.root)
    # On Windows it is absolute where it is on another drive.
    if Path(path).is_absolute() and (located.startswith("../") or Path(located).is_absolute()):
        raise RequirementsError(
            f"{path} lies outside the project: the lock would hold a path of this machine",
            place,
            "Write it relative to the project root, such as ../other.",
        )
    return located


def refuse_bad_url(url: str, place: Place) -> None:
    """Refuse what cannot be taken apart as a URL."""
    try:
        urlsplit(url)
    except ValueError as error:
        message = f"{quoted(url)} is no URL: {error}"
        raise RequirementsError(message, place, "Such as: https://host/path") from error


def is_project_file(file: str) -> bool:
    """Return whether an input is a project file, and no requirements file."""
    return posixpath.basename(file) in _FILES


def static_name(project: Project, folder: str) -> str | None:
    """Return the normalized name of the project in `folder`; None where it is not static."""
    table = _document(project, folder).get("project")
    name = table.get("name") if isinstance(table, dict) else None
    return canonicalize_name(name) if isinstance(name, str) else None


def static_requirements(project: Project, folder: str) -> frozenset[str] | None:
    """Return what the project in `folder` requires with all extras; None if it is not static."""
    table = _static_table(project, folder)
    if table is None:
        return None
    extras = table.get("optional-dependencies")
    lists = [table.get("dependencies"), *(extras.values() if isinstance(extras, dict) else ())]
    try:
        return frozenset(name_of(each) for found in lists for each in found or ())
    except (TypeError, ValueError, RecursionError):  # its build refuses it
        return frozenset()


def metadata_digest(project: Project, folder: str) -> str:
    """Return a digest that changes when the dependencies of the project in `folder` may have.

    Static ones (PEP 621) are taken by their table, so that no other edit of the file counts;
    dynamic ones may come from anything, so all build files count. Empty for no project.
    """
    if not any(project.is_file(posixpath.join(folder, name)) for name in _FILES):
        return ""
    table = _static_table(project, folder)
    if table is None:
        return dynamic_digest(project, folder)
    return _digest({key: table.get(key) for key in _KEYS})


def dynamic_digest(project: Project, folder: str) -> str:
    """Return a digest of all that may decide what the build of a project depends on.

    That is its build files, and the files below its folder that these name, but for prose.
    Of `pyproject.toml` comments and our own table do not count.
    """
    texts = {name: _read(project, folder, name).decode(errors="surrogateescape") for name in _FILES}
    if document := _document(project, folder):
        tool = document.get("tool", {})
        ours = {"tool": {**tool, "nox-lock": {}}} if isinstance(tool, dict) else {}
        texts[FILE] = _dump({"tool": {"nox-lock": {}}, **document, **ours})
    named = {
        path: _read(project, folder, path).hex()
        for text in texts.values()
        for path in re.findall(_PATH, text)
        if not path.startswith("/") and ".." not in path and not path.endswith(_PROSE)
    }
    return _digest([texts, {path: data for path, data in named.items() if data}])


def _static_table(project: Project, folder: str) -> Mapping[str, Any] | None:
    """Return the table `[project]` in `folder`, if the dependencies in it are all there are."""
    table = _document(project, folder).get("project")
    if not isinstance(table, dict) or "name" not in table:
        return None
    dynamic = table.get("dynamic", [])
    static = isinstance(dynamic, list) and all(key not in dynamic for key in _DEPENDENCIES)
    return table if static else None


def _document(project: Project, folder: str) -> Mapping[str, Any]:
    try:
        return parse_toml(_read(project, folder, FILE)).values
    except NoxLockError:
        return {}  # pip refuses it


def _digest(facts: object) -> str:
    return hashlib.sha256(_dump(facts).encode()).hexdigest()[:32]


def _dump(facts: object) -> str:
    return json.dumps(facts, sort_keys=True, default=str)


def _read(project: Project, folder: str, name: str) -> bytes:
    try:
        # A checkout on Windows may have other ends of lines.
        return project.read(posixpath.join(folder, name)).replace(b"\r\n", b"\n")
    except (OSError, ValueError):  # the latter for a NUL in a name
        return b""
