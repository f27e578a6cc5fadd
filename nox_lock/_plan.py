"""Which lock files must exist, each after those it builds on."""

from __future__ import annotations

import posixpath
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from nox_lock import _lockfile
from nox_lock._errors import ConfigError
from nox_lock._layers import find_lowers, in_order
from nox_lock._places import find_earlier, find_orphans, lockfile_path, may_be_of
from nox_lock._planned import Planned
from nox_lock._requirements import Files, Parts, read_inputs
from nox_lock._settings import resolve_settings
from nox_lock._tables import FILE
from nox_lock._target import (
    Platform,
    Target,
    parse_platform,
    parse_target,
    running_platform,
    running_target,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from nox_lock._config import Config, LockConfig
    from nox_lock._lockfile import LockFile
    from nox_lock._requirements import Inputs


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
    planner = _Planner(config, root, environ, used or {})
    return planner.plan([config.lock(name).name for name in names] or list(config.locks))


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
    planned = replace(planned, below=below)
    if changed & {*inputs.files, *inputs.pending, *planned.constraints}:
        files = Files(root, texts)
        planned = replace(planned, inputs=_read(planned.lock, files, environ, planned.constraints))
    return planned


def of_targets(planned: list[Planned], targets: Collection[Target]) -> list[Planned]:
    """Keep to the lock files of some Pythons; of all, when none are named.

    Raises:
        ConfigError: for a Python that no lock is made for.
    """
    has = list(dict.fromkeys(each.target for each in planned))
    for target in targets:
        if target not in has:
            known = ", ".join(str(each) for each in has)
            raise ConfigError(f"no lock is for Python {target}", hint=f"There are: {known}")
    return [each for each in planned if not targets or each.target in targets]


def orphans_of(config: Config, planned: Collection[Planned], root: Path) -> list[str]:
    """List the files that have our stamp and are planned no more; `planned` are all there are."""
    inputs = {file for each in planned for file in each.inputs.files}
    return find_orphans(config.locks.values(), [each.path for each in planned], inputs, root)


class _Planner:
    """Lists lock files; reads each input once."""

    def __init__(
        self,
        config: Config,
        root: Path,
        environ: Mapping[str, str],
        used: Mapping[str, Collection[Target | SpecifierSet]],
    ) -> None:
        self.locks = config.locks
        self.root = root
        self.environ = environ
        self.used = used
        self.files = Files(root, expected=self._is_lock_file)
        self.planned: dict[str, Planned] = {}
        self._inputs: dict[str, Inputs] = {}
        self._lowers: dict[str, dict[str, str]] = {}

    def plan(self, names: Iterable[str]) -> list[Planned]:
        for name in in_order(names, self._find_lowers):
            lock = self.locks[name]
            targets, existing = _targets(lock, self.root, self.used.get(name, ()))
            for target in targets:
                for system in lock.platforms or ("",):
                    path = lockfile_path(
                        lock,
                        target,
                        system or running_platform().system,
                        several=len(targets) > 1,
                        platforms=bool(lock.platforms),
                    )
                    self._add(lock, target, system, path, existing)
                    existing = None
        return list(self.planned.values())

    def _add(
        self, lock: LockConfig, target: Target, system: str, path: str, existing: LockFile | None
    ) -> None:
        inputs = self._read(lock)
        if path in self.planned or path in (*inputs.files, *inputs.pending):
            other = (
                f"lock {self.planned[path].name!r}" if path in self.planned else "one of its inputs"
            )
            raise ConfigError(
                f"lock {lock.name!r} would write {path}, which is {other}",
                file=FILE,
                hint=f'Give it its own: [tool.nox-lock.locks.{lock.name}] lockfile = "...".',
            )
        below = self._below(lock, target, system)
        _refuse_other_targets(lock, target, inputs, below, self.locks.values())
        existing = existing or _lockfile.read(self.root, path)
        earlier = None
        if existing is None:
            others = find_earlier(lock, target, path, self.root)
            found = (_lockfile.read(self.root, each) for each in others)
            earlier = next((each for each in found if each and each.recognised), None)
        planned = Planned(
            lock=lock,
            target=target,
            path=path,
            inputs=inputs,
            settings=resolve_settings(lock.settings, existing or earlier),
            existing=existing,
            platform=_platform(existing, system),
            system=system,
            below=below,
            earlier=earlier,
        )
        if lock.constraints:
            constrained = _read(lock, self.files, self.environ, planned.constraints)
            planned = replace(planned, inputs=constrained)
        self.planned[path] = planned

    def _below(self, lock: LockConfig, target: Target, system: str) -> tuple[Planned, ...]:
        """Return the lock files that one lock file builds on."""
        system = system or running_platform().system
        below = tuple(
            each
            for each in self.planned.values()
            if each.name in self._lowers[lock.name]
            and each.target == target
            and each.system in {"", system}
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

    def _find_lowers(self, name: str) -> dict[str, str]:
        if name not in self._lowers:
            lock, locks = self.locks[name], self.locks.values()
            self._lowers[name] = find_lowers(lock, locks, self._read, self.files)
        return self._lowers[name]

    def _read(self, lock: LockConfig) -> Inputs:
        if lock.name not in self._inputs:
            self._inputs[lock.name] = _read(lock, self.files, self.environ)
        return self._inputs[lock.name]

    def _is_lock_file(self, path: str) -> bool:
        return any(may_be_of(lock, path) for lock in self.locks.values())


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
    locks: Iterable[LockConfig],
) -> None:
    """Refuse an input that names the lock file of another lock, made for another target.

    Raises:
        ConfigError: naming the line, and what to write instead of it.
    """
    right = {each.path for each in below}
    for include in inputs.includes:
        other = next((each for each in locks if may_be_of(each, include.file)), None)
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


def _platform(existing: LockFile | None, system: str) -> Platform:
    """Return what a lock file is judged for: the platform it was made on, else this one."""
    if existing is not None and existing.stamp is not None:
        return parse_platform(existing.stamp.platform)
    here = running_platform()
    return Platform(system or here.system, here.machine)


def of_target(planned: Iterable[Planned], target: Target) -> list[Planned]:
    """Return, of each lock, the file that an environment of `target` installs.

    Raises:
        ConfigError: for a lock that is not made for that Python.
    """
    by_name: dict[str, list[Planned]] = {}
    for each in planned:
        by_name.setdefault(each.name, []).append(each)
    chosen = []
    for name, files in by_name.items():
        fitting = [each for each in files if each.target == target and each.here]
        if not fitting and any(each.target == target for each in files):
            systems = ", ".join(f'"{each}"' for each in (*files[0].lock.platforms, sys.platform))
            raise ConfigError(
                f"this session runs on {sys.platform}; the lock {name!r} is not for it",
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


def _targets(
    lock: LockConfig, root: Path, used: Collection[Target | SpecifierSet]
) -> tuple[list[Target], LockFile | None]:
    """List a lock's targets: said and used; else the one its lock file names; else this Python.

    The lock file comes with them where it had to be read for that.
    """
    targets: Collection[Target] = {
        *lock.pythons,
        *(each for each in used if isinstance(each, Target)),
    }
    existing = None
    if not targets:
        existing = _lock_file_of_any(lock, root)
        named = existing.python if existing else None
        targets = [parse_target(named) if named else running_target()]
    for each in used:
        if not isinstance(each, Target) and not any(_within(target, each) for target in targets):
            has = ", ".join(str(target) for target in targets)
            raise ConfigError(
                f"a session wants a Python {each}, and the lock {lock.name!r} is for {has}",
                hint=f'Say which: [tool.nox-lock] python = ["X.Y", ...] in {FILE}',
            )
    return sorted(targets, key=lambda target: target.sort_key), existing


def _lock_file_of_any(lock: LockConfig, root: Path) -> LockFile | None:
    """Read the lock file of a lock whose Python nothing says, where its name needs none."""
    if "{python}" in (lock.lockfile or "") or lock.platforms:
        return None
    here, system = running_target(), running_platform().system
    path = lockfile_path(lock, here, system, several=False, platforms=False)
    return _lockfile.read(root, path)


def _within(target: Target, versions: SpecifierSet) -> bool:
    return any(versions.contains(f"{target.version}{micro}") for micro in ("", ".0", ".99"))
