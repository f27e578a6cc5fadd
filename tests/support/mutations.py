"""Edits of real inputs, each with what a lock must then be by a rule of its own.

The rules here know nothing of nox-lock: they read lock files and inputs by a few regular
expressions, and versions and markers by `packaging`.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from packaging.markers import Marker
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FRESH, STALE = "fresh", "stale"
UNKNOWN = "no-such-project-of-anybody"
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\\n]*))?")
_SIMPLE = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^]]*\])?\s*(?P<spec>[<>=!~][^;#\\]*?)?\s*"
    r"(?:;(?P<marker>[^#\\]*?))?\s*(?:#.*)?$"
)
_INCLUDE = re.compile(r"^-(?P<flag>[rc])\s+(?P<file>[^\s#]+)")


class Line(NamedTuple):
    """A requirement line that is nothing but a name, extras, a specifier and a marker."""

    file: str
    number: int
    name: str
    extras: str
    spec: str
    marker: str


class Mutation(NamedTuple):
    """An edit: its class, the new text of files, and what a check must say.

    Attributes:
        kind: the class of edits it belongs to.
        files: the new texts.
        expected: what the lock is then; None where content cannot decide.
    """

    kind: str
    files: Mapping[str, str]
    expected: str | None


@dataclass
class Base:
    """A project with one lock that is fresh.

    Attributes:
        root: where it stands.
        source: its input.
        lockfile: its lock file.
        python: X.Y that it is for.
        stamped: whether nox-lock made it.
        keeps_markers: whether its maker writes the markers of inputs into it.
    """

    root: Path
    source: str
    lockfile: str
    python: str
    stamped: bool
    keeps_markers: bool
    versions: dict[str, str] = field(default_factory=dict)
    markers: dict[str, str] = field(default_factory=dict)
    via: dict[str, set[str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    constraints: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._read_lock()
        self._read_input(self.source, constraint=False)

    def _read_lock(self) -> None:
        name = ""
        for line in (self.root / self.lockfile).read_text(encoding="utf-8").splitlines():
            if found := _PIN.match(line):
                name = canonicalize_name(found[1])
                if not self.holds((found[3] or "").partition("#")[0].strip()):
                    name = ""  # a universal lock has pins for elsewhere
                    continue
                self.versions[name], self.via[name] = found[2], set()
                self.markers[name] = (found[3] or "").partition("#")[0].strip()
                self._read_via(name, line.partition("# via ")[2])  # as pip-tools wrote it once
            elif line.startswith("    #") and name:
                self._read_via(name, line.strip(" #").removeprefix("via").strip())

    def _read_via(self, name: str, said: str) -> None:
        for each in filter(None, said.split(", ")):
            if not each.startswith("-"):
                self.via[name].add(canonicalize_name(each))

    def _read_input(self, file: str, *, constraint: bool) -> None:
        text = (self.root / file).read_text(encoding="utf-8")
        self.texts[file] = text
        if constraint:
            self.constraints.add(file)
        for line in text.splitlines():
            if found := _INCLUDE.match(line):
                path = posixpath.normpath(posixpath.join(posixpath.dirname(file), found["file"]))
                if path not in self.texts:
                    self._read_input(path, constraint=constraint or found["flag"] == "c")

    def configuration(self) -> str:
        """Return the `pyproject.toml` that names the lock."""
        return (
            f"[tool.nox-lock.locks.it]\ninputs = ['{self.source}']\n"
            f"lockfile = '{self.lockfile}'\npython = '{self.python}'\n"
        )

    def lines(self) -> list[Line]:
        """Return the simple requirement lines of pinned projects that no other line names."""
        found = [
            Line(file, number, canonicalize_name(match["name"]), match["extras"] or "",
                 (match["spec"] or "").strip(), (match["marker"] or "").strip())
            for file, text in self.texts.items()
            for number, line in enumerate(text.splitlines())
            if (match := _SIMPLE.match(line))
        ]  # fmt: skip
        names = [line.name for line in found]
        return [
            line
            for line in found
            if names.count(line.name) == 1
            and line.name in self.versions
            and line.file not in self.constraints
            and self.holds(line.marker)
        ]

    def holds(self, marker: str) -> bool:
        """Tell whether a marker holds for the lock's Python, here."""
        if not marker:
            return True
        python = {"python_version": self.python, "python_full_version": f"{self.python}.0"}
        return Marker(marker).evaluate({**python, "extra": ""})

    def with_line(self, line: Line, new: str | None) -> dict[str, str]:
        """Return the text of the line's file with another line in its place, or none."""
        lines = self.texts[line.file].splitlines()
        lines[line.number : line.number + 1] = [] if new is None else [new]
        return {line.file: "\n".join([*lines, ""])}

    def with_more(self, more: str, **beside: str) -> dict[str, str]:
        """Return the text of the source with a line more, and files beside it, `_` for a dot."""
        folder = posixpath.dirname(self.source)
        files = {
            posixpath.join(folder, name.replace("_", ".")): text for name, text in beside.items()
        }
        return {self.source: self.texts[self.source].rstrip("\n") + f"\n{more}\n", **files}

    def without(self, *gone: str) -> str:
        """Say what the lock is when no line asks for some projects any more."""
        roots: set[str] = {
            canonicalize_name(found["name"])
            for file, text in self.texts.items()
            if file not in self.constraints
            for line in text.splitlines()
            if (found := _SIMPLE.match(line)) and self.holds((found["marker"] or "").strip())
        }
        roots -= {*gone}
        reached: set[str] = {*roots}
        size = -1
        while len(reached) != size:
            size = len(reached)
            reached |= {name for name, parents in self.via.items() if parents & reached}
        if not set(self.versions) <= reached:
            return STALE
        # Another line would have given it a marker; what others ask for has none.
        marked = any(self.markers.get(name) for name in gone)
        return STALE if self.keeps_markers and marked else FRESH


