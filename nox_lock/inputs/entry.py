"""Read one requirement line: PEP 508, a URL, or a path, as pip takes them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from nox_lock.errors import RequirementsError, fix_of
from nox_lock.inputs import syntax
from nox_lock.inputs.local_projects import metadata_digest, static_name
from nox_lock.inputs.pep508 import EXAMPLE_NAME, parse_requirement, read_named
from nox_lock.project import relative
from nox_lock.text import has_password, has_token, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet

    from nox_lock.errors import Place
    from nox_lock.project import Project

# pip's own list: https://pip.pypa.io/en/stable/topics/vcs-support/
URL = re.compile(r"(?:(?:git|hg|svn|bzr)(?:\+\w+)?|https?|ftp|file):", re.IGNORECASE)
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz")
_LIKE_ARCHIVE = re.compile("|".join(map(re.escape, _ARCHIVES)))
_NAMED = r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:(?P<extras>\[[^\]]*\])\s*)?@"
_EDITABLE = r"-e|--e(?!x)"
_EGG = r"[#&]egg=([\w.-]+)"
# As pip allows them: https://pip.pypa.io/en/stable/cli/pip_install/#hash-checking-mode
_HASH = r"sha(?:256|384|512):"
_NONE: frozenset[str] = frozenset()


class Entry(NamedTuple):
    """One requirement or constraint of an input.

    Attributes:
        text: canonical form: equal for every spelling of the same demand.
        place: the file and line that ask for it.
        name: normalized project name (PEP 503), or None for a bare URL or path.
        extras: normalized names of the extras asked for.
        specifier: the versions allowed, or None for a direct URL or path.
        marker: when it applies (PEP 508), or None for always.
        url: the direct URL, or the path relative to the project root, or None.
        editable: written with ``-e``.
        constraint: from a ``-c`` file: narrows a version, asks for nothing.
        metadata: digest of what a local project says it depends on; empty for all others.
        hashes: the ``--hash`` options behind it.
        fragment: of a URL or path, what stands behind its ``#``.
        bare: written as a URL or path alone, without a name before it.
    """

    text: str
    place: Place
    name: str | None
    extras: frozenset[str]
    specifier: SpecifierSet | None
    marker: Marker | None
    url: str | None
    editable: bool
    constraint: bool
    metadata: str = ""
    hashes: frozenset[str] = frozenset()
    fragment: str = ""
    bare: bool = False


def read_input(file: str, project: Project, asked: Place | None) -> bytes:
    """Return the bytes of an input, which a line asks for, or the configuration.

    Raises:
        RequirementsError: for one that is missing or cannot be read.
    """
    try:
        return project.read(file)
    except FileNotFoundError as error:
        hint = "It is named by `inputs` or `groups` in pyproject.toml."
        if asked:
            hint = f"-r and -c are seen from the file they stand in: {asked.file}"
        raise RequirementsError(f"there is no file {file}", asked, hint) from error
    except OSError as error:
        raise RequirementsError(
            f"cannot read {file}: {error.strerror}", asked, fix_of(error)
        ) from error


def parse_entry(line: syntax.Line, place: Place, project: Project, *, constraint: bool) -> Entry:
    """Read one requirement line.

    Raises:
        RequirementsError: when it is neither PEP 508, nor a URL, nor a path that exists.
    """
    edit = next((value for name, value in line.options if name == "--editable"), None)
    text = line.requirement or edit or ""
    if text.rstrip().endswith(";"):  # an empty marker
        text = text.rstrip()[:-1].rstrip()
    if "${" in text and syntax.variables(text):
        raise RequirementsError(
            f"{quoted(text)} holds a variable, whose value would be written into the lock",
            place,
            "Write the value itself, or put the index into an option line.",
        )
    options = [f"{name}={value}" for name, value in line.options if name != "--editable"]
    if options:
        _refuse_bad_hashes(line.options, place)
    if edit is not None or URL.match(text) or _is_path(text, project, place):
        found = _direct(
            text, options, place, project, editable=edit is not None, constraint=constraint
        )
        return found._replace(hashes=_hashes(line.options))
    asked = read_named(text, place)
    url = asked.url and _local(asked.url, place, project)
    demand = f" @ {url}" if url else asked.demand
    return Entry(
        text=" ".join([f"{asked.head}{demand}{asked.when}", *sorted(options)]),
        place=place,
        name=asked.name,
        extras=asked.extras,
        specifier=None if url else asked.specifier,
        marker=asked.marker,
        url=url,
        editable=False,
        constraint=constraint,
        metadata=_metadata(url, project),
        hashes=_hashes(line.options),
        fragment=(asked.url or "").partition("#")[2],
    )


def _hashes(options: Iterable[tuple[str, str]]) -> frozenset[str]:
    return frozenset(value for name, value in options if name == "--hash") if options else _NONE


def _refuse_bad_hashes(options: Iterable[tuple[str, str]], place: Place) -> None:
    for name, value in options:
        if name == "--hash" and not re.match(_HASH, value):
            raise RequirementsError(
                f"--hash={value} is no hash", place, "Write --hash=sha256:HEXDIGITS."
            )


def _direct(
    text: str,
    options: list[str],
    place: Place,
    project: Project,
    *,
    editable: bool,
    constraint: bool,
) -> Entry:
    """Read a bare URL or path, with its marker and extras."""
    named = re.match(_NAMED, text) if editable else None
    extras = frozenset(_extras((named["extras"] or "") if named else ""))
    text = text[named.end() :].strip() if named else text
    bare, _, when = text.partition("; " if URL.match(text) else ";")
    marker = None
    if when.strip():
        message = f"{quoted(when.strip())} is no marker"
        marker = parse_requirement(f"x; {when}", place, message).marker
    if found := re.search(r"(?<=[^\s/])\[([\w.,\s-]*)\]$", bare.strip()):
        bare = bare.strip()[: found.start()]
        extras = frozenset(_extras(found[1]))
    url = _local(bare.strip(), place, project)
    name: str | None = canonicalize_name(named["name"]) if named else None
    if egg := re.search(_EGG, bare):
        name = canonicalize_name(egg[1])
    elif urlsplit(url).path.endswith(".whl"):
        name = canonicalize_name(unquote(url.rsplit("/", 1)[-1]).split("-")[0])
    elif name is None and not URL.match(url):
        name = static_name(project, url)
    marks = f"[{','.join(sorted(extras))}]" if extras else ""
    shown = f"{'-e ' if editable else ''}{url}{marks}{f'; {marker}' if marker else ''}"
    return Entry(
        text=" ".join([shown, *sorted(options)]),
        place=place,
        name=name,
        extras=extras,
        specifier=None,
        marker=marker,
        url=url,
        editable=editable,
        constraint=constraint,
        metadata=_metadata(url, project),
        fragment=bare.strip().partition("#")[2],
        bare=True,
    )


def _metadata(url: str | None, project: Project) -> str:
    return metadata_digest(project, url) if url and not URL.match(url) else ""


def _extras(text: str) -> Iterator[str]:
    for extra in text.strip("[]").split(","):
        if extra.strip():
            yield canonicalize_name(extra.strip())


def _is_path(text: str, project: Project, place: Place) -> bool:
    """Tell, as pip does, whether a line that is no URL names a local project or archive."""
    if not (text[:1] == "." or "/" in text or os.sep in text or _LIKE_ARCHIVE.search(text)):
        return False  # nearly all lines: a check must stay instant
    if re.match(_NAMED, text):
        return False
    path = text.partition(";")[0].strip()
    path = path[: path.rfind("[")].strip() if path.endswith("]") and "[" in path else path
    if path.startswith(".") or "/" in path or os.sep in path:
        if not project.exists(path):
            raise RequirementsError(
                f"there is no {path}, seen from the project root",
                place,
                f"Write the path from there; a project of an index is: {EXAMPLE_NAME}",
            )
        return True
    return path.endswith(_ARCHIVES)


def _local(url: str, place: Place, project: Project) -> str:
    """Return a local path or file: URL as seen from the project root; else the URL as it is."""
    path = url
    if URL.match(url):
        refuse_bad_url(url, place)
        if not url.lower().startswith("file:"):
            return url
        bare = url.partition("#")[0]
        path = unquote(urlsplit(bare).path) if bare.startswith("file:/") else bare[len("file:") :]
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
        raise RequirementsError(
            f"{quoted(url)} is no URL: {error}", place, "Such as: https://host/path"
        ) from (error)


def refuse_secrets(line: str, place: Place) -> None:
    """Refuse a line with a password in a URL, or with a token there.

    Raises:
        RequirementsError: naming the place.
    """
    is_option = line.startswith("-") and not re.match(_EDITABLE, line)
    hint = "Take it out, and give it to pip by a netrc file or a keyring."
    if is_option:
        hint = (
            "Write it as ${NAME} and set that variable, or move the index to pip's configuration."
        )
    if has_token(line):
        raise RequirementsError(
            "a user name without a password stands here: it is a token, mostly, and would go into "
            "the lock file",
            place,
            hint,
        )
    if has_password(line):
        raise RequirementsError(
            "a password stands here in clear, and would go into the lock file", place, hint
        )
