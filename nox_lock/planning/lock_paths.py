"""Where the lock files of a lock stand: by pattern, or beside the first input."""

from __future__ import annotations

import functools
import glob
import posixpath
import re
from string import Formatter
from typing import TYPE_CHECKING, NamedTuple

from nox_lock.errors import ConfigError, Place
from nox_lock.inputs.local_projects import is_project_file
from nox_lock.inputs.toml_tables import FILE
from nox_lock.lockfile.lock_file import is_stamped
from nox_lock.target import SYSTEM, find_platform, parse_target, running_platform
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from nox_lock.lockfile.pins import Pin
    from nox_lock.planning.config import LockConfig
    from nox_lock.project import Project
    from nox_lock.target import Target

_SUFFIX = ".txt"
_TARGET = r"(?:pypy)?\d+\.\d+t?"
_NAME = r"[\w.-]+"
# What Windows takes for a device, or another name; or what leads out of the folder.
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
_UNPORTABLE = (
    r"(?<![^/])(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])"
    r"(?=\s*(?:[./:]|$))[^/]*"
    r'|[^/]*[. ](?=/|$)|[^/]*[<>:"|?*][^/]*'
)
# The name of a folder that a URL leads into, where it is taken for a path.
_LIKE_URL = re.compile(r".*:\Z|(?:.*@\s*)?file:", re.IGNORECASE)


class ParsedPath(NamedTuple):
    """What the name of a lock file tells of what it is for; empty where it tells nothing."""

    python: str
    system: str


def lockfile_path(
    lock: LockConfig, target: Target, system: str, *, several: bool, platforms: bool
) -> str:
    """Return where a lock file stands, relative to the project root.

    `several` says whether the lock has several Pythons, `platforms` whether it has a file for
    each platform; `system` is the name of the platform that the file is for.

    Raises:
        ConfigError: for a pattern that gives several files one path, or one that is none on
            another system.
    """
    pattern = lock.lockfile
    if pattern is None:
        short = str(target).removeprefix("py")
        parts = [f"py{short}"] * several + [system] * platforms
        return "-".join([_stem(lock), *parts]) + _SUFFIX
    for name, needed in (("{python}", several), ("{platform}", platforms)):
        if needed and name not in pattern:
            raise ConfigError(
                f"`{lock.lockfile_key}` is {pattern!r}; the lock {lock.name!r} has several, "
                f"so it needs {name}",
                Place(FILE),
                f"Such as: {posixpath.splitext(pattern)[0]}-{name}{posixpath.splitext(pattern)[1]}",
            )
    path = pattern.format(
        name=lock.name,
        stem=posixpath.basename(_stem(lock)),
        python=target,
        platform=system,
        machine=(find_platform(system) or running_platform()).machine,
    )
    if found := re.search(_UNPORTABLE, path, re.IGNORECASE):
        raise ConfigError(
            f"`{lock.lockfile_key}` gives {quoted(path)}: not every system can have a file "
            f"{quoted(found[0])}",
            Place(FILE),
            "Name it otherwise: CON, NUL and the like, a dot or blank at the end, and any "
            'of < > : " | ? * mean something else on Windows.',
        )
    return path


def read_place(lock: LockConfig, path: str, *, any_system: bool = False) -> ParsedPath | None:
    """Read a path as one of a lock file of this lock, for some target; None where it is none.

    `any_system` takes the names of platforms that it has no files for, too.
    """
    systems = SYSTEM if any_system else "|".join(map(re.escape, lock.platforms))
    if lock.lockfile is None:
        stem = _stem(lock)
        if not (path.startswith(stem) and path.endswith(_SUFFIX)):
            return None
        found = re.fullmatch(_between(systems), path[len(stem) : -len(_SUFFIX)])
    else:
        found = re.fullmatch(_expression(lock, systems), path)
    if not found:
        return None
    groups = found.groupdict()
    python = groups.get("python") or ""
    return ParsedPath(
        f"py{python}" if python.startswith("py3") else python, groups.get("platform") or ""
    )


def find_files(
    lock: LockConfig, project: Project, *, any_system: bool = False
) -> dict[str, ParsedPath]:
    """Return the lock files of a lock that there are, for any target, under its names of now."""
    pattern = lock.lockfile
    wild = f"{glob.escape(_stem(lock))}*" if pattern is None else _wild(pattern)
    found = {}
    for file in project.glob(wild):
        if place := read_place(lock, file, any_system=any_system):
            found[file] = place
    return found


class Owners:
    """Tells whose a lock file is, by its path; `locks` are all there are."""

    def __init__(self, locks: Iterable[LockConfig]) -> None:
        # Regular expressions for those alone whose files may have the path.
        self._starts = [(_start(lock), lock) for lock in locks]

    def owner(self, path: str) -> LockConfig | None:
        """Return the lock that has a lock file of this path, for some target, or None.

        Of `requirements` and `requirements-py3.11`, the latter has `requirements-py3.11.txt`.
        """
        owners = [
            lock
            for start, lock in self._starts
            if path.startswith(start) and read_place(lock, path) is not None
        ]
        return max(owners, key=lambda lock: len(_stem(lock)), default=None)


