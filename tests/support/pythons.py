"""Pythons beside the one that runs the tests, and pip-tools made for them once for all tests."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from support.project import Project, interpreters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
# One that no machine has, nor will have.
MISSING = "3.99"
# The first and the last of the first three are told apart by markers in tests.
_PREFERRED = tuple(dict.fromkeys((HERE, "3.10", "3.12", "3.11", "3.13")))


def three_pythons() -> list[str]:
    """Return three supported Pythons of this machine, this one among them, the oldest first.

    Skips where there are fewer.
    """
    found = [version for version in _PREFERRED if version in interpreters()][:3]
    if len(found) < 3:
        pytest.skip(f"three Pythons from 3.10 to 3.13 are needed; here are {', '.join(found)}")
    return sorted(found, key=lambda version: int(version.partition(".")[2]))


def with_pythons(versions: Iterable[str]) -> dict[str, str]:
    """Return the PATH on which nox and virtualenv find these Pythons."""
    folders = [str(interpreters()[version].parent) for version in versions]
    return {"PATH": os.pathsep.join([*folders, os.environ["PATH"]])}


def make_tools(folder: Path, env: Mapping[str, str]) -> Path:
    """Make pip-tools for `three_pythons`, from the real index; return the folder they are in."""
    versions = three_pythons()
    project = Project(folder / "project", folder / "home", env={**env, **with_pythons(versions)})
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("pyproject.toml", f"[tool.nox-lock]\npython = {versions}\n")
    project.write("requirements.in", "# nothing\n")
    project.nox("-s", "lock").ok()
    return project.home / "nox-lock-cache" / "tools"


def lend_tools(tools: Path, project: Project) -> Iterator[Project]:
    """Let a project use the tools that were made."""
    cache = project.home / "nox-lock-cache"
    cache.mkdir(parents=True, exist_ok=True)
    if (cache / "tools").is_dir():  # nox-lock made its folders before
        (cache / "tools").rmdir()
    (cache / "tools").symlink_to(tools, target_is_directory=True)
    project.env.update(with_pythons(three_pythons()))
    yield project
    (cache / "tools").unlink(missing_ok=True)
