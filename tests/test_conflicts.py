"""Conflicts of real projects, as people are told of them: on recordings of real runs.

`python -m support.conflicts` in tests/ records them anew, or only (`--told`) what is to be said.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock._diagnosis import diagnose
from nox_lock._requirements import read_inputs
from nox_lock._versions import nearest, read_specifier
from support.conflicts import DATA, EXPECTED, LOG, OUTPUT, RECORDED_WITH, SCENES, run, told_of
from support.layers import lock, write_all

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex
    from support.project import Project


HERE = "{}.{}".format(*sys.version_info)


@pytest.mark.parametrize("name", SCENES)
def test_a_real_conflict_is_told(name: str) -> None:
    assert f"{told_of(name)}\n" == (DATA / name / EXPECTED).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCENES)
def test_each_line_that_may_be_edited_is_told(name: str) -> None:
    """What is said to stand in a file at a line does, whatever the expected texts have."""
    error = told_of(name)
    said = str(error)
    places = set(re.findall(r"([\w.-]+\.(?:in|txt)):(\d+)", said))
    assert places
    for file, line in places:
        text = (DATA / name / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        project = re.split(r"[^\w.-]", text)[0].lower()
        assert project in said.lower()
    if error.kind == "conflict":
        assert len(places) >= 2
        assert "may solve it" in said


def test_recordings_are_of_the_scenes_and_hold_nothing_of_a_machine() -> None:
    assert {path.name for path in DATA.iterdir()} == set(SCENES)
    for name, scene in SCENES.items():
        assert {path.name for path in (DATA / name).iterdir()} == {
            *scene.files,
            OUTPUT,
            LOG,
            EXPECTED,
        }
        for file, text in scene.files.items():
            assert (DATA / name / file).read_text(encoding="utf-8") == text
        for file in (OUTPUT, LOG):
            text = (DATA / name / file).read_text(encoding="utf-8")
            hosts = set(re.findall(r"\w+://([^/\s]+)", text))
            assert hosts <= {"main.example", "pip.pypa.io"}
            assert not re.search(r"[\s'\"(=]/\w+/\w+", text)


VERSIONS = [f"{major}.{minor}" for major in range(5) for minor in range(6)]


@pytest.mark.parametrize(
    ("versions", "demands", "told"),
    [
        ([], [">=1"], "none"),
        (VERSIONS[:8], ["<1"], ", ".join(VERSIONS[:8])),
        (
            VERSIONS,
            ["<1", ">=3.2"],
            "..., 0.5, 1.0, ..., 3.1, 3.2, ..., 4.2, 4.3, 4.4, 4.5 (8 of 30)",
        ),
        (VERSIONS, ["==99"], "..., 3.4, 3.5, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5 (8 of 30)"),
        (VERSIONS, ["==2.*"], "..., 1.5, 2.0, ..., 4.0, 4.1, 4.2, 4.3, 4.4, 4.5 (8 of 30)"),
        (["1.0", "2.0a1", "2.0"], ["<2"], "1.0, 2.0"),
        (["1.0", "2.0a1", "2.0"], [">=2.0a1"], "1.0, 2.0a1, 2.0"),
        (["2.0a1", "2.0a2"], [">=3"], "2.0a1, 2.0a2"),
    ],
)
def test_the_nearest_versions(versions: list[str], demands: list[str], told: str) -> None:
    specifiers = [found for each in demands if (found := read_specifier(f"x{each}")) is not None]
    assert len(specifiers) == len(demands)
    assert nearest(versions, *specifiers) == told


def test_what_a_local_project_asks_for(tmp_path: Path) -> None:
    """Its line has a path: that says nothing of the versions of what it asks for."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "setup.py").write_text("", encoding="utf-8")
    (tmp_path / "requirements.in").write_text("mylib @ file:./lib\ndep>=2\n", encoding="utf-8")
    output = """\
  The conflict is caused by:
      The user requested dep>=2
      mylib 0.1 depends on dep<2

ResolutionImpossible"""
    log = "".join(
        f"Found link https://main.example/dep-{version}.tar.gz (from x), version: {version}\n"
        for version in ("1.0", "3.0")
    )
    inputs = read_inputs(["requirements.in"], tmp_path, {})
    assert str(diagnose(output, log, inputs)).splitlines() == [
        "these cannot hold together:",
        "  dep>=2 (requirements.in:2)",
        "  mylib 0.1 depends on dep<2 (requirements.in:1)",
        "  of dep there are 1.0, 3.0",
        "This may solve it: loosen dep>=2 (requirements.in:2): the others allow 1.0",
    ]


