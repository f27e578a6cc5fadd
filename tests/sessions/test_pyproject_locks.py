"""Project files as inputs, end to end: what nox locks, what it judges, what it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support.backend import project_table, publish_backend
from support.locks import hashed_pin, pins, stamp_all
from support.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.index import LocalIndex
    from support.prepared import Prepared

NOXFILE = "import nox_lock\n\nnox_lock.add_sessions()\n"
FILE = "pyproject.toml"
PROJECT = """\
[project]
name = "My.Proj"
version = "1.0"
dependencies = [
    "app<1.1",
    "dep ; python_version >= '3'",
]
[project.optional-dependencies]
Fast_x = ["speed"]
marked = ["old ; python_version < '3'", "lib"]
all = [
    "my_proj[fast-x, marked]",
    "tool",
]
[dependency-groups]
dev = ["lib", {include-group = "test"}, "My.Proj[fast-x]"]
test = ["app", "tool ; python_version < '3'"]
lint = ["old"]
"""
LOCKS = """\
[tool.nox-lock.locks.prod]
inputs = ["pyproject.toml"]
lockfile = "requirements.txt"
[tool.nox-lock.locks.fast]
inputs = ["pyproject.toml"]
extras = ["fast-x"]
[tool.nox-lock.locks.all]
inputs = ["pyproject.toml"]
extras = ["all"]
[tool.nox-lock.locks.dev]
groups = ["dev"]
[tool.nox-lock.locks.lint]
groups = ["lint"]
[tool.nox-lock.locks.mixed]
inputs = ["pyproject.toml", "more.in", "docs/pyproject.toml"]
groups = ["lint"]
lockfile = "mixed.txt"
[tool.nox-lock.locks.docs]
inputs = ["docs/pyproject.toml"]
"""
DOCS = '[project]\nname = "docs"\nversion = "1"\ndependencies = ["speed"]\n'
FILES = {
    "requirements.txt": {"app": "1.0", "dep": "1.0"},
    "requirements-fast.txt": {"app": "1.0", "dep": "1.0", "speed": "1.0"},
    "requirements-all.txt": {"app": "1.0", "dep": "1.0", "speed": "1.0", "lib": "1.0",
                             "tool": "1.0"},
    "requirements-dev.txt": {"app": "1.0", "dep": "1.0", "speed": "1.0", "lib": "1.0"},
    "requirements-lint.txt": {"old": "1.0"},
    "mixed.txt": {"app": "1.0", "dep": "1.0", "speed": "1.0", "old": "1.0", "tool": "1.0"},
    "docs/requirements.txt": {"speed": "1.0"},
}  # fmt: skip


@pytest.fixture(scope="module")
def locked(prepared: Prepared) -> Prepared:
    """Return a project with locks of every kind, made by one run."""
    index, project = prepared.index, prepared.project
    for name in ("app", "dep", "lib", "old", "speed", "tool"):
        index.publish(name, "1.0", requires=["dep"] if name == "app" else [])
    index.publish("app", "1.1", requires=["dep"])
    project.write("noxfile.py", NOXFILE)
    project.write(FILE, PROJECT + LOCKS)
    project.write("docs/pyproject.toml", DOCS)
    project.write("more.in", "tool\n")
    project.nox("-s", "lock").ok()
    prepared.freeze()
    return prepared


@pytest.fixture
def copy(locked: Prepared, tmp_path: Path) -> Iterator[Project]:
    project = locked.copy(tmp_path)
    yield project
    project.close()


def verdicts(project: Project, *names: str) -> dict[str, dict[str, Any]]:
    run = project.nox("-s", "lock-check", "--", *names, "--format", "json")
    return {each["lockfile"]: each for each in json.loads(run.stdout)["locks"]}


def body(text: str) -> str:
    return re.sub(r"\A(#.*\n)+", "", text)


def test_what_is_locked(locked: Prepared) -> None:
    project = locked.project
    assert {file: pins(project.read(file)) for file in FILES} == FILES
    for file in FILES:
        text = project.read(file)
        assert "file:" not in text
        assert str(project.root) not in text
        command = re.findall(r"^#    (\S.*)$", text, re.MULTILINE)[0]
        plain = file.endswith("/requirements.txt") or file == "requirements.txt"
        assert command.startswith("pip-compile ") == plain, file
        assert plain or command == "nox -s lock"
    assert "docs/pyproject.toml" in project.read("docs/requirements.txt").partition("\n\n")[0]
    dev = project.read("requirements-dev.txt")
    assert set(re.findall(r"(?:via|#)\s+(--\S+ \S+|My.*)", dev)) == {"--group pyproject.toml:dev"}
    assert "via My.Proj (pyproject.toml)" in project.read("requirements-all.txt")
    project.nox("-s", "lock-check").ok()
    assert "compiled" not in project.nox("-s", "lock").ok().output


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("requirements.txt", [FILE]),
        ("requirements-fast.txt", ["--extra=fast-x", FILE]),
        ("docs/requirements.txt", ["docs/pyproject.toml"]),
    ],
)
def test_equals_plain_pip_compile(copy: Project, file: str, options: list[str]) -> None:
    ours = copy.read(file)
    (copy.root / file).unlink()
    command = ["compile", "-q", "--no-config", "--generate-hashes", "--allow-unsafe"]
    command += ["--strip-extras", "--no-emit-index-url", f"--output-file={file}", *options]
    subprocess.run(
        [sys.executable, "-m", "piptools", *command],
        cwd=copy.root,
        env=copy.environment(),
        capture_output=True,
        check=True,
    )
    assert body(copy.read(file)).strip() == body(ours).strip()


def test_reasons_name_file_and_line(copy: Project) -> None:
    """Each of the locks an edit concerns is stale, and none else; an edit of no matter is none."""
    copy.write(FILE, f"# new\n{PROJECT}{LOCKS}\n[tool.ruff]\nline-length = 9\n")
    copy.nox("-s", "lock-check").ok()
    edited = PROJECT.replace('["old"]', '["old>=2"]').replace('"tool",', '"tool>=2",')
    copy.write(FILE, edited + LOCKS)
    found = verdicts(copy)
    stale = {file for file, each in found.items() if each["verdict"] != "fresh"}
    assert stale == {"requirements-lint.txt", "mixed.txt", "requirements-all.txt"}
    [reason] = found["requirements-lint.txt"]["reasons"]
    assert (reason["file"], reason["line"]) == (FILE, 18)
    assert "old>=2 is not met by old==1.0" in reason["message"]
    [reason] = found["requirements-all.txt"]["reasons"]
    assert (reason["file"], reason["line"]) == (FILE, 13)
    text = copy.nox("-s", "lock-check").failed().output
    assert "old>=2 is not met by old==1.0 (pyproject.toml:18)" in text


def test_layers_follow_the_project(copy: Project, locked: Prepared) -> None:
    """What comprises the project builds on its lock: when that moves, all of them do."""
    locked.index.publish("dep", "2.0")
    copy.nox("-s", "lock", "--", "prod", "-P", "dep").ok()
    found = verdicts(copy)
    uppers = {"requirements-fast.txt", "requirements-all.txt", "requirements-dev.txt", "mixed.txt"}
    assert {file for file, each in found.items() if each["verdict"] != "fresh"} == uppers
    message = found["requirements-dev.txt"]["reasons"][0]["message"]
    assert message == "dep==1.0, but dep==2.0 in requirements.txt, which it builds on"
    copy.nox("-s", "lock").ok()
    for file in uppers:
        assert pins(copy.read(file)) == FILES[file] | {"dep": "2.0"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('["lint"]\n[', '["lnit"]\n[', "there is no group 'lnit' in [dependency-groups]"),
        ('["fast-x"]\n', '["fats-x"]\n', f"{FILE}:8: there is no extra 'fats-x'"),
        ('["old"]', '[{include-group = "lint"}]', f"{FILE}:18: `dependency-groups.lint`: Cyclic"),
        ('"app<1.1"', '"app @ https://u:secret@h.invalid/a.whl"', f"{FILE}:5: a password is"),
    ],
)
def test_one_clear_error_and_nothing_written(
    copy: Project, old: str, new: str, expected: str
) -> None:
    text = PROJECT + LOCKS
    assert old in text
    copy.write(FILE, text.replace(old, new))
    before = copy.snapshot()
    for session in ("lock", "lock-check"):
        said = copy.nox("-s", session).failed().output
        assert expected in said
        assert "secret" not in said
    assert copy.snapshot() == before


def test_found_without_configuration(project: Project, index: LocalIndex) -> None:
    """A static project file alone is the input of the only lock; a .in file is that else."""
    index.publish("app", "1.0")
    index.publish("dep", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write(FILE, '[project]\nname = "p"\nversion = "1"\ndependencies = ["app"]\n')
    project.nox("-s", "lock").ok()
    assert pins(project.read("requirements.txt")) == {"app": "1.0"}
    project.nox("-s", "lock-check").ok()
    project.write("requirements.in", "dep\n")
    assert "app==1.0" in project.nox("-s", "lock-check").failed().output
    (project.root / "requirements.in").unlink()
    project.write(FILE, '[project]\nname = "p"\nversion = "1"\ndynamic = ["dependencies"]\n')
    assert "no inputs found" in project.nox("-s", "lock-check").failed().output


DYNAMIC = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "p"
version = "1"
dynamic = ["dependencies"]
[tool.setuptools]
py-modules = []
[tool.setuptools.dynamic]
dependencies = {file = ["needs.in"]}
[tool.nox-lock.locks.prod]
inputs = ["pyproject.toml"]
"""


