"""A project file as an input: its static dependencies (PEP 621), extras and groups (PEP 735)."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from packaging.requirements import Requirement

from nox_lock.errors import Place, RequirementsError
from nox_lock.inputs.entry import DEPENDENCIES, Inputs, Option, dynamic_digest, parse_entry
from nox_lock.inputs.syntax import Line, meets, normalized, parse_requirement, refuse_secrets
from nox_lock.inputs.toml_tables import Table, parse_toml
from nox_lock.project import Project
from nox_lock.text import nearest

_ALWAYS: frozenset[str] = frozenset()
_GROUP = 'A group is a list of strings and {include-group = "NAME"}, and never includes itself.'


class ProjectReader:
    """Adds parts of one project file to `Inputs`; `when` are markers of what names an extra."""

    def __init__(self, file: str, data: bytes, inputs: Inputs, project: Project) -> None:
        self.file = file
        self.inputs = inputs
        self.project = project
        self.lines: dict[str, None] = {}  # as those of a requirements file, each once
        self.dynamic = False  # whether a part that only a build knows, or all, is required
        # Whether pip-compile would read it otherwise: it pins a project that requires itself,
        # with other extras, by its path; and drops the markers within extras.
        self.misread = False
        self._seen: dict[str, list[frozenset[str]]] = {}  # by part, as in `Inputs.reached`
        # What setup.py and setup.cfg say is known only after a build.
        text = data if file.endswith(".toml") else b""
        self.document = parse_toml(text, file)
        self.static = self.document.table("project")
        self.name = self.static.get("name", str) or ""
        self.unknown = {*DEPENDENCIES}.intersection(self.static.strings("dynamic"))
        if file not in inputs.files:
            inputs.files.append(file)

    def read_project(self, extras: Sequence[str]) -> None:
        """Add what the project depends on, alone and with some extras."""
        inputs, key = self.inputs, "requires-python"
        self._read_dependencies(_ALWAYS)
        for extra in extras:
            self._read_extra(extra, None, _ALWAYS)
        if versions := self.static.get(key, str):
            inputs.pythons.append(Option(key, versions, self.static.place(key)))
        if self.dynamic:
            inputs.dynamic[self.file] = dynamic_digest(self.project, posixpath.dirname(self.file))
        if self.misread:
            inputs.written[f"{self.name} ({self.file})"] = list(self.lines)
        else:
            inputs.native += (f"--extra={each}" for each in extras)
        if self.dynamic or not self.misread:
            inputs.native.append(self.file)

    def read_group(self, group: str) -> None:
        """Add a dependency group."""
        from dependency_groups import DependencyGroupResolver  # noqa: PLC0415  (few have one)

        table = self.document.table("dependency-groups")
        key = _key_of("group", group, table, None)
        # Only what includes what: requirements are read below, each with its place.
        includes = {
            name: [each for each in values if not isinstance(each, str)]
            if isinstance(values, list)
            else values
            for name, values in table.values.items()
        }
        try:
            DependencyGroupResolver(includes).resolve(group)
        except LookupError:
            pass  # an unknown group, which is met below, too
        except (TypeError, ValueError, RecursionError) as error:
            key = _key_of("group", getattr(error, "group", key), table, None)
            raise table.wrong(key, f": {error}", _GROUP) from error
        self._follow_group(key, table)
        self.inputs.written[f"--group {self.file}:{group}"] = list(self.lines)

    def _read_dependencies(self, when: frozenset[str]) -> None:
        if not self._is_new("", when):
            return
        if "project" in self.document.values:
            if not self.name:
                raise self.static.wrong("name", " is missing", 'Write it as: name = "..."')
            self.dynamic |= "dependencies" in self.unknown
            for value in self.static.strings("dependencies"):
                self._add(value, self.static.place("dependencies", value), when)
            return
        # Without that table, a build may know the dependencies.
        project, folder = self.project, posixpath.dirname(self.file)
        scripts = [posixpath.join(folder, name) for name in ("setup.py", "setup.cfg")]
        backend = self.document.table("build-system").values.get("build-backend", "setuptools")
        if str(backend).startswith("setuptools") and not any(map(project.is_file, scripts)):
            hint = "Write [project] with its dependencies, or lock groups = [...], or a .in file."
            raise RequirementsError("has no [project] table", Place(self.file, 1), hint)
        self.dynamic = True

    def _read_extra(self, extra: str, asked: Place | None, when: frozenset[str]) -> None:
        name = normalized(extra)
        if not self._is_new(f"extra={name}", when):
            return
        if "project" not in self.document.values or "optional-dependencies" in self.unknown:
            self.dynamic = True
            return
        extras = self.static.table("optional-dependencies")
        key = _key_of("extra", extra, extras, asked)
        for value in extras.strings(key):
            self.misread |= ";" in value
            self._add(value, extras.place(key, value), when)

    def _follow_group(self, key: str, table: Table) -> None:
        if not self._is_new(f"group={normalized(key)}", _ALWAYS):
            return
        for value in table.values[key]:
            if isinstance(value, str):
                self._add(value, table.place(key, value), _ALWAYS)
            else:
                included = value["include-group"]
                place = table.place(key, included)
                self._follow_group(_key_of("group", included, table, place), table)

    def _is_new(self, part: str, when: frozenset[str]) -> bool:
        """Return whether a part was not read yet under these markers, or fewer; note that it is."""
        seen = self._seen.setdefault(part, [])
        if any(each <= when for each in seen):
            return False
        seen.append(when)
        if not when:
            self.inputs.reached.add(f"{self.file}#{part}")
        return True

    def _add(self, value: str, place: Place, when: frozenset[str]) -> None:
        refuse_secrets(value, place)
        requirement = parse_requirement(value, place)
        if requirement.marker:
            when |= {str(requirement.marker)}
        if self.name and normalized(requirement.name) == normalized(self.name):
            self._follow_itself(requirement, place, when)
            return
        if when - {str(requirement.marker)}:
            markers = " and ".join(f"({each})" for each in sorted(when))
            value = f"{value.partition(';')[0].strip()} ; {markers}"
        self.inputs.entries.append(parse_entry(Line(place, value), self.project))
        self.lines[value] = None

    def _follow_itself(self, requirement: Requirement, place: Place, when: frozenset[str]) -> None:
        """Read what a requirement on the project itself brings: its other extras."""
        version = self.static.values.get("version")
        if isinstance(version, str) and not meets(requirement.specifier, version):
            message = f"{str(requirement)!r} cannot be: it is this project, of version {version}"
            raise RequirementsError(message, place, "Take it out, or correct its version.")
        if self.unknown and "" not in self._seen:  # a group is read without the project
            said = f"{str(requirement)!r} is this project, whose dependencies only a build can say"
            fix = f'lock the project with the group: inputs = ["{self.file}"], extras = [...]'
            raise RequirementsError(said, place, f"Take it out, and {fix}")
        self.misread = True
        self._read_dependencies(when)
        for extra in sorted(requirement.extras):
            self._read_extra(extra, place, when)


def _key_of(kind: str, name: str, table: Table, asked: Place | None) -> str:
    """Return the key of an extra or group, whose name may be spelled otherwise."""
    keys: dict[str, str] = {}
    for key in table.values:
        if (other := keys.setdefault(normalized(key), key)) != key:
            raise table.wrong(key, f" and {other!r} are one name", "Rename one of them.")
    if found := keys.get(normalized(name)):
        return found
    near = nearest(normalized(name), keys)
    message = f"there is no {kind} {name!r} in [{table.dotted()}]{near}"
    hint = f"There are: {', '.join(keys)}" if keys else f"It has no {kind}s at all."
    raise RequirementsError(message, asked or table.place(), hint)
