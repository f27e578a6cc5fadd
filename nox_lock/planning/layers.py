"""Which lock builds on which, found in the inputs or declared; and an order that respects it.

A lock is a layer above another when its inputs comprise all that the other is made from, name a
lock file of it, or when its `constraints` name it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock.errors import ConfigError
from nox_lock.inputs.local_projects import is_project_file
from nox_lock.inputs.toml_tables import FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from nox_lock.inputs.requirements import Inputs
    from nox_lock.planning.config import LockConfig
    from nox_lock.planning.lock_paths import Owners
    from nox_lock.project import Project

    Read = Callable[[LockConfig], Inputs]


def find_lowers(
    lock: LockConfig,
    locks: Collection[LockConfig],
    owners: Owners,
    roots: Mapping[str, frozenset[str]],
    read: Read,
) -> dict[str, str]:
    """Return the locks that `lock` builds on, each with what says so.

    `owners` tells whose a lock file is; `roots` are what each lock is made from, by name (see
    `roots_of`); `read` gives its inputs.

    Raises:
        RequirementsError: for an input that cannot be read.
    """
    inputs = read(lock)
    own = roots[lock.name]
    named = {
        owner.name: each.place
        for each in reversed(inputs.includes)
        if (owner := owners.owner(each.file)) is not None
    }
    found = dict.fromkeys(lock.constraints, f"`{FILE}` constraints")
    for source in lock.inputs:
        if (owner := owners.owner(source)) not in (None, lock):
            found[owner.name] = f"`{FILE}` inputs"
    for other in locks:
        if other.name == lock.name or other.name in found:
            continue
        if other.name in named:
            where = named[other.name]
            found[other.name] = f"{where.file}:{where.line}"
        elif roots[other.name] <= inputs.reached and not own <= read(other).reached:
            found[other.name] = ", ".join(lock.inputs) or FILE
    return found


def in_order(names: Iterable[str], lowers: Callable[[str], Mapping[str, str]]) -> list[str]:
    """List `names` and all they build on, each after those it builds on.

    Raises:
        ConfigError: for locks that build on each other, showing the loop.
    """
    done: dict[str, None] = {}

    def visit(name: str, trail: tuple[str, ...], reasons: tuple[str, ...]) -> None:
        if name in done:
            return
        if name in trail:
            start = trail.index(name)
            steps = zip(trail[start:], reasons[start:], strict=True)
            loop = " -> ".join([*(f"{lock} ({why})" for lock, why in steps), name])
            raise ConfigError(
                f"these locks build on each other: {loop}", hint="Take one of these lines out."
            )
        for lower, why in lowers(name).items():
            visit(lower, (*trail, name), (*reasons, why))
        done[name] = None

    for name in names:
        visit(name, (), ())
    return list(done)


def roots_of(lock: LockConfig, project: Project) -> frozenset[str]:
    """Return what a lock is made from, in the words of `Inputs.reached`."""
    roots: set[str] = set()
    for source in lock.inputs:
        if is_project_file(source):
            roots.add(f"{source}#")
            roots |= {f"{source}#extra={canonicalize_name(extra)}" for extra in lock.extras}
        else:
            roots.add(project.real(source))
    roots |= {f"{FILE}#group={canonicalize_name(group)}" for group in lock.groups}
    return frozenset(roots)
