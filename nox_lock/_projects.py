"""What a local project's own files say of what it depends on."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from typing import TYPE_CHECKING, Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path

_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_KEYS = ("dependencies", "optional-dependencies", "dynamic", "requires-python")


def metadata_digest(folder: Path) -> str:
    """Return a digest that changes when the dependencies of the project in `folder` may have.

    Static ones (PEP 621) are taken by their table, so that no other edit of the file counts;
    dynamic ones may come from anything, so all build files count. Empty for no project.
    """
    if not any((folder / name).is_file() for name in _FILES):
        return ""
    project = _document(folder).get("project", {})
    if isinstance(project, dict) and "name" in project:
        dynamic = project.get("dynamic", [])
        if not {"dependencies", "optional-dependencies"} & set(dynamic):
            return _digest({key: project.get(key) for key in _KEYS})
    return dynamic_digest(folder)


def dynamic_digest(folder: Path) -> str:
    """Return a digest of all files that may decide what the build of a project depends on.

    Of the build backends, setuptools is told the names of such files:
    https://setuptools.pypa.io/en/latest/userguide/pyproject_config.html#dynamic-metadata
    """
    named = re.findall(r"file:\s*([^\n]+)", _read(folder / "setup.cfg").decode(errors="replace"))
    files = [name.strip() for names in named for name in names.split(",")]
    tool = _document(folder).get("tool", {})
    setuptools = tool.get("setuptools", {}) if isinstance(tool, dict) else {}
    files += _files_of(setuptools.get("dynamic", {}) if isinstance(setuptools, dict) else {})
    return _digest({name: _read(folder / name).hex() for name in (*_FILES, *sorted(files))})


def _files_of(value: object, key: str = "") -> list[str]:
    """List the files named under the keys `file` of a table, at any depth."""
    if isinstance(value, dict):
        return [file for name, each in value.items() for file in _files_of(each, name)]
    if key != "file":
        return []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _document(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = tomllib.loads(_read(folder / "pyproject.toml").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}  # pip will say so
    return found


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
