"""Read a project file as an input: its static dependencies, extras and dependency groups.

https://packaging.python.org/en/latest/specifications/pyproject-toml/ and
https://packaging.python.org/en/latest/specifications/dependency-groups/
"""

from __future__ import annotations

import json
import posixpath
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from nox_lock import _syntax
from nox_lock._entries import Entry, Where, fault, parse_entry, refuse_secrets
from nox_lock._projects import dynamic_digest
from nox_lock._tables import nearest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_HEADER = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+")
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[\w.\s-])+?)\s*=""")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a lock wants of a project file.

    Attributes:
        file: the project file, relative to the project root.
        project: whether the project's own dependencies are wanted.
        extras: its extras, as configured.
        groups: its dependency groups, as configured.
    """

    file: str
    project: bool
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectInput:
    """What a project file asks for.

    Attributes:
        entries: its requirements, in their order.
        lines: the same as lines of a requirements file.
        reached: the parts of the file that were read: ``FILE#`` for the project's own
            dependencies, ``FILE#extra=NAME``, ``FILE#group=NAME``.
        dynamic: a digest of all that may decide what only a build tells; empty where nothing is.
        name: the project's name as written, or empty.
        itself: whether an extra asks for the project itself, for other extras of it.
    """

    entries: tuple[Entry, ...]
    lines: tuple[str, ...]
    reached: frozenset[str]
    dynamic: str
    name: str
    itself: bool


def is_project_file(file: str) -> bool:
    """Tell whether an input is a project file, and no requirements file."""
    return posixpath.basename(file) in _FILES


def read_project(ask: Ask, root: Path) -> ProjectInput:
    """Read what a lock wants of a project file.

    Raises:
        RequirementsError: for a file that is missing or no TOML, an extra or group that is not
            there, groups that include each other, or what is no requirement.
    """
    reader = _Reader(ask.file, root)
    if ask.project:
        reader.read_dependencies()
        for extra in ask.extras:
            reader.read_extra(extra)
    for group in ask.groups:
        reader.read_group(group, None, ())
    return ProjectInput(
        tuple(reader.entries),
        tuple(dict.fromkeys(reader.lines)),
        frozenset(reader.reached),
        dynamic_digest(root / posixpath.dirname(ask.file)) if reader.dynamic else "",
        reader.name,
        reader.itself,
    )