def _start(lock: LockConfig) -> str:
    """Return what the path of each lock file of a lock begins with; may be too little."""
    if lock.lockfile is None:
        return _stem(lock)
    return lock.lockfile.partition("{")[0]


def find_earlier(
    lock: LockConfig, target: Target, path: str, project: Project, owners: Owners
) -> Iterator[str]:
    """Yield the other lock files of this lock that there are, the one most like `path` first.

    They are of a time when it had other targets, or no pattern; what is another's by `owners`
    is not this one's.
    """
    found = find_files(lock._replace(lockfile=None), project, any_system=True)
    found |= find_files(lock, project, any_system=True)
    for each in sorted(found, key=lambda each: (_unlikeness(found[each], target), each)):
        if each != path and owners.owner(each) in (None, lock):
            yield each


def _unlikeness(place: ParsedPath, target: Target) -> tuple[bool, bool, int, int]:
    """Order lock files by how far the target they are for is from another one."""
    here = running_platform().system
    other = parse_target(place.python) if place.python else target
    minors = int(other.version.partition(".")[2]), int(target.version.partition(".")[2])
    return (
        place.system not in {"", here},
        other.implementation != target.implementation,
        abs(minors[0] - minors[1]),
        -minors[0],
    )


def find_orphans(
    locks: Collection[LockConfig],
    planned: Collection[str],
    inputs: Collection[str],
    project: Project,
) -> list[str]:
    """List files with our stamp where a lock of this project may have one, and none has.

    A link to a lock file that a lock has is another name of it.
    """
    folders = {"", "requirements", *(posixpath.dirname(_stem(lock)) for lock in locks)}
    escaped = (folder.replace("{", "{{").replace("}", "}}") for folder in folders)
    patterns = {posixpath.join(folder, f"{{name}}{_SUFFIX}") for folder in escaped}
    patterns |= {lock.lockfile for lock in locks if lock.lockfile}
    found = set()
    for pattern in patterns:
        expression = _filled(pattern, {"name": _NAME, "stem": _NAME}, SYSTEM)
        found |= {path for path in project.glob(_wild(pattern)) if re.fullmatch(expression, path)}
    live = {project.real(path) for path in (*planned, *inputs)}
    others = (path for path in found if project.real(path) not in live)
    return sorted(path for path in others if is_stamped(project, path))


def _wild(pattern: str) -> str:
    parts = Formatter().parse(pattern)
    return "".join(glob.escape(text) + ("*" if name else "") for text, name, _, _ in parts)


def _stem(lock: LockConfig) -> str:
    """Return what the names of a lock's files begin with; as pip-compile, which knows no extras."""
    first = lock.inputs[0] if lock.inputs else FILE
    if not is_project_file(first):
        return posixpath.splitext(first)[0]
    alone = lock.name == "requirements" or not (lock.extras or lock.groups)
    name = "requirements" if alone else f"requirements-{lock.name}"
    return posixpath.join(posixpath.dirname(first), name)


def _between(systems: str) -> str:
    """Return the regular expression of what stands between stem and suffix, without a pattern."""
    python = r"(?:-py(?P<python>(?:py)?\d+\.\d+t?))?"
    return python + (rf"(?:-(?P<platform>{systems}))?" if systems else "")


@functools.lru_cache(maxsize=1024)
def _expression(lock: LockConfig, systems: str) -> str:
    """Return the regular expression of the paths that the pattern of a lock gives."""
    known = {
        "name": re.escape(lock.name),
        "stem": re.escape(posixpath.basename(_stem(lock))),
    }
    pattern = lock.lockfile or ""
    return _filled(pattern, known, systems or re.escape(running_platform().system))


def _filled(pattern: str, known: Mapping[str, str], systems: str) -> str:
    """Return a pattern of paths as a regular expression with a group for each placeholder."""
    each = {"python": _TARGET, "platform": systems, "machine": r"\w+", **known}
    expression, seen = "", set()
    for text, name, _, _ in Formatter().parse(pattern):
        expression += re.escape(text)
        if name:
            expression += f"(?P={name})" if name in seen else f"(?P<{name}>{each[name]})"
            seen.add(name)
    return expression


def find_lookalikes(project: Project, folder: str) -> list[str]:
    """List the paths in a folder that pip would take for a URL: it looks for a path first.

    ``https://host/simple`` is in a folder ``https:``, and ``tool @ git+https://host/tool`` in
    ``tool @ git+https:``.
    """
    found = project.glob("*[:]*", folder)
    return [path for path in found if _LIKE_URL.match(posixpath.basename(path))]


def find_mistaken(project: Project, pins: Iterable[Pin]) -> Iterator[str]:
    """Yield the paths that pip would take for pins: ``tool @ file:../../x`` is ``x`` for it."""
    for pin in pins:
        if pin.name and pin.url and not pin.editable:
            whole = posixpath.normpath(f"{pin.name} @ {pin.url}")
            if not whole.startswith(f"{pin.name} @ ") and project.exists(whole):
                yield whole
