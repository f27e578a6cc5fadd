"""Lock files without their inputs, as in an image of a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.locks import hashed_pin, stamp_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Project

NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements")
    def tests(session):
        session.run("python", "-c", "import app; print('it runs')")


    @nox_lock.session(lock="dev", venv_backend="none")
    def other(session):
        pass
"""
INSTALL = {"NOX_LOCK_ON_STALE": "install", "CI": "1"}
LOCK, INPUT = "requirements.txt", "requirements.in"


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    project, index = prepared.project, prepared.index
    dep = hashed_pin(index.publish("dep", "1.0"), "app")
    app = index.publish("app", "1.0", requires=["dep"])
    project.write(INPUT, "app\n")
    project.write("requirements-dev.in", "app\n")
    project.write("noxfile.py", NOXFILE.replace(', venv_backend="none"', ""))
    bodies = {
        "requirements": hashed_pin(app, f"-r {INPUT}") + dep,
        "dev": hashed_pin(app, "-r requirements-dev.in") + dep,
    }
    stamp_all(project.root, bodies)
    (project.root / INPUT).unlink()
    (project.root / "requirements-dev.in").unlink()
    prepared.freeze()
    return prepared


@pytest.fixture
def project(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    yield from made.lend(tmp_path)


def test_what_is_locked_is_installed_if_that_is_wanted(project: Project) -> None:
    """With one warning each time, in CI too; by default what is missing is named."""
    before = project.read(LOCK)
    said = project.nox("-s", "tests", env={"CI": "1"}).failed().output
    assert f"requirements-dev.in, {INPUT} is not here" in said
    assert 'on-stale = "install"' in said
    for _ in range(2):
        said = project.nox("-s", "tests", env=INSTALL).ok().output
        assert "it runs" in said
        assert said.count(f"there is no {INPUT}: without it nobody knows") == 1
    for command in ("lock", "lock-check"):
        run = project.nox("-s", command, env=INSTALL).failed()
        assert f"requirements-dev.in, {INPUT} is not here" in run.output
    assert project.read(LOCK) == before


@pytest.mark.parametrize(
    "line", ["app>=1.0", "-r other.txt", "dep==1.0 --hash=sha256:0"], ids=["pin", "include", "hash"]
)
def test_what_is_no_lock_file_is_not_installed(project: Project, line: str) -> None:
    project.write("other.txt", "dep==1.0\n")
    project.write(LOCK, f"{project.read(LOCK)}{line}\n")
    said = project.nox("-s", "tests", env=INSTALL).failed().output
    assert "it runs" not in said
    assert f"{LOCK}:" in said


def test_a_stale_lock_file_is_installed_if_that_is_wanted(project: Project) -> None:
    project.write(INPUT, "app>=2\n")
    project.write("requirements-dev.in", "app\n")
    project.write("pyproject.toml", '[tool.nox-lock]\non-stale = "install"\n')
    said = project.nox("-s", "tests", env={"CI": "1"}).ok().output
    assert "it runs" in said
    assert f"{LOCK} is stale, and installed: app>=2 is not met by app==1.0" in said
