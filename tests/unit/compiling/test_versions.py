"""Which versions there are, why others cannot be taken, and which of many are named."""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from nox_lock.compiling.demands import Versions, allowed, show_versions
from nox_lock.compiling.failures import describe_failure, read_report
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.inputs.syntax import parse_specifier
from nox_lock.project import Project
from support.compiles import CompileFolder
from support.offers import Offer
from support.scripted import NOT_FOUND, ScriptedIndex
from support.sdists import build_sdist
from support.wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

VERSIONS = [f"{major}.{minor}" for major in range(5) for minor in range(6)]


def specifiers(*texts: str) -> list[SpecifierSet]:
    found = [parse_specifier(text) for text in texts]
    return [each for each in found if each is not None]


@pytest.mark.parametrize(
    ("versions", "demands", "named"),
    [
        ([], [">=1"], "none"),
        (VERSIONS[:8], ["<1"], ", ".join(VERSIONS[:8])),
        (
            VERSIONS,
            ["<1", ">=3.2"],
            "..., 0.5, 1.0, ..., 3.1, 3.2, ..., 4.3, 4.4, 4.5 (7 of 30)",
        ),
        (VERSIONS, ["==99"], "..., 4.3, 4.4, 4.5 (3 of 30)"),
        (VERSIONS, ["<=0.0"], "0.0, ..., 4.3, 4.4, 4.5 (4 of 30)"),
        (VERSIONS, ["==2.*"], "..., 1.5, 2.0, ..., 4.3, 4.4, 4.5 (5 of 30)"),
        (VERSIONS, ["!=2.0"], "..., 4.3, 4.4, 4.5 (3 of 30)"),
        (["1.0", "2.0a1", "2.0"], ["<2"], "1.0, 2.0"),
        (["1.0", "2.0a1", "2.0"], [">=2.0a1"], "1.0, 2.0a1, 2.0"),
        (["2.0a1", "2.0a2"], [">=3"], "2.0a1, 2.0a2"),
    ],
)
def test_the_nearest_versions(versions: list[str], demands: list[str], named: str) -> None:
    assert show_versions(versions, *specifiers(*demands)) == named


def test_which_versions_are_allowed() -> None:
    """A pre-release where no other is, or somebody asks for one: as pip does."""
    assert allowed(["1.0", "2.0", "3.0rc1"], *specifiers(">=1", "<3")) == ["1.0", "2.0"]
    assert allowed(["1.0", "2.0", "3.0rc1"], *specifiers(">=2.0")) == ["2.0"]
    assert allowed(["1.0", "3.0rc1"], *specifiers(">=2.0")) == ["3.0rc1"]
    assert allowed(["1.0", "3.0rc1"], *specifiers(">=1.0rc0")) == ["1.0", "3.0rc1"]
    assert allowed(["1.0", "2.0"]) == ["1.0", "2.0"]


def test_what_is_no_specifier() -> None:
    assert parse_specifier(None) is None
    assert parse_specifier("=>1") is None
    assert str(parse_specifier("")) == ""


# By the driver

OLD, NEW = "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
PIP = Version(metadata.version("pip"))


@pytest.mark.skipif(Version("26.0") > PIP, reason="this pip knows no uploaded-prior-to")
def test_each_version_is_reported_once_with_why_it_cannot_be_taken(tmp_path: Path) -> None:
    offer, files = Offer("json"), tmp_path / "files"

    def wheel(version: str, tag: str = "", **said: str) -> None:
        path = build_wheel(files, "lib", version)
        name = path.name.replace("py3-none-any", tag) if tag else ""
        offer.add(path, name=name, **{"uploaded": OLD, **said})  # type: ignore[arg-type]

    for version in ("1.10", "1.9", "1.0rc1"):
        wheel(version)
    wheel("1.5", yanked="broken")
    wheel("1.6", yanked="broken")
    wheel("1.6", tag="cp39-cp39-win_arm64")  # not for us, and no reason by itself
    for version in ("2.10", "2.9"):
        wheel(version, python=">=3.99")
    for version in ("3.10", "3.9"):
        wheel(version, uploaded=NEW)
    for version in ("4.10", "4.9"):
        wheel(version, tag="cp39-cp39-win_arm64")
    for version in ("5.10", "5.9"):
        offer.add(build_sdist(files, "lib", version), uploaded=OLD)
    with ScriptedIndex(NOT_FOUND, offer.answers()) as index:
        folder = CompileFolder(tmp_path, index.url, PIP_UPLOADED_PRIOR_TO="2021-01-01")
        said = folder.fail({"requirements.in": "--only-binary lib\nlib==99\n"})
    assert said == ("no version: requirements.in:2: no version meets lib==99; there are 1.9, 1.10")
    found = folder.report.versions["lib"]
    assert list(found.found) == ["1.0rc1", "1.9", "1.10"]
    assert list(found.yanked) == ["1.5", "1.6"]
    assert list(found.python.items()) == [("2.9", ">=3.99"), ("2.10", ">=3.99")]
    assert list(found.late) == ["3.9", "3.10"]
    assert list(found.platform) == ["4.9", "4.10"]
    assert list(found.format) == ["5.9", "5.10"]


