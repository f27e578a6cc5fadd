"""What was done to lock files, as lines and Markdown."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nox_lock.console import GREEN, RED, YELLOW, ColouredLine
from nox_lock.errors import NoxLockError
from nox_lock.locking.changes import (
    ADDED,
    CHANGED,
    DOWNGRADED,
    REHASHED,
    REMOVED,
    UPGRADED,
    Change,
    Outcome,
)
from nox_lock.reporting.outcomes import change_lines, outcomes_markdown
from support.marks import ESCAPED, MARKS
from support.plans import plan_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (Change(ADDED, "a", "", "1.0", "b"), ("    + a 1.0, b", GREEN)),
        (Change(REMOVED, "a", "1.0", ""), ("    - a 1.0", RED)),
        (Change(UPGRADED, "a", "1", "2", "b", "major"),
         ("    ~ a 1 -> 2 (major), b", RED)),
        (Change(UPGRADED, "a", "1", "1.1", "", "minor"), ("    ~ a 1 -> 1.1", YELLOW)),
        (Change(UPGRADED, "a", "1", "1.0.1", "", "micro"),
         ("    ~ a 1 -> 1.0.1", GREEN)),
        (Change(DOWNGRADED, "a", "2", "1", "", "micro"),
         ("    ! a 2 -> 1 (DOWNGRADE)", RED)),
        (Change(CHANGED, "a", "u", "v"), ("    ~ a u -> v", YELLOW)),
        (Change(REHASHED, "a", "1", "1"),
         ("    # a 1: the same version with other files", YELLOW)),
    ],
)  # fmt: skip
def test_each_kind_of_change_has_its_line(change: Change, line: ColouredLine) -> None:
    assert list(change_lines([change])) == [line]


def test_nothing_in_the_report_of_changes_is_a_mark_either(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("app\n", encoding="utf-8")
    (planned,) = plan_folder(tmp_path)
    planned = replace(planned, path=MARKS)
    outcome = Outcome(planned, "compiled", notes=(MARKS,))
    said = outcomes_markdown([outcome], {MARKS: NoxLockError(MARKS)})
    assert said.count(ESCAPED) == 3
    rest = "\n".join(line for line in said.split("\n") if not line.startswith("    "))
    assert not re.search(r"(?<!\\)[`\[\]!*_~@|<]", rest)
