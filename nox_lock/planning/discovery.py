"""The files of a project that are inputs by their names; and for errors, what could be locked."""

from __future__ import annotations

import posixpath
import re
from textwrap import indent
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from nox_lock.errors import ConfigError, RequirementsError
from nox_lock.inputs.entry import static_name
from nox_lock.inputs.requirements import Files
from nox_lock.inputs.toml_tables import FILE, Table
from nox_lock.lockfile import lock_file
from nox_lock.planning.lock_paths import find_owner, suffix
from nox_lock.target import SYSTEM
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from nox_lock.planning.config import LockConfig
    from nox_lock.project import Project

_SHOWN = 3
_FOLDERS = ("", "*/", "*/*/")
# Folders of what was built or installed, beside the hidden ones.
_MADE = re.compile(r"(?:^|/)(?:\.|node_modules/|build/|dist/|v?env/|site-packages/)")


def name_of_input(file: str) -> str | None:
    """Return the name of the lock an input makes, or None for a file that is no input by name.

    ``requirements.in`` -> ``requirements``; ``requirements-dev.in``, ``dev-requirements.in`` and
    ``requirements/dev.in`` -> ``dev``.
    """
    folder, _, base = file.rpartition("/")
    stem = base.removesuffix(".in")
    if stem == "requirements":
        return "requirements"
    if found := re.fullmatch(r"requirements[-_.](.+)|(.+)[-_.]requirements", stem):
        return found[1] or found[2]
    return stem if folder else None


def find_more(patterns: Iterable[str], table: Table, project: Project) -> set[str]:
    """Return the files that the patterns of `find` name; refuse a pattern that names none."""
    key, hint = "find", 'Such as: find = ["tests/*.in", "*/requirements.in"]'
    found: set[str] = set()
    for pattern in patterns:
        if "**" in pattern or not pattern.endswith(".in"):
            message = f": {quoted(pattern)} has to end in .in, and name each level of folders"
            raise table.wrong(key, message, hint)
        files = {file for file in project.glob(pattern) if not file.endswith("MANIFEST.in")}
        if not files:
            raise table.wrong(key, f": there is no file like {quoted(pattern)}", hint)
        found |= files
    return found


def discover(
    project: Project, declared: Collection[LockConfig], more: Collection[str]
) -> dict[str, str]:
    """Return `more` and the usual inputs, of no declared lock, by name, `requirements` first."""
    taken = {file for lock in declared for file in lock.inputs}
    names = {lock.name: f"[tool.nox-lock.locks.{lock.name}]" for lock in declared}
    inputs: dict[str, str] = {}
    files = sorted({*project.glob("*.in"), *project.glob("requirements/*.in"), *more})
    files = [file for file in files if project.is_file(file)]
    taken |= {limits for file in files for limits in _find_limits(file, project)}
    for file in files:
        name = name_of_input(file) or (file.removesuffix(".in") if file in more else None)
        if name is None or file in taken:
            continue
        if not file.isprintable():
            message = f"{quoted(file)} is no path: it is not UTF-8, or has invisible characters"
            raise ConfigError(message, hint="Rename the file.")
        if name in names:
            raise ConfigError(
                f"{file} and {names[name]} would both make the lock {name!r}",
                hint=f'Name one of them: [tool.nox-lock.locks.NAME] inputs = ["{file}"] in {FILE}.',
            )
        names[name] = inputs[name] = file
    return dict(sorted(inputs.items(), key=lambda item: (item[0] != "requirements", item[0])))


def _find_limits(file: str, project: Project) -> Iterator[str]:
    """Yield the files of constraints that an input names with ``-c``: they are no inputs."""
    try:
        text = project.read(file).decode(errors="replace")
    except OSError:
        return  # whoever reads it as an input says why
    for found in re.finditer(r"^[ \t]*(?:-c|--constraint)[= \t]*([^\s#]+)", text, re.MULTILINE):
        if "constraint" in posixpath.basename(found[1]):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(file), found[1]))


def no_inputs(project: Project, document: Mapping[str, Any]) -> ConfigError:
    """Return the error for a project without inputs; `document` is its `pyproject.toml`."""
    hint = suggest(project, document)
    for file in sorted((*project.glob("*requirements*.txt"), *project.glob("requirements/*.txt"))):
        if not hint and _is_frozen(project, file):
            hint = (
                f"{file} is the output of `pip freeze`, not an input. Write the projects that you "
                f"use yourself into {file.removesuffix('.txt')}.in, without their dependencies; "
                "then lock with -- --overwrite.\n"
            )
    return ConfigError(
        "no inputs found: no requirements.in, requirements-*.in, *-requirements.in or "
        "requirements/*.in here",
        hint=f"{hint}Write the projects you use, one a line, into "
        "requirements.in; or name your files in [tool.nox-lock.locks.NAME] inputs = [...].",
    )


