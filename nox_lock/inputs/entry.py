"""`Inputs`, and a line of one: an `Option`, or an `Entry` by PEP 508, a URL or a path."""

from __future__ import annotations

import functools
import json
import os
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

from nox_lock.errors import ConfigError, Place, RequirementsError
from nox_lock.inputs import syntax
from nox_lock.inputs.syntax import Line, normalized, parse_requirement, refuse_bad_url, variables
from nox_lock.inputs.toml_tables import FILE, parse_toml
from nox_lock.project import Project, fingerprint, local_path, relative
from nox_lock.text import quoted

# pip's own list: https://pip.pypa.io/en/stable/topics/vcs-support/
URL = re.compile(r"(?:(?:git|hg|svn|bzr)(?:\+\w+)?|https?|ftp|file):", re.IGNORECASE)
_NAMED = r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:(?P<extras>\[[^\]]*\])\s*)?@"
# A line that is, to pip, the path of a folder or archive.
_ARCHIVE = rf"(?:{'|'.join(map(re.escape, syntax.ARCHIVES))})\s*(?:\[[^\[;]*\]\s*)?(?:;|$)"
_PATH_LINE = re.compile(rf"(?!{_NAMED})(?:\.|[^;]*?(?:[/{re.escape(os.sep)}]|{_ARCHIVE}))")
_BEHIND = r"(?<=[^\s/])\[([\w.,\s-]*)\]$"  # extras of a path
_EGG = r"[#&]egg=([\w.-]+)"
# As pip allows them: https://pip.pypa.io/en/stable/cli/pip_install/#hash-checking-mode
_HASH = r"sha(?:256|384|512):"
_FILES = (FILE, "setup.py", "setup.cfg")
DEPENDENCIES = ("dependencies", "optional-dependencies")
_KEYS = (*DEPENDENCIES, "dynamic", "requires-python")
# What may be the path of a file: a word behind a quote, `file:` or a comma.
_PATH = r"""(?:["',]|file:)\s*([\w./-]+)"""
_PROSE = (".md", ".rst")
_dumped = functools.partial(json.dumps, sort_keys=True, default=str)


class Entry(NamedTuple):
    """One requirement or constraint of an input."""

    text: str  # canonical: equal for every spelling of the same demand
    place: Place
    name: str | None  # normalized (PEP 503); None for a bare URL or path
    extras: frozenset[str]  # normalized
    specifier: SpecifierSet | None  # the versions allowed; None for a direct URL or path
    marker: Marker | None  # when it applies (PEP 508); None for always
    url: str | None  # the direct URL, or the path relative to the project root
    editable: bool = False
    constraint: bool = False  # from a ``-c`` file: it narrows versions, and requires nothing
    metadata: str = ""  # digest of what a local project says it depends on; empty for all others
    # The projects that a local project requires, with all its extras; None where not static.
    requires: frozenset[str] | None = None
    hashes: frozenset[str] = frozenset()
    fragment: str = ""  # of a URL or path, what is behind its ``#``
    bare: bool = False  # written as a URL or path alone, without a name before it


class Option(NamedTuple):
    """An option line such as ``--extra-index-url URL``; a flag's value is empty."""

    name: str
    value: str
    place: Place


class Inputs:
    """What a lock's inputs require; not to be changed once `read_inputs` has returned it."""

    # By hand: a dataclass of so many fields takes a hundredth of a check.
    def __init__(self) -> None:
        self.files: list[str] = []  # every file read, sources first
        self.made: Mapping[str, str] = {}  # see `Files`
        self.entries: list[Entry] = []  # in the order pip meets them
        # The editables among the constraints: pip refuses them, and no folder has two versions.
        self.left_out: list[Entry] = []
        self.options: list[Option] = []
        self.remote: list[Option] = []  # ``-r`` and ``-c`` of a URL, which no check reads
        self.includes: list[Option] = []  # those of a local file, as from the project root
        # The `dynamic_digest` of each project file that only a build can read to the end.
        self.dynamic: dict[str, str] = {}
        self.native: list[str] = []  # sources that pip-compile reads itself, with their options
        # Requirement lines that it reads otherwise, or not at all, and is given written out, by
        # how its annotations are to name their place.
        self.written: dict[str, list[str]] = {}
        # All that is read: real paths of files; of a project file ``FILE#`` for its own
        # dependencies, ``FILE#extra=NAME`` and ``FILE#group=NAME``.
        self.reached: set[str] = set()
        self.done: set[tuple[str, bool]] = set()  # files it names; whether by ``-c``
        self.pending: set[str] = set()  # of these, lock files that are not there, or broken
        self.missing: set[str] = set()  # and what is not there otherwise; see `Files`
        self.pythons: list[Option] = []  # the ``requires-python`` of project files

    @property
    def requirements(self) -> list[Entry]:
        """The entries that require something."""
        return [entry for entry in self.entries if not entry.constraint]

    @property
    def constraints(self) -> list[Entry]:
        """The entries that only narrow versions."""
        return [entry for entry in self.entries if entry.constraint]

    @property
    def judgeable(self) -> bool:
        """Whether all that is required is in files here, and needs no build."""
        return not (self.remote or self.dynamic)


