"""`build-constraints`: limits on what builds use, when locking and in sessions."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from support.locks import pins
from support.prepared import Prepared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.project import Project

NOXFILE = """
import nox_lock

nox_lock.add_sessions()


@nox_lock.session(lock="requirements", venv_backend="{backend}")
def tests(session):
    session.run("python", "-c", "import built")
"""
LIMITED = '[tool.nox-lock]\nbuild-constraints = ["limits.txt"]\n'
NONE = "setuptools<1\n"
ANY = "setuptools>=64\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, seeds: dict[str, str]) -> Iterator[Prepared]:
    """Make a lock of a requirement that has to be built, within limits that a build can meet."""
    # pip and uv part the variables that name such files at blanks.
    with Prepared(tmp_path_factory.mktemp("own name"), seeds) as prepared:
        project = prepared.project
        prepared.index.publish_sdist("built", "1.0")
        project.write("noxfile.py", NOXFILE.format(backend="virtualenv"))
        project.write("requirements.in", "built\n")
        project.write("pyproject.toml", LIMITED)
        project.write("limits.txt", ANY)
        project.nox("-s", "lock").ok()
        prepared.freeze()
        yield prepared


@pytest.fixture
def limited(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    """Return a project with that lock, in a folder with a blank, too."""
    yield from made.lend(tmp_path / "own name")


def test_they_limit_what_a_compile_builds(limited: Project) -> None:
    """A lock made within other limits is stale; its header's command is for no bot."""
    assert pins(limited.read("requirements.txt")) == {"built": "1.0"}
    assert "\n#    nox -s lock\n" in limited.read("requirements.txt")
    limited.nox("-s", "lock-check").ok()
    limited.write("limits.txt", NONE)
    run = limited.nox("-s", "lock-check").failed()
    assert "it was locked without limits.txt as it is now (limits.txt:1)" in run.output
    before = limited.read("requirements.txt")
    run = limited.nox("-s", "lock").failed()
    assert (
        "requirements.in:1: built has to be built to be locked, and its build failed" in run.output
    )
    assert "setuptools" in run.output
    assert limited.read("requirements.txt") == before


def test_they_limit_the_build_of_an_input(limited: Project) -> None:
    """A project whose dependencies only its build knows is built within them, too."""
    for name in ("requirements.in", "requirements.txt"):
        (limited.root / name).unlink()
    limited.write("setup.py", "from setuptools import setup\nsetup(install_requires=['built'])\n")
    own = '[tool.nox-lock.locks.requirements]\ninputs = ["setup.py"]\n'
    limited.write("pyproject.toml", LIMITED + own)
    limited.write("limits.txt", NONE)
    run = limited.nox("-s", "lock").failed()
    assert "setup.py: setup.py has to be built to be locked, and its build failed" in run.output
    limited.write("limits.txt", ANY)
    limited.nox("-s", "lock").ok()
    assert pins(limited.read("requirements.txt")) == {"built": "1.0"}


@pytest.mark.parametrize("backend", ["virtualenv", "uv"])
def test_they_limit_what_a_session_builds(limited: Project, backend: str) -> None:
    if backend == "uv" and importlib.util.find_spec("uv") is None:
        pytest.skip("uv is not installed")
    limited.env |= {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"}
    limited.write("noxfile.py", NOXFILE.format(backend=backend))
    limited.nox("-s", "tests").ok()
    # The same lock file, which somebody else made within other limits.
    text = limited.read("requirements.txt")
    limited.write("limits.txt", NONE)
    limited.write("pyproject.toml", f"{LIMITED}on-stale = 'error'\n")
    stamp = "# nox-lock:"
    limited.write(
        "requirements.txt", "".join(x for x in text.splitlines(True) if not x.startswith(stamp))
    )
    run = limited.nox("--reuse-venv=never", "-s", "tests").failed()
    assert "not all that is locked could be installed" in run.output
    assert "built==1.0 (requirements.txt:" in run.output


def test_a_file_that_is_not_there(limited: Project) -> None:
    (limited.root / "limits.txt").unlink()
    run = limited.nox("-s", "lock-check").failed()
    assert (
        "pyproject.toml:2: build-constraints: limits.txt cannot be read: No such file" in run.output
    )
    limited.write("pyproject.toml", '[tool.nox-lock]\nbuild-constraints = ["../limits.txt"]\n')
    run = limited.nox("-s", "lock-check").failed()
    assert "`tool.nox-lock.build-constraints`: '../limits.txt' is not inside" in run.output
