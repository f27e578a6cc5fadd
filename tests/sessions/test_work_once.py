"""What `nox -s lock` computes, it computes once: counted by a profiler."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from support.project import NOXFILE
from support.trace import trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Project

LOCK = "requirements.txt"
PINS = 30
AFTER = """
import gc

import nox


@nox.session(venv_backend="none")
def after(session):
    session.log(f"collects: {gc.isenabled()}")
"""
MOST = 200  # functions of ours that a run enters


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    names = [f"dep{number}" for number in range(PINS)]
    for name, needed in zip(names, [*names[1:], ""], strict=True):
        prepared.index.publish(name, "1.0", requires=[needed] if needed else [])
    prepared.index.publish("dep0", "2.0", requires=["dep1"])
    prepared.project.write("noxfile.py", NOXFILE)
    prepared.project.write("requirements.in", "dep0<2\n")
    prepared.project.nox("-s", "lock").ok()
    prepared.project.write("requirements.in", "dep0>=2\n")
    prepared.freeze()
    return prepared


@pytest.fixture
def project(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    yield from made.lend(tmp_path)


def test_a_stale_lock(project: Project) -> None:
    found = trace(project, "-s", "lock")
    assert "dep0==2.0" in project.read(LOCK)
    parsed = Counter(found.about["parse"])
    assert [text for text, times in parsed.items() if times > 1] == []
    assert found.about["judge"] == [LOCK] * 2  # as it was, and as it was made
    assert found.about["find_changes"] == [LOCK]
    assert len(found.calls) <= MOST, sorted(found.calls)


def test_a_lock_from_the_cache(project: Project) -> None:
    project.write("requirements.in", "dep0<2\n")
    (project.root / LOCK).unlink()
    found = trace(project, "-s", "lock")
    assert "dep0==1.0" in project.read(LOCK)
    parsed = Counter(found.about["parse"])
    assert [text for text, times in parsed.items() if times > 1] == []
    assert found.about["judge"] == [LOCK] * 2
    assert len(found.calls) <= MOST, sorted(found.calls)


def test_a_fresh_lock(project: Project) -> None:
    project.write("requirements.in", "dep0<2\n")
    found = trace(project, "-s", "lock")
    assert found.about == {"parse": [project.read(LOCK)], "judge": [LOCK]}
    assert not [each for each in found.calls if "compiling" in each]


@pytest.mark.parametrize("fails", [False, True])
def test_a_check_leaves_the_collector_as_it_was(project: Project, *, fails: bool) -> None:
    project.write("noxfile.py", f"{NOXFILE}{AFTER}")
    project.write("requirements.in", "dep0 ==\n" if fails else "dep0<2\n")
    run = project.nox("-s", "lock-check", "after")
    assert "collects: True" in run.output
    assert run.returncode == fails