def parse_entry(line: Line, project: Project, *, constraint: bool = False) -> Entry:
    """Read a requirement by PEP 508, a URL or a path that exists; else RequirementsError."""
    place = line.place
    text = line.requirement.rstrip().removesuffix(";").rstrip()  # an empty marker
    if "${" in text and variables(text):
        message = f"{quoted(text)} holds a variable, whose value would be written into the lock"
        hint = "Write the value itself, or put the index into an option line."
        raise RequirementsError(message, place, hint)
    if line.editable or URL.match(text) or _PATH_LINE.match(text):
        entry = _parse_direct(text, place, project, editable=line.editable)
        start, demand = f"{'-e ' * line.editable}{entry.url}", ""
    else:
        found = parse_requirement(text, place)
        name, extras = normalized(found.name), frozenset(map(normalized, found.extras))
        url = found.url and _local(found.url, place, project)
        specifier = None if url else found.specifier
        fragment = (found.url or "").partition("#")[2]
        entry = Entry("", place, name, extras, specifier, found.marker, url, fragment=fragment)
        start, demand = name, f" @ {url}" if url else str(specifier)
    bracketed = f"[{','.join(sorted(entry.extras))}]" if entry.extras else ""
    text = f"{start}{bracketed}{demand}{f'; {entry.marker}' if entry.marker else ''}"
    hashes = [value for name, value in line.options if name == "--hash"]
    if wrong := [each for each in hashes if not re.match(_HASH, each)]:
        hint = "Write --hash=sha256:HEXDIGITS."
        raise RequirementsError(f"--hash={wrong[0]} is not a hash", place, hint)
    options = sorted(f"{name}={value}" for name, value in line.options if name != "--editable")
    text = " ".join([text, *options])
    facts = _local_facts(entry.url, project) if entry.url else {}
    return entry._replace(text=text, constraint=constraint, hashes=frozenset(hashes), **facts)


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
        message = f"{quoted(when.strip())} is not a marker"
        marker = parse_requirement(f"x; {when}", place, message).marker
    bare = bare.strip()
    if found := re.search(_BEHIND, bare):
        bare, extras = bare[: found.start()], found[1]
    if not (editable or URL.match(bare) or project.exists(bare)):
        hint = f"Write the path from there; a project of an index is: {syntax.EXAMPLE_NAME}"
        if egg := re.search(_EGG, bare):
            hint = f"pip takes no fragment behind a path: {egg[1]} @ file:{bare[: egg.start()]}"
        raise RequirementsError(f"there is no {bare}, seen from the project root", place, hint)
    url = _local(bare, place, project)
    if egg := re.search(_EGG, bare):
        name = normalized(egg[1])
    elif urlsplit(url).path.endswith(".whl"):
        name = normalized(unquote(url.rsplit("/", 1)[-1]).split("-")[0])
    elif name is None and not URL.match(url):
        name = static_name(project, url)
    asked = frozenset(map(normalized, re.findall(r"[\w.-]+", extras)))
    fragment = bare.partition("#")[2]
    return Entry("", place, name, asked, None, marker, url, editable, fragment=fragment, bare=True)


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
        message = f"{path} lies outside the project: the lock would hold a path of this machine"
        hint = "Write it relative to the project root, such as ../other."
        raise RequirementsError(message, place, hint)
    return located


def is_project_file(file: str) -> bool:
    """Return whether an input is a project file, and no requirements file."""
    return posixpath.basename(file) in _FILES


def static_name(project: Project, folder: str) -> str | None:
    """Return the normalized name of the project in `folder`; None where it is not static."""
    table = _document(project, folder).get("project")
    name = table.get("name") if isinstance(table, dict) else None
    return normalized(name) if isinstance(name, str) else None


def _local_facts(url: str, project: Project) -> dict[str, Any]:
    """Return `metadata` and `requires` of a local project: by its table (PEP 621) if static."""
    if URL.match(url) or not any(project.is_file(posixpath.join(url, name)) for name in _FILES):
        return {}
    table = _document(project, url).get("project")
    table = table if isinstance(table, dict) and "name" in table else {"dynamic": None}
    dynamic = table.get("dynamic", [])
    if not isinstance(dynamic, list) or any(key in dynamic for key in DEPENDENCIES):
        return {"metadata": dynamic_digest(project, url)}
    extras = table.get("optional-dependencies")
    lists = [table.get("dependencies"), *(extras.values() if isinstance(extras, dict) else ())]
    try:
        requires = frozenset(syntax.name_of(each) for found in lists for each in found or ())
    except (TypeError, ValueError, RecursionError):  # its build refuses it
        requires = frozenset()
    return {"metadata": _digest({key: table.get(key) for key in _KEYS}), "requires": requires}


def dynamic_digest(project: Project, folder: str) -> str:
    """Return a digest of a project's build files, and of the files but prose that these name."""
    texts = {name: _read(project, folder, name).decode(errors="surrogateescape") for name in _FILES}
    if document := _document(project, folder):
        tool = document.get("tool", {})
        if isinstance(tool, dict):
            document = {**document, "tool": {**tool, "nox-lock": {}}}  # ours decides nothing
        texts[FILE] = _dumped(document)
    named = {
        path: _read(project, folder, path).hex()
        for text in texts.values()
        for path in re.findall(_PATH, text)
        if not path.startswith("/") and ".." not in path and not path.endswith(_PROSE)
    }
    return _digest([texts, {path: data for path, data in named.items() if data}])


def _document(project: Project, folder: str) -> Mapping[str, Any]:
    try:
        return parse_toml(_read(project, folder, FILE)).values
    except ConfigError:
        return {}  # pip refuses it


def _digest(facts: object) -> str:
    return fingerprint(_dumped(facts).encode())[:32]


def _read(project: Project, folder: str, name: str) -> bytes:
    try:
        # A checkout on Windows may have other ends of lines.
        return project.read(posixpath.join(folder, name)).replace(b"\r\n", b"\n")
    except (OSError, ValueError):  # the latter for a NUL in a name
        return b""
