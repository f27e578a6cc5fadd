"""Full, read-only and foreign disks: the old lock stays, and a cache that fails is done without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.faults import (
    fill,
    leftovers,
    make_read_only,
    of_nobody,
    small_disk,
    with_file_limit,
    without_power,
)
from support.locks import pins
from support.project import Project, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Run

NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()
"""
LOCK, INPUT = "requirements.txt", "requirements.in"
WARNING = "continuing without a cache"


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    """Return a project with a lock; its cache has the lock of another input, too."""
    index, project = prepared.index, prepared.project
    index.publish("app", "1.0", requires=["lib"])
    index.publish("lib", "1.0")
    index.publish("other", "1.0")
    project.write("noxfile.py", NOXFILE)
    for text in ("app\nother\n", "app\n"):
        project.write(INPUT, text)
        (project.root / LOCK).unlink(missing_ok=True)
        project.nox("-s", "lock").ok()
    prepared.freeze()
    return prepared


@pytest.fixture
def here(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    """Return a project with a lock, which an edit has made stale; the cache has the new one."""
    project = made.copy(tmp_path)
    project.write(INPUT, "app\nother\n")
    yield project
    project.close()


def moved(project: Project, disk: Path) -> Project:
    """Return the project on another disk; its home stays."""
    shutil.copytree(project.root, disk, dirs_exist_ok=True)
    other = Project(disk, project.home, project.index, project.env)
    other.prefix = project.prefix
    return other


def told_without_traceback(run: Run) -> str:
    return run.failed().output


@pytest.mark.parametrize(
    ("spoil", "told"), [(fill, "No space left on device"), (make_read_only, "Read-only file")]
)
def test_a_project_that_cannot_be_written_keeps_its_lock(
    here: Project, tmp_path: Path, spoil: Callable[[Path], None], told: str
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        project = moved(here, disk)
        before = project.read(LOCK)
        spoil(disk)
        said = told_without_traceback(project.nox("-s", "lock"))
        assert f"{LOCK}: cannot be written: {told}" in said
        assert "it is unchanged" in said
        assert str(disk) not in said
        assert project.read(LOCK) == before
        assert leftovers(disk) == []
        assert set(project.snapshot()) - {"filler"} == {"noxfile.py", INPUT, LOCK}


@pytest.mark.parametrize("spoil", [fill, make_read_only])
def test_a_cache_that_cannot_be_written_costs_the_cache(
    here: Project, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """One warning, and the lock is made, with nothing of the compile left behind."""
    with small_disk(tmp_path / "disk") as disk:
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        for part in ("v2/locks", "v2/busy", "v2/work", "pip-tools", "bytecode"):
            (disk / part).mkdir(parents=True)
        spoil(disk)
        env = {"NOX_LOCK_CACHE_DIR": str(disk), "TMPDIR": str(temporary)}
        run = here.nox("-s", "lock", env=env).ok()
        assert run.output.count(WARNING) == 1, run.output
        assert str(disk) not in run.output
        assert pins(here.read(LOCK)) == {"app": "1.0", "lib": "1.0", "other": "1.0"}
        assert leftovers(disk, temporary, here.root) == []
    here.nox("-s", "lock-check").ok()


SESSION = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(venv_backend="uv|virtualenv")
    def tests(session):
        session.run("python", "-c", "import app; print('app', app.__version__)")
"""


@pytest.mark.long
def test_an_environment_on_a_full_disk_is_mended_later(here: Project, tmp_path: Path) -> None:
    """What cannot be installed is told in words; with room again, the next run ends exact."""
    with small_disk(tmp_path / "disk", "96m") as disk:
        project = moved(here, disk)
        project.env["UV_LINK_MODE"] = "copy"
        project.write("noxfile.py", SESSION)
        project.write(INPUT, "app\n")
        project.nox("-s", "tests").ok()
        project.write(INPUT, "app\nother\n")
        project.nox("-s", "lock").ok()
        fill(disk)
        before = project.read(LOCK)
        told_without_traceback(project.nox("-s", "tests"))
        assert project.read(LOCK) == before
        (disk / "filler").unlink()
        project.nox("-s", "tests").ok()
        found = project.venv_versions("tests")
        assert {name: found.get(name) for name in ("app", "lib", "other")} == pins(before)
        assert leftovers(disk, here.home) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
@pytest.mark.parametrize("size", [0, 300])
def test_a_limit_on_files_leaves_the_lock_as_it_was(here: Project, size: int) -> None:
    """Neither the cache, nor a compile, nor the lock can be written: told in words."""
    before = here.read(LOCK)
    shutil.rmtree(here.home / "nox-lock-cache")
    here.prefix = with_file_limit(size)
    said = told_without_traceback(here.nox("-s", "lock"))
    assert "File too large" in said or "no folder for temporary files" in said
    assert str(here.root) not in said
    assert here.read(LOCK) == before
    assert leftovers(here.root, here.home) == []


@pytest.mark.skipif(sys.platform == "win32", reason="permission bits")
def test_a_foreign_cache_costs_the_cache(here: Project) -> None:
    """One that belongs to another user, and is closed."""
    here.prefix = without_power()
    cache = here.home / "nox-lock-cache"
    if os.geteuid() == 0:
        os.chown(cache, 54321, 54321)
        cache.chmod(0o700)
    else:
        cache.chmod(0)
    try:
        run = here.nox("-s", "lock").ok()
    finally:
        cache.chmod(0o700)
    assert run.output.count(WARNING) == 1, run.output
    assert pins(here.read(LOCK)) == {"app": "1.0", "lib": "1.0", "other": "1.0"}


@pytest.mark.skipif(sys.platform == "win32", reason="permission bits")
def test_a_closed_project_is_told_in_words(here: Project) -> None:
    here.prefix = without_power()
    before = here.read(LOCK)
    here.root.chmod(0o500)
    try:
        said = told_without_traceback(here.nox("-s", "lock"))
    finally:
        here.root.chmod(0o700)
    assert f"{LOCK}: cannot be written: Permission denied" in said
    assert here.read(LOCK) == before


@pytest.mark.skipif(sys.platform == "win32", reason="there a home is told otherwise")
@pytest.mark.parametrize("given", ["", "~/cache", "~somebody/cache"])
def test_without_a_home_there_is_no_cache(tmp_path: Path, given: str) -> None:
    """A user without name and home, as in some containers: no folder `~` in the project.

    New versions of nox are not even imported for such a user; so its home is lost after that.
    """
    command = [*of_nobody(), sys.executable, "-c", OPEN]
    environment = clean_environment(tmp_path, NOX_LOCK_CACHE_DIR=given)
    said = subprocess.run(
        command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    assert said.count(WARNING) == 1
    assert said.endswith("None\n")
    assert list(tmp_path.iterdir()) == []


OPEN = """
import os
import platformdirs
from nox_lock.compiling.cache import open_cache
del os.environ["HOME"]
print(open_cache(os.environ, print).folder)
"""
