"""Read an input and everything it reaches through ``-r`` and ``-c``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from nox_lock import _syntax
from nox_lock._errors import RequirementsError
from nox_lock._projects import metadata_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet

# pip's own list: https://pip.pypa.io/en/stable/topics/vcs-support/
_URL = re.compile(r"(?:(?:git|hg|svn|bzr)(?:\+\w+)?|https?|ftp|file):", re.IGNORECASE)
_REMOTE = re.compile(r"(?:https?|file):", re.IGNORECASE)
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz")
# A user name alone is no secret, but one with an empty password is a token.
_PASSWORD = re.compile(r"//(?!\$\{[A-Z0-9_]+\}:@)[^/@\s:]*:(?!\$\{[A-Z0-9_]+\}@)[^/@\s]*@")
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*@")
_EMPTY_MARKER = re.compile(r"\s*;\s*$")
_EGG = re.compile(r"[#&]egg=([\w.-]+)")


class Where(NamedTuple):
    """A place in a file a person edits: path relative to the project root, line from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One requirement or constraint of an input.

    Attributes:
        text: canonical form: equal for every spelling of the same demand.
        where: the file and line that ask for it.
        name: normalized project name (PEP 503), or None for a bare URL or path.
        extras: normalized names of the extras asked for.
        specifier: the versions allowed, or None for a direct URL or path.
        marker: when it applies (PEP 508), or None for always.
        url: the direct URL, or the path relative to the project root, or None.
        editable: written with ``-e``.
        constraint: from a ``-c`` file: narrows a version, asks for nothing.
        metadata: digest of what a local project says it depends on; empty for all others.
    """

    text: str
    where: Where
    name: str | None
    extras: frozenset[str]
    specifier: SpecifierSet | None
    marker: Marker | None
    url: str | None
    editable: bool
    constraint: bool
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """An option line such as ``--extra-index-url URL``; a flag's value is empty."""

    name: str
    value: str
    where: Where


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a lock's inputs ask for.

    Attributes:
        sources: the input files given, relative to the project root, in their order.
        files: every file read, sources first.
        entries: requirements and constraints in the order pip meets them.
        options: option lines in the order pip meets them.
        remote: ``-r`` and ``-c`` lines that name a URL: nobody can judge those offline.
    """

    sources: tuple[str, ...]
    files: tuple[str, ...]
    entries: tuple[Entry, ...]
    options: tuple[Option, ...]
    remote: tuple[Option, ...]

    @property
    def requirements(self) -> tuple[Entry, ...]:
        """The entries that ask for something."""
        return tuple(entry for entry in self.entries if not entry.constraint)

    @property
    def constraints(self) -> tuple[Entry, ...]:
        """The entries that only narrow."""
        return tuple(entry for entry in self.entries if entry.constraint)

    def canonical(self) -> list[str]:
        """One line for each thing that shapes the lock: order, comments and spelling left out.

        Options keep their order, because that of indexes counts. The file of an entry is part
        of it, since the lock's annotations name it.
        """
        entries = {
            f"{'-c' if entry.constraint else '-r'} {entry.where.file}: {entry.text}{entry.metadata}"
            for entry in self.entries
        }
        ordered = [f"{option.name} {option.value}" for option in (*self.options, *self.remote)]
        return [f"source {source}" for source in self.sources] + sorted(entries) + ordered


def read_inputs(sources: Sequence[str], root: Path, environ: Mapping[str, str]) -> Inputs:
    """Read `sources`, paths relative to `root`, and all they reach.

    `environ` gives the values of ``${NAME}`` in ``-r`` and ``-c`` lines, as pip has them.

    Raises:
        RequirementsError: for a file that is missing, unreadable or against the format, a
            loop, a literal password, or ``${NAME}`` inside a requirement.
    """
    reader = _Reader(root, environ)
    for source in sources:
        reader.read(source, None, constraint=False, trail=())
    return Inputs(
        sources=tuple(sources),
        files=tuple(reader.files),
        entries=tuple(reader.entries),
        options=tuple(reader.options),
        remote=tuple(reader.remote),
    )


class _Reader:
    """Collects what the files hold while it walks through them."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self.files: dict[str, None] = {}
        self.entries: list[Entry] = []
        self.options: list[Option] = []
        self.remote: list[Option] = []

    def read(
        self, file: str, asked: Where | None, *, constraint: bool, trail: tuple[str, ...]
    ) -> None:
        if file in trail:
            chain = " -> ".join((*trail[trail.index(file) :], file))
            raise _error(f"these files include each other: {chain}", asked)
        self.files[file] = None
        text = _syntax.decode(self._bytes(file, asked), file)
        for number, logical in _syntax.logical_lines(text):
            where = Where(file, number)
            _refuse_secrets(logical, where)
            line = _syntax.parse_line(number, logical, file)
            if line.requirement or any(name == "--editable" for name, _ in line.options):
                entry = parse_entry(line, where, self.root, constraint=constraint)
                self.entries.append(entry)
            else:
                self._follow(line, where, (*trail, file))

    def _bytes(self, file: str, asked: Where | None) -> bytes:
        try:
            return (self.root / file).read_bytes()
        except FileNotFoundError as error:
            hint = None if asked else "It is named by `inputs` in pyproject.toml."
            raise _error(f"there is no file {file}", asked, hint) from error
        except OSError as error:
            raise _error(f"cannot read {file}: {error.strerror}", asked) from error

    def _follow(self, line: _syntax.Line, where: Where, trail: tuple[str, ...]) -> None:
        """Take an option line; of one with ``-r`` or ``-c`` pip reads the first of them alone."""
        for name in ("--requirement", "--constraint"):
            value = next((value for option, value in line.options if option == name), None)
            if value is not None:
                self._include(name, value, where, trail)
                return
        for name, value in line.options:
            self.options.append(Option(name, self._folder(name, value, where), where))

    def _include(self, name: str, value: str, where: Where, trail: tuple[str, ...]) -> None:
        target = value
        for variable in _syntax.variables(value):
            if known := self.environ.get(variable):
                target = target.replace(f"${{{variable}}}", known)
        if _REMOTE.match(target):
            self.remote.append(Option(name, value, where))
            return
        path = relative((self.root / where.file).parent / target, self.root)
        self.read(path, where, constraint=name == "--constraint", trail=trail)

    def _folder(self, name: str, value: str, where: Where) -> str:
        """Return a find-links folder as pip finds it: beside the file, else from the root."""
        beside = (self.root / where.file).parent / value
        if name == "--find-links" and not _URL.match(value) and beside.exists():
            return relative(beside, self.root)
        return value


