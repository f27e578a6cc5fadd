"""An environment that was found right is not looked at again, while nothing has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from nox_lock.checking.judge import judge
from nox_lock.environments.snapshot import Snapshot
from nox_lock.errors import NoxLockError
from nox_lock.planning.config import load_config
from nox_lock.planning.planner import plan
from nox_lock.project import fingerprint
from support.plans import open_folder
from support.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.prepared import Prepared

# What a project may be made of, and one lock file of each, so that nothing looks for older ones.
FILES = {
    "requirements.in": "-r more.in\n-c ${CAP}.txt\nlib\n--find-links ./wheels\n",
    "more.in": "app\n",
    "caps.txt": "lib<2\n",
    "requirements.txt": "app==1.0\nlib==1.0\n",
    "requirements/dev.in": "-c ../requirements.txt\ntool\n-e ./local\n",
    "requirements/dev.txt": "-e ./local\ntool==1.0\n",
    "wheels/readme": "",
    "local/setup.py": "open('needs.txt')",
    "local/setup.cfg": "[options]\ninstall_requires = file: others.txt\n",
    "local/needs.txt": "dep\n",
    "local/others.txt": "dep\n",
    "pyproject.toml": """
        [project]
        name = "mine"
        version = "1"
        dynamic = ["dependencies"]
        [project.optional-dependencies]
        cli = ["lib"]
        [dependency-groups]
        test = ["tool"]
        [tool.setuptools.dynamic]
        dependencies = { file = ["base.in"] }
        [tool.nox-lock.locks.cli]
        inputs = ["pyproject.toml"]
        extras = ["cli"]
        groups = ["test"]
        lockfile = "locks/{name}-{python}.txt"
        python = "3.11"
        """,
    "base.in": "app\n",
    "locks/cli-3.11.txt": "app==1.0\nlib==1.0\ntool==1.0\n",
}
ENVIRON = {"CAP": "caps"}
READ = """
import json, os, sys

seen, root = set(), os.path.realpath(os.getcwd())
watching = False

def note(event, arguments):
    if not watching or event not in ("open", "os.listdir", "os.scandir"):
        return
    path = os.path.realpath(os.fsdecode(arguments[0] or ".")) if arguments else root
    if path.startswith(root):
        seen.add((event, os.path.relpath(path, root)))

from pathlib import Path
from nox_lock.checking import judge
from nox_lock.inputs import pyproject
from nox_lock.planning.config import load_config
from nox_lock.planning.planner import plan
from nox_lock.project import Project

sys.addaudithook(note)
watching = True
project = Project(Path.cwd(), os.environ)
for each in plan(load_config(project)):
    judge.judge(each)
watching = False
print(json.dumps([sorted(seen), project.facts]))
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = Project(tmp_path / "project", tmp_path / "home")
    for name, text in FILES.items():
        project.write(name, text)
    monkeypatch.chdir(project.root)
    return project.root


def answer(root: Path) -> tuple[list[tuple[str, ...]], object]:
    """Judge everything; return what was read for it, and what came of it."""
    project = open_folder(root, ENVIRON)
    try:
        planned = plan(load_config(project))
        found: object = [(each.digest, each.hidden, judge(each)) for each in planned]
    except NoxLockError as error:
        found = str(error)
    return project.facts, found


def is_same(root: Path, facts: list[tuple[str, ...]], environ: dict[str, str] = ENVIRON) -> bool:
    """Return whether all of that would be read again."""
    return open_folder(root, environ).matches(facts)


def test_all_that_is_read_is_kept(root: Path) -> None:
    """Every file that a verdict opens, and every folder it lists, by Python's own account."""
    done = subprocess.run(
        [sys.executable, "-c", READ],
        cwd=root,
        env={**os.environ, **ENVIRON},
        check=True,
        capture_output=True,
        text=True,
    )
    seen, facts = json.loads(done.stdout)
    opened = {path for event, path in seen if event == "open"}
    listed = {path for event, path in seen if event != "open"}
    assert opened >= FILES.keys() - {"wheels/readme"}
    kept = {os.path.normpath(name) for kind, name, _ in facts if kind == "read"}
    assert opened <= kept
    folders = {Path(name).parent for kind, name, _ in facts if kind == "glob"}
    assert set(map(Path, listed)) <= folders | {Path()}


