"""What the driver reports is read as it is written, every text of it shown as it may be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nox_lock.compiling.demands import Demand, Origin, Versions
from nox_lock.compiling.index_failures import Page
from nox_lock.compiling.report import Failure, Report, read_report
from nox_lock.errors import Place
from nox_lock.inputs.pep508 import parse_specifier
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from nox_lock.inputs.requirements import Inputs


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    (tmp_path / "a.in").write_text("top\napp<2\nlib\n-c limits.txt\n", encoding="utf-8")
    (tmp_path / "limits.txt").write_text("lib<3\nlib<2\n", encoding="utf-8")
    return read_inputs(["a.in"], Files(Project(tmp_path, {})))


SAID = {
    "pages": [{"address": "https://one.example/simple", "project": "app", "status": 500}],
    "built": [["app", "1.0"]],
    "newest": {"app": "2.0"},
    "failure": {
        "kind": "demands",
        "message": "in /home/me/project",
        "name": "app",
        "file": "a.in",
        "line": 2,
        "demands": [
            {"project": "app", "text": "app<2", "specifier": "<2", "file": "a.in", "line": 2},
            {"project": "app", "text": "app", "by": ["mid[x]", "1"], "through": ["mid", "top"]},
            {"project": "lib", "text": "lib<2", "specifier": "<2", "constraint": True},
            {"project": "old", "text": "old==1", "specifier": "==1", "constraint": True},
        ],
        "versions": {"app": {"found": ["1.0"], "refused": {"1.5": "bad metadata"}}},
    },
}


def test_a_report_is_read(tmp_path: Path, inputs: Inputs) -> None:
    """Each demand and failure with the requirement of an input that it comes from."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps(SAID), encoding="utf-8")
    top, app, _, limit = (inputs.entries[number] for number in (0, 1, 2, 4))
    less = parse_specifier("<2")
    assert read_report(path, inputs, lambda text: text.replace("/home/me/", "")) == Report(
        failure=Failure(
            "demands",
            "in project",
            name="app",
            place=Place("a.in", 2),
            entry=app,
            demands=[
                Demand("app", "app<2", less, origin=Origin(app)),
                Demand("app", "app", None, "mid[x]", ("1",), Origin(top, ("top",))),
                Demand("lib", "lib<2", less, origin=Origin(limit), constraint=True),
                Demand("old", "old==1", parse_specifier("==1"), constraint=True),
            ],
            versions={"app": Versions(found=["1.0"], refused={"1.5": "bad metadata"})},
        ),
        pages=[Page("https://one.example/simple", "app", 500)],
        built=[["app", "1.0"]],
        newest={"app": "2.0"},
    )


@pytest.mark.parametrize("text", ["", "{torn", '{"pages": [', "\x00"])
def test_one_that_is_not_whole_is_none(text: str, tmp_path: Path, inputs: Inputs) -> None:
    path = tmp_path / "report.json"
    assert read_report(path, inputs) is None
    path.write_text(text, encoding="utf-8")
    assert read_report(path, inputs) is None


def test_what_is_of_no_compile_is_passed_over(tmp_path: Path, inputs: Inputs) -> None:
    """Where pip is not supported, the report says what this Python is, instead."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"unsupported": ["pip.x"], "version": "3.11"}), encoding="utf-8")
    assert read_report(path, inputs) == Report(pages=[], unsupported=["pip.x"])