def relative(path: Path, root: Path) -> str:
    """Return `path` relative to `root`, with forward slashes; ``../`` where it lies outside."""
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive, on Windows
        return path.as_posix()


def parse_entry(line: _syntax.Line, where: Where, root: Path, *, constraint: bool) -> Entry:
    """Read one requirement line.

    Raises:
        RequirementsError: when it is neither PEP 508, nor a URL, nor a path that exists.
    """
    edit = next((value for name, value in line.options if name == "--editable"), None)
    text = _EMPTY_MARKER.sub("", line.requirement or edit or "")
    if _syntax.variables(text):
        raise _error(
            f"{text!r} holds a variable, whose value would be written into the lock",
            where,
            "Write the value itself, or put the index into an option line.",
        )
    options = [f"{name}={value}" for name, value in line.options if name != "--editable"]
    if edit is not None or _URL.match(text) or _is_path(text, root, where):
        return _direct(text, options, where, root, editable=edit is not None, constraint=constraint)
    bare, _, when = text.partition(";")
    try:
        # pip splits here, also behind a URL, where PEP 508 wants a blank.
        requirement = Requirement(f"{bare} ; {when}" if when else bare)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise _error(f"{text!r} is no requirement: {reason}", where) from error
    name = canonicalize_name(requirement.name)
    extras = frozenset(canonicalize_name(extra) for extra in requirement.extras)
    marks = f"[{','.join(sorted(extras))}]" if extras else ""
    url = requirement.url and _local(requirement.url, where, root)
    demand = f" @ {url}" if url else str(requirement.specifier)
    when = f"; {requirement.marker}" if requirement.marker else ""
    return Entry(
        text=" ".join([f"{name}{marks}{demand}{when}", *sorted(options)]),
        where=where,
        name=name,
        extras=extras,
        specifier=None if url else requirement.specifier,
        marker=requirement.marker,
        url=url,
        editable=False,
        constraint=constraint,
        metadata=_metadata(url, root),
    )


