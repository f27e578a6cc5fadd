"""pip's requirements file format, line by line; and in a line, what PEP 508 defines.

pip offers no public way to call its own reader, and importing it takes longer than a check. Its
rules: https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import codecs
import functools
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from nox_lock.errors import Place, RequirementsError
from nox_lock.text import has_password, quoted

# UTF-32 LE starts with UTF-16 LE's mark, so the longer ones come first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED_ENCODING = rb"(?:[^\n]*\n)??#[^\n]*?coding[:=][^\S\n]*([-\w.]+)"
# The names of the ``${NAME}`` that pip would replace in a text.
variables = re.compile(r"\$\{([A-Z0-9_]+)\}").findall
_COMMENT = r"(?:^|\s)#"
_OPTIONS = r"(?:^| )(?=-)"  # in front of the first word that begins with a dash
_EDITABLE = r"-e|--e(?!x)"
MOST_LINES = 10_000  # that are not empty, in an input or a lock file
MOST_MARKERS = 100_000  # letters of different ones in a file; large ones have some thousand
# What git leaves in a file, and what to call it.
MERGE_MARKS = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")
MERGE = "a merge conflict was left here"
_AS_UTF8 = "Save the file as UTF-8"
_FORMAT = "https://pip.pypa.io/en/stable/reference/requirements-file-format/"
_FLAGS = ("--no-index", "--prefer-binary", "--require-hashes", "--no-require-hashes", "--pre")
_VALUES = (
    ("--index-url", "-i", "--pypi-url"),
    ("--extra-index-url",),
    ("--find-links", "-f"),
    ("--trusted-host",),
    ("--no-binary",),
    ("--only-binary",),
    ("--all-releases",),
    ("--only-final",),
    ("--use-feature",),
    ("--requirement", "-r"),
    ("--constraint", "-c"),
    ("--editable", "-e"),
    ("--hash",),
    ("--config-settings", "-C", "--config-setting"),
)
# Of these, and of the next, a later one may take an earlier one back.
INDEXES = ("--index-url", "--extra-index-url", "--find-links")
FORMATS = ("--no-binary", "--only-binary")
_LONG_NAMES = {name: names[0] for names in _VALUES for name in names}
_PLAIN_VALUE = r"[\w./][\w./:-]*"
# As pip knows them, `pip._internal.utils.filetypes`.
ARCHIVES = (
    *(".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz"),
    *(".tar.gz", ".tar.bz2", ".tar.xz", ".tar.lz", ".tar.lzma"),
)
# In a marker: the comparisons of versions alone, and names that only a lock file has.
_DOUBTFUL = r"~=|===|extras|dependency_groups"
_DIGITS = 1000  # Python reads no more than 4300
_LONGEST = 10_000  # letters of what anybody means
EXAMPLE_NAME = 'name==1.2, name[extra]>=1,<2 ; python_version < "3.12"'
_EXAMPLE = f"One project a line, such as: {EXAMPLE_NAME}"
# The same names are in many lock files of a project.
normalized = functools.lru_cache(maxsize=8192)(canonicalize_name)


class Line(NamedTuple):
    """One logical line: a requirement, which may be editable, with its options; or these alone."""

    place: Place
    requirement: str
    options: tuple[tuple[str, str], ...] = ()  # long names and values; empty for a flag
    editable: bool = False


def read_lines(data: bytes, file: str) -> list[Line]:
    """Return the logical lines of a requirements file."""
    lines: list[Line] = []
    for number, text in logical_lines(decode(data, file)):
        place = Place(file, number)
        if len(lines) > MOST_LINES:
            raise RequirementsError(f"has more than {MOST_LINES} lines", place, "Take lines out.")
        refuse_secrets(text, place)
        requirement, *rest = re.split(_OPTIONS, text, maxsplit=1)
        try:
            options = _parse_options(rest[0]) if rest else ()
        except ValueError as error:
            message = f"{quoted(text)} is not an option line: {error}"
            raise RequirementsError(message, place, f"Options allowed: {_FORMAT}") from error
        editables = [value for name, value in options if name == "--editable"]
        if editables and not requirement.strip():  # pip reads the first of them alone
            lines.append(Line(place, editables[0], options, editable=True))
        else:
            lines.append(Line(place, requirement.strip(), options))
    markers = {line.requirement.partition(";")[2] for line in lines}
    if sum(map(len, markers)) > MOST_MARKERS:
        message = f"its markers have more than {MOST_MARKERS} letters"
        raise RequirementsError(message, Place(file), "Take lines out.")
    return lines


def decode(data: bytes, file: str) -> str:
    """Decode a requirements file as pip does: byte order mark, PEP 263 comment, else UTF-8."""
    marked = [name for mark, name in _MARKS if data.startswith(mark)]
    encoding, line = (*marked, "utf-8")[0], None
    if not marked and (found := re.match(_DECLARED_ENCODING, data)):
        encoding, line = found[1].decode("ascii"), data.count(b"\n", 0, found.start(1)) + 1
    try:
        text = data.decode(encoding)
        text.encode()  # some encodings make what is no text
    except (UnicodeError, LookupError) as error:
        if isinstance(error, UnicodeDecodeError):
            line = data.count(b"\n", 0, error.start) + 1
        hint = f"{_AS_UTF8}, or name its encoding in the first line: # -*- coding: latin-1 -*-"
        raise RequirementsError(f"is not text in {encoding}", Place(file, line), hint) from error
    if "\0" in text:
        place = Place(file, text.count("\n", 0, text.index("\0")) + 1)
        message = "holds a NUL character: this is not a text file"
        raise RequirementsError(message, place, f"{_AS_UTF8}.")
    return text


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of its first physical line, line without comment) for each not empty."""
    first = 0
    parts: list[str] = []
    for number, physical in enumerate((*text.splitlines(), ""), start=1):
        if not (physical or parts):
            continue  # there may be a million
        comment = physical.lstrip().startswith("#")
        if physical.endswith("\\") and not comment:
            first = first or number
            parts.append(physical.strip("\\"))
            continue
        # The blank makes a comment after a continued line be seen as one.
        parts.append(f" {physical}" if comment else physical)
        if line := re.split(_COMMENT, "".join(parts), maxsplit=1)[0].strip():
            yield first or number, line
        first, parts = 0, []


