"""What only a build says: by the target's own Python where that is here, else with a note."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock.locking.changes import COMPILED, RESTORED
from nox_lock.target import running_platform
from support.compiles import CompileFolder
from support.offers import Offer
from support.project import Project, interpreters
from support.pythons import HERE
from support.scripted import NOT_FOUND, ScriptedIndex
from support.sdists import build_sdist, project_files
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
# Which Python and system builds it, it depends on.
CODE = """
def requires():
    return ["dep=={}.{}".format(*sys.version_info), "on-" + os.name]
"""
NEVER = "raise SystemExit('it must not be built')"
FOREIGN = "darwin" if sys.platform != "darwin" else "linux"
WHO = f"Python {HERE} on {running_platform().system}"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedIndex]:
    offer, files = Offer(), tmp_path_factory.mktemp("files")
    for version in PYTHONS:
        offer.add(build_wheel(files, "dep", version))
    for name in ("on-posix", "on-nt", "extra", "more"):
        offer.add(build_wheel(files, name, "1.0"))
    offer.add(build_sdist(files, "dynamic", "2024.07.01", code=CODE))
    for name, dynamic in {"known": "", "half": "License", "open": "requires-dist"}.items():
        lines = ["Metadata-Version: 2.2", "Requires-Dist: extra; sys_platform == 'darwin'"]
        lines += ["Provides-Extra: plus", "Requires-Dist: more; extra == 'plus'"]
        lines += [f"Dynamic: {dynamic}"] if dynamic else []
        code = CODE if name == "open" else NEVER
        version = "1.0" if name == "open" else "2024.07.01"
        offer.add(build_sdist(files, name, version, code=code, metadata="\n".join(lines)))
    broken = "print('\\x1b[2Jred')\nraise SystemExit('it needs Cocoa')"
    offer.add(build_sdist(files, "native", code=broken))
    with ScriptedIndex(NOT_FOUND, offer.answers()) as scripted:
        yield scripted


@pytest.fixture
def folder(tmp_path: Path, index: ScriptedIndex) -> CompileFolder:
    return CompileFolder(tmp_path, index.url)


def other_python() -> str:
    """Return a Python of this machine that can run the driver and is not this one, or skip."""
    for version in ("3.12", "3.10", "3.13", "3.11"):
        if version != HERE and version in interpreters():
            return version
    pytest.skip("there is no other Python from 3.10 to 3.13 on this machine")


def write_inputs(folder: CompileFolder, python: str) -> None:
    """Ask for a source distribution, a folder and the project itself: each has to be built."""
    files = project_files("mine", code=CODE)
    config = f'[tool.nox-lock]\npython = "{python}"\n[tool.nox-lock.locks.requirements]\n'
    config += 'inputs = ["pyproject.toml", "requirements.in"]\n'
    folder.write(files | {"pyproject.toml": files["pyproject.toml"] + config})
    folder.write({f"lib/{n}": text for n, text in project_files("lib", code=CODE).items()})
    folder.write({"requirements.in": "dynamic\n./lib\n"})


def test_the_interpreter_of_the_target_builds(folder: CompileFolder, bytecode: Path) -> None:
    other = other_python()
    folder.share_bytecode(bytecode)
    write_inputs(folder, other)
    folder.environ["PATH"] = str(interpreters()[other].parent)
    compiled = folder.run()
    assert f"dep=={other} " in compiled.body
    assert compiled.notes == ()
    assert folder.order().python.target.version == other


def test_without_it_a_note_names_what_another_built(folder: CompileFolder) -> None:
    """Whichever versions are spelled how; and it is kept with the lock in the cache."""
    other = "3.14" if HERE != "3.14" else "3.13"
    write_inputs(folder, other)
    folder.hide_pythons()
    made = folder.lock()
    assert made.action == COMPILED
    assert f"dep=={HERE} " in (made.text or "")
    assert made.notes == (
        (
            f"only a build says what these depend on, and {WHO} built them, not Python {other}: "
            "lib==1.0, dynamic==2024.7.1, pyproject.toml"
        ),
    )
    restored = folder.lock()
    assert (restored.action, restored.notes) == (RESTORED, made.notes)


def test_static_metadata_is_read_without_a_build(folder: CompileFolder) -> None:
    """Since metadata 2.2 a source distribution says what may change with each build (PEP 643)."""
    folder.write(
        {
            "pyproject.toml": f'[tool.nox-lock]\nplatforms = ["{FOREIGN}"]\n',
            "requirements.in": "dynamic\nhalf\nknown[plus]\nopen\n",
        }
    )
    compiled = folder.run()
    mac = ["extra==1.0"] if FOREIGN == "darwin" else []
    assert [pin.shown for pin in compiled.lock.pins] == [
        f"dep=={HERE}",
        "dynamic==2024.7.1",
        *mac,
        "half==2024.7.1",
        "known==2024.7.1",
        "more==1.0",
        f"on-{os.name}==1.0",
        "open==1.0",
    ]
    assert compiled.notes == (
        (
            f"only a build says what these depend on, and {WHO} built them, "
            f"not Python {HERE} on {FOREIGN}: dynamic==2024.7.1, open==1.0"
        ),
    )


def test_no_wheel_of_another_python_comes_from_the_cache(folder: CompileFolder) -> None:
    """pip keeps what it builds, and would take it for any Python that its name fits."""
    assert folder.cache.folder is not None
    kept = folder.cache.folder / "pip-tools"
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--cache-dir", str(kept)]
    command += ["--wheel-dir", str(folder.home / "wheels"), "dynamic"]
    subprocess.run(command, env=folder.environ, cwd=folder.home, check=True)
    assert len(list(kept.rglob("*.whl"))) == 1
    folder.hide_pythons()
    folder.write({"requirements.in": "dynamic\n"})
    folder.write({"pyproject.toml": '[tool.nox-lock]\npython = "3.99"\n'})
    (note,) = folder.run().notes
    assert "not Python 3.99: dynamic==2024.7.1" in note


@pytest.fixture
def project(tmp_path: Path, index: ScriptedIndex) -> Project:
    made = Project(tmp_path / "project", tmp_path / "home", env={"PIP_INDEX_URL": index.url})
    made.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    return made


def test_a_build_that_fails_for_another_platform_fails_alone_by_nox(project: Project) -> None:
    here = running_platform().system
    project.write("pyproject.toml", f"[tool.nox-lock]\nplatforms = ['{here}', '{FOREIGN}']\n")
    project.write("requirements.in", f"dep\n\nnative; sys_platform == '{FOREIGN}'\n")
    said = project.nox("-s", "lock").failed().output.replace("nox > ", "")
    assert (
        "requirements.in:3: native has to be built to be locked, and its build failed: "
        "it needs Cocoa\n"
        "  \\x1b[2Jred\n"  # nothing that a terminal obeys
        "  it needs Cocoa\n"
    ) in said
    assert f"It cannot be built here: lock on {FOREIGN}\n" in said
    assert "dep==3.14" in project.read(f"requirements-{here}.txt")
    assert not project.exists(f"requirements-{FOREIGN}.txt")
    assert f"not locked: requirements-{FOREIGN}.txt\n" in said


@pytest.mark.long
def test_notes_by_nox(project: Project) -> None:
    """Of what another Python built, when it is made and when it comes from the cache."""
    project.write("pyproject.toml", "[tool.nox-lock]\npython = ['3.99']\n")
    project.write("requirements.in", "dynamic\n")
    note = f"{WHO} built them, not Python 3.99: dynamic==2024.7.1"
    first = project.nox("-s", "lock").ok().output
    assert note in first
    assert "is not on this machine" not in first
    made = project.read("requirements.txt")
    assert f"dep=={HERE}" in made
    (project.root / "requirements.txt").unlink()
    again = project.nox("-s", "lock").ok().output
    assert note in again
    assert "compiled in" not in again
    assert project.read("requirements.txt") == made
