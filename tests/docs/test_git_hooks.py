"""Locks and sessions inside a hook of git, which passes its variables on to all it starts."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from support.backend import project_table, write_own_backend
from support.git import begin, git

if TYPE_CHECKING:
    from support.project import Project


# uv takes no notice of what git says to hooks: pip is the one that would be misled.
NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", venv_backend="virtualenv")
    def tests(session):
        session.run("python", "-c", "import library; print('library runs')")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the hook is a shell script")
def test_a_clone_in_a_hook_leaves_the_commit_alone(project: Project) -> None:
    """`git commit --all` names its own index, which a clone would take for that of the clone."""
    library, home = project.root.parent / "library", project.home
    library.mkdir()
    (library / "pyproject.toml").write_text(project_table("library"), encoding="utf-8")
    (library / "library.py").write_text("", encoding="utf-8")
    write_own_backend(library)
    begin(library, home)
    commit = git(library, home, "rev-parse", "HEAD").strip()

    project.write("noxfile.py", NOXFILE)
    project.write("pyproject.toml", "[tool.nox-lock]\ngenerate-hashes = false\n")
    project.write(".gitignore", "__pycache__/\n.nox/\n")
    project.write("requirements.in", "# nothing yet\n")
    begin(project.root, home)
    index_url = shlex.quote(project.environment()["PIP_INDEX_URL"])
    run = f"PIP_INDEX_URL={index_url} exec {shlex.quote(sys.executable)} -m nox -s lock tests"
    project.write(".git/hooks/pre-commit", f"#!/bin/sh\n{run}\n").chmod(0o755)

    project.write("requirements.in", f"library @ git+{library.as_uri()}@{commit}\n")
    said = git(project.root, home, "commit", "--all", "--message", "Need it")
    assert "library runs" in said
    assert f"library@{commit}\n" in project.read("requirements.txt")
    tracked = git(project.root, home, "ls-tree", "-r", "--name-only", "HEAD").split()
    assert tracked == [".gitignore", "noxfile.py", "pyproject.toml", "requirements.in"]
