"""Conflicts as they are described: of recordings of real ones, and of real runs of the driver.

`python -m support.conflicts` in tests/ records them, or writes only (`--said`) what is expected.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from support.compiles import CompileFolder
from support.conflicts import DATA, EXPECTED, RECORDED_WITH, REPORT, SCENES, error_of, run
from support.layers import lock, write_all
from support.offers import Offer
from support.scripted import NOT_FOUND, ScriptedIndex
from support.sdists import project_files
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.index import LocalIndex
    from support.project import Project

HERE = "{}.{}".format(*sys.version_info)


# Recordings


@pytest.mark.parametrize("name", SCENES)
def test_a_real_conflict(name: str) -> None:
    if name == "protobuf-pair" and Version(metadata.version("packaging")) < Version("24"):
        pytest.skip("this packaging takes <6.0dev for no demand of a pre-release")
    assert f"{error_of(name)}\n" == (DATA / name / EXPECTED).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCENES)
def test_each_line_that_may_be_edited_is_named(name: str) -> None:
    """A file and line that are named have the project of which they are named."""
    error = error_of(name)
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
        there = {path.name for path in (DATA / name).iterdir()}
        assert there == {*scene.files, REPORT, EXPECTED}
        for file, text in scene.files.items():
            assert (DATA / name / file).read_text(encoding="utf-8") == text
        text = (DATA / name / REPORT).read_text(encoding="utf-8")
        assert list(json.loads(text)) == ["failure"]
        assert set(re.findall(r"\w+://([^/\s]+)", text)) <= {"pip.pypa.io"}
        assert not re.search(r"[\s'\"(=]/\w+/\w+", text)


@pytest.mark.long
@pytest.mark.network
@pytest.mark.skipif(HERE != RECORDED_WITH, reason=f"recorded with Python {RECORDED_WITH}")
@pytest.mark.parametrize("name", SCENES)
def test_the_index_of_today_says_the_same(name: str, tmp_path: Path) -> None:
    """The demands and their places, not the versions: those grow."""
    error, _ = run(SCENES[name], tmp_path)
    known = error_of(name)
    assert (error.kind, error.place) == (known.kind, known.place)
    demands = [line for line in known.message.splitlines() if re.search(r"\(\S+:\d+\)$", line)]
    assert [line for line in demands if line not in error.message] == [], error.message
    assert error.hint == known.hint or "may solve it" in str(error)


# Runs of the driver


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedIndex]:
    offer, files = Offer(), tmp_path_factory.mktemp("files")

    def publish(name: str, version: str, *requires: str) -> None:
        offer.add(build_wheel(files, name, version, requires=requires))

    for version in ("1.0", "2.0", "3.0"):
        publish("dep", version)
    publish("old", "1.0", "dep<2")
    publish("new", "0.9")
    publish("new", "1.0", "dep>=2")
    publish("newer", "1.1", "dep>=3")
    for version in ("0.9", "1.0"):
        publish("app", version, "mid")
    publish("mid", "1.0", "old", "new==1.0")
    with ScriptedIndex(NOT_FOUND, offer.answers()) as scripted:
        yield scripted


@pytest.fixture
def folder(tmp_path: Path, offered: ScriptedIndex) -> CompileFolder:
    return CompileFolder(tmp_path, offered.url)


THERE = "  of dep there are 1.0, 2.0, 3.0"
BETWEEN_TWO = f"""\
these cannot hold together:
  old 1.0 depends on dep<2 (requirements.in:1)
  new 1.0 depends on dep>=2 (requirements.in:2)
{THERE}
This may solve it: ask for another version of new than new>=1 (requirements.in:2)"""
CASES = {
    "two projects": ({"requirements.in": "old\nnew>=1\n"}, BETWEEN_TWO),
    "one project twice": (
        {"requirements.in": "app\ndep<2\n-r more.in\n", "more.in": "# more\ndep>=2\n"},
        f"""\
