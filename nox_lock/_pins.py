"""The pins of a lock file, read line by line as pip-compile and uv write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock._syntax import MERGE, MERGE_MARKS
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)(?P<extras>\[[^\]]*\])?\s*"
    r"(?:===?\s*(?P<version>v?\d[\w.!+-]*)|@\s*(?P<url>[^\s;\\#]\S*))"
    r"(?:\s*;\s*(?P<marker>[^\\#]*?))?\s*(?P<rest>\\|(?:--hash=|#).*)?$"
)
_DIRECT = (
    r"(?P<editable>-e\s+|--editable[ =])?(?P<url>(?:[\w+]+:|\.{0,2}/|\.)\S*)"
    r"(?:\s*;\s*(?P<marker>[^\\#]*?))?\s*(?P<rest>\\|(?:--hash=|#).*)?$"
)
_HASH = r"--hash[= ](\w+:[0-9a-fA-F]+)"
# pip-compile-multi lets a lock file include those it builds on.
_INCLUDE = r"(?:-r\s*|--requirement[ =]\s*)(?P<file>[^\s#]+)"
_HASH_LINE = "    --hash="
# As pip takes them: the name, a colon and hexadecimal digits.
HASH_LENGTHS = frozenset(len(f"sha{bits}:") + bits // 4 for bits in (256, 384, 512))
_EGG = r"[#&]egg=([\w.-]+)"
_UNSAFE_TITLE = r"# (?:WARNING: )?The following packages (?:were not|are considered)"


class OptionLine(NamedTuple):
    """An option line of a lock file: ``--name value``, or the file that a ``-r`` names."""

    text: str
    line: int


class Pin(NamedTuple):
    """One locked project: a version, or a direct URL or path.

    `via` names who asked for it, as pip-compile's annotation does: projects, or ``-r file``;
    `file` is empty, or the other lock file in which it stands, by a ``-r`` of this one.
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
    file: str = ""

    @property
    def shown(self) -> str:
        """The pin as people name it."""
        if self.version is None:
            return self.url or ""
        return f"{self.name}=={self.version}"

    @property
    def unhashable(self) -> bool:
        """Whether pip has no hash for it by nature: a folder or a repository."""
        url = self.url or ""
        return self.editable or "+" in url.split(":")[0] or (bool(url) and not _is_archive(url))


_NO_EXTRAS: frozenset[str] = frozenset()


class Problem(NamedTuple):
    """A line of a lock file that does not belong there."""

    message: str
    line: int


class BodyReader:
    """Collects pins and options line by line."""

    def __init__(self) -> None:
        self.pins: list[Pin] = []
        self.options: list[OptionLine] = []
        self.includes: list[OptionLine] = []
        self.unsafe: list[str] = []
        self.problems: list[Problem] = []
        self._seen: dict[str, Pin] = {}
        # The lists of the pin that is being read; empty of meaning between pins.
        self._in_pin = False
        self._hashes: list[str] = []
        self._via: list[str] = []
        self._in_unsafe = False

    def read(self, lines: Iterable[str], first: int) -> list[str]:
        """Take lines, of which `first` is the number of the first; return them but for options."""
        body = []
        for number, line in enumerate(lines, start=first):
            if line.startswith(_HASH_LINE) and self._in_pin:  # nine lines of ten
                self._hashes.append(line[len(_HASH_LINE) :].rstrip(" \\"))
            elif self._read(line, number):
                continue
            body.append(line)
        return body

    def _read(self, line: str, number: int) -> bool:
        """Take one line; True when it is an option line, which is no part of the body."""
        bare = line.strip()
        if self._in_pin and bare.startswith("--hash"):
            self._hashes.append(bare[len("--hash=") :].rstrip(" \\"))
        elif bare.startswith("#"):
            self._comment(bare, indented=line[0] in " \t")
        elif not bare:
            self._in_pin = False
        elif bare.startswith("-") and not bare.startswith(("-e ", "--editable")):
            found = re.match(_INCLUDE, bare)
            if found:
                self.includes.append(OptionLine(found["file"], number))
            else:
                self.options.append(OptionLine(bare, number))
            return True
        else:
            self._requirement(bare, number)
        return False

    def _comment(self, bare: str, *, indented: bool) -> None:
        if not indented:
            self._in_unsafe = bool(re.match(_UNSAFE_TITLE, bare)) or self._in_unsafe
            name = bare[2:]
            if self._in_unsafe and re.fullmatch(r"[\w.-]+", name):
                self.unsafe.append(canonicalize_name(name))
        elif self._in_pin:
            said = bare[1:].strip()
            if not self._via and (said == "via" or said.startswith("via ")):
                said = said[len("via") :].strip()
            self._via += [source for source in said.split(", ") if source]

    def _requirement(self, bare: str, number: int) -> None:
        found = _PIN.match(bare) or re.match(_DIRECT, bare)
        if not found:
            self._in_pin = False
            self.problems.append(Problem(_what_is(bare), number))
            return
        group = found.groupdict()
        url, name = group["url"], group.get("name")
        if name is None and (egg := re.search(_EGG, url)):
            name = egg[1]
        extras, rest = group.get("extras"), group["rest"] or ""
        self._in_pin = True
        self._hashes = re.findall(_HASH, rest) if "--hash" in rest else []
        self._via = rest.partition("# via ")[2].split(", ") if "# via " in rest else []
        pin = Pin(
            name=canonicalize_name(name) if name else None,
            version=group.get("version"),
            url=url,
            line=number,
            marker=group["marker"] or "",
            editable=bool(group.get("editable")),
            extras=_extras(extras) if extras else _NO_EXTRAS,
            hashes=self._hashes,
            via=self._via,
        )
        self._refuse_second(pin)
        self.pins.append(pin)

    def _refuse_second(self, pin: Pin) -> None:
        """Report a second version of one project; pip-compile may repeat a pin for its extras."""
        if pin.name is None or pin.marker:
            return
        first = self._seen.setdefault(pin.name, pin)
        if (first.version, first.url) != (pin.version, pin.url):
            self.problems.append(Problem(f"{pin.name} is pinned twice", pin.line))


def _extras(text: str) -> frozenset[str]:
    return frozenset(
        canonicalize_name(each.strip()) for each in text[1:-1].split(",") if each.strip()
    )


def _what_is(line: str) -> str:
    return MERGE if line.startswith(MERGE_MARKS) else f"{quoted(line)} is no pin"


def _is_archive(url: str) -> bool:
    return url.partition("#")[0].endswith((".whl", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz"))
