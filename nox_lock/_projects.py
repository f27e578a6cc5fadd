"""What a local project's own files say of what it depends on."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING

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
    data = {name: _read(folder / name) for name in _FILES}
    facts = json.dumps({name: content.hex() for name, content in data.items()})
    try:
        project = tomllib.loads(data["pyproject.toml"].decode()).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        project = {}  # pip will say so
    if isinstance(project, dict) and "name" in project:
        dynamic = project.get("dynamic", [])
        if not {"dependencies", "optional-dependencies"} & set(dynamic):
            facts = json.dumps({key: project.get(key) for key in _KEYS}, sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:32] if any(data.values()) else ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
