"""Locks for a Python other than the one that runs nox, made by that Python."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from support.locks import pins
from support.project import Project, interpreters

if TYPE_CHECKING:
    from pathlib import Path

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
NOXFILE = """
import nox_lock

nox_lock.add_sessions()


@nox_lock.session(lock="requirements", python=PYTHONS)
def tests(session):
    session.run("python", "-c", "import idna")
"""


def other_python() -> tuple[str, Path]:
    """Return a supported Python that is not this one, or skip with the reason."""
    supported = ("3.10", "3.11", "3.12", "3.13")
    found = [(v, path) for v, path in interpreters().items() if v in supported and v != HERE]
    if not found:
        pytest.skip("there is no other Python from 3.10 to 3.13 on this machine")
    return found[0]


@pytest.mark.network
def test_each_python_has_its_own_lock(tmp_path: Path) -> None:
    """Two Pythons: two lock files, each compiled by its own, each session installs its own."""
    other, path = other_python()
    env = {"PATH": f"{path.parent}{os.pathsep}{os.environ['PATH']}"}
    project = Project(tmp_path / "project", tmp_path / "home", env=env)
    project.write("noxfile.py", NOXFILE.replace("PYTHONS", repr([HERE, other])))
    project.write(
        "requirements.in",
        f'idna==3.6 ; python_version == "{HERE}"\nidna==3.7 ; python_version == "{other}"\n',
    )
    first = project.nox("-s", "lock").ok()
    assert "preparing pip-tools" in first.output
    names = {version: f"requirements-py{version}.txt" for version in (HERE, other)}
    assert pins(project.read(names[HERE])) == {"idna": "3.6"}
    assert pins(project.read(names[other])) == {"idna": "3.7"}
    assert f"pip-compile with Python {other}\n" in project.read(names[other])
    assert not project.exists("requirements.txt")

    again = project.nox("-s", "lock", "lock-check").ok()
    assert "compil" not in again.output
    project.nox("-s", "tests").ok()
    assert project.venv_versions(f"tests-{HERE.replace('.', '-')}")["idna"] == "3.6"
    assert project.venv_versions(f"tests-{other.replace('.', '-')}")["idna"] == "3.7"

    # The environment with pip-tools is kept for the next lock.
    project.write("requirements.in", "idna<3.8\n")
    second = project.nox("-s", "lock").ok()
    assert "preparing" not in second.output
    assert pins(project.read(names[other])) == {"idna": "3.7"}


def test_a_python_that_is_missing(project: Project) -> None:
    """A target without an interpreter is told as such, and nothing is written."""
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("requirements.in", "idna\n")
    project.write("pyproject.toml", '[tool.nox-lock]\npython = ["3.99"]\n')
    before = project.snapshot()
    run = project.nox("-s", "lock", env={"CI": "1"}).failed()
    assert "Python 3.99 is not on this machine" in run.output
    assert project.snapshot() == before


def test_a_session_on_a_python_without_lock(project: Project) -> None:
    """A session on another Python than its lock's is told what to configure."""
    project.write("noxfile.py", NOXFILE.replace(", python=PYTHONS", ""))
    project.write("requirements.in", "idna\n")
    project.write("pyproject.toml", '[tool.nox-lock]\npython = ["3.99"]\n')
    run = project.nox("-s", "tests").failed()
    assert f"this session runs Python {HERE}; the lock 'requirements' is for 3.99" in run.output
    assert f'python = ["3.99", "{HERE}"]' in run.output