these cannot hold together:
  dep<2 (requirements.in:2)
  dep>=2 (more.in:2)
{THERE}
Any one of these may solve it:
  loosen dep<2 (requirements.in:2): the others allow 2.0, 3.0
  loosen dep>=2 (more.in:2): the others allow 1.0""",
    ),
    "a constraint": (
        {"requirements.in": "# app\nold\n-c limits.txt\n", "limits.txt": "#\ndep>=2\n"},
        f"""\
these cannot hold together:
  old 1.0 depends on dep<2 (requirements.in:2)
  dep>=2 (limits.txt:2)
{THERE}
This may solve it: loosen dep>=2 (limits.txt:2): the others allow 1.0""",
    ),
    "an input and what it brings": (
        {"requirements.in": "old\ndep>=2\n"},
        f"""\
these cannot hold together:
  dep>=2 (requirements.in:2)
  old 1.0 depends on dep<2 (requirements.in:1)
{THERE}
This may solve it: loosen dep>=2 (requirements.in:2): the others allow 1.0""",
    ),
    "two that one line brings": (
        {"requirements.in": "app==1.0\n"},
        f"""\
these cannot hold together:
  new 1.0 depends on dep>=2, for mid, for app (requirements.in:1)
  old 1.0 depends on dep<2, for mid, for app (requirements.in:1)
{THERE}
This may solve it: ask for another version of app than app==1.0 (requirements.in:1)""",
    ),
    "what a local project asks for": (
        {
            "requirements.in": "mylib @ file:./lib\ndep>=2\n",
            **{
                f"lib/{name}": text
                for name, text in project_files(
                    "mylib", code="def requires():\n    return ['dep<2']\n"
                ).items()
            },
        },
        f"""\
these cannot hold together:
  dep>=2 (requirements.in:2)
  mylib 1.0 depends on dep<2 (requirements.in:1)
{THERE}
This may solve it: loosen dep>=2 (requirements.in:2): the others allow 1.0""",
    ),
}


# Those of a kind that recordings have, too.
LONG = ("one project twice", "an input and what it brings")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in LONG else name for name in CASES]
)
def test_a_conflict(name: str, folder: CompileFolder) -> None:
    files, expected = CASES[name]
    assert folder.fail(files) == f"conflict: {expected}"


def test_pins_there_are_give_way(folder: CompileFolder) -> None:
    """They are no demand of anybody, and not named."""
    folder.write({"requirements.in": "old\nnew>=1\n"})
    said = folder.fail(order=folder.order("app==0.9\ndep==3.0\nold==1.0"))
    assert said == f"conflict: {BETWEEN_TWO}"


def test_a_wheel_that_does_not_do(folder: CompileFolder) -> None:
    """One outside of the project, with a space in its path, which is not shown."""
    outside = folder.root.parent / "my wheels"
    wheel = build_wheel(outside, "dep", "1.5")
    said = folder.fail({"requirements.in": f"../my wheels/{wheel.name}\ndep>=2\n"})
    assert said == (
        "conflict: these cannot hold together:\n"
        f"  dep 1.5, from {wheel.name} (requirements.in:1)\n"
        "  dep>=2 (requirements.in:2)\n"
        "This may solve it: loosen dep>=2 (requirements.in:2): the others allow 1.5"
    )


# Runs of nox


def test_a_conflict_of_three_steps_by_nox(project: Project, index: LocalIndex) -> None:
    """As `dbt-deep` is recorded, on an index of our own: the same is said, to the line."""
    for version in ("3.1.1", "3.1.2", "3.1.3", "3.1.6"):
        index.publish("Jinja2", version)
    index.publish("dbt-core", "1.5.0", requires=["Jinja2==3.1.2"])
    for version in ("1.4.0", "1.5.0"):
        index.publish("dbt-postgres", version, requires=["dbt-core==1.5.0"])
    write_all(project, SCENES["dbt-deep"].files)
    said = lock(project).failed().output.replace("nox > ", "")
    recorded = str(error_of("dbt-deep")).splitlines()
    assert len(recorded) == 7
    for line in recorded:
        there = "  of jinja2 there are 3.1.1, 3.1.2, 3.1.3, 3.1.6"
        assert (there if line.startswith("  of ") else line) in said.splitlines()