THERE = Versions(
    found=["1.0"],
    yanked=["1.1", "1.2"],
    python={"2.0": ">=3.98", "2.1": ">=3.98", "2.10": ">=3.99"},
    late={"3.0": ""},
    platform={"4.0": ""},
    format={"5.0": ""},
)


def describe(demand: str, line: int, there: Versions, folder: Path) -> str:
    """Return what is said of a demand of a line of an input, where there are these versions."""
    inputs = read_inputs(["requirements.in"], Files(Project(folder, {})))
    place = {"file": "requirements.in", "line": line}
    asked = [{"project": "dep", "text": f"dep{demand}", "specifier": demand, **place}]
    versions = {"dep": there._asdict()}
    failure = {"kind": "demands", "message": "", "demands": asked, "versions": versions}
    path = folder / "report.json"
    path.write_text(json.dumps({"failure": failure}), encoding="utf-8")
    report = read_report(path, inputs)
    assert report is not None
    return str(describe_failure(report, inputs))


@pytest.mark.parametrize(
    ("demand", "said"),
    [
        # Nobody has that version: what is there for others is beside the point.
        ("==99", "no version meets dep==99; there are 1.0"),
        (
            ">=2,<3",
            (
                "dep>=2,<3 has no version for this Python: "
                "2.1 wants Python >=3.98; 2.10 wants Python >=3.99\n"
                "Ask for an older version, or lock for another Python."
            ),
        ),
        (
            ">=1.1,<2",
            "no version meets dep>=1.1,<2; there are 1.0\n  withdrawn (yanked): 1.1, 1.2",
        ),
        (
            ">=3,<4",
            (
                "no version meets dep>=3,<4; there are 1.0\n"
                "  younger than uploaded-prior-to allows: 3.0\n"
                "Wait, let uploaded-prior-to allow more, or ask for an older version."
            ),
        ),
        (
            "==4.0",
            "no version meets dep==4.0; there are 1.0\n  for other Pythons or platforms: 4.0",
        ),
        (
            "==5.0",
            (
                "no version meets dep==5.0; there are 1.0\n"
                "  left out by --only-binary or --no-binary: 5.0"
            ),
        ),
    ],
)
def test_why_no_version_is_taken(demand: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text(f"app\ndep{demand}\n", encoding="utf-8")
    assert describe(demand, 2, THERE, tmp_path) == f"requirements.in:2: {said}"


def test_what_is_all_too_young_is_no_unknown_project(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("dep\n", encoding="utf-8")
    said = describe("", 1, Versions(late={"1.0": ""}), tmp_path)
    assert "no version meets dep; there are none" in said
    assert "younger than uploaded-prior-to allows: 1.0" in said
    assert "no package index has" not in said
    assert "no package index has a project 'dep'" in describe("", 1, Versions(), tmp_path)


def test_all_that_is_left_out_is_named_with_why() -> None:
    assert THERE.left_out(specifiers(">=1")) == [
        "  younger than uploaded-prior-to allows: 3.0",
        "  for other Pythons or platforms: 2.0, 2.1, 2.10, 4.0",
        "  left out by --only-binary or --no-binary: 5.0",
        "  withdrawn (yanked): 1.1, 1.2",
    ]
