"""An environment is used again if it is this folder's, and has the Python that the session says."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from support.project import Project
from support.pythons import HERE, three_pythons, with_pythons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.prepared import Prepared

# Without a `python=` it is that of nox, which is HERE.
OTHER = next(version for version in ("3.12", "3.11", "3.10") if version != HERE)
ANOTHER_PYTHON = "was created with another Python"
ANOTHER_FOLDER = "was created in another folder"
AGAIN = "creating it again"
PRINT = "'import sys, app; print(sys.prefix, *sys.version_info[:2])'"
NOXFILE = """
    import nox
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", venv_backend="{backend}"{more})
    def tests(session):
        session.run("python", "-c", {code})
"""
PLAIN = """
    import nox
    import nox_lock

    nox_lock.add_sessions()


    @nox.session(venv_backend="uv|virtualenv", reuse_venv=True)
    @nox.parametrize("d", [4], ids=["d4"])
    def tests(session, d):
        nox_lock.install(session, "requirements")
        session.run("python", "-c", {code})
"""


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    """Return a project with a lock for two Pythons."""
    if OTHER not in three_pythons():
        pytest.skip(f"there is no Python {OTHER}")
    prepared.index.publish("app", "1.0")
    project = prepared.project
    project.env.update(with_pythons([HERE, OTHER]))
    project.write("requirements.in", "app\n")
    project.write("pyproject.toml", f"[tool.nox-lock]\npython = ['{HERE}', '{OTHER}']\n")
    project.write("noxfile.py", NOXFILE.format(backend="uv|virtualenv", more="", code=PRINT))
    project.nox("-s", "lock").ok()
    prepared.freeze()
    return prepared


@pytest.fixture
def project(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    yield from made.lend(tmp_path)


def say(project: Project, python: str | None, backend: str = "uv|virtualenv") -> None:
    more = f", python={python!r}" if python else ""
    project.write("noxfile.py", NOXFILE.format(backend=backend, more=more, code=PRINT))


def shown(version: str) -> str:
    return version.replace(".", " ")


@pytest.mark.parametrize(
    "backend", ["uv|virtualenv", pytest.param("virtualenv", marks=pytest.mark.long)]
)
def test_the_python_that_a_session_says(project: Project, backend: str) -> None:
    """Also in CI; under -R, where no environment can be created, it is an error."""
    say(project, HERE, backend)
    assert f"tests {shown(HERE)}\n" in project.nox("-s", "tests").ok().stdout
    say(project, OTHER, backend)
    refused = project.nox("-R", "-s", "tests").failed()
    assert f"tests {ANOTHER_PYTHON}\n" in refused.output
    assert "Run: nox --reuse-venv=never -s tests" in refused.output
    run = project.nox("-s", "tests", env={"CI": "1"}).ok()
    assert f"tests {ANOTHER_PYTHON}: {AGAIN}" in run.output
    assert f"tests {shown(OTHER)}\n" in run.stdout
    say(project, f"python{OTHER}", backend)
    run = project.nox("-s", "tests").ok()
    assert f"tests {shown(OTHER)}\n" in run.stdout
    assert AGAIN not in run.output


def test_a_python_of_the_command_line(project: Project) -> None:
    """nox gives all Pythons of a parametrized session one environment, if they are from `-P`."""
    project.write("noxfile.py", PLAIN.format(code=PRINT))
    for options, version, again in (
        (("-P", HERE), HERE, False),
        (("-P", OTHER), OTHER, True),
        (("-P", OTHER), OTHER, False),
        ((), HERE, True),
    ):
        run = project.nox(*options, "-s", "tests(d4)").ok()
        assert f"tests-d4 {shown(version)}\n" in run.stdout
        assert (AGAIN in run.output) is again


def test_a_python_of_venv_params_is_left_alone(project: Project) -> None:
    more = f", venv_params=['--python', '{OTHER}']"
    project.write("noxfile.py", NOXFILE.format(backend="virtualenv", more=more, code=PRINT))
    for _ in range(2):
        run = project.nox("-s", "tests").ok()
        assert f"tests {shown(OTHER)}\n" in run.stdout
        assert AGAIN not in run.output


def test_an_environment_belongs_to_its_folder(project: Project, tmp_path: Path) -> None:
    """The scripts of a copy are those of the original, and in a folder that moved they are lost."""
    code = 'session.run("pip", "--version")  # '
    text = NOXFILE.format(backend="virtualenv", more="", code=PRINT)
    project.write("noxfile.py", text.replace('session.run("python"', f'{code}"python"'))
    assert f"from {project.root}" in project.nox("-s", "tests").ok().stdout
    copy = Project(tmp_path / "copy", project.home, project.index, project.env)
    shutil.copytree(project.root, copy.root, symlinks=True, dirs_exist_ok=True)
    run = copy.nox("-s", "tests").ok()
    assert f"tests {ANOTHER_FOLDER}: {AGAIN}" in run.output
    assert f"from {copy.root}" in run.stdout
    moved = Project(tmp_path / "moved", project.home, project.index, project.env)
    moved.root.rmdir()
    copy.root.rename(moved.root)
    assert f"tests {ANOTHER_FOLDER}\n" in moved.nox("-R", "-s", "tests").failed().output
    for again in (True, False):
        run = moved.nox("-s", "tests").ok()
        assert f"from {moved.root}" in run.stdout
        assert (AGAIN in run.output) is again
