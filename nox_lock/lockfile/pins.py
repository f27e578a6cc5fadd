"""The lines of a lock file: one closed grammar, of which every logical line must be a sentence.

pip joins physical lines before it reads them, drops what follows a blank and a ``#``, and
takes words that begin with a dash for options. Whatever it, uv and a person could read differently
is a problem. https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName

from nox_lock.inputs.pep508 import normalized
from nox_lock.inputs.syntax import MERGE, MERGE_MARKS, MOST_LINES
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"[A-Za-z0-9][A-Za-z0-9.!+_-]*"
# As pip-compile writes hashes, nine lines of ten: all have the same length.
_HASH_START, _HASH_NEXT = "    --hash=sha256:", " \\\n"
_HASH_END = len(_HASH_START) + 64
_HASH_STRIDE = _HASH_END + len(_HASH_NEXT)
_DIGITS = b"0123456789abcdef"
# And the first line of a pin. What these find is read as word by word, in less time.
_USUAL_PIN = re.compile(rf"({_NAME})==({_VERSION}) \\\n")
# As pip takes them: https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode
_HASH = re.compile(
    r"--hash=(sha256:[0-9a-fA-F]{64}|sha384:[0-9a-fA-F]{96}|sha512:[0-9a-fA-F]{128})"
)
_PIN = re.compile(
    rf"(?P<name>{_NAME})[ \t]*(?:\[(?P<extras>[A-Za-z0-9._, \t-]*)\][ \t]*)?"
    rf"(?:===?[ \t]*(?P<version>{_VERSION})|@[ \t]*(?P<url>\S+))"
)
_DIRECT = re.compile(
    r"(?P<editable>-e[ \t]+|--editable(?:[ \t]+|=))?(?P<url>(?:[A-Za-z][\w+.-]*:|\.{0,2}/|\.)\S*)"
)
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
# Of a URL or path: what a shell, pip's option reader or its variables would change.
_CHANGED = re.compile(r"""["'`\\;]|\$\{""")
_OPTION = re.compile(r"(?P<name>--?[a-z][a-z-]*)(?:(?:=|[ \t]+)(?P<value>\S+))?")
_LONG_NAMES = {"-i": "--index-url", "-f": "--find-links"}
_INCLUDE = re.compile(r"""-(?P<kind>r|c|-requirement|-constraint)[= \t]*["']?(?P<file>[^\s"']+)""")
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
_NO_EXTRAS: frozenset[str] = frozenset()


class OptionLine(NamedTuple):
    """An option line of a lock file: ``--name value``, by its long name; ``-r`` and ``-c`` too."""

    text: str
    line: int


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
        scheme, found, _ = (self.url or "").partition("://")
        if self.editable or self.url is None or "+" in scheme:
            return self.url is not None
        return (not found or scheme.lower() == "file") and not _is_archive(self.url)


class Problem(NamedTuple):
    """A line of a lock file that does not belong there."""

    message: str
    line: int


