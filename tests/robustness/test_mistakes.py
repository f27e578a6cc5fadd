"""Mistakes of people: each is told in one clear error, and changes nothing.

What is wrong, where, and what to do about it must be said; by the real nox, most of them run in
this process, through the one error boundary. The compile's own failures stand in
`test_bad_input`; what our reader of requirements files refuses and pip's does not, and the other
way round, in `test_syntax` (`STRICTER`, `LATER`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from support.inside import nox_inside
from support.locks import pins
from support.mistakes import BODY, CASES, CHECK, HASH, HEADER, IN, PASSWORD, PLAIN, TXT, Case
from support.project import Project, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex
    from support.project import Run

# One of each kind, also by a nox of its own.
REAL = (
    "no comparison",
    "a marker that compares nothing",
    "TOML nested without end",
    "an unknown key",
    "--check and --upgrade",
    "a name with an escape",
    "merge markers",
    "a URL that is none in a lock",
    "a folder for a lock",
    "add_sessions() twice",
)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Return a project whose one lock is fresh."""
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "home").mkdir()
    (root / "noxfile.py").write_text(PLAIN, encoding="utf-8")
    (root / IN).write_text("app\n", encoding="utf-8")
    (root / TXT).write_text(HEADER + BODY, encoding="utf-8")
    return root


def spoil(root: Path, case: Case) -> None:
    if case.make and os.name == "nt":
        pytest.skip("Windows has other words for it, or no such files")
    if "nobody may read" in case.name and os.geteuid() == 0:
        pytest.skip("root may read everything")
    for name, text in case.files.items():
        path = root / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if case.make:
        case.make(root)


def state(root: Path) -> dict[str, Any]:
    """Return all there is: files by bytes and mode, links by where they lead."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        if {"__pycache__", ".nox"} & {*path.parts}:
            continue
        key = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[key] = path.readlink()
        elif path.is_dir():
            found[key] = None
        else:
            found[key] = path.stat().st_mode, path.read_bytes()
    return found


def judge(case: Case, run: Run, root: Path) -> None:
    run.failed()
    assert run.returncode == 1, run.output
    for part in (case.what, case.where, case.do):
        assert part in run.output, run.output
    # nox itself warns with the noxfile's path of a session that is defined twice.
    said = "".join(line for line in run.output.splitlines() if "FutureWarning" not in line)
    for hidden in (str(root), str(root.parent), PASSWORD, *case.never):
        assert hidden not in said, run.output


def ids(cases: list[Case]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


def environment(root: Path, case: Case) -> dict[str, str]:
    """Return the case's variables, and an index that is nowhere: nothing here needs one."""
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    return clean_environment(root.parent / "home", **nowhere, **case.env)


@pytest.mark.parametrize("case", ids(CASES))
def test_a_mistake_is_told(case: Case, good: Path) -> None:
    spoil(good, case)
    before = state(good)
    run = nox_inside(good, *case.args, env=environment(good, case))
    assert state(good) == before
    judge(case, run, good)


def by_itself(case: Case, root: Path) -> None:
    spoil(root, case)
    project = Project(root, root.parent / "home")
    before = state(root)
    run = project.nox_alone(*case.args, env=environment(root, case))
    assert state(root) == before
    judge(case, run, root)


@pytest.mark.parametrize("case", ids([case for case in CASES if case.name in REAL]))
def test_a_nox_of_its_own_tells_it(case: Case, good: Path) -> None:
    by_itself(case, good)


@pytest.mark.long
@pytest.mark.parametrize("case", ids([case for case in CASES if case.name not in REAL]))
def test_a_nox_of_its_own_tells_every_one(case: Case, good: Path) -> None:
    by_itself(case, good)


def test_the_good_project_is_good(good: Path) -> None:
    before = state(good)
    nox_inside(good, *CHECK, env=environment(good, CASES[0])).ok()
    assert state(good) == before


def test_the_table_holds_what_it_says() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 200
    assert set(REAL) <= set(names)
    assert all(case.what and case.where and case.do for case in CASES)


def made_of(project: Project, index: LocalIndex, lock: str) -> Project:
    index.publish("app", "1.0", requires=["dep"])
    index.publish("dep", "2.0")
    project.write("noxfile.py", PLAIN)
    project.write(IN, "app\n")
    project.write(TXT, lock)
    return project


def test_a_lock_file_that_is_spoilt_is_made_anew(project: Project, index: LocalIndex) -> None:
    """What `lock-check` refuses, pip-tools cannot even read; and it starts from what is there."""
    weak = BODY.replace(f"sha256:{HASH}", f"md5:{'0' * 32}", 1).replace(HASH, "00")
    spoilt = weak.replace("dep==2.0", "dep==2.0 ; banana")
    made_of(project, index, HEADER + spoilt)
    assert f"is not a pin ({TXT}:7)" in project.nox(*CHECK).failed().output
    assert f"is not a pin ({TXT}:7)" in project.nox("-s", "lock").ok().output
    project.nox(*CHECK).ok()


def test_a_hash_of_another_file_is_told_and_not_taken(project: Project, index: LocalIndex) -> None:
    made_of(project, index, HEADER + BODY)
    before = state(project.root)
    run = project.nox("-s", "lock").failed()
    assert f"{IN}:1: app: the index offers another file" in run.output
    assert "lock with: -- -P app==VERSION" in run.output
    assert state(project.root) == before
    kept = pins(project.read(TXT))
    named = [part for name, version in kept.items() for part in ("-P", f"{name}=={version}")]
    project.nox("-s", "lock", "--", *named).ok()
    assert pins(project.read(TXT)) == kept
    project.nox(*CHECK).ok()


def test_what_pip_alone_refuses_is_placed(project: Project, index: LocalIndex) -> None:
    made_of(project, index, "")
    project.write(IN, "app\n-e ./gone\n")
    assert f"{IN}:2: pip-tools failed: ./gone" in project.nox("-s", "lock").failed().output
    project.write(IN, "app\n\n--use-feature banana\n")
    run = project.nox("-s", "lock").failed()
    assert f"{IN}:3: Invalid requirement: --use-feature banana" in run.output
    assert "Its format: https:" in run.output
