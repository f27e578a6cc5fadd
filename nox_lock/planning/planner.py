"""Which lock files must exist, each after those it builds on."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from nox_lock.errors import ConfigError, Place, fix_of
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.inputs.toml_tables import FILE
from nox_lock.lockfile import lock_file
from nox_lock.planning.layers import find_lowers, in_order, roots_of
from nox_lock.planning.lock_paths import (
    Owners,
    find_earlier,
    find_files,
    find_lookalikes,
    find_mistaken,
    find_orphans,
    lockfile_path,
    read_place,
)
from nox_lock.planning.lock_plan import LockPlan
from nox_lock.planning.settings import Settings, merge_settings, resolve_settings
from nox_lock.target import Target, parse_target, running_platform, running_target
from nox_lock.text import nearest, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.specifiers import SpecifierSet

    from nox_lock.inputs.requirements import Inputs
    from nox_lock.lockfile.lock_file import LockFile
    from nox_lock.planning.config import Config, LockConfig
    from nox_lock.project import Project


def plan(
    config: Config,
    project: Project,
    *,
    names: Iterable[str | None] = (),
    used: Mapping[str, Collection[Target | SpecifierSet]] | None = None,
) -> list[LockPlan]:
    """List the lock files that must exist, each after those it builds on.

    `names` keeps to those locks and what they build on; `used` gives, by lock, the Pythons of
    the sessions that use it, as targets or ranges of versions.

    Raises:
        ConfigError: for a name that is no lock, two lock files with one path, locks that build
            on each other, or a lower lock that is not made for the same Python.
        RequirementsError: for an input that cannot be read.
        LockFileError: for a lock file that cannot be read.
    """
    chosen = [config.lock(name).name for name in names] or list(config.locks)
    planned = _Planner(config, project, used or {}).plan(chosen)
    if any(map(_lacks_hashes, planned)):
        everything = planned
        if set(chosen) != set(config.locks):
            everything = _Planner(config, project, used or {}).plan(config.locks)
        if any(map(_has_hashes, everything)):
            return _Planner(config, project, used or {}, hashed=True).plan(chosen)
    return planned


def _lacks_hashes(planned: LockPlan) -> bool:
    """Return whether a lock file has no hashes, and nothing is configured."""
    lock = planned.current
    unset = planned.lock.settings.generate_hashes is None
    return unset and lock is not None and bool(lock.pins) and not lock.hashed


def _has_hashes(planned: LockPlan) -> bool:
    """Return whether a lock file has hashes, or its stamp is of one that had."""
    lock = planned.current
    if lock is None or lock.hashed or lock.stamp is None:
        return lock is not None and lock.hashed
    hashed = planned.settings._replace(generate_hashes=True)
    return lock.stamp.inputs == replace(planned, settings=hashed).digest


def replan(
    planned: LockPlan,
    below: tuple[LockPlan, ...],
    texts: Mapping[str, str],
    project: Project,
) -> LockPlan:
    """Plan a lock file anew on lock files that were made since; `texts` are those, by path.

    Raises:
        RequirementsError: for an input that cannot be read any more.
    """
    inputs = planned.inputs
    pairs = zip(below, planned.below, strict=True)
    changed = {now.path for now, before in pairs if now is not before}
    if not changed:
        return planned
    planned = replace(planned, below=below)
    if changed & {*inputs.files, *inputs.pending, *planned.constraints}:
        files = Files(project, texts)
        planned = replace(planned, inputs=_read(planned.lock, files, planned.constraints))
    return planned


def orphans_of(config: Config, planned: Collection[LockPlan], project: Project) -> list[str]:
    """List the files that have our stamp and are planned no more; `planned` are all there are."""
    inputs = {file for each in planned for file in each.inputs.files}
    return find_orphans(config.locks.values(), {each.path for each in planned}, inputs, project)


def of_target(planned: Iterable[LockPlan], target: Target) -> list[LockPlan]:
    """Return, of each lock, the file that an environment of `target` installs.

    Raises:
        ConfigError: for a lock that is not made for that Python.
    """
    by_name: dict[str, list[LockPlan]] = {}
    for each in planned:
        by_name.setdefault(each.name, []).append(each)
    chosen = []
    for name, files in by_name.items():
        fitting = [each for each in files if each.target == target and each.here]
        exact = [each for each in fitting if each.named_platform == running_platform()]
        fitting = exact[:1] or fitting[:1]
        if not fitting and any(each.target == target for each in files):
            here = running_platform()
            systems = ", ".join(f'"{each}"' for each in (*files[0].lock.platforms, here))
            raise ConfigError(
                f"this session runs on {here}; the lock {name!r} is not for it",
                hint=f"Say so in {FILE}: [tool.nox-lock] platforms = [{systems}]",
            )
        if not fitting:
            has = list(dict.fromkeys(str(each.target) for each in files))
            wanted = ", ".join(f'"{each}"' for each in (*has, target))
            raise ConfigError(
                f"this session runs Python {target}; the lock {name!r} is for {', '.join(has)}",
                hint=f"Say so in {FILE}: [tool.nox-lock] python = [{wanted}]",
            )
        chosen += fitting
    return chosen


def of_targets(
    planned: list[LockPlan], targets: Collection[Target], platforms: Collection[str] = ()
) -> list[LockPlan]:
    """Return the lock files of some Pythons and named platforms; of all, when none are given.

    Raises:
        ConfigError: for a Python or platform that no lock is made for.
    """
    systems = list(dict.fromkeys(each.system for each in planned if each.system))
    for system in platforms:
        if system not in systems:
            message = f"no lock is for the platform {quoted(system)}{nearest(system, systems)}"
            raise ConfigError(message, hint=f"There are: {', '.join(systems) or 'none'}")
    planned = [each for each in planned if not platforms or each.system in platforms]
    has = list(dict.fromkeys(each.target for each in planned))
    for target in targets:
        if target not in has:
            known = ", ".join(str(each) for each in has)
            raise ConfigError(f"no lock is for Python {target}", hint=f"There are: {known}")
    return [each for each in planned if not targets or each.target in targets]


class _Planner:
    """Lists lock files; reads each input once."""

    def __init__(
        self,
        config: Config,
        project: Project,
        used: Mapping[str, Collection[Target | SpecifierSet]],
        *,
        hashed: bool = False,
    ) -> None:
        self.locks = config.locks
        # Other lock files have hashes: those of which nothing is said must have them, too.
        self.unset = Settings(generate_hashes=True) if hashed else Settings()
        self.project = project
        self.used = used
        self.owners = Owners(config.locks.values())
        self.files = Files(project, is_unmade=self._is_unmade)
        self.planned: dict[str, LockPlan] = {}
        # By path as those systems have it that know no upper case.
        self._taken: dict[str, LockPlan] = {}
        self._inputs: dict[str, Inputs] = {}
        self._lookalikes: dict[str, list[str]] = {}
        self._lowers: dict[str, dict[str, str]] = {}
        self._roots = {name: roots_of(lock, project) for name, lock in self.locks.items()}

    def plan(self, names: Iterable[str]) -> list[LockPlan]:
        order = in_order(names, self._find_lowers)
        for name in order:
            lock = self.locks[name]
            targets, existing = _targets_of(lock, self.project, self.used.get(name, ()))
            for target, system, path in self._paths(lock, targets):
                self._add(lock, target, system, path, existing)
                existing = None
        self._refuse_shared(set(self.locks) - set(order))
        return list(self.planned.values())

    def _is_unmade(self, file: str) -> bool:
        """Return whether a file is the lock file of a lock, and yet to be made."""
        if self.owners.owner(file) is None:
            return False
        lock = lock_file.read(self.project, file)
        return lock is None or not lock.recognised

    def _refuse_shared(self, others: Iterable[str]) -> None:
        """Refuse a path that a lock which is not asked for has, too."""
        for name in sorted(others):
            lock = self.locks[name]
            if any(read_place(lock, path) is not None for path in self.planned):
                targets, _ = _targets_of(lock, self.project, self.used.get(name, ()))
                for _, _, path in self._paths(lock, targets):
                    if path in self.planned:
                        raise self._shared(self.planned[path].name, path, f"lock {name!r}")

    def _paths(
        self, lock: LockConfig, targets: Sequence[Target]
    ) -> Iterator[tuple[Target, str, str]]:
        """Yield the target, the platform and the path of each lock file of a lock."""
        for target in targets:
            for system in lock.platforms or ("",):
                path = lockfile_path(
                    lock,
                    target,
                    system or running_platform().system,
                    several=len(targets) > 1,
                    platforms=bool(lock.platforms),
                )
                yield target, system, path

    def _shared(self, name: str, path: str, other: str) -> ConfigError:
        return ConfigError(
            f"lock {name!r} would write {path}, which is {other}",
            Place(FILE),
            f'Give it its own: [tool.nox-lock.locks.{name}] lockfile = "...".',
        )

    def _add(
        self, lock: LockConfig, target: Target, system: str, path: str, existing: LockFile | None
    ) -> None:
        inputs = self._read(lock)
        taken = self._taken.get(path.casefold())
        if taken is not None or path in (*inputs.files, *inputs.pending):
            other = "one of its inputs" if taken is None else f"lock {taken.name!r}"
            raise self._shared(lock.name, path, other)
        below = self._below(lock, target, system)
        _refuse_other_targets(lock, target, inputs, below, self.owners)
        existing = existing or lock_file.read(self.project, path)
        earlier = None if existing else self._earlier(lock, target, path)
        planned = LockPlan(
            lock=lock,
            target=target,
            path=path,
            inputs=inputs,
            settings=resolve_settings(
                merge_settings(lock.settings, self.unset), existing or earlier
            ),
            current=existing,
            system=system,
            below=below,
            apart=tuple(
                name
                for name in self._lowers[lock.name]
                if all((e.name, e.target) != (name, target) for e in self.planned.values())
            ),
            earlier=earlier,
            build_constraints=self._build_constraints(lock),
            lookalikes=tuple(self._find_lookalikes(path, inputs, existing)),
        )
        if lock.constraints:
            constrained = _read(lock, self.files, planned.constraints)
            planned = replace(planned, inputs=constrained)
        self.planned[path] = self._taken[path.casefold()] = planned

    def _find_lookalikes(self, path: str, inputs: Inputs, lock: LockFile | None) -> Iterator[str]:
        # pip looks from where it runs, and for find-links beside the file with the line, too.
        for folder in sorted({"", *map(posixpath.dirname, (path, *inputs.files))}):
            if folder not in self._lookalikes:
                self._lookalikes[folder] = find_lookalikes(self.project, folder)
            yield from self._lookalikes[folder]
        yield from find_mistaken(self.project, lock.pins if lock else ())

    def _build_constraints(self, lock: LockConfig) -> tuple[str, ...]:
        found = []
        for file in lock.build_constraints:
            try:
                found.append(self.project.read(file).decode(errors="replace"))
            except OSError as error:
                message = f"build-constraints: {file} cannot be read: {error.strerror}"
                raise ConfigError(message, Place(FILE), fix_of(error)) from error
        return tuple(found)

    def _earlier(self, lock: LockConfig, target: Target, path: str) -> LockFile | None:
        """Return the lock file whose place one takes that is not there yet."""
        others = find_earlier(lock, target, path, self.project, self.owners)
        found = (lock_file.read(self.project, each) for each in others)
        return next((each for each in found if each is not None and each.recognised), None)

    def _below(self, lock: LockConfig, target: Target, system: str) -> tuple[LockPlan, ...]:
        """Return the lock files that one lock file builds on."""
        if not self._lowers[lock.name]:
            return ()
        below = tuple(
            each
            for each in self.planned.values()
            if each.name in self._lowers[lock.name]
            and each.target == target
            and (each.system in {"", system} or (not system and each.here))
        )
        for name in lock.constraints:
            if all(each.name != name for each in below):
                has = [str(e.target) for e in self.planned.values() if e.name == name]
                wanted = ", ".join(f'"{each}"' for each in dict.fromkeys((*has, str(target))))
                raise ConfigError(
                    f"lock {lock.name!r} is for Python {target}; {name!r}, which constrains it, "
                    f"is for {', '.join(dict.fromkeys(has))}",
                    Place(FILE),
                    f"Make both for the same: [tool.nox-lock] python = [{wanted}]",
                )
        return below

    def _find_lowers(self, name: str) -> dict[str, str]:
        if name not in self._lowers:
            lock, locks = self.locks[name], self.locks.values()
            self._lowers[name] = find_lowers(lock, locks, self.owners, self._roots, self._read)
        return self._lowers[name]

    def _read(self, lock: LockConfig) -> Inputs:
        if lock.name not in self._inputs:
            self._inputs[lock.name] = _read(lock, self.files)
        return self._inputs[lock.name]


def _read(
    lock: LockConfig,
    files: Files,
    constraints: tuple[str, ...] = (),
) -> Inputs:
    return read_inputs(
        lock.inputs, files, extras=lock.extras, groups=lock.groups, constraints=constraints
    )


def _refuse_other_targets(
    lock: LockConfig,
    target: Target,
    inputs: Inputs,
    below: Iterable[LockPlan],
    owners: Owners,
) -> None:
    """Refuse an input that names the lock file of another lock, made for another target.

    Raises:
        ConfigError: naming the line, and what to write instead of it.
    """
    right = {each.path for each in below}
    for include in inputs.includes:
        other = owners.owner(include.file)
        if other is None or include.file in right or other.name == lock.name:
            continue
        flag = "-c" if include.constraint else "-r"
        raise ConfigError(
            f"`{flag} {posixpath.basename(include.file)}` names one lock file of {other.name!r}; "
            f"for Python {target} another belongs here",
            include.place,
            f"Take the line out, and say in {FILE}: "
            f'[tool.nox-lock.locks.{lock.name}] constraints = ["{other.name}"]'
            if include.constraint
            else f"Name its input instead: -r {posixpath.basename(other.inputs[0])}",
        )


def _targets_of(
    lock: LockConfig, project: Project, used: Collection[Target | SpecifierSet]
) -> tuple[list[Target], LockFile | None]:
    """List a lock's targets: said and used; else the one its lock file names; else this Python.

    The lock file comes with them where it had to be read for that.

    Raises:
        ConfigError: for a range of versions that none of them is in.
        LockFileError: for a lock file that cannot be read.
    """
    targets: Collection[Target] = {
        *lock.pythons,
        *(each for each in used if isinstance(each, Target)),
    }
    existing = None
    if not targets:
        target, existing = _target_of_lock_file(lock, project)
        targets = [target]
    for each in used:
        if not isinstance(each, Target) and not any(_within(target, each) for target in targets):
            has = ", ".join(map(str, sorted(targets, key=lambda target: target.sort_key)))
            raise ConfigError(
                f"a session wants a Python {each}, and the lock {lock.name!r} is for {has}",
                hint=f'Say which: [tool.nox-lock] python = ["X.Y", ...] in {FILE}',
            )
    return sorted(targets, key=lambda target: target.sort_key), existing


def _target_of_lock_file(lock: LockConfig, project: Project) -> tuple[Target, LockFile | None]:
    """Return the Python of a lock's only lock file, else the running one.

    The lock file comes with it where its name is the same for every Python.
    """
    here, system = running_target(), running_platform().system
    if "{python}" in (lock.lockfile or "") or lock.platforms:
        found = {_python_of(project, path) for path in find_files(lock, project)} - {None}
        return next(iter(found)) or here if len(found) == 1 else here, None
    path = lockfile_path(lock, here, system, several=False, platforms=False)
    existing = lock_file.read(project, path)
    named = existing.python if existing else None
    return parse_target(named) if named else here, existing


def _python_of(project: Project, path: str) -> Target | None:
    lock = lock_file.read(project, path)
    return parse_target(lock.python) if lock and lock.python else None


def _within(target: Target, versions: SpecifierSet) -> bool:
    return any(versions.contains(f"{target.version}{micro}") for micro in ("", ".0", ".99"))