def _is_frozen(project: Project, file: str) -> bool:
    """Return whether a file has nothing but pins by version, and no header."""
    try:
        lines = project.read(file).decode().split("\n")
    except (OSError, UnicodeDecodeError):
        return False
    pins = [line.rstrip("\r") for line in lines if line.strip()]
    return bool(pins) and all(re.match(r"[\w.-]+(\[[^\]]*\])?===?\S+$", pin) for pin in pins)


def suggest(project: Project, document: Mapping[str, Any], lock: str | None = None) -> str:
    """Say what could be locked, or be the lock of a name, and how; empty for nothing."""
    missing = [
        file
        for name, file in find_missing_inputs(project, ()).items()
        if not project.is_file(file) and lock in {None, name}
    ]
    lacking = (
        f"{', '.join(missing)} is not here, and its lock file is. Put it here; or, in an image "
        f'without inputs, write into {FILE}:\n  [tool.nox-lock]\n  on-stale = "install"\n'
        if missing
        else ""
    )
    found: dict[str, list[str]] = {}
    for name, what, lines in (*_find_parts(project, document), *_find_inputs(project, document)):
        if lock is None or canonicalize_name(name) == canonicalize_name(lock):
            found.setdefault(lines, []).append(what)
    return lacking + "".join(
        f"There is {', '.join(what[:_SHOWN])}{', ...' * (len(what) > _SHOWN)}. "
        f"To lock it, write into {FILE}:\n{indent(lines, '  ')}\n"
        for lines, what in list(found.items())[:_SHOWN]
    )


def _find_parts(project: Project, document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield projects, and parts of them: the name of a lock, what it is of, and its table."""
    static = _table(document, "project")
    itself = "this project, whose dependencies only a build can say"
    if "'dependencies'" in str(static.get("dynamic")):
        yield "requirements", itself, _declared("requirements", inputs=FILE)
    elif not static and project.is_file("setup.py"):
        yield "requirements", itself, _declared("requirements", inputs="setup.py")
    for group in filter(str.isprintable, _table(document, "dependency-groups")):
        yield group, f"a dependency group {group!r}", _declared(group, groups=group)
    for extra in filter(str.isprintable, _table(static, "optional-dependencies")):
        yield extra, f"an extra {extra!r}", _declared(extra, inputs=FILE, extras=extra)
    for file in _glob(project, FILE):
        folder = posixpath.dirname(file)
        if folder and static_name(project, folder):
            name = posixpath.basename(folder)
            yield name, file, _declared(name, inputs=file)


def _find_inputs(project: Project, document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield requirements files: the name of a lock, the file, and the pattern that finds it."""
    files = _glob(project, "*.in")
    inputs = [file for file in files if _is_input(project, file)]
    mixed = {"", *(posixpath.dirname(file) for file in {*files} - {*inputs})}
    table = "" if "nox-lock" in _table(document, "tool") else "[tool.nox-lock]\n"
    for file in inputs:
        folder, _, base = file.rpartition("/")
        pattern = file if folder in mixed else f"{folder}/*.in"
        yield name_of_input(file) or base[: -len(".in")], file, f'{table}find = ["{pattern}"]'


def _is_input(project: Project, file: str) -> bool:
    try:
        return file.isprintable() and bool(Files(project).items(file, None, constraint=False))
    except RequirementsError:
        return False


def _glob(project: Project, name: str) -> list[str]:
    found = (file for folder in _FOLDERS for file in project.glob(f"{folder}{name}"))
    return [file for file in found if not _MADE.search(file) and project.is_file(file)]


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _declared(lock: str, **keys: str) -> str:
    name = re.sub(r"[^\w.-]+", "-", lock)
    lines = (f'{key} = ["{value}"]' for key, value in keys.items())
    return "\n".join([f"[tool.nox-lock.locks.{name}]", *lines])


def find_missing_inputs(project: Project, locks: Collection[LockConfig]) -> dict[str, str]:
    """Return, by lock, inputs that are not here, while a lock file of their name is, of no lock."""
    found: dict[str, str] = {}
    for path in sorted({*project.glob("*.txt"), *project.glob("requirements/*.txt")}):
        stem = re.fullmatch(rf"(.+?){suffix(SYSTEM, nodot=False).pattern}", path)
        name = name_of_input(f"{stem[1]}.in") if stem else None
        if stem and name and find_owner(path, locks) is None:
            lock = lock_file.read(project, path)
            if lock is not None and (lock.maker or lock.stamp):
                found.setdefault(name, f"{stem[1]}.in")
    return found