def test_two_demands_of_one_line(tmp_path: Path) -> None:
    """What one requirement brings is at odds: only another version of it can help."""
    (tmp_path / "requirements.in").write_text("app==1.0\n", encoding="utf-8")
    output = """\
  Collecting app==1.0 (from -r requirements.in (line 1))
  Collecting mid (from app==1.0->-r requirements.in (line 1))
  Collecting old (from mid->app==1.0->-r requirements.in (line 1))
  Collecting new==1.1 (from mid->app==1.0->-r requirements.in (line 1))

  The conflict is caused by:
      old 1.0 depends on dep<2
      new 1.1 depends on dep>=2

ResolutionImpossible"""
    found = ("dep-1.0", "dep-2.0", "app-0.9", "app-1.0", "old-1.0", "new-1.1", "new-1.2")
    log = "".join(f"Found link https://main.example/{each}.tar.gz (from x)\n" for each in found)
    inputs = read_inputs(["requirements.in"], tmp_path, {})
    assert str(diagnose(output, log, inputs)).splitlines() == [
        "these cannot hold together:",
        "  old 1.0 depends on dep<2, for mid, for app (requirements.in:1)",
        "  new 1.1 depends on dep>=2, for mid, for app (requirements.in:1)",
        "  of dep there are 1.0, 2.0",
        "This may solve it: ask for another version of app than app==1.0 (requirements.in:1)",
    ]


def test_a_conflict_of_three_steps_by_nox(project: Project, index: LocalIndex) -> None:
    """As `dbt-deep` is recorded, on an index of our own: the same is told, to the line."""
    for version in ("3.1.1", "3.1.2", "3.1.3", "3.1.6"):
        index.publish("Jinja2", version)
    index.publish("dbt-core", "1.5.0", requires=["Jinja2==3.1.2"])
    for version in ("1.4.0", "1.5.0"):
        index.publish("dbt-postgres", version, requires=["dbt-core==1.5.0"])
    write_all(project, SCENES["dbt-deep"].files)
    said = lock(project).failed().output.replace("nox > ", "")
    recorded = str(told_of("dbt-deep")).splitlines()
    assert len(recorded) == 7
    for line in recorded:
        there = "  of jinja2 there are 3.1.1, 3.1.2, 3.1.3, 3.1.6"
        assert (there if line.startswith("  of ") else line) in said.splitlines()


@pytest.mark.long
@pytest.mark.network
@pytest.mark.skipif(HERE != RECORDED_WITH, reason=f"recorded with Python {RECORDED_WITH}")
@pytest.mark.parametrize("name", SCENES)
def test_the_index_of_today_is_told_alike(name: str, tmp_path: Path) -> None:
    """The demands and their places, not the versions: those grow."""
    folder = tmp_path / name
    status, printed, logged = run(SCENES[name], folder)
    assert status != 0
    error = diagnose(printed, logged, read_inputs(["requirements.in"], folder, {}))
    known = told_of(name)
    assert (error.kind, error.file, error.line) == (known.kind, known.file, known.line)
    demands = [line for line in known.message.splitlines() if re.search(r"\(\S+:\d+\)$", line)]
    assert [line for line in demands if line not in error.message] == [], error.message
    assert error.hint == known.hint or "may solve it" in str(error)
