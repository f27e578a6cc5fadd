"""Locking inside a hook of git, which tells all it starts of the commit that is under way."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from support.backend import project_table, publish_backend
from support.git import begin, git

if TYPE_CHECKING:
    from support.index import LocalIndex
    from support.project import Project


@pytest.mark.skipif(sys.platform == "win32", reason="the hook is a shell script")
def test_a_clone_in_a_hook_leaves_the_commit_alone(project: Project, index: LocalIndex) -> None:
    """`git commit --all` names its own index, which a clone would take for that of the clone."""
    publish_backend(index)
    library, home = project.root.parent / "library", project.home
    library.mkdir()
    (library / "pyproject.toml").write_text(project_table("library"), encoding="utf-8")
    (library / "library.py").write_text("", encoding="utf-8")
    begin(library, home)
    commit = git(library, home, "rev-parse", "HEAD").strip()

    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("pyproject.toml", "[tool.nox-lock]\ngenerate-hashes = false\n")
    project.write(".gitignore", "__pycache__/\n.nox/\n")
    project.write("requirements.in", "# nothing yet\n")
    begin(project.root, home)
    index_url = shlex.quote(project.environment()["PIP_INDEX_URL"])
    run = f"PIP_INDEX_URL={index_url} exec {shlex.quote(sys.executable)} -m nox -s lock"
    project.write(".git/hooks/pre-commit", f"#!/bin/sh\n{run}\n").chmod(0o755)

    project.write("requirements.in", f"library @ git+{library.as_uri()}@{commit}\n")
    git(project.root, home, "commit", "--all", "--message", "Ask for it")
    assert f"library@{commit}\n" in project.read("requirements.txt")
    tracked = git(project.root, home, "ls-tree", "-r", "--name-only", "HEAD").split()
    assert tracked == [".gitignore", "noxfile.py", "pyproject.toml", "requirements.in"]