def test_a_dynamic_project(project: Project, index: LocalIndex) -> None:
    """It is stale when a file that decides has changed, and locked by its build."""
    app = index.publish("app", "1.0")
    index.publish("dep", "1.0")
    index.publish_sdist("built", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write(FILE, DYNAMIC)
    project.write("needs.in", "app\n")
    stamp_all(project.root, {"prod": hashed_pin(app, "p (pyproject.toml)")})
    project.nox("-s", "lock-check").ok()
    project.write(FILE, f"# a note\n{DYNAMIC}\n[tool.nox-lock]\non-stale = 'error'\n")
    project.nox("-s", "lock-check").ok()
    project.write("needs.in", "app\ndep\n")
    reason = verdicts(project)["requirements.txt"]["reasons"][0]
    assert (reason["file"], reason["line"]) == (FILE, 1)
    assert "what pyproject.toml depends on now" in reason["message"]
    project.nox("-s", "lock").ok()
    assert pins(project.read("requirements.txt")) == {"app": "1.0", "dep": "1.0"}
    project.nox("-s", "lock-check").ok()
    project.write("needs.in", "dep\n")
    assert "depends on now" in project.nox("-s", "lock-check").failed().output


def test_an_extra_that_asks_for_a_dynamic_project_itself(
    project: Project, index: LocalIndex
) -> None:
    """pip-compile would pin the project as a folder, beside which no editable one stays."""
    publish_backend(index)
    index.publish("dep", "1.0")
    table = project_table("mine", dependencies='["dep"]')
    table = table.replace("dependencies =", 'dynamic = ["optional-dependencies"]\ndependencies =')
    # What its build alone reads as extras.
    table += '[tool.mine]\n# [project.optional-dependencies]\na = ["dep"]\nall = ["mine[a]"]\n'
    table += f'[tool.nox-lock.locks.x]\ninputs = ["{FILE}"]\nextras = ["all"]\n'
    project.write(FILE, table)
    project.write("noxfile.py", NOXFILE)
    run = project.nox("-s", "lock").failed()
    assert f"{FILE}: an extra asks for the project itself, which would be pinned as" in run.output
    assert "Name the extras that it means: extras = [...]." in run.output
    assert not (project.root / "requirements-x.txt").exists()


def test_each_project_file_must_have_each_extra(copy: Project) -> None:
    table = f'[tool.nox-lock.locks.x]\ninputs = ["{FILE}", "docs/{FILE}"]\nextras = ["fast-x"]\n'
    copy.write(FILE, PROJECT + table)
    assert "there is no extra 'fast-x'" in copy.nox("-s", "lock-check", "--", "x").failed().output


def test_a_reason_is_told_once(copy: Project) -> None:
    table = '[tool.nox-lock.locks.x]\ngroups = ["dev", "test"]\n'
    copy.write(FILE, PROJECT + table)
    copy.write("requirements-x.txt", copy.read("requirements-lint.txt"))
    reasons = [each["message"] for each in verdicts(copy, "x")["requirements-x.txt"]["reasons"]]
    assert len(reasons) == len(set(reasons))


FLASK = "corpus/pallets__flask/main"


@pytest.mark.parametrize(
    "folder",
    [
        FLASK,
        "corpus/bazelbuild__rules_python/tests/multiple_inputs/a",
        "corpus/bazelbuild__rules_python/docs",
    ],
)
def test_real_projects_are_read(shared: Path, tmp_path: Path, folder: str) -> None:
    """What is wrong with a real project file is only that it has no lock file yet."""
    shutil.copytree(shared / folder, tmp_path / "project", copy_function=shutil.copyfile)
    project = Project(tmp_path / "project", tmp_path / "home")
    for path in (*project.root.rglob("*.in"), *project.root.rglob("*.txt")):
        path.unlink()
    project.write("noxfile.py", NOXFILE)
    groups = 'groups = ["dev", "docs", "tests", "typing"]\n' if folder == FLASK else ""
    text = project.read(FILE)
    project.write(FILE, f'{text}\n[tool.nox-lock.locks.x]\ninputs = ["{FILE}"]\n{groups}')
    assert [each["verdict"] for each in verdicts(project).values()] == ["missing"]