def _direct(
    text: str, options: list[str], where: Where, root: Path, *, editable: bool, constraint: bool
) -> Entry:
    """Read a bare URL or path, with its marker and extras."""
    named = _NAMED.match(text) if editable else None
    extras = frozenset(_extras((named["extras"] or "") if named else ""))
    text = text[named.end() :].strip() if named else text
    bare, _, when = text.partition("; " if _URL.match(text) else ";")
    marker = None
    if when.strip():
        try:
            marker = Requirement(f"x; {when}").marker
        except InvalidRequirement as error:
            raise _error(f"{when.strip()!r} is no marker", where) from error
    if found := re.search(r"(?<=[^\s/])\[([\w.,\s-]*)\]$", bare.strip()):
        bare = bare.strip()[: found.start()]
        extras = frozenset(_extras(found[1]))
    url = _local(bare.strip(), where, root)
    name = canonicalize_name(named["name"]) if named else None
    if egg := _EGG.search(url):
        name = canonicalize_name(egg[1])
    elif urlsplit(url).path.endswith(".whl"):
        name = canonicalize_name(unquote(url.rsplit("/", 1)[-1]).split("-")[0])
    marks = f"[{','.join(sorted(extras))}]" if extras else ""
    shown = f"{'-e ' if editable else ''}{url}{marks}{f'; {marker}' if marker else ''}"
    return Entry(
        text=" ".join([shown, *sorted(options)]),
        where=where,
        name=name,
        extras=extras,
        specifier=None,
        marker=marker,
        url=url,
        editable=editable,
        constraint=constraint,
        metadata=_metadata(url, root),
    )


def _metadata(url: str | None, root: Path) -> str:
    return metadata_digest(root / url) if url and not _URL.match(url) else ""


def _extras(text: str) -> Iterator[str]:
    for extra in text.strip("[]").split(","):
        if extra.strip():
            yield canonicalize_name(extra.strip())


def _is_path(text: str, root: Path, where: Where) -> bool:
    """Tell, as pip does, whether a line that is no URL names a local project or archive."""
    if _NAMED.match(text):
        return False
    path = re.split(r"[;\[]", text, maxsplit=1)[0].strip()
    if path.startswith(".") or "/" in path or os.sep in path:
        if not (root / path).exists():
            raise _error(f"there is no {path}, seen from the project root", where)
        return True
    return path.endswith(_ARCHIVES)


def _local(url: str, where: Where, root: Path) -> str:
    """Return a local path or file: URL as a path relative to `root`; anything else as it is."""
    if not _URL.match(url):
        return relative(root / url, root)
    if not url.lower().startswith("file:"):
        return url
    path = unquote(urlsplit(url).path) if url.startswith("file:/") else url[len("file:") :]
    located = relative(root / path, root)
    if url.startswith("file:///") and located.startswith("../"):
        raise _error(
            f"{path} lies outside the project: the lock would hold a path of this machine",
            where,
            "Write it relative to the project root, such as ../other.",
        )
    return located


def _refuse_secrets(line: str, where: Where) -> None:
    if _PASSWORD.search(line):
        raise _error(
            "a password stands here in clear, and would go into the lock file",
            where,
            "Write it as ${NAME} and set that variable, or move the index to pip's configuration.",
        )


def _error(message: str, where: Where | None, hint: str | None = None) -> RequirementsError:
    if where is None:
        return RequirementsError(message, hint=hint)
    return RequirementsError(message, file=where.file, line=where.line, hint=hint)