def refuse_secrets(line: str, place: Place) -> None:
    """Refuse a line with a password or a token in a URL."""
    if not has_password(line):
        return
    said = "a password is written here in clear, or a user name without a password, usually a token"
    hint = "Take it out, and give it to pip by a netrc file or a keyring."
    if line.startswith("-") and not re.match(_EDITABLE, line):
        hint = "Write it as ${NAME} and set that variable, or move it to pip's configuration."
    raise RequirementsError(f"{said}: it would be in the lock file", place, hint)


def refuse_bad_url(url: str, place: Place) -> None:
    """Refuse what cannot be taken apart as a URL."""
    try:
        urlsplit(url)
    except ValueError as error:
        message = f"{quoted(url)} is not a URL: {error}"
        raise RequirementsError(message, place, "Such as: https://host/path") from error


@functools.lru_cache(maxsize=1024)  # the same lines are in many inputs of a project
def _parse_options(text: str) -> tuple[tuple[str, str], ...]:
    """Return the options of a line, or raise ValueError."""
    name, _, value = text.partition(" ")
    if text in _FLAGS:
        return ((text, ""),)
    if name in _LONG_NAMES and re.fullmatch(_PLAIN_VALUE, value):
        return ((_LONG_NAMES[name], value),)
    import getopt  # noqa: PLC0415  (most options are plain; a check must stay instant)

    words = shlex.split(text)
    if len(words) > MOST_LINES:  # getopt takes time that grows with the square of this
        raise ValueError(f"it has more than {MOST_LINES} words")

    # As pip's parser, it takes abbreviations, ``-rfile`` and ``--x=y``.
    short = "".join(f"{name[1]}:" for name in _LONG_NAMES if not name.startswith("--"))
    long = [f"{name[2:]}=" for name in _LONG_NAMES if name.startswith("--")]
    try:
        found, rest = getopt.getopt(words, short, [*long, *(f[2:] for f in _FLAGS)])
    except getopt.GetoptError as error:
        raise ValueError(error.msg) from error
    if rest:
        raise ValueError(f"unexpected {rest[0]!r}")
    return tuple((_LONG_NAMES.get(name, name), value) for name, value in found)


def parse_requirement(text: str, place: Place, message: str = "") -> Requirement:
    """Read a requirement by PEP 508, with a marker that can be evaluated; not to be changed."""
    try:
        return _parse(text)
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        reason = f"its marker compares what are no versions, or has no value here: {error}"
    except ValueError as error:  # one of packaging's, or ours
        reason = str(error).splitlines()[0]
    except RecursionError:
        reason = "its marker is nested too deep"
    if text.startswith(MERGE_MARKS):
        raise RequirementsError(MERGE, place, "Keep the lines you want, and take its marks out.")
    message = message or f"{quoted(text)} is not a requirement"
    raise RequirementsError(f"{message}: {reason}", place, _EXAMPLE)


@functools.lru_cache(maxsize=8192)  # the same lines are in many inputs of a project
def _parse(text: str) -> Requirement:
    bare, _, when = text.partition(";")
    if len(text) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST} letters")
    if len(text) > _DIGITS and re.search(rf"\d{{{_DIGITS}}}", text):
        raise ValueError("a number has too many digits")
    # pip splits here, also behind a URL, where PEP 508 wants a blank.
    found = Requirement(bare if when else text)
    if when:
        found.marker = _parse_marker(when)
    return found


@functools.lru_cache(maxsize=1024)  # a few are in many lines
def _parse_marker(text: str) -> Marker:
    found = Marker(text)
    if re.search(_DOUBTFUL, text):
        found.evaluate({"extra": ""})
    return found


def name_of(requirement: str) -> str:
    """Return the normalized name of the project that a valid requirement names."""
    return canonicalize_name(Requirement(requirement).name)


@functools.lru_cache(maxsize=4096)  # most pins are in several lock files of a project
def parse_version(text: str) -> Version | None:
    """Return a version, or None for a text that is not one."""
    try:
        return Version(text)
    except ValueError:  # InvalidVersion, or a number of more digits than Python reads
        return None


def parse_specifier(text: str | None) -> SpecifierSet | None:
    """Return the versions that a text allows; None for no text, or one that is not valid."""
    try:
        return None if text is None else SpecifierSet(text)
    except InvalidSpecifier:
        return None


@functools.lru_cache(maxsize=8192)  # one requirement and one pin are in many lock files
def meets(specifier: SpecifierSet, version: str) -> bool:
    """Return whether a text is a version that is allowed, or what ``===`` compares as text."""
    found = parse_version(version)
    if found is None:
        return str(specifier) in {"", f"==={version}"}
    return specifier.contains(found, prereleases=True)  # pip-tools keeps one that is locked
