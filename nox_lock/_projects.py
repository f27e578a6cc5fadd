"""What a local project's own files say of what it depends on."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import sys
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from nox_lock import _witness

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_DEPENDENCIES = ("dependencies", "optional-dependencies")
_KEYS = (*_DEPENDENCIES, "dynamic", "requires-python")
_FILE_KEYS = ("file", "files", "filename")
# Tables of [tool] that no build reads.
_NO_BUILD = (
    "black",
    "coverage",
    "isort",
    "mypy",
    "nox-lock",
    "pip-tools",
    "pylint",
    "pyright",
    "pytest",
    "ruff",
    "tox",
)


def is_project_file(file: str) -> bool:
    """Tell whether an input is a project file, and no requirements file."""
    return posixpath.basename(file) in _FILES


def static_name(folder: Path) -> str | None:
    """Return the normalized name of the project in `folder`, where its file has it (PEP 621)."""
    name = _table(_document(folder), "project").get("name")
    return canonicalize_name(name) if isinstance(name, str) else None


def metadata_digest(folder: Path) -> str:
    """Return a digest that changes when the dependencies of the project in `folder` may have.

    Static ones (PEP 621) are taken by their table, so that no other edit of the file counts;
    dynamic ones may come from anything, so all build files count. Empty for no project.
    """
    if not any(_witness.is_file(folder / name) for name in _FILES):
        return ""
    project = _document(folder).get("project", {})
    if isinstance(project, dict) and "name" in project:
        dynamic = project.get("dynamic", [])
        if isinstance(dynamic, list) and all(key not in dynamic for key in _DEPENDENCIES):
            return _digest({key: project.get(key) for key in _KEYS})
    return dynamic_digest(folder)


def dynamic_digest(folder: Path) -> str:
    """Return a digest of all that may decide what the build of a project depends on.

    That is what its build files say, but for the settings of tools that have no part in a build,
    and the requirement files that they name.
    """
    document = _document(folder)
    tool = {key: each for key, each in _table(document, "tool").items() if key not in _NO_BUILD}
    named = {*_named_by_pyproject(tool), *_named_by_setup_cfg(folder), *_named_by_setup_py(folder)}
    return _digest(
        {
            "pyproject.toml": {**document, "tool": tool}
            if document
            else _read(folder / "pyproject.toml").hex(),
            **{name: _read(folder / name).hex() for name in ("setup.py", "setup.cfg")},
            **{f"file {name}": _read(folder / name).hex() for name in named},
        }
    )


def _named_by_pyproject(tool: Mapping[str, Any]) -> Iterator[str]:
    """List the requirement files that setuptools, or a metadata hook of hatch, is told of.

    https://setuptools.pypa.io/en/latest/userguide/pyproject_config.html#dynamic-metadata
    https://github.com/repo-helper/hatch-requirements-txt
    """
    dynamic = _table(_table(tool, "setuptools"), "dynamic")
    yield from _files_of([dynamic.get(key) for key in _DEPENDENCIES])
    yield from _files_of(_table(_table(_table(tool, "hatch"), "metadata"), "hooks"))


def _named_by_setup_cfg(folder: Path) -> Iterator[str]:
    """List the files behind ``file:`` in the options that hold dependencies."""
    text = _text(folder / "setup.cfg")
    if "file:" not in text:
        return
    import configparser  # noqa: PLC0415  (few need it; a check must stay instant)

    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return  # setuptools will say so
    for section in ("options", "options.extras_require"):
        for _, value in parser.items(section) if parser.has_section(section) else ():
            for names in re.findall(r"file:\s*([^\n]+)", value or ""):
                yield from (name.strip() for name in names.split(","))


def _named_by_setup_py(folder: Path) -> list[str]:
    """List what looks like a requirement file: its code reads them as it likes."""
    return re.findall(r"""["']([\w./-]+\.(?:txt|in))["']""", _text(folder / "setup.py"))


def _files_of(value: object, key: str = "") -> Iterator[str]:
    """List the files named under the keys `file` and `files` of tables, at any depth."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _files_of(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _files_of(each, key)
    elif isinstance(value, str) and key in _FILE_KEYS:
        yield value


def _table(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _document(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = tomllib.loads(_read(folder / "pyproject.toml").decode())
    except (ValueError, RecursionError):
        return {}  # pip will say so
    return found


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _text(path: Path) -> str:
    return _read(path).decode(errors="replace")


def _read(path: Path) -> bytes:
    try:
        return _witness.read(path)
    except (OSError, ValueError):  # the latter for a NUL in a name
        return b""
