"""Which Pythons a lock is made for, and which of its files are for one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from nox_lock._errors import ConfigError
from nox_lock._places import find_files, lockfile_path
from nox_lock._tables import FILE
from nox_lock._target import Target, parse_target, running_platform, running_target
from nox_lock.lockfile import lock_file
from nox_lock.text import nearest, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from nox_lock._config import LockConfig
    from nox_lock._planned import Planned
    from nox_lock.lockfile.lock_file import LockFile


def pythons_of(said: Iterable[object]) -> Iterator[Target | SpecifierSet]:
    """Yield the targets and the ranges of versions that values of `python=` name.

    A value may be a list of others, None or False for no say, a target (``3.11``,
    ``python3.11``), a range (``>=3.12``, ``3``), or a path, which is known when the session runs.
    https://nox.thea.codes/en/stable/config.html#configuring-a-session-s-virtualenv
    """
    for value in said:
        if isinstance(value, (list, tuple)):
            yield from pythons_of(value)
        elif isinstance(value, str) and (found := _python(value)) is not None:
            yield found


def _python(text: str) -> Target | SpecifierSet | None:
    try:
        # Which patch release a lock is for is up to the configuration.
        return replace(parse_target(text), patch="")
    except ConfigError:
        pass
    try:
        return SpecifierSet(f"=={text}.*" if text.isdecimal() else text)
    except InvalidSpecifier:
        return None


def targets_of(
    lock: LockConfig, root: Path, used: Collection[Target | SpecifierSet]
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
        target, existing = _target_of_lock_file(lock, root)
        targets = [target]
    for each in used:
        if not isinstance(each, Target) and not any(_within(target, each) for target in targets):
            has = ", ".join(map(str, sorted(targets, key=lambda target: target.sort_key)))
            raise ConfigError(
                f"a session wants a Python {each}, and the lock {lock.name!r} is for {has}",
                hint=f'Say which: [tool.nox-lock] python = ["X.Y", ...] in {FILE}',
            )
    return sorted(targets, key=lambda target: target.sort_key), existing


def _target_of_lock_file(lock: LockConfig, root: Path) -> tuple[Target, LockFile | None]:
    """Return the Python of a lock's only lock file, else the running one.

    The lock file comes with it where its name is the same for every Python.
    """
    here, system = running_target(), running_platform().system
    if "{python}" in (lock.lockfile or "") or lock.platforms:
        found = {_python_of(root, path) for path in find_files(lock, root)} - {None}
        return next(iter(found)) or here if len(found) == 1 else here, None
    path = lockfile_path(lock, here, system, several=False, platforms=False)
    existing = lock_file.read(root, path)
    named = existing.python if existing else None
    return parse_target(named) if named else here, existing


def _python_of(root: Path, path: str) -> Target | None:
    lock = lock_file.read(root, path)
    return parse_target(lock.python) if lock and lock.python else None


def _within(target: Target, versions: SpecifierSet) -> bool:
    return any(versions.contains(f"{target.version}{micro}") for micro in ("", ".0", ".99"))


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
    planned: list[Planned], targets: Collection[Target], platforms: Collection[str] = ()
) -> list[Planned]:
    """Return the lock files of some Pythons and named platforms; of all, when none are given.

    Raises:
        ConfigError: for a Python or platform that no lock is made for.
    """
    systems = list(dict.fromkeys(each.system for each in planned if each.system))
    for system in platforms:
        if system not in systems:
            told = f"no lock is for the platform {quoted(system)}{nearest(system, systems)}"
            raise ConfigError(told, hint=f"There are: {', '.join(systems) or 'none'}")
    planned = [each for each in planned if not platforms or each.system in platforms]
    has = list(dict.fromkeys(each.target for each in planned))
    for target in targets:
        if target not in has:
            known = ", ".join(str(each) for each in has)
            raise ConfigError(f"no lock is for Python {target}", hint=f"There are: {known}")
    return [each for each in planned if not targets or each.target in targets]
