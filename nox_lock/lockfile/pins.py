"""The lines of a lock file: a closed grammar, which each logical line must match as a whole.

pip joins physical lines before it reads them, drops what follows a blank and a ``#``, and
takes words that begin with a dash for options. Whatever pip, uv and a person could read differently
is a problem. https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName

from nox_lock.inputs.syntax import MERGE, MERGE_MARKS, MOST_LINES, MOST_MARKERS, normalized
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Blank lines, comments, a pin with the hashes that pip-compile writes below it, or else a logical
# line. A pattern takes the many hashes of a lock file in less time than any loop.
_HASH_LINE = " \\\n    --hash="
_LINES = re.compile(
    rf"""
    (?P<blank> (?:[ \t]*\n)+ )
    | (?P<comments> (?:[ \t]*\#[^\n]*\n)+ )
    | (?P<pin> [^\n\\#]* ) (?P<hashes> (?:{re.escape(_HASH_LINE)}sha256:[0-9a-fA-F]{{64}})+ ) \n
    | (?P<other> (?:[^\n]*\\\n)+ [^\n]* | [^\n]+ ) \n?
    """,
    re.VERBOSE,
)
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"[A-Za-z0-9][A-Za-z0-9.!+_-]*"
_PIN = re.compile(
    rf"""
    ({_NAME}) [ \t]* (?:\[ ([A-Za-z0-9._, \t-]*) \][ \t]*)?
    (?: ===?[ \t]*({_VERSION}) | @[ \t]*(\S+) )
    | (-e[ \t]+|--editable(?:[ \t]+|=))? ((?:[A-Za-z][\w+.-]*:|\.{{0,2}}/|\.)\S*)
    """,
    re.VERBOSE,
)
# As pip takes them: https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode
_HASH = re.compile(
    r"--hash=(sha256:[0-9a-fA-F]{64}|sha384:[0-9a-fA-F]{96}|sha512:[0-9a-fA-F]{128})"
)
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
# Of a URL or path: what a shell, pip's option reader or its variables would change.
_CHANGED = re.compile(r"""["'`\\;]|\$\{""")
_OPTION = re.compile(r"""(--?[a-z][a-z-]*)(?:(?:=|[ \t]+)([^\s"'`\\]+))?""")
_LONG_NAMES = {"-i": "--index-url", "-f": "--find-links"}
_INCLUDE = re.compile(r"""-(r|c|-requirement|-constraint)[= \t]*["']?([^\s"']+)""")
_VALUES: tuple[str, ...] = ("--index-url", "--extra-index-url", "--find-links", "--trusted-host")
_VALUES += ("--no-binary", "--only-binary", "--use-feature")
_FLAGS = ("--pre", "--no-index", "--prefer-binary", "--require-hashes")
# As pip knows them, `pip._internal.utils.filetypes`.
_ARCHIVES = (
    *(".whl", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz"),
    *(".lz", ".tlz", ".lzma"),
)
_LONGEST_MARKER = 2000
_COMMENT = re.compile(r"[ \t]#")
_UNSAFE_TITLE = re.compile(r"# (?:WARNING: )?The following packages (?:were not|are considered)")
_UNSAFE_NAME = re.compile(rf"# ({_NAME})")


class OtherLine(NamedTuple):
    """A line of a lock file that is no pin: an option by its long name, or what is wrong there."""

    text: str
    number: int


class Pin(NamedTuple):
    """One locked project: a version, or a direct URL or path.

    `via` names what requires it, as pip-compile's annotation does: projects, or ``-r file``.
    """

    name: str | None
    version: str | None
    url: str | None
    line: int
    extras: frozenset[str] = frozenset()
    marker: str = ""
    editable: bool = False
    hashes: Sequence[str] = ()
    via: Sequence[str] = ()

    @property
    def shown(self) -> str:
        """The pin as people name it."""
        if self.version is None:
            return self.url or ""
        return f"{self.name}=={self.version}"

    @property
    def unhashable(self) -> bool:
        """Whether pip has no hash for it by nature: a folder or a repository."""
        if self.url is None:
            return False
        scheme, found, _ = self.url.partition("://")
        local = not found or scheme.lower() == "file"
        return self.editable or "+" in scheme or (local and not _is_archive(self.url))


class BodyReader:
    """Reads the text of a lock file into pins and options.

    Attributes:
        options: the option lines but for ``-r`` and ``-c``, which are the `includes`.
        unsafe: projects that a comment names as left out, normalized.
        problems: what does not match the grammar.
        body: the text behind the header, but for options and includes.
    """

    def __init__(self, text: str, header: int) -> None:
        """Read `text`, which ends with a newline, and the header with this place."""
        self.pins: list[Pin] = []
        self.options: list[OtherLine] = []
        self.includes: list[OtherLine] = []
        self.unsafe: list[str] = []
        self.problems: list[OtherLine] = []
        self._markers: set[str] = set()
        self._markers_left = MOST_MARKERS
        # The annotation of the last pin, while comments may belong to it.
        self._via: list[str] | None = None
        self._in_via = False  # behind its first line
        self._in_unsafe = False
        self.body = self._read(text, header)

    def _read(self, text: str, begin: int) -> str:
        body, line, left = [], 1, MOST_LINES
        for found in _LINES.finditer(text):
            number, (start, end) = line, found.span()
            line += text.count("\n", start, end)
            if found.lastgroup == "blank":
                self._via = None
            elif found.lastgroup == "comments":
                self._comments(found["comments"].split("\n"), number)
            elif left == 0:
                self._problem(f"more than {MOST_LINES} lines, which nobody means", number)
                break
            else:
                left -= 1
                if self._take_line(found, number):
                    body.append(text[begin:start])
                    begin = end
        return "".join([*body, text[begin:]])

    def _problem(self, message: str, number: int) -> None:
        self._via = None
        self.problems.append(OtherLine(message, number))

    def _comments(self, lines: Iterable[str], first: int) -> None:
        for number, line in enumerate(lines, start=first):
            comment = line.strip(" \t")
            if comment.endswith("\\"):
                self._problem("a comment that ends in a backslash", number)
            elif line[:1] != "#":
                self._annotate(comment[1:].strip())
            elif _UNSAFE_TITLE.match(comment):
                self._in_unsafe = True
            elif self._in_unsafe and (found := _UNSAFE_NAME.fullmatch(comment)):
                self.unsafe.append(normalized(found[1]))

    def _annotate(self, text: str) -> None:
        """Take a comment for a line of the last pin's annotation, if it is one."""
        if self._via is None:
            return
        if not self._in_via:
            first, _, text = text.partition(" ")
            if first != "via":
                return
            self._in_via = True
        self._via += filter(None, text.strip().split(", "))

    def _take_line(self, found: re.Match[str], number: int) -> bool:
        """Take a logical line; return whether it is an option line."""
        via: list[str] = []
        hashes: list[str] = []
        self._via = None
        line, comment = found["pin"], ""
        if line is None:
            line, comment = self._join(found["other"].split("\n"), number)
        else:
            hashes = found["hashes"].split(_HASH_LINE)[1:]
        line = line.strip(" \t")
        option = _read_option(line) if line.startswith("-") and not hashes else None
        if option is not None:
            lines = self.includes if option.startswith(("-r ", "-c ")) else self.options
            lines.append(OtherLine(option, number))
        elif pin := _read_pin(line, hashes, via, number):
            if pin.marker not in self._markers:
                self._markers.add(pin.marker)
                self._markers_left -= len(pin.marker)
                if self._markers_left < 0:
                    self._problem("more markers than anybody means", number)
            self.pins.append(pin)
            self._via, self._in_via = via, False
            self._annotate(comment.strip())
        elif line.startswith(MERGE_MARKS):
            self._problem(MERGE, number)
        else:
            self._problem(
                f"{quoted(line)} is no pin" if line else "a continuation of nothing", number
            )
        return option is not None

    def _join(self, lines: list[str], first: int) -> tuple[str, str]:
        """Return a logical line without its comment, and the comment."""
        if lines[-1].endswith("\\"):  # nothing follows at the end of a file
            lines.append("")
        for number, line in enumerate(lines, start=first):
            if number > first and line.lstrip(" \t").startswith("#"):
                self._problem("a comment behind a line that goes on", number)
            elif number < first + len(lines) - 1 and (
                line.endswith("\\\\") or _COMMENT.search(line)
            ):
                self._problem("a continuation that readers take differently", number)
        line, *comment = _COMMENT.split(lines[-1], maxsplit=1)
        return "".join([*(each[:-1] for each in lines[:-1]), line]), "".join(comment)


def _read_option(line: str) -> str | None:
    """Return an option that a lock file may have, by its long name with its value, or None."""
    if include := _INCLUDE.match(line):
        return f"-{include[1].lstrip('-')[0]} {include[2]}"
    found = _OPTION.fullmatch(line)
    if found is None:
        return None
    name, value = _LONG_NAMES.get(found[1], found[1]), found[2] or ""
    return f"{name} {value}".strip() if name in (_VALUES if value else _FLAGS) else None


def _read_pin(line: str, hashes: list[str], via: list[str], number: int) -> Pin | None:
    """Read a requirement, with more hashes on the same line; None for anything else."""
    head, dash, tail = line.partition(" --hash=")
    for word in f"--hash={tail}".split() if dash else ():
        found = _HASH.fullmatch(word)
        if found is None:
            return None
        hashes.append(found[1])
    head, semicolon, marker = head.rstrip(" \t").partition(";")
    group = _PIN.fullmatch(head.rstrip(" \t"))
    if group is None or (semicolon and not _is_marker(marker)):
        return None
    name, extras, version, url, editable, path = group.groups()
    if version is not None:
        if _is_archive(version):
            return None  # pip takes a file of the name of the whole pin, if there is one
    else:
        # Readers agree on where a URL ends only at a blank.
        ended = head[-1] in " \t" if name else marker[:1] == " "
        url = url or path
        if _CHANGED.search(url) or (semicolon and (editable or not ended)):
            return None  # behind an editable, pip leaves out the marker
        if name is None and (egg := _EGG.search(url)):
            name = egg[1]
    words = [each.strip() for each in extras.split(",")] if extras else []
    return Pin(
        name=normalized(name) if name else None,
        version=version,
        url=url,
        line=number,
        extras=frozenset([normalized(each) for each in words if each]),
        marker=marker.strip(" \t"),
        editable=editable is not None,
        hashes=hashes,
        via=via,
    )


@functools.lru_cache(maxsize=1024)
def _is_marker(text: str) -> bool:
    """Return whether what follows a semicolon is a marker to the end, and can be evaluated."""
    # pip takes a word that begins with a dash for an option, wherever it is.
    if len(text) >= _LONGEST_MARKER or re.search(r" -|\$\{|\\", text):
        return False
    try:
        Marker(text).evaluate({"extra": ""})
    except (ValueError, UndefinedComparison, UndefinedEnvironmentName, RecursionError):
        return False
    return True


_NUMBER = r"(?:0|[1-9][0-9]{0,3})(?:\.(?:0|[1-9][0-9]{0,3})){0,3}"
_COMPARISON = re.compile(
    rf"""[ (]*(?:(?:python_version|python_full_version)\ *(?:[<>]=?|[=!]=)\ *
    (?:"{_NUMBER}"|'{_NUMBER}')
    |(?:os_name|sys_platform|platform_machine|platform_system|implementation_name
    |platform_python_implementation)\ *[=!]=\ *(?:"[\w .+-]*"|'[\w .+-]*'))[ )]*""",
    re.VERBOSE | re.ASCII,
)


@functools.lru_cache(maxsize=1024)
def is_plain_marker(marker: str) -> bool:
    """Return whether all readers take a valid marker alike: versions by number, names by equality.

    pip and uv differ in ``in``, in the order of texts, in numbers that are spelled unusually and in
    some variables. https://packaging.python.org/en/latest/specifications/dependency-specifiers/
    """
    parts = re.split(r"[ )](?:and|or)(?=[ (])", marker)
    return all(_COMPARISON.fullmatch(part) for part in parts)


def _is_archive(url: str) -> bool:
    return url.partition("#")[0].lower().endswith(_ARCHIVES)