def mutations(base: Base) -> Iterator[Mutation]:
    """Yield every edit of a base, class by class."""
    for line in base.lines():
        yield from _of_line(base, line)
    for name, version in base.versions.items():
        marked = bool(base.markers[name]) and base.keeps_markers
        direct = any(_SIMPLE.match(text) for text in base.texts.values())
        if direct and not marked:
            yield Mutation("known project added", base.with_more(f"{name}>={version}"), FRESH)
        yield Mutation(
            "known project added, other version", base.with_more(f"{name}!={version}"), STALE
        )
        files = base.with_more("-c limits.txt", limits_txt=f"{name}<={version}\n")
        yield Mutation("-c added that holds", files, FRESH)
        files = base.with_more("-c limits.txt", limits_txt=f"{name}>{version}\n")
        yield Mutation("-c added that does not hold", files, STALE)
        if not marked:
            files = base.with_more("-r more.in", more_in=f"{name}\n")
            yield Mutation("-r added, known", files, FRESH)
    yield from _of_whole(base)


def _of_line(base: Base, line: Line) -> Iterator[Mutation]:
    version, bare = base.versions[line.name], f"{line.name}{line.extras}"
    marker = f" ; {line.marker}" if line.marker else ""
    for spec in (f">={version}", f"<={version}", f"=={version}", "", ">=0.0.0.dev0"):
        new = f"{bare}{spec}{marker}"
        yield Mutation("bound within the pin", base.with_line(line, new), FRESH)
    for spec in (f">{version}", f"<{version}", f"!={version}", f"=={version}.post99999"):
        new = f"{bare}{spec}{marker}"
        yield Mutation("bound past the pin", base.with_line(line, new), STALE)
    gone = base.without(line.name)
    yield Mutation("removed", base.with_line(line, None), gone)
    off = f"{bare}{line.spec} ; python_version < '2'"
    yield Mutation("marker turned off", base.with_line(line, off), gone)
    if not line.marker:
        on = f"{bare}{line.spec} ; python_version > '2'"
        changed = STALE if base.keeps_markers else FRESH
        yield Mutation("marker that holds added", base.with_line(line, on), changed)
    url = f"{bare} @ https://example.invalid/{line.name}-{version}-py3-none-any.whl{marker}"
    yield Mutation("URL for a version", base.with_line(line, url), STALE)
    if not line.extras:
        extra = f"{line.name}[unheard-of]{line.spec}{marker}"
        yield Mutation("extra added", base.with_line(line, extra), STALE if base.stamped else None)
    comment = f"{bare}{line.spec}{marker}  # why not"
    yield Mutation("comment added", base.with_line(line, comment), FRESH)


def _of_whole(base: Base) -> Iterator[Mutation]:
    yield Mutation("unknown project added", base.with_more(UNKNOWN), STALE)
    on = f"{UNKNOWN} ; python_version > '2'"
    yield Mutation("unknown project added, marker on", base.with_more(on), STALE)
    off = f"{UNKNOWN} ; python_version < '2'"
    yield Mutation("unknown project added, marker off", base.with_more(off), FRESH)
    for option in ("--extra-index-url https://index.invalid/simple/", "--trusted-host a.invalid",
                   "--find-links https://links.invalid/"):  # fmt: skip
        yield Mutation("option added", base.with_more(option), STALE)
    files = base.with_more("-r more.in", more_in=f"{UNKNOWN}\n")
    yield Mutation("-r added, unknown", files, STALE)
    files = base.with_more("-c limits.txt", limits_txt=f"{UNKNOWN}==1\n")
    yield Mutation("-c added on what is not there", files, FRESH)
    text = base.texts[base.source]
    yield Mutation("line ends", {base.source: text.replace("\n", "\r\n")}, FRESH)
    hashes = "false" if "--hash=" in (base.root / base.lockfile).read_text("utf-8") else "true"
    table = f"{base.configuration()}generate-hashes = {hashes}\n"
    yield Mutation("hash mode changed", {"pyproject.toml": table}, STALE)
    for number, line in enumerate(text.splitlines()):
        if found := _INCLUDE.match(line):
            lines = text.splitlines()
            del lines[number]
            path = posixpath.normpath(posixpath.join(posixpath.dirname(base.source), found["file"]))
            included = base.texts[path]
            if re.search(r"^-|;", included, re.MULTILINE):
                continue  # options and markers of its own: other classes
            gone = FRESH
            if found["flag"] == "r":
                names = map(_SIMPLE.match, included.splitlines())
                gone = base.without(*(canonicalize_name(name["name"]) for name in names if name))
            yield Mutation(
                f"-{found['flag']} removed", {base.source: "\n".join([*lines, ""])}, gone
            )
        elif line.startswith("--"):
            lines = [each for each in text.splitlines() if each != line]
            yield Mutation("option removed", {base.source: "\n".join([*lines, ""])}, STALE)