class BodyReader:
    """Reads the text behind the header of a lock file into pins and options.

    Attributes:
        pins: in their order.
        options: the option lines but for the next.
        includes: the ``-r`` and ``-c`` lines.
        unsafe: projects named as left out.
        problems: what is no sentence of the grammar.
        body: the text but for options and includes.
    """

    def __init__(self, text: str, start: int, line: int) -> None:
        self.pins: list[Pin] = []
        self.options: list[OptionLine] = []
        self.includes: list[OptionLine] = []
        self.unsafe: list[str] = []
        self.problems: list[Problem] = []
        self.body = ""
        self._text = text
        self._at = start
        self._line = line  # the number of the physical line that begins at `_at`
        self._left = MOST_LINES
        self._seen: dict[str, Pin] = {}
        # The annotation of the last pin, while lines may belong to it.
        self._via: list[str] | None = None
        self._in_via = False  # behind its first line
        self._in_unsafe = False
        self._read()

    def _read(self) -> None:
        kept, begin = [], self._at
        while self._at < len(self._text) and self._left:
            start = self._at
            if self._logical_line():  # an option line, which is no part of the body
                kept.append(self._text[begin:start])
                begin = self._at
        if self._at < len(self._text):
            self._problem(f"more than {MOST_LINES} lines, which nobody means", self._line)
        self.body = "".join([*kept, self._text[begin:]])

    def _next(self) -> str:
        """Return the next physical line, and go behind it."""
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        line = self._text[self._at : end]
        self._at, self._line = end + 1, self._line + 1
        return line

    def _skip(self, hashes: list[str]) -> None:
        """Go behind the lines of usual hashes."""
        self._at += len(hashes) * _HASH_STRIDE - len(_HASH_NEXT) + 1
        self._line += len(hashes)

    def _logical_line(self) -> bool:
        """Read one logical line; return whether it is an option line."""
        number = self._line
        via: list[str]
        is_comment = self._text[self._at] in "# \n"
        usual = None if is_comment else _USUAL_PIN.match(self._text, self._at)
        usual = None if usual is None or _is_archive(usual[2]) else usual
        if usual and (hashes := _usual_hashes(self._text, usual.end())):
            self._left -= 1
            self._at, self._line = usual.end(), number + 1
            self._skip(hashes)
            name = normalized(usual[1])
            self._take(Pin(name, usual[2], None, number, hashes=hashes, via=(via := [])), via)
            return False
        line = self._next()
        bare = line.strip(" \t")
        if not bare:
            self._via = None
        elif bare[0] == "#":
            self._comment(bare, number, indented=line[0] != "#")
        else:
            return self._sentence(*self._join(line, number), number)
        return False

    def _join(self, line: str, number: int) -> tuple[str, list[str], str]:
        """Return the words of a logical line, its hashes, and the comment behind it."""
        hashes: list[str] = []
        words = []
        while line.endswith("\\"):
            if line.endswith("\\\\") or _COMMENT.search(line):
                self._problem("a continuation that readers take differently", number)
            words.append(line[:-1])
            if len(words) == 1 and (hashes := _usual_hashes(self._text, self._at)):
                self._skip(hashes)
                line = ""
                break
            number, line = self._line, self._next()
            if line.lstrip(" \t").startswith("#"):
                self._problem("a comment behind a line that goes on", number)
        comment = _COMMENT.search(line)
        words.append(line[: comment.start()] if comment else line)
        behind = line[comment.end() :] if comment else ""
        return "".join(words).strip(" \t"), hashes, behind

    def _problem(self, message: str, number: int) -> None:
        self._via = None
        self.problems.append(Problem(message, number))

    def _comment(self, bare: str, number: int, *, indented: bool) -> None:
        if bare.endswith("\\"):
            self._problem("a comment that ends in a backslash", number)
        if not indented:
            self._in_unsafe = self._in_unsafe or _UNSAFE_TITLE.match(bare) is not None
            found = _UNSAFE_NAME.fullmatch(bare)
            if self._in_unsafe and found:
                self.unsafe.append(normalized(found[1]))
        elif self._via is not None:
            self._annotate(bare[1:].strip())

    def _annotate(self, said: str) -> None:
        """Take a line of a pin's annotation."""
        if self._via is None:
            return
        if not self._in_via:
            if said != "via" and not said.startswith("via "):
                return  # a comment of somebody
            self._in_via, said = True, said[len("via") :].strip()
        if ", " in said:
            self._via += [source for source in said.split(", ") if source]
        elif said:
            self._via.append(said)

    def _sentence(self, line: str, hashes: list[str], comment: str, number: int) -> bool:
        """Take a logical line without its comment; return whether it is an option line."""
        via: list[str]
        self._via = None
        self._left -= 1
        if not (line or hashes):
            self._problem("a continuation of nothing", number)
            return False
        if line[:1] == "-" and not line.startswith(("-e", "--editable", "--hash")):
            option = None if hashes else _read_option(line)
            if option is not None:
                lines = self.includes if option.startswith(("-r ", "-c ")) else self.options
                lines.append(OptionLine(option, number))
                return True
        elif pin := _read_pin(line, hashes, via := [], number):
            self._take(pin, via)
            if comment.lstrip().startswith("via"):
                self._annotate(comment.strip())
            return False
        self._problem(_what_is(line), number)
        return False

    def _take(self, pin: Pin, via: list[str]) -> None:
        """Take a pin; a second version of one project is a problem, but not with other extras."""
        self.pins.append(pin)
        self._via, self._in_via = via, False
        if pin.name is None or pin.marker:
            return
        first = self._seen.setdefault(pin.name, pin)
        if (first.version, first.url) != (pin.version, pin.url):
            self._problem(f"{pin.name} is pinned twice", pin.line)


