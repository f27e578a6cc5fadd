"""What a local project's own files say of what it depends on."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from nox_lock import project as project_files
from nox_lock.errors import NoxLockError
from nox_lock.inputs.toml_tables import FILE, parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FILES = (FILE, "setup.py", "setup.cfg")
_DEPENDENCIES = ("dependencies", "optional-dependencies")
_KEYS = (*_DEPENDENCIES, "dynamic", "requires-python")
# What may be the path of a file: a word behind a quote, `file:` or a comma.
_PATH = re.compile(r"""(?:["',]|file:)\s*([\w./-]+)""")
_PROSE = (".md", ".rst")


def is_project_file(file: str) -> bool:
    """Return whether an input is a project file, and no requirements file."""
    return posixpath.basename(file) in _FILES


def static_name(folder: Path) -> str | None:
    """Return the normalized name of the project in `folder`, where its file has it (PEP 621)."""
    project = _document(folder).get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return canonicalize_name(name) if isinstance(name, str) else None


def metadata_digest(folder: Path) -> str:
    """Return a digest that changes when the dependencies of the project in `folder` may have.

    Static ones (PEP 621) are taken by their table, so that no other edit of the file counts;
    dynamic ones may come from anything, so all build files count. Empty for no project.
    """
    if not any(project_files.is_file(folder / name) for name in _FILES):
        return ""
    project = _document(folder).get("project", {})
    if isinstance(project, dict) and "name" in project:
        dynamic = project.get("dynamic", [])
        if isinstance(dynamic, list) and all(key not in dynamic for key in _DEPENDENCIES):
            return _digest({key: project.get(key) for key in _KEYS})
    return dynamic_digest(folder)


def dynamic_digest(folder: Path) -> str:
    """Return a digest of all that may decide what the build of a project depends on.

    That is its build files, and the files below its folder that these name, but for prose.
    Of `pyproject.toml` comments and our own table do not count.
    """
    texts = {name: _read(folder / name).decode(errors="surrogateescape") for name in _FILES}
    if document := _document(folder):
        tool = document.get("tool", {})
        ours = {"tool": {**tool, "nox-lock": {}}} if isinstance(tool, dict) else {}
        texts[FILE] = _dump({"tool": {"nox-lock": {}}, **document, **ours})
    named = {
        path: _read(folder / path).hex()
        for text in texts.values()
        for path in _PATH.findall(text)
        if not path.startswith("/") and ".." not in path and not path.endswith(_PROSE)
    }
    return _digest([texts, {path: data for path, data in named.items() if data}])


def _document(folder: Path) -> Mapping[str, Any]:
    try:
        return parse_toml(_read(folder / FILE)).values
    except NoxLockError:
        return {}  # pip will say so


def _digest(facts: object) -> str:
    return hashlib.sha256(_dump(facts).encode()).hexdigest()[:32]


def _dump(facts: object) -> str:
    return json.dumps(facts, sort_keys=True, default=str)


def _read(path: Path) -> bytes:
    try:
        return project_files.read(path)
    except (OSError, ValueError):  # the latter for a NUL in a name
        return b""
