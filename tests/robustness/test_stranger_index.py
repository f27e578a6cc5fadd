"""Folders that have the name of an index, which pip takes for it: `http:/host/simple/` is a path.

pip looks whether there is such a folder before it asks a host, as from where it runs.
"""

from __future__ import annotations

import hashlib
import re
import sys
from typing import TYPE_CHECKING

import pytest

from support.sdists import project_files, write_archive
from support.stranger import MARKER, RUNS, lock_once
from support.verdicts import LOCK, restamped, unstamped

if TYPE_CHECKING:
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Project


named = pytest.mark.skipif(sys.platform == "win32", reason="no file can have such a name there")


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    return lock_once(prepared, "app>=1,<2\n")


def plant(project: Project, url: str) -> str:
    """Put a folder with the name of the index into a project; return the hash of what is there."""
    folder = project.root / url / "app"
    folder.mkdir(parents=True)
    archive = folder / "app-1.0.tar.gz"
    info = {"PKG-INFO": "Metadata-Version: 2.1\nName: app\nVersion: 1.0\n"}
    write_archive(archive, project_files("app", code=RUNS) | info)
    (folder / "index.html").write_text(f'<html><a href="{archive.name}">{archive.name}</a></html>')
    return hashlib.sha256(archive.read_bytes()).hexdigest()


@named
def test_without_hashes(made: Prepared, tmp_path: Path) -> None:
    """The lock file does not even change."""
    project = made.copy(tmp_path)
    bare = project.read(LOCK).replace(" --generate-hashes", "")
    project.write(LOCK, unstamped(re.sub(r" \\\n    --hash=\S+", "", bare).encode()).decode())
    env = {"CI": "1", "STRANGER": str(project.root)}
    project.nox("-s", "lock-check", env=env).ok()
    plant(project, made.index.url)
    check = project.nox("-s", "lock-check", env=env)
    run = project.nox("-s", "tests", env=env)
    assert not project.exists(MARKER), f"code ran.\n{check.output}\n{run.output}"
    check.failed()


@named
def test_deep_sees_who_publishes_a_hash(made: Prepared, tmp_path: Path) -> None:
    project = made.copy(tmp_path)
    good = project.read(LOCK)
    evil = plant(project, made.index.url)
    changed = re.sub("sha256:[0-9a-f]+", f"sha256:{evil}", good)
    assert changed != good
    (project.root / LOCK).write_bytes(restamped(changed.encode()))
    env = {"CI": "1", "STRANGER": str(project.root)}
    check = project.nox("-s", "lock-check", "--", "--deep", env=env)
    assert "fresh" not in check.output, check.output
    assert not project.exists(MARKER), f"code ran.\n{check.output}"


@named
def test_no_lock_is_made_from_there(made: Prepared, tmp_path: Path) -> None:
    project = made.copy(tmp_path)
    plant(project, made.index.url)
    env = {"STRANGER": str(project.root)}
    for options in (["--upgrade"], ["--upgrade", "--together"]):
        run = project.nox("-s", "lock", "--", *options, env=env).failed()
        assert "rename or delete it" in run.output
    (project.root / LOCK).unlink()
    project.nox("-s", "tests", env=env).failed()
    assert not project.exists(MARKER)
    assert not project.exists(LOCK)


@named
def test_an_environment_that_holds_its_lock(made: Prepared, tmp_path: Path) -> None:
    """It is not looked at again, while nothing has changed: such a folder is a change."""
    project = made.copy(tmp_path)
    for _ in range(2):
        project.nox("-s", "tests").ok()
    plant(project, made.index.url)
    assert "rename or delete it" in project.nox("-s", "tests").failed().output


@named
def test_names_with_a_colon(made: Prepared, tmp_path: Path) -> None:
    """Windows leaves such files beside downloads; they begin no URL."""
    project = made.copy(tmp_path)
    for name in ("notes.txt:Zone.Identifier", "profile:x", "a:b"):
        project.write(name, "")
    project.nox("-s", "lock-check").ok()


def test_a_module_that_is_named_pip(made: Prepared, tmp_path: Path) -> None:
    """`python -m pip` looks for it in the folder that it runs in first."""
    project = made.copy(tmp_path)
    project.write("pip.py", f"import os, pathlib{RUNS}")
    env = {"CI": "1", "STRANGER": str(project.root)}
    check = project.nox("-s", "lock-check", env=env)
    run = project.nox("-s", "tests", env=env)
    assert not project.exists(MARKER), f"code ran.\n{check.output}\n{run.output}"