def _usual_hashes(text: str, at: int) -> list[str]:
    """Return the hashes of the lines from a place on; none where they are written otherwise."""
    found = []
    while text.startswith(_HASH_START, at):
        found.append(text[at + len("    --hash=") : at + _HASH_END])
        at += _HASH_STRIDE
        if not text.startswith(_HASH_NEXT, at - len(_HASH_NEXT)):
            digits = "".join([each[len("sha256:") :] for each in found])
            end = at - len(_HASH_NEXT)
            ends = end >= len(text) or text[end] == "\n"
            whole = len(digits) == 64 * len(found) and digits.isascii()
            whole = whole and not digits.encode().translate(None, _DIGITS)
            return found if ends and whole else []
    return []


def _read_option(line: str) -> str | None:
    """Return an option that a lock file may have, by its long name with its value, or None."""
    if include := _INCLUDE.match(line):
        return f"-{include['kind'].lstrip('-')[0]} {include['file']}"
    found = _OPTION.fullmatch(line)
    if found is None:
        return None
    name, value = _LONG_NAMES.get(found["name"], found["name"]), found["value"] or ""
    if name not in (_VALUES if value else _FLAGS) or re.search(r"""["'`\\]""", value):
        return None
    return f"{name} {value}".strip()


def _read_pin(line: str, hashes: list[str], via: list[str], number: int) -> Pin | None:
    """Read a requirement with its hashes, joined to one line; None for anything else."""
    head, dash, tail = line.partition(" --hash=")
    for word in f"--hash={tail}".split() if dash else ():
        found = _HASH.fullmatch(word)
        if found is None:
            return None
        hashes.append(found[1])
    head, semicolon, marker = head.rstrip(" \t").partition(";")
    group = _PIN.fullmatch(head.rstrip(" \t")) or _DIRECT.fullmatch(head.rstrip(" \t"))
    if group is None or not _is_marker(semicolon, marker):
        return None
    said = group.groupdict()
    name, url = said.get("name"), said["url"]
    if semicolon and said.get("editable"):
        return None  # pip leaves out what is behind an editable
    if _is_archive(said.get("version") or ""):
        return None  # pip takes a file of the name of the whole pin, if there is one
    if url is not None:
        if _CHANGED.search(url) or (semicolon and not _ends_url(head, marker, named=bool(name))):
            return None
        if name is None and (egg := _EGG.search(url)):
            name = egg[1]
    return Pin(
        name=normalized(name) if name else None,
        version=said.get("version"),
        url=url,
        line=number,
        marker=marker.strip(" \t"),
        editable=bool(said.get("editable")),
        extras=_extras(said.get("extras") or ""),
        hashes=hashes,
        via=via,
    )


def _is_marker(semicolon: str, marker: str) -> bool:
    """Return whether what follows a semicolon is a marker to the end, or there is none."""
    if not semicolon:
        return True
    # pip takes a word that begins with a dash for an option, wherever it stands.
    plain = " -" not in marker and "${" not in marker and "\\" not in marker
    return plain and len(marker) < _LONGEST_MARKER and _parses(marker)


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


@functools.lru_cache(maxsize=1024)
def _parses(marker: str) -> bool:
    try:
        Marker(marker).evaluate({"extra": ""})
    except (ValueError, UndefinedComparison, UndefinedEnvironmentName, RecursionError):
        return False  # no marker, or one that nobody can evaluate
    return True


def _ends_url(head: str, marker: str, *, named: bool) -> bool:
    """Return whether all readers see the marker: a blank stands between it and the URL."""
    return head[-1] in " \t" if named else marker[:1] == " "


def _extras(text: str) -> frozenset[str]:
    if not text:
        return _NO_EXTRAS
    return frozenset(normalized(each.strip()) for each in text.split(",") if each.strip())


def _what_is(line: str) -> str:
    return MERGE if line.startswith(MERGE_MARKS) else f"{quoted(line)} is no pin"


def _is_archive(url: str) -> bool:
    return url.partition("#")[0].lower().endswith(_ARCHIVES)