class _Reader:
    """Collects what the parts of one project file hold."""

    def __init__(self, file: str, root: Path) -> None:
        self.file = file
        self.root = root
        self.entries: list[Entry] = []
        self.lines: list[str] = []
        self.reached: set[str] = set()
        self.itself = False
        self.text, self.document = self._load()
        self.project = self._table(self.document.get("project", {}), "project")
        self.name = str(self.project.get("name", ""))
        self.dynamic = False

    def read_dependencies(self) -> None:
        self.reached.add(f"{self.file}#")
        if self.project:
            self.dynamic |= "dependencies" in self.project.get("dynamic", ())
            self._add("project", "dependencies", self.project.get("dependencies", []))
        elif any((self.root / self._beside(name)).is_file() for name in ("setup.py", "setup.cfg")):
            self.dynamic = True
        else:
            raise fault(
                "has no [project] table",
                Where(self.file, 1),
                "Write [project] with its dependencies, or lock groups = [...], or a .in file.",
            )

    def read_extra(self, extra: str) -> None:
        if not self.project or "optional-dependencies" in self.project.get("dynamic", ()):
            self.dynamic = True
            self.reached.add(f"{self.file}#extra={canonicalize_name(extra)}")
            return
        table = "project.optional-dependencies"
        there = self._by_name(self.project.get("optional-dependencies", {}), table)
        name = canonicalize_name(extra)
        part = f"{self.file}#extra={name}"
        if part in self.reached:
            return
        if name not in there:
            self._unknown("extra", extra, there, table)
        self.reached.add(part)
        self._add(table, there[name][0], there[name][1])

    def read_group(self, group: str, asked: Where | None, trail: tuple[str, ...]) -> None:
        table = "dependency-groups"
        there = self._by_name(self.document.get(table, {}), table)
        name = canonicalize_name(group)
        if name not in there:
            self._unknown("group", group, there, table, asked)
        if name in trail:
            loop = " -> ".join((*trail[trail.index(name) :], name))
            raise fault(f"these dependency groups include each other: {loop}", asked)
        self.reached.add(f"{self.file}#group={name}")
        key, values = there[name]
        for value in self._list(values, table, key):
            if isinstance(value, dict):
                where = self._where(table, key, str(value.get("include-group", "")))
                if set(value) != {"include-group"} or not isinstance(value["include-group"], str):
                    raise fault(
                        f'a dependency group holds strings and {{include-group = "..."}}, '
                        f"not {value!r}",
                        where,
                    )
                self.read_group(value["include-group"], where, (*trail, name))
            else:
                self._add(table, key, [value])

    def _add(self, table: str, key: str, values: object) -> None:
        for value in self._list(values, table, key):
            where = self._where(table, key, str(value))
            if not isinstance(value, str):
                raise fault(f"`{table}.{key}` must be a list of strings, not {value!r}", where)
            refuse_secrets(value, where)
            if self._is_itself(value, where):
                continue
            line = _syntax.Line(where.line, value, ())
            self.entries.append(parse_entry(line, where, self.root, constraint=False))
            self.lines.append(value)

    def _is_itself(self, value: str, where: Where) -> bool:
        """Follow a requirement on the project itself, which names other extras of it."""
        try:
            requirement = Requirement(value)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            raise fault(f"{value!r} is no requirement: {reason}", where) from error
        if not self.name or canonicalize_name(requirement.name) != canonicalize_name(self.name):
            return False
        self.itself = True
        for extra in sorted(requirement.extras):
            self.read_extra(extra)
        return True

    def _load(self) -> tuple[str, Mapping[str, Any]]:
        place = Where(self.file, 1)
        try:
            data = (self.root / self.file).read_bytes()
        except FileNotFoundError as error:
            hint = "It is named by `inputs` or `groups` in pyproject.toml."
            raise fault(f"there is no file {self.file}", None, hint) from error
        except OSError as error:
            raise fault(f"cannot read {self.file}: {error.strerror}", None) from error
        if not self.file.endswith(".toml"):
            return "", {}
        try:
            text = data.decode()
            return text, tomllib.loads(text)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            found = re.search(r"at line (\d+)", str(error))
            raise fault(
                f"is no TOML: {error}", Where(self.file, int(found[1])) if found else place
            ) from error

    def _beside(self, name: str) -> str:
        return posixpath.join(posixpath.dirname(self.file), name)

    def _table(self, value: object, name: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise fault(f"`{name}` must be a table", self._where(name, "", ""))
        return value

    def _list(self, value: object, table: str, key: str) -> list[Any]:
        if not isinstance(value, list):
            raise fault(f"`{table}.{key}` must be a list", self._where(table, key, ""))
        return value

    def _by_name(self, value: object, table: str) -> dict[str, tuple[str, object]]:
        """Return the lists of a table by their normalized names, each with its name as written."""
        found: dict[str, tuple[str, object]] = {}
        for key, each in self._table(value, table).items():
            name = canonicalize_name(key)
            if name in found:
                raise fault(
                    f"`{table}` has {found[name][0]!r} and {key!r}, which are one name",
                    self._where(table, key, ""),
                )
            found[name] = key, each
        return found

    def _unknown(
        self,
        kind: str,
        name: str,
        there: Mapping[str, object],
        table: str,
        asked: Where | None = None,
    ) -> NoReturn:
        known = ", ".join(there)
        raise fault(
            f"there is no {kind} {name!r} in [{table}]{nearest(canonicalize_name(name), there)}",
            asked or self._where(table, "", ""),
            f"There are: {known}" if known else f"It has no {kind}s at all.",
        )

    def _where(self, table: str, key: str, value: str) -> Where:
        return Where(self.file, _line_of(self.text, table, key, value))


def _line_of(text: str, table: str, key: str, value: str) -> int:
    """Return the line where a string stands under a key of a table, or the nearest to that.

    A TOML parser gives no lines; what is written in an unusual way is found anywhere, or its
    key, or its table.
    """
    quoted = {f"'{value}'", json.dumps(value), json.dumps(value, ensure_ascii=False)}
    path = f"{table}.{key}".rstrip(".")
    ranked: list[tuple[int, int]] = [(4, 1)]
    for number, (line, place) in enumerate(_walk(text), start=1):
        here = place == path or place.startswith(f"{path}.")
        if value and any(each in line for each in quoted):
            ranked.append((0 if here else 1, number))
        elif here:
            ranked.append((2, number))
        elif place.startswith(table):
            ranked.append((3, number))
    return min(ranked)[1]


def _walk(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line with the dotted name of what it stands under."""
    header = key = ""
    for line in text.split("\n"):
        if found := _HEADER.fullmatch(line.partition("#")[0].rstrip() or " "):
            header, key = re.sub(r"[\"'\s]", "", found[1]), ""
        elif found := _KEY.match(line):
            key = re.sub(r"[\"'\s]", "", found[1])
        yield line, f"{header}.{key}".strip(".")
