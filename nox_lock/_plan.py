"""Which lock files must exist, each after those it builds on."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from nox_lock import _witness
from nox_lock._errors import ConfigError
from nox_lock._inputs import Parts
from nox_lock._layers import find_lowers, in_order, roots_of
from nox_lock._places import (
    Owners,
    find_earlier,
    find_orphans,
    lockfile_path,
    read_place,
)
from nox_lock._planned import Planned, platform_of
from nox_lock._requirements import Files, read_inputs
from nox_lock._settings import Settings, merge_settings, resolve_settings
from nox_lock._tables import FILE
from nox_lock._target import (
    Target,
    running_platform,
)
from nox_lock._targets import targets_of
from nox_lock.lockfile import lock_file
from nox_lock.text import mend_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from nox_lock._config import Config, LockConfig
    from nox_lock._inputs import Inputs
    from nox_lock.lockfile.lock_file import LockFile


def plan(
    config: Config,
    root: Path,
    environ: Mapping[str, str],
    *,
    names: Iterable[str | None] = (),
    used: Mapping[str, Collection[Target | SpecifierSet]] | None = None,
) -> list[Planned]:
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
    planned = _Planner(config, root, environ, used or {}).plan(chosen)
    if any(map(_lacks_hashes, planned)):
        everything = planned
        if set(chosen) != set(config.locks):
            everything = _Planner(config, root, environ, used or {}).plan(config.locks)
        if any(map(_has_hashes, everything)):
            return _Planner(config, root, environ, used or {}, hashed=True).plan(chosen)
    return planned


def _lacks_hashes(planned: Planned) -> bool:
    """Return whether a lock file has no hashes, and nothing is configured."""
    lock = planned.existing
    unset = planned.lock.settings.generate_hashes is None
    return unset and lock is not None and bool(lock.pins) and not lock.hashed


def _has_hashes(planned: Planned) -> bool:
    """Return whether a lock file has hashes, or its stamp is of one that had."""
    lock = planned.existing
    if lock is None or lock.hashed or lock.stamp is None:
        return lock is not None and lock.hashed
    hashed = planned.settings._replace(generate_hashes=True)
    return lock.stamp.inputs == planned._replace(settings=hashed).digest()


def replan(
    planned: Planned,
    below: tuple[Planned, ...],
    texts: Mapping[str, str],
    root: Path,
    environ: Mapping[str, str],
) -> Planned:
    """Plan a lock file anew on lock files that were made since; `texts` are those, by path.

    Raises:
        RequirementsError: for an input that cannot be read any more.
    """
    inputs = planned.inputs
    pairs = zip(below, planned.below, strict=True)
    changed = {now.path for now, before in pairs if now is not before}
    if not changed:
        return planned
    planned = planned._replace(below=below)
    if changed & {*inputs.files, *inputs.pending, *planned.constraints}:
        files = Files(root, texts)
        planned = planned._replace(inputs=_read(planned.lock, files, environ, planned.constraints))
    return planned


def orphans_of(config: Config, planned: Collection[Planned], root: Path) -> list[str]:
    """List the files that have our stamp and are planned no more; `planned` are all there are."""
    inputs = {file for each in planned for file in each.inputs.files}
    return find_orphans(config.locks.values(), {each.path for each in planned}, inputs, root)


class _Planner:
    """Lists lock files; reads each input once."""

    def __init__(
        self,
        config: Config,
        root: Path,
        environ: Mapping[str, str],
        used: Mapping[str, Collection[Target | SpecifierSet]],
        *,
        hashed: bool = False,
    ) -> None:
        self.locks = config.locks
        # Other lock files have hashes: those of which nothing is said must have them, too.
        self.unset = Settings(generate_hashes=True) if hashed else Settings()
        self.root = root
        self.environ = environ
        self.used = used
        self.files = Files(root, expected=self._is_lock_file)
        self.owners = Owners(config.locks.values())
        self.planned: dict[str, Planned] = {}
        # By path as those systems have it that know no upper case.
        self._taken: dict[str, Planned] = {}
        self._inputs: dict[str, Inputs] = {}
        self._lowers: dict[str, dict[str, str]] = {}
        self._roots = {name: roots_of(lock, self.files) for name, lock in self.locks.items()}

    def plan(self, names: Iterable[str]) -> list[Planned]:
        order = in_order(names, self._find_lowers)
        for name in order:
            lock = self.locks[name]
            targets, existing = targets_of(lock, self.root, self.used.get(name, ()))
            for target, system, path in self._paths(lock, targets):
                self._add(lock, target, system, path, existing)
                existing = None
        self._refuse_shared(set(self.locks) - set(order))
        return list(self.planned.values())

    def _refuse_shared(self, others: Iterable[str]) -> None:
        """Refuse a path that a lock which is not asked for has, too."""
        for name in sorted(others):
            lock = self.locks[name]
            if any(read_place(lock, path) is not None for path in self.planned):
                targets, _ = targets_of(lock, self.root, self.used.get(name, ()))
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
            file=FILE,
            hint=f'Give it its own: [tool.nox-lock.locks.{name}] lockfile = "...".',
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
        existing = existing or lock_file.read(self.root, path)
        earlier = None
        if existing is None:
            earlier = self._earlier(lock, target, path)
        planned = Planned(
            lock=lock,
            target=target,
            path=path,
            inputs=inputs,
            settings=resolve_settings(
                merge_settings(lock.settings, self.unset),
                existing if existing is not None else earlier,
            ),
            existing=existing,
            platform=platform_of(system),
            system=system,
            below=below,
            apart=self._find_apart(lock, target),
            earlier=earlier,
            build_constraints=self._build_constraints(lock),
        )
        if lock.constraints:
            constrained = _read(lock, self.files, self.environ, planned.constraints)
            planned = planned._replace(inputs=constrained)
        self.planned[path] = self._taken[path.casefold()] = planned

    def _build_constraints(self, lock: LockConfig) -> tuple[str, ...]:
        found = []
        for file in lock.build_constraints:
            try:
                found.append(_witness.read(self.root / file).decode(errors="replace"))
            except OSError as error:
                told = f"build-constraints: {file} cannot be read: {error.strerror}"
                raise ConfigError(told, file=FILE, hint=mend_of(error)) from error
        return tuple(found)

    def _earlier(self, lock: LockConfig, target: Target, path: str) -> LockFile | None:
        """Return the lock file that one which does not stand yet takes the place of."""
        for each in find_earlier(lock, target, path, self.root, self.owners):
            found = lock_file.read(self.root, each)
            if found is not None and found.recognised:
                return found
        return None

    def _below(self, lock: LockConfig, target: Target, system: str) -> tuple[Planned, ...]:
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
                    file=FILE,
                    hint=f"Make both for the same: [tool.nox-lock] python = [{wanted}]",
                )
        return below

    def _find_apart(self, lock: LockConfig, target: Target) -> tuple[str, ...]:
        """Return the locks below that have no file for this Python."""
        if not self._lowers[lock.name]:
            return ()
        made = {each.name for each in self.planned.values() if each.target == target}
        return tuple(name for name in self._lowers[lock.name] if name not in made)

    def _find_lowers(self, name: str) -> dict[str, str]:
        if name not in self._lowers:
            lock, locks = self.locks[name], self.locks.values()
            self._lowers[name] = find_lowers(lock, locks, self.owners, self._roots, self._read)
        return self._lowers[name]

    def _read(self, lock: LockConfig) -> Inputs:
        if lock.name not in self._inputs:
            self._inputs[lock.name] = _read(lock, self.files, self.environ)
        return self._inputs[lock.name]

    def _is_lock_file(self, path: str) -> bool:
        return self.owners.owner(path) is not None


def _read(
    lock: LockConfig,
    files: Files,
    environ: Mapping[str, str],
    constraints: tuple[str, ...] = (),
) -> Inputs:
    parts = Parts(lock.extras, lock.groups, constraints)
    return read_inputs(lock.inputs, files.root, environ, parts, files)


def _refuse_other_targets(
    lock: LockConfig,
    target: Target,
    inputs: Inputs,
    below: Iterable[Planned],
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
            file=include.where.file,
            line=include.where.line,
            hint=f"Take the line out, and say in {FILE}: "
            f'[tool.nox-lock.locks.{lock.name}] constraints = ["{other.name}"]'
            if include.constraint
            else f"Name its input instead: -r {posixpath.basename(other.inputs[0])}",
        )
