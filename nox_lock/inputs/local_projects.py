"""The dependencies of a local project, as its own files give them, for a check."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from nox_lock.errors import NoxLockError
from nox_lock.inputs.pep508 import name_of
from nox_lock.inputs.toml_tables import FILE, parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_lock.project import Project

_FILES = (FILE, "setup.py", "setup.cfg")
_DEPENDENCIES = ("dependencies", "optional-dependencies")
_KEYS = (*_DEPENDENCIES, "dynamic", "requires-python")
# What may be the path of a file: a word behind a quote, `file:` or a comma.
_PATH = re.compile(r"""(?:["',]|file:)\s*([\w./-]+)""")
_PROSE = (".md", ".rst")


def is_project_file(file: str) -> bool:
    """Return whether an input is a project file, and no requirements file."""
    return posixpath.basename(file) in _FILES


def static_name(project: Project, folder: str) -> str | None:
    """Return the normalized name of the project in `folder`; None where it is not static."""
    table = _document(project, folder).get("project")
    name = table.get("name") if isinstance(table, dict) else None
    return canonicalize_name(name) if isinstance(name, str) else None


def static_requirements(project: Project, folder: str) -> frozenset[str] | None:
    """Return the projects that the one in `folder` requires, with all its extras.

    None where only a build can say, or the project has no name.
    """
    table = _static_table(project, folder)
    if table is None:
        return None
    extras = table.get("optional-dependencies")
    lists = [table.get("dependencies"), *(extras.values() if isinstance(extras, dict) else ())]
    try:
        return frozenset(name_of(each) for found in lists for each in found or ())
    except (TypeError, ValueError, RecursionError):  # its build refuses it
        return frozenset()


def metadata_digest(project: Project, folder: str) -> str:
    """Return a digest that changes when the dependencies of the project in `folder` may have.

    Static ones (PEP 621) are taken by their table, so that no other edit of the file counts;
    dynamic ones may come from anything, so all build files count. Empty for no project.
    """
    if not any(project.is_file(posixpath.join(folder, name)) for name in _FILES):
        return ""
    table = _static_table(project, folder)
    if table is None:
        return dynamic_digest(project, folder)
    return _digest({key: table.get(key) for key in _KEYS})


def dynamic_digest(project: Project, folder: str) -> str:
    """Return a digest of all that may decide what the build of a project depends on.

    That is its build files, and the files below its folder that these name, but for prose.
    Of `pyproject.toml` comments and our own table do not count.
    """
    texts = {name: _read(project, folder, name).decode(errors="surrogateescape") for name in _FILES}
    if document := _document(project, folder):
        tool = document.get("tool", {})
        ours = {"tool": {**tool, "nox-lock": {}}} if isinstance(tool, dict) else {}
        texts[FILE] = _dump({"tool": {"nox-lock": {}}, **document, **ours})
    named = {
        path: _read(project, folder, path).hex()
        for text in texts.values()
        for path in _PATH.findall(text)
        if not path.startswith("/") and ".." not in path and not path.endswith(_PROSE)
    }
    return _digest([texts, {path: data for path, data in named.items() if data}])


def _static_table(project: Project, folder: str) -> Mapping[str, Any] | None:
    """Return the table `[project]` in `folder`, if the dependencies in it are all there are."""
    table = _document(project, folder).get("project")
    if not isinstance(table, dict) or "name" not in table:
        return None
    dynamic = table.get("dynamic", [])
    static = isinstance(dynamic, list) and all(key not in dynamic for key in _DEPENDENCIES)
    return table if static else None


def _document(project: Project, folder: str) -> Mapping[str, Any]:
    try:
        return parse_toml(_read(project, folder, FILE)).values
    except NoxLockError:
        return {}  # pip refuses it


def _digest(facts: object) -> str:
    return hashlib.sha256(_dump(facts).encode()).hexdigest()[:32]


def _dump(facts: object) -> str:
    return json.dumps(facts, sort_keys=True, default=str)


def _read(project: Project, folder: str, name: str) -> bytes:
    try:
        return project.read(posixpath.join(folder, name))
    except (OSError, ValueError):  # the latter for a NUL in a name
        return b""
