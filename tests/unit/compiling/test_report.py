"""What the driver reports is read as it is written, every text of it shown as it may be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nox_lock.compiling.report import Demand, Failure, Page, Report, Versions, read_report

if TYPE_CHECKING:
    from pathlib import Path

SAID = {
    "pages": [{"address": "https://one.example/simple", "project": "app", "status": 500}],
    "built": [["app", "1.0"]],
    "newest": {"app": "2.0"},
    "failure": {
        "kind": "demands",
        "message": "in /home/me/project",
        "demands": [{"project": "app", "text": "app<2", "specifier": "<2", "file": "a.in"}],
        "versions": {"app": {"found": ["1.0"], "refused": {"1.5": "bad metadata"}}},
    },
}


def test_a_report_is_read(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(SAID), encoding="utf-8")
    assert read_report(path, lambda text: text.replace("/home/me/", "")) == Report(
        failure=Failure(
            "demands",
            "in project",
            demands=[Demand("app", "app<2", "<2", file="a.in")],
            versions={"app": Versions(found=["1.0"], refused={"1.5": "bad metadata"})},
        ),
        pages=[Page("https://one.example/simple", "app", 500)],
        built=[["app", "1.0"]],
        newest={"app": "2.0"},
    )


@pytest.mark.parametrize("text", ["", "{torn", '{"pages": [', "\x00"])
def test_one_that_is_not_whole_is_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    assert read_report(path, str) is None
    path.write_text(text, encoding="utf-8")
    assert read_report(path, str) is None


def test_what_is_of_no_compile_is_passed_over(tmp_path: Path) -> None:
    """Where pip is not supported, the report says what this Python is, instead."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"unsupported": ["pip.x"], "version": "3.11"}), encoding="utf-8")
    assert read_report(path, str) == Report(pages=[], unsupported=["pip.x"])
