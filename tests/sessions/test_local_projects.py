"""Folders and archives in inputs, however they are written: locked, checked and installed."""

from __future__ import annotations

import re
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from support.backend import project_table, publish_backend, write_own_backend
from support.locks import pins
from support.verdicts import verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Project

NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", venv_backend="{backend}")
    def tests(session):
        session.run("python", "-c", "import a; print('a says', a.says)")
"""
# As written in an input, and as pinned. The extra of the first requires `extra`.
FORMS = {
    "./a[dev]": "a @ file:./a",
    "./b ; python_version >= '3.8'": "b @ file:./b",
    "file:c": "c @ file:./c",
    "d[dev] @ file:./d ; python_version >= '3.8'": 'd @ file:./d ; python_version >= "3.8"',
    "./e e": "e @ file:./e%20e",
    "file:./f#egg=f": "f @ file:./f",
    ".[dev]": "g @ file:.",
    "-e ./h[dev]": "-e ./h",
    "-e file:./i%20i": "-e file:./i%20i",
    "./vendor/wheel-1.0-py3-none-any.whl": "wheel @ file:./vendor/wheel-1.0-py3-none-any.whl",
    "file:vendor/source-1.0.tar.gz": "source @ file:./vendor/source-1.0.tar.gz",
}
# Of a folder, an editable and an archive: what builds them comes from the index. The others have it
# themselves, which takes half the time.
BUILT_BY_INDEX = {"a", "h", "source"}
# Builds of this one leave something behind in its folder, as those of setuptools do.
LEAVING = """

_build_alone = build_wheel


def build_wheel(*args):
    pathlib.Path("build").mkdir(exist_ok=True)
    pathlib.Path("build", "log").write_text(os.urandom(8).hex())
    return _build_alone(*args)
"""
EXTRAS = "\n[project.optional-dependencies]\ndev = ['{}-extra']\n"


def write_project(project: Project, folder: str, name: str) -> None:
    table = project_table(name, dependencies=f"['{name}-dep']")
    project.write(f"{folder}/pyproject.toml", table + EXTRAS.format(name))
    project.write(f"{folder}/{name}.py", "says = 'one'\n")
    if name not in BUILT_BY_INDEX:
        write_own_backend(project.root / folder)
    if name == "b":
        backend = project.root / folder / "backend" / "tiny_backend.py"
        backend.write_text(f"import os\n{backend.read_text('utf-8')}{LEAVING}", encoding="utf-8")


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    project, index = prepared.project, prepared.index
    publish_backend(index)
    for folder in ("a", "b", "c", "d", "e e", "f", ".", "h", "i i"):
        name = folder[0].replace(".", "g")
        write_project(project, folder, name)
        index.publish(f"{name}-dep", "1.0")
        index.publish(f"{name}-extra", "1.0")
    (project.root / "vendor").mkdir()
    shutil.copy(index.publish("wheel", "1.0"), project.root / "vendor")
    write_project(project, "source", "source")
    index.publish("source-dep", "1.0")
    with tarfile.open(project.root / "vendor/source-1.0.tar.gz", "w:gz") as archive:
        archive.add(project.root / "source", "source-1.0")
    project.write("requirements.in", "\n".join(FORMS))
    project.write("noxfile.py", NOXFILE.format(backend="uv|virtualenv"))
    project.nox("-s", "lock").ok()
    prepared.freeze()
    return prepared


@pytest.fixture
def project(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    yield from made.lend(tmp_path)


def test_each_form_is_locked(project: Project) -> None:
    """With what it requires, alone and with extras, and each pin comes from the input."""
    text = project.read("requirements.txt")
    lines = re.sub(r" \\\n.*", "", text).split("\n")
    assert [pin for pin in FORMS.values() if pin not in lines] == []
    assert "file:/" not in text
    assert text.count("# via -r requirements.in") == len(FORMS)
    wanted = {f"{name}-dep" for name in "abcdefghi"} | {"source-dep"}
    assert pins(text).keys() == wanted | {f"{name}-extra" for name in "adgh"}
    assert verdicts(project.root)["requirements.txt"].word == "fresh"


@pytest.mark.parametrize("name", ["a", "e", "h", "i"])
def test_why_reaches_the_input(project: Project, name: str) -> None:
    said = project.nox("-s", "lock", "--", "--why", f"{name}-dep").ok().output
    number = next(n for n, line in enumerate(FORMS, start=1) if re.match(rf"(.*\W)?{name}\b", line))
    assert re.search(
        rf"requirements\.txt:\d+: {name}-dep==1.0\n    .*\(requirements\.in:{number}\)", said
    ), said


def test_a_note_does_not_add_to_what_a_project_requires(project: Project) -> None:
    """Its own file says what it requires: no pin of somebody else is reached through it."""
    text = project.read("requirements.txt")
    hashes = f"--hash=sha256:{'e' * 64}"
    project.write("requirements.txt", f"{text}evil==6.6.6 {hashes}\n    # via a\n")
    [reason] = verdicts(project.root)["requirements.txt"].reasons
    assert reason.startswith("evil==6.6.6 is required by no input")


def test_a_fragment_behind_a_path(project: Project) -> None:
    project.write("requirements.in", "./a#egg=a\n")
    said = project.nox("-s", "lock").failed().output
    assert "requirements.in:1: there is no ./a#egg=a" in said
    assert "pip takes no fragment behind a path: a @ file:./a" in said


@pytest.mark.parametrize("backend", ["virtualenv", "uv"])
def test_each_form_is_installed_once(project: Project, backend: str) -> None:
    if backend == "uv":
        pytest.importorskip("uv")
    project.write("noxfile.py", NOXFILE.format(backend=backend))
    assert "a says one" in project.nox("-s", "tests").ok().output
    names = {*"abcdefghi", "wheel", "source"}
    versions = project.venv_versions("tests")
    assert names <= versions.keys()
    if backend == "virtualenv":
        assert versions["pip"] == project.env.get("VIRTUALENV_PIP", versions["pip"])
    again = project.nox("-s", "tests").ok().output
    assert "install" not in again
    project.write("a/a.py", "says = 'another'\n")
    assert "a says another" in project.nox("-s", "tests").ok().output
    assert "install" not in project.nox("-s", "tests").ok().output


@pytest.mark.parametrize("by", ["-c requirements.txt\n", "constraints = ['requirements']"])
def test_an_editable_below_constrains_nothing(project: Project, by: str) -> None:
    """pip takes no editable as a constraint; and there is one version of a project in a folder."""
    line, table = (by, "") if by.startswith("-c") else ("", by)
    project.write("requirements-dev.in", f"{line}h-dep\na[dev] @ file:./a\n")
    if table:
        config = "\n[tool.nox-lock.locks.dev]\ninputs = ['requirements-dev.in']\n"
        project.write("pyproject.toml", f"{project.read('pyproject.toml')}{config}{table}\n")
    assert project.index
    project.index.publish("h-dep", "2.0")
    project.nox("-s", "lock").ok()
    text = project.read("requirements-dev.txt")
    assert pins(text) == {"h-dep": "1.0", "a-dep": "1.0", "a-extra": "1.0"}
    assert "requirements-dev.txt: up to date" in project.nox("-s", "lock").ok().output
    project.nox("-s", "lock-check").ok()
