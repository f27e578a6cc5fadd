"""Where the lock files of a lock stand: by pattern, or beside the first input."""

from __future__ import annotations

import itertools
import os
import posixpath
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from nox_lock._errors import ConfigError
from nox_lock._lockfile import is_stamped
from nox_lock._projects import is_project_file
from nox_lock._tables import FILE
from nox_lock._target import running_platform

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from nox_lock._config import LockConfig
    from nox_lock._target import Target

_SUFFIX = ".txt"
_TARGET = r"(?:pypy)?\d+\.\d+t?"
_BETWEEN = re.compile(rf"(?:-py{_TARGET})?(?:-[a-z]+\d*)?")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def lockfile_path(
    lock: LockConfig, target: Target, system: str, *, several: bool, platforms: bool
) -> str:
    """Return where a lock file stands, relative to the project root.

    `several` tells whether the lock has several Pythons, `platforms` whether it has a file for
    each platform; `system` is the `sys.platform` the file is for.

    Raises:
        ConfigError: for a pattern that gives several files one path.
    """
    pattern = lock.lockfile
    if pattern is None:
        short = str(target).removeprefix("py")
        parts = [f"py{short}"] * several + [system] * platforms
        return "-".join([_stem(lock), *parts]) + _SUFFIX
    for name, needed in (("{python}", several), ("{platform}", platforms)):
        if needed and name not in pattern:
            raise ConfigError(
                f"`tool.nox-lock.locks.{lock.name}.lockfile` needs {name}, having several",
                file=FILE,
            )
    return pattern.format(
        name=lock.name,
        stem=posixpath.basename(_stem(lock)),
        python=target,
        platform=system,
        machine=running_platform().machine,
    )


def may_be_of(lock: LockConfig, path: str) -> bool:
    """Tell whether a path is one that a lock file of this lock has, for some target."""
    if lock.lockfile is None:
        stem = _stem(lock)
        between = path.removeprefix(stem).removesuffix(_SUFFIX)
        ends = path.startswith(stem) and path.endswith(_SUFFIX)
        return ends and bool(_BETWEEN.fullmatch(between))
    pattern = "".join(
        _expression(lock, part) if number % 2 else re.escape(part)
        for number, part in enumerate(_PLACEHOLDER.split(lock.lockfile))
    )
    return bool(re.fullmatch(pattern, path))


def find_earlier(lock: LockConfig, target: Target, path: str, root: Path) -> Iterator[str]:
    """Yield the other lock files of this lock that there are, the one most like `path` first.

    They are of a time when it had other targets, or no pattern.
    """
    likely = []
    for shape in (lock, replace(lock, lockfile=None)):
        for several, platforms in itertools.product((False, True), repeat=2):
            with suppress(ConfigError):
                system = running_platform().system
                likely.append(
                    lockfile_path(shape, target, system, several=several, platforms=platforms)
                )
    folder = posixpath.dirname(path)
    siblings = [each for each in _files_in(root, folder) if may_be_of(lock, each)]
    likely += sorted(siblings, key=lambda each: (len(each), each), reverse=True)
    for each in dict.fromkeys(likely):
        if each != path and (root / each).is_file():
            yield each


def find_orphans(
    locks: Iterable[LockConfig], planned: Collection[str], inputs: Collection[str], root: Path
) -> list[str]:
    """List files that have our stamp and are the lock file of nothing, in the folders of locks."""
    suffixes = tuple({posixpath.splitext(path)[1] for path in planned})
    found: set[str] = set()
    for folder in {posixpath.dirname(path) for path in planned}:
        found.update(_files_in(root, folder))
    for lock in locks:
        if lock.lockfile and "{" in posixpath.dirname(lock.lockfile):
            wild = _PLACEHOLDER.sub("*", lock.lockfile)
            found |= {each.relative_to(root).as_posix() for each in root.glob(wild)}
    return sorted(
        path
        for path in found
        if path.endswith(suffixes)
        and path not in planned
        and path not in inputs
        and is_stamped(root / path)
    )


def _files_in(root: Path, folder: str) -> list[str]:
    try:
        with os.scandir(root / folder) as entries:
            return [posixpath.join(folder, entry.name) for entry in entries]
    except OSError:
        return []


def _stem(lock: LockConfig) -> str:
    """Return what the names of a lock's files begin with; as pip-compile, which knows no extras."""
    first = lock.inputs[0] if lock.inputs else FILE
    if not is_project_file(first):
        return posixpath.splitext(first)[0]
    alone = lock.name == "requirements" or not (lock.extras or lock.groups)
    name = "requirements" if alone else f"requirements-{lock.name}"
    return posixpath.join(posixpath.dirname(first), name)


def _expression(lock: LockConfig, placeholder: str) -> str:
    known = {"name": lock.name, "stem": posixpath.basename(_stem(lock))}
    if placeholder in known:
        return re.escape(known[placeholder])
    return _TARGET if placeholder == "python" else r"\w+"
