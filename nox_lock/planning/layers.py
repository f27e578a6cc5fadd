"""Which lock builds on which, and an order that respects it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock.errors import ConfigError, RequirementsError
from nox_lock.inputs.local_projects import is_project_file
from nox_lock.inputs.requirements import Files, Inputs, read_inputs
from nox_lock.inputs.toml_tables import FILE
from nox_lock.lockfile import lock_file
from nox_lock.planning.config import find_table
from nox_lock.planning.lock_paths import find_owner

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nox_lock.planning.config import LockConfig
    from nox_lock.project import Project


class Layers:
    """The locks of a project with their inputs, each read once.

    A lock is a layer above another when its inputs comprise all that the other is made from (but
    for what its `builds-on` leaves out), name a lock file of it, or when its `constraints` name it.
    """

    def __init__(
        self, locks: Mapping[str, LockConfig], project: Project, *, may_lack: bool = False
    ) -> None:
        self.locks = locks
        self.project = project
        self.files = Files(project, is_unmade=self._is_unmade, may_lack=may_lack)
        self._inputs: dict[str, Inputs] = {}
        self._below: dict[str, dict[str, str]] = {}
        self._roots = {name: _find_roots(lock, project) for name, lock in locks.items()}

    def owner(self, path: str) -> LockConfig | None:
        """Return the lock that has a lock file of this path, or None."""
        return find_owner(path, self.locks.values())

    def inputs(self, name: str) -> Inputs:
        """Return the inputs of a lock, without other locks as constraints.

        Raises:
            RequirementsError: for an input that cannot be read.
        """
        if name not in self._inputs:
            self._inputs[name] = read_lock_inputs(self.locks[name], self.files)
        return self._inputs[name]

    def below(self, name: str) -> dict[str, str]:
        """Return the locks that a lock builds on, each with what says so.

        Raises:
            RequirementsError: for an input that cannot be read.
        """
        if name not in self._below:
            self._below[name] = self._find_below(self.locks[name])
        return self._below[name]

    def order(self, names: Iterable[str]) -> list[str]:
        """Return `names` and all they build on, each after those it builds on.

        Raises:
            ConfigError: for locks that build on each other, showing the loop.
            RequirementsError: for an input that cannot be read.
        """
        done: dict[str, None] = {}

        def visit(name: str, trail: dict[str, str]) -> None:
            if name in trail:
                steps = list(trail.items())[list(trail).index(name) :]
                loop = " -> ".join([*(f"{lock} ({why})" for lock, why in steps), name])
                raise ConfigError(
                    f"these locks build on each other: {loop}", hint="Take one of these lines out."
                )
            for lower, why in self.below(name).items() if name not in done else ():
                visit(lower, {**trail, name: why})
            done[name] = None

        for name in names:
            visit(name, {})
        return list(done)

    def _find_below(self, lock: LockConfig) -> dict[str, str]:
        inputs, own = self.inputs(lock.name), self._roots[lock.name]
        included = {
            owner.name: str(each.place)
            for each in reversed(inputs.includes)
            if (owner := self.owner(each.file)) is not None
        }
        within: dict[str, str] = {}
        found = dict.fromkeys(lock.constraints, f"`{FILE}` constraints")
        for source in lock.inputs:
            if (owner := self.owner(source)) not in (None, lock):
                found[owner.name] = f"`{FILE}` inputs"
        for name in self.locks:
            if name == lock.name or name in found:
                continue
            if name in included:
                found[name] = included[name]
            elif self._roots[name] <= inputs.reached and not own <= self.inputs(name).reached:
                within[name] = ", ".join(lock.inputs) or FILE
        for name in lock.builds_on or ():
            if name not in {**found, **within}:
                key, hint = "builds-on", f'To have its versions: constraints = ["{name}"]'
                message = f": it does not include the inputs of {name!r}"
                raise find_table(key, lock.name, self.project).wrong(key, message, hint)
        chosen = within if lock.builds_on is None else lock.builds_on
        return found | {name: why for name, why in within.items() if name in chosen}

    def _is_unmade(self, file: str) -> bool:
        """Return whether a file is the lock file of a lock, and yet to be made."""
        if self.owner(file) is None:
            return False
        lock = lock_file.read(self.project, file)
        return lock is None or not lock.recognised


def read_lock_inputs(lock: LockConfig, files: Files, constraints: Sequence[str] = ()) -> Inputs:
    """Read the inputs of a lock; `constraints` are lock files to read like those of ``-c`` lines.

    Raises:
        RequirementsError: for an input that cannot be read.
    """
    try:
        return read_inputs(
            lock.inputs, files, extras=lock.extras, groups=lock.groups, constraints=constraints
        )
    except RequirementsError as error:
        for file in lock.inputs:
            if error.place is None and not files.project.is_file(file):
                error.place = find_table("inputs", lock.name, files.project).place("inputs", file)
        raise


def _find_roots(lock: LockConfig, project: Project) -> set[str]:
    """Return what a lock is made from, in the form of `Inputs.reached`."""
    roots = {f"{FILE}#group={canonicalize_name(group)}" for group in lock.groups}
    for source in lock.inputs:
        if is_project_file(source):
            roots.add(f"{source}#")
            roots |= {f"{source}#extra={canonicalize_name(extra)}" for extra in lock.extras}
        else:
            roots.add(project.real(source))
    return roots
