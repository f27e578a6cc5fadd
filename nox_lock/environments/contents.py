"""What an environment holds, against what its lock files say; pure but for reading metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from nox_lock.environments.environment import find_project, list_origins
from nox_lock.environments.origin import is_from
from nox_lock.errors import LocksError
from nox_lock.inputs.pep508 import meets, parse_version
from nox_lock.lockfile import lock_file
from nox_lock.target import counts, holds, running_platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from nox_lock.environments.environment import Environment, Installed
    from nox_lock.environments.origin import Origin
    from nox_lock.lockfile.pins import Pin
    from nox_lock.planning.planned import Planned

# What virtualenv and venv put into an environment, and what installs the rest.
_SEEDS = frozenset({"pip", "setuptools", "wheel"})


class Difference(NamedTuple):
    """A pin that an environment does not hold: where it stands, and what there is instead."""

    planned: Planned
    pin: Pin
    has: str | None = None

    @property
    def place(self) -> str:
        """Where the pin stands."""
        return f"{self.planned.path}:{self.pin.line}"

    def __str__(self) -> str:
        if self.has is None:
            return f"{self.pin.shown} is not installed ({self.place})"
        return f"{self.pin.shown} is wanted, {self.has} is installed ({self.place})"


class Contents(NamedTuple):
    """An environment beside its lock files.

    Attributes:
        differences: the pins it does not hold.
        extras: what it holds beside them, by name; without its seeds and the project itself.
        digest: of all that its dependencies are proven for: lock files, distributions, Python.
        halves: the metadata of what is neither there nor gone.
    """

    differences: tuple[Difference, ...]
    extras: tuple[str, ...]
    digest: str
    halves: tuple[Path, ...] = ()


def compare(
    planned: Sequence[Planned],
    venv: Environment,
    installed: Mapping[str, Installed],
    root: Path,
) -> Contents:
    """Hold what is installed against lock files that agree."""
    origins = list_origins(installed)
    differences: list[Difference] = []
    wanted: set[str] = set()
    for each, pin in active_pins(planned, venv):
        if pin.version is None:
            name = _find_direct(pin, origins, root)
            wanted.add(name or pin.name or "")
            if name is None:
                differences.append(Difference(each, pin))
            continue
        wanted.add(pin.name or "")
        has = installed.get(pin.name or "")
        if has is None or not _same_version(has.version, pin.version):
            differences.append(Difference(each, pin, has and has.version))
    extras = sorted(installed.keys() - wanted - _SEEDS - find_project(origins, root).keys())
    facts = [f"{venv.target} {venv.target.full_version}", *(each.path for each in planned)]
    facts += [lock_file.digest(each.existing.body) for each in planned if each.existing]
    facts += sorted(f"{name} {each.version}" for name, each in installed.items())
    return Contents(tuple(differences), tuple(extras), lock_file.digest("\n".join(facts)))


def active_pins(planned: Sequence[Planned], venv: Environment) -> Iterator[tuple[Planned, Pin]]:
    """Yield the pins that count in an environment, each with its lock file."""
    here = running_platform()
    for each in planned:
        for pin in each.pins:
            if counts(pin.marker, venv.target, here):
                yield each, pin


def _find_direct(pin: Pin, origins: Mapping[str, Origin], root: Path) -> str | None:
    """Return the name of what is installed from the URL or path of a pin, or None."""
    found = (
        n for n, origin in origins.items() if pin.name in {None, n} and is_from(pin, origin, root)
    )
    return next(found, None)


def _same_version(one: str, other: str) -> bool:
    if one == other:
        return True
    versions = parse_version(one), parse_version(other)
    if None in versions:
        return one.replace("_", "-") == other.replace("_", "-")
    return versions[0] == versions[1]


def refuse_disagreement(planned: Sequence[Planned]) -> None:
    """Check that lock files which go into one environment pin the same versions.

    Raises:
        LocksError: naming each project they differ in.
    """
    versions: dict[str, dict[str, str]] = {}
    for each in planned:
        for pin in each.pins:
            versions.setdefault(pin.name or pin.shown, {})[each.path] = pin.version or pin.shown
    differing = [
        f"  {name}: " + ", ".join(f"{version} in {path}" for path, version in found.items())
        for name, found in sorted(versions.items())
        if len(set(found.values())) > 1
    ]
    if differing:
        raise LocksError(
            "\n".join(["these lock files do not agree:", *differing]),
            hint="Bring their inputs together, for instance by one `-c` file for both.",
        )


def find_unmet(
    planned: Sequence[Planned], venv: Environment, installed: Mapping[str, Installed]
) -> list[str]:
    """Say, a line each, which dependencies of what is locked an environment does not hold.

    Those of extras count where an input or another distribution asks for the extra. What
    pip-compile leaves out as unsafe is not looked for.
    """
    left_out = {name for each in planned if each.existing for name in each.existing.unsafe}
    asked: dict[str, set[str]] = {}
    for each, pin in active_pins(planned, venv):
        entries = (entry for entry in each.inputs.requirements if entry.name == pin.name)
        extras = {extra for entry in entries for extra in entry.extras}
        asked.setdefault(pin.name or "", set()).update({"", *pin.extras, *extras})
    done: set[tuple[str, str]] = set()
    unmet: dict[str, None] = {}
    todo = [(name, extra) for name, extras in asked.items() for extra in sorted(extras)]
    while todo:
        name, extra = todo.pop(0)
        if (name, extra) in done or name not in installed:
            continue
        done.add((name, extra))
        for requirement in _requirements(installed[name], venv, extra):
            needed = canonicalize_name(requirement.name)
            has = installed.get(needed)
            if needed in left_out:
                continue
            if has is None or not (requirement.url or meets(requirement.specifier, has.version)):
                there = f"{has.version} is there" if has else "it is not there"
                bare = f"{requirement.name}{requirement.specifier}"
                unmet[f"{name} {installed[name].version} needs {bare}, and {there}"] = None
            todo += [(needed, each) for each in ("", *map(canonicalize_name, requirement.extras))]
    return list(unmet)


def _requirements(installed: Installed, venv: Environment, extra: str) -> Iterator[Requirement]:
    for text in installed.requires():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # pip and uv pass over it, too
        without = holds(requirement.marker, venv.target, running_platform())
        if without if not extra else not without and _holds_for(requirement, venv, extra):
            yield requirement


def _holds_for(requirement: Requirement, venv: Environment, extra: str) -> bool:
    return bool(holds(requirement.marker, venv.target, running_platform(), extra))