def edit(name: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(text, encoding="utf-8")


def link(name: str, to: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        shutil.copy(root / name, root / to)
        (root / name).unlink()
        (root / name).symlink_to(root / to)

    return change


CHANGES: dict[str, Callable[[Path], object]] = {
    "an input": edit("requirements.in", "lib\n"),
    "an input's input": edit("more.in", "app<2\n"),
    "a constraint": edit("caps.txt", "lib<1\n"),
    "a lock file": edit("requirements.txt", "app==1.0\nlib==0.9\n"),
    "a lock file above": edit("requirements/dev.txt", "tool==1.0\n"),
    "a lock file that is gone": lambda root: (root / "requirements.txt").unlink(),
    "an input that is gone": lambda root: (root / "more.in").unlink(),
    "another input": edit("requirements-docs.in", "app\n"),
    "another input in the folder": edit("requirements/docs.in", "app\n"),
    "an input that clashes": edit("requirements-dev.in", "app\n"),
    "the configuration": edit("pyproject.toml", "[tool.nox-lock]\npython = '3.12'\n"),
    "no configuration": lambda root: (root / "pyproject.toml").unlink(),
    "a local project's setup.py": edit("local/setup.py", "1"),
    "a local project's setup.cfg": edit("local/setup.cfg", "[metadata]\n"),
    "a file that setup.cfg names": edit("local/others.txt", "lib\n"),
    "a file that setup.py names": edit("local/needs.txt", "lib\n"),
    "a local project's pyproject.toml": edit("local/pyproject.toml", "[project]\n"),
    "a local project that is gone": lambda root: shutil.rmtree(root / "local"),
    "a file that the project's build reads": edit("base.in", "lib\n"),
    "the project's setup.cfg": edit("setup.cfg", "[options]\n"),
    "a folder of wheels that is gone": lambda root: shutil.rmtree(root / "wheels"),
    "a link": link("more.in", "elsewhere.in"),
}
HARMLESS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _root: None,
    "another file": edit(".coverage", "1"),
    "a wheel": edit("wheels/app.whl", "1"),
    "a module": edit("local/module.py", "1"),
    "written again": edit("more.in", FILES["more.in"]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_may_change_the_answer_is_seen(root: Path, what: str) -> None:
    facts, _ = answer(root)
    assert is_same(root, facts)
    try:
        CHANGES[what](root)
    except OSError as error:  # Windows may not allow links
        pytest.skip(str(error))
    assert not is_same(root, facts)


@pytest.mark.parametrize("what", HARMLESS)
def test_what_cannot_change_it_is_not(root: Path, what: str) -> None:
    facts, before = answer(root)
    HARMLESS[what](root)
    assert is_same(root, facts)
    assert answer(root)[1] == before


def test_a_variable_in_an_input_counts(root: Path) -> None:
    shutil.copy(root / "caps.txt", root / "other.txt")
    facts, _ = answer(root)
    assert not is_same(root, facts, {"CAP": "other"})
    assert not is_same(root, facts, {})
    assert is_same(root, facts, {**ENVIRON, "OTHER": "1"})


def test_what_changes_while_it_is_read_is_not_kept(root: Path) -> None:
    project = open_folder(root, ENVIRON)
    before = project.read("more.in")
    (root / "more.in").write_text("lib\n", encoding="utf-8")
    assert project.read("more.in") == before
    assert not is_same(root, project.facts)
    project.forget("more.in")
    assert project.read("more.in") == b"lib\n"
    assert is_same(root, project.facts)


def test_a_search_for_old_lock_files_is_seen(root: Path) -> None:
    (root / "requirements.txt").unlink()
    facts, _ = answer(root)
    assert is_same(root, facts)
    (root / "requirements-py3.9.txt").write_text("app==1.0\n", encoding="utf-8")
    assert not is_same(root, facts)


NOXFILE = """
    import sys
    import nox
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", constrain=True, venv_backend="{backend}")
    def tests(session):
        session.log("looked: %s", "nox_lock.planning.planner" in sys.modules)
        {body}
"""
ANY = "uv|virtualenv"
BY_PIP = "virtualenv"  # for a body that unsets what pip is constrained to


def noxfile(body: str = "pass", backend: str = ANY) -> str:
    return NOXFILE.format(body=body, backend=backend)


@pytest.fixture(scope="module")
def installed(prepared: Prepared) -> Prepared:
    for name in ("app", "lib"):
        for version in ("1.0", "2.0"):
            prepared.index.publish(name, version)
    prepared.project.write("noxfile.py", noxfile())
    prepared.project.write("requirements.in", "app<2\n")
    prepared.project.nox("-s", "lock").ok()
    prepared.freeze()
    return prepared


@pytest.fixture
def project(
    installed: Prepared, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Project]:
    """Return a project whose session has run until nothing is looked at, by a backend."""
    copied = installed.copy(tmp_path)
    copied.write("noxfile.py", noxfile(backend=getattr(request, "param", ANY)))
    copied.alone = True  # what is imported shows whether it was looked at
    assert looks(copied) == [True, True, False]
    yield copied
    copied.close()


def looks(project: Project, times: int = 3, **env: str) -> list[bool]:
    """Run the session some times; tell of each whether it looked at the lock files."""
    told = [project.nox("-v", "-s", "tests", env=env).ok().output for _ in range(times)]
    assert all("holds exactly what is locked" in each for each in told[1:])
    return ["looked: True" in each for each in told]


def test_a_change_is_looked_at_once(project: Project) -> None:
    """Each is mended where it has to be, and kept by the run after that at the latest."""
    site = next((project.root / ".nox" / "tests" / "lib").glob("python*")) / "site-packages"
    (site / "app-1.0.dist-info" / "METADATA").unlink()
    assert looks(project)[0:3:2] == [True, False]
    assert project.venv_versions("tests")["app"] == "1.0"
    project.write("requirements.in", "app<2\nlib<2\n")
    assert looks(project) == [True, True, False]
    assert project.venv_versions("tests")["lib"] == "1.0"
    assert looks(project, 2, CI="1") == [True, False]
    extra = site / "extra-1.0.dist-info"
    extra.mkdir()
    (extra / "METADATA").write_text("Name: extra\nVersion: 1.0\n")
    (extra / "RECORD").write_text(f"{extra.name}/METADATA,,\n{extra.name}/RECORD,,\n")
    project.nox("-s", "tests").ok()
    assert "extra" not in project.venv_versions("tests")


def test_a_noxfile_that_asks_for_more_is_looked_at(project: Project) -> None:
    more = """

    @nox_lock.session(lock="requirements", python=["3.8", "3.9"])
    def others(session):
        pass
    """
    project.write("noxfile.py", noxfile() + more)
    failed = project.nox("-s", "tests").failed()
    assert 'python = ["3.8", "3.9", ' in failed.output


@pytest.mark.parametrize("project", [BY_PIP], indirect=True)
def test_what_the_body_does_is_recorded_all_the_same(project: Project) -> None:
    """Where nobody has looked at the locks, they are read when the body has changed something."""
    body = "session.install('lib==2.0', env={'PIP_CONSTRAINT': ''})"
    elsewhere = f"session.chdir(session.create_tmp()); {body}"
    project.write("noxfile.py", noxfile(elsewhere, BY_PIP))
    told = project.nox("-v", "-s", "tests").ok().output
    assert "looked: False" in told
    assert project.nox("-s", "tests").ok().output.count("uninstall") == 0
    body = body.replace("lib==2.0", "app==2.0")
    project.write("noxfile.py", noxfile(body, BY_PIP))
    told = project.nox("-v", "-s", "tests").ok().output
    assert "app==1.0 is locked, 2.0 is installed (requirements.txt:" in told


def test_a_broken_snapshot_is_ignored(project: Project) -> None:
    snapshot = project.root / ".nox" / "tests" / "nox-lock" / "snapshot"
    for broken in ("", '{"facts": [["no such", "look", ""]]}'):
        snapshot.write_text(broken, encoding="utf-8")
        assert looks(project, 2) == [True, False]


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "facts",
    [
        *('[["no such", "look", ""]]', '[["read", "requirements.in"]]', "[1]", "1", "null"),
        *('[["glob", "", ""]]', '[["glob", "/x", ""]]', '[["variable", [], ""]]'),
        *('[["read", 1, ""]]', '[["real", "\\u0000", ""]]', '[["read", null, ""]]'),
        *('[["glob", null, ""]]', '[[["a"], "", ""]]', DEEP + "]" * len(DEEP)),
    ],
)
def test_a_broken_note_is_dropped(facts: str, tmp_path: Path) -> None:
    """Whatever is in it, of the environment as it is and what the session asks for."""
    (tmp_path / "nox-lock").mkdir()
    snapshot = Snapshot(tmp_path, "request", "state")
    note = tmp_path / "nox-lock" / "snapshot"
    snapshot.save([], "paths")
    assert snapshot.match(open_folder(tmp_path)) == "paths"
    whole = {"state": "state", "request": fingerprint("request"), "locks": "paths"}
    texts = (json.dumps({**whole, "facts": 7}).replace("7", facts), DEEP, f'{{"facts":{DEEP}')
    for text in (*texts, "{}", "[]", "\x00", "\udcff"):
        note.write_text(text, encoding="utf-8", errors="surrogateescape")
        assert snapshot.match(open_folder(tmp_path)) is None


def test_a_broken_note_stops_no_session(project: Project) -> None:
    """A deeply nested one, and folders where the notes should be."""
    notes = project.root / ".nox" / "tests" / "nox-lock"
    (notes / "snapshot").write_text(DEEP, encoding="utf-8")
    assert looks(project, 2) == [True, False]
    for note in sorted(notes.iterdir()):
        if not note.name.startswith("busy"):
            note.unlink()
            (note / "in it").mkdir(parents=True)
    for _ in range(2):
        project.nox("-s", "tests").ok()
    assert project.venv_versions("tests")["app"] == "1.0"


def test_a_newer_nox_lock_looks_again(project: Project) -> None:
    """Its checks may be stricter."""
    newer = "import nox_lock\nnox_lock.__version__ = '99'\n"
    project.write("noxfile.py", newer + dedent(noxfile()))
    assert looks(project, 2) == [True, False]


@pytest.mark.parametrize("project", [BY_PIP], indirect=True)
def test_a_lock_file_that_the_body_changed_says_nothing_of_what_it_installed(
    project: Project,
) -> None:
    """What the old lock file had is not kept as if the body had installed it."""
    before = [(name, project.read(name)) for name in ("requirements.in", "requirements.txt")]
    project.write("requirements.in", "app<2\nlib<2\n")
    assert looks(project) == [True, True, False]
    lines = [f"open({name!r}, 'w').write({text!r})" for name, text in before]
    body = "; ".join([*lines, "session.install('app==2.0', env={'PIP_CONSTRAINT': ''})"])
    project.write("noxfile.py", noxfile(body, BY_PIP))
    project.nox("-s", "tests").ok()
    project.write("noxfile.py", noxfile(backend=BY_PIP))
    project.nox("-s", "tests").ok()
    assert "lib" not in project.venv_versions("tests")
