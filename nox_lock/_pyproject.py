"""Read a project file as an input: its static dependencies, extras and dependency groups.

https://packaging.python.org/en/latest/specifications/pyproject-toml/ and
https://packaging.python.org/en/latest/specifications/dependency-groups/
"""

from __future__ import annotations

import posixpath
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from nox_lock import _syntax, _witness
from nox_lock._entries import Entry, parse_entry, refuse_secrets
from nox_lock._inputs import Option
from nox_lock._named import parse_requirement
from nox_lock._project_file import ProjectFile, shown
from nox_lock._projects import dynamic_digest
from nox_lock._syntax import Where, fault
from nox_lock.text import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.requirements import Requirement

    from nox_lock._errors import RequirementsError

_ALWAYS: frozenset[str] = frozenset()
_DEEPEST = 100  # groups that include one another in turn; nobody means more
_TAKE_OUT = "Take one of these lines out."


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
        requires_python: the Pythons that the project is for, or None for no word on that.
        name: the project's name as written, or empty.
        misread: whether pip-compile would read it otherwise: it pins a project that asks for
            itself, for other extras of it, by its path; and drops the markers within extras.
    """

    entries: tuple[Entry, ...]
    lines: tuple[str, ...]
    reached: frozenset[str]
    dynamic: str
    requires_python: Option | None
    name: str
    misread: bool


def read_project(ask: Ask, root: Path) -> ProjectInput:
    """Read what a lock wants of a project file.

    Raises:
        RequirementsError: for a file that is missing or no TOML, an extra or group that is not
            there, groups that include each other, or what is no requirement.
    """
    reader = _Reader(ask, root)
    if ask.project:
        reader.read_dependencies(_ALWAYS)
        for extra in ask.extras:
            reader.read_extra(extra, None, _ALWAYS)
    for group in ask.groups:
        reader.read_group(group, None, ())
    return ProjectInput(
        tuple(reader.entries),
        tuple(dict.fromkeys(reader.lines)),
        frozenset(reader.reached),
        dynamic_digest(root / posixpath.dirname(ask.file)) if reader.dynamic else "",
        reader.read_requires_python() if ask.project else None,
        reader.name,
        reader.misread,
    )


class _Reader:
    """Collects what the parts of one project file hold.

    What an extra brings may depend on the markers under which it is asked for: `when`.
    """

    def __init__(self, ask: Ask, root: Path) -> None:
        self.ask = ask
        self.file = ask.file
        self.root = root
        self.entries: list[Entry] = []
        self.lines: list[str] = []
        self.reached: set[str] = set()
        self.dynamic = self.misread = False
        self.source = ProjectFile(ask.file, root)
        self.document = self.source.document
        self._seen: dict[str, list[frozenset[str]]] = {}
        self.project = self.source.table(self.document.get("project", {}), "project")
        self.name = self._string("name")

    def read_dependencies(self, when: frozenset[str]) -> None:
        if not self._is_new("", when):
            return
        if "project" in self.document:
            if not self.name:
                told, where = "`project.name` is missing", self.source.where("project")
                raise fault(told, where, 'Write it as: name = "..."')
            self.dynamic |= self._is_dynamic("dependencies")
            self._add(("project", "dependencies"), self.project.get("dependencies", []), when)
        elif self._may_be_built():
            self.dynamic = True
        else:
            raise fault(
                "has no [project] table",
                Where(self.file, 1),
                "Write [project] with its dependencies, or lock groups = [...], or a .in file.",
            )

    def read_requires_python(self) -> Option | None:
        key = "requires-python"
        text = self._string(key)
        return Option(key, text, self.source.where("project", key)) if text else None

    def read_extra(self, extra: str, asked: Where | None, when: frozenset[str]) -> None:
        name = canonicalize_name(extra)
        if not self._is_new(f"extra={name}", when):
            return
        if "project" not in self.document or self._is_dynamic("optional-dependencies"):
            self.dynamic = True
            return
        path = ("project", "optional-dependencies")
        there = self.source.by_name(self.project.get(path[1], {}), path)
        if name not in there:
            raise self._unknown("extra", extra, there, path, asked)
        key, values = there[name]
        self._add((*path, key), values, when, of_extra=True)

    def read_group(self, group: str, asked: Where | None, trail: tuple[str, ...]) -> None:
        path = ("dependency-groups",)
        there = self.source.by_name(self.document.get(*path, {}), path)
        name = canonicalize_name(group)
        if name not in there:
            raise self._unknown("group", group, there, path, asked)
        if name in trail:
            loop = " -> ".join((*trail[trail.index(name) :], name))
            raise fault(f"these dependency groups include each other: {loop}", asked, _TAKE_OUT)
        if len(trail) > _DEEPEST:
            raise fault("dependency groups include one another without end", asked, _TAKE_OUT)
        if not self._is_new(f"group={name}", _ALWAYS):
            return
        key, values = there[name]
        for number, value in enumerate(self.source.list_of(values, (*path, key))):
            place = (*path, key, number)
            if not isinstance(value, dict):
                self._add_one(place, value, _ALWAYS)
                continue
            included = value.get("include-group")
            if len(value) != 1 or not isinstance(included, str):
                raise fault(
                    'a dependency group holds strings and {include-group = "..."}, '
                    f"not {value!r}",
                    self.source.where(*place),
                    'Write it as: {include-group = "..."}',
                )
            self.read_group(included, self.source.where(*place), (*trail, name))

    def _is_new(self, part: str, when: frozenset[str]) -> bool:
        """Tell whether a part was not read yet under these markers, or fewer; note that it is."""
        seen = self._seen.setdefault(part, [])
        if any(each <= when for each in seen):
            return False
        seen.append(when)
        if not when:
            self.reached.add(f"{self.file}#{part}")
        return True

    def _add(
        self, path: tuple[str, ...], values: object, when: frozenset[str], *, of_extra: bool = False
    ) -> None:
        for number, value in enumerate(self.source.list_of(values, path)):
            self._add_one((*path, number), value, when, of_extra=of_extra)

    def _add_one(
        self,
        path: tuple[str | int, ...],
        value: object,
        when: frozenset[str],
        *,
        of_extra: bool = False,
    ) -> None:
        where = self.source.where(*path)
        if not isinstance(value, str):
            key = shown(path[:-1])
            told = f"`{key}` must be a list of strings, not {value!r}"
            raise fault(told, where, f'Write it as: {path[-2]} = ["..."]')
        refuse_secrets(value, where)
        requirement = parse_requirement(value, where)
        if requirement.marker:
            self.misread |= of_extra
            when |= {str(requirement.marker)}
        if self.name and canonicalize_name(requirement.name) == canonicalize_name(self.name):
            self._follow_itself(requirement, where, when)
            return
        if when - {str(requirement.marker)}:
            requirement.marker = Marker(" and ".join(f"({each})" for each in sorted(when)))
            value = str(requirement)
        line = _syntax.Line(where.line, value, ())
        self.entries.append(parse_entry(line, where, self.root, constraint=False))
        self.lines.append(value)

    def _follow_itself(self, requirement: Requirement, where: Where, when: frozenset[str]) -> None:
        """Read what a requirement on the project itself asks for: other extras of it."""
        version = self.project.get("version")
        with suppress(InvalidVersion):
            if isinstance(version, str) and not requirement.specifier.contains(
                Version(version), prereleases=True
            ):
                raise fault(
                    f"{str(requirement)!r} cannot be: it is this project, of version {version}",
                    where,
                    "Take it out, or mend its version.",
                )
        if not self.ask.project and (
            self._is_dynamic("dependencies") or self._is_dynamic("optional-dependencies")
        ):
            raise fault(
                f"{str(requirement)!r} is this project, whose dependencies only a build tells",
                where,
                f'Take it out, and lock the project with the group: inputs = ["{self.file}"], '
                "extras = [...]",
            )
        self.misread |= self.ask.project
        self.read_dependencies(when)
        for extra in sorted(requirement.extras):
            self.read_extra(extra, where, when)

    def _may_be_built(self) -> bool:
        """Tell whether a build may know dependencies of a project without [project]."""
        beside = self.root / posixpath.dirname(self.file)
        if any(_witness.is_file(beside / name) for name in ("setup.py", "setup.cfg")):
            return True
        system = self.source.table(self.document.get("build-system", {}), "build-system")
        backend = str(system.get("build-backend", "setuptools"))
        return not backend.startswith("setuptools")

    def _is_dynamic(self, key: str) -> bool:
        return key in self.source.list_of(self.project.get("dynamic", []), ("project", "dynamic"))

    def _string(self, key: str) -> str:
        value = self.project.get(key, "")
        if not isinstance(value, str):
            raise fault(
                f"`project.{key}` must be a string, not {value!r}",
                self.source.where("project", key),
                f'Write it as: {key} = "..."',
            )
        return value

    def _unknown(
        self,
        kind: str,
        name: str,
        there: Mapping[str, object],
        path: tuple[str, ...],
        asked: Where | None,
    ) -> RequirementsError:
        known = ", ".join(there)
        near = nearest(canonicalize_name(name), there)
        return fault(
            f"there is no {kind} {name!r} in [{shown(path)}]{near}",
            asked or self.source.where(*path),
            f"There are: {known}" if known else f"It has no {kind}s at all.",
        )
