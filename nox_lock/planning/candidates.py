"""What a project has that could be locked and is not, with the lines that lock it: for errors."""

from __future__ import annotations

import posixpath
import re
from textwrap import indent
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from nox_lock.errors import RequirementsError
from nox_lock.inputs.local_projects import static_name
from nox_lock.inputs.requirements import Files
from nox_lock.inputs.toml_tables import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nox_lock.project import Project

_SHOWN = 3
_FOLDERS = ("", "*/", "*/*/")
# Folders of what was built or installed, beside the hidden ones.
_MADE = re.compile(r"(?:^|/)(?:\.|node_modules/|build/|dist/|v?env/|site-packages/)")


def suggest(project: Project, document: Mapping[str, Any], lock: str | None = None) -> str:
    """Say what could be locked, or be the lock of a name, and how; empty for nothing.

    `document` is the `pyproject.toml` of the project.
    """
    from nox_lock.planning.lock_paths import find_missing_inputs  # noqa: PLC0415

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
    from nox_lock.planning.config import name_of_input  # noqa: PLC0415  (which imports this)

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
