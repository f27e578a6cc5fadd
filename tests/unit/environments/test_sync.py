"""What pip and uv print, read: which pins failed, why, and what was yanked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nox_lock.environments.comparison import Difference
from nox_lock.environments.sync import explain_failure, find_yanked
from support.plans import plan_folder

if TYPE_CHECKING:
    from pathlib import Path

PIP_GONE = """\
Looking in indexes: https://index.invalid/simple
ERROR: Could not find a version that satisfies the requirement lib==2.0 (from versions: 1.0)
ERROR: No matching distribution found for lib==2.0
"""
UV_GONE = """\
error: No solution found when resolving dependencies:
  Because there is no version of lib==2.0 and you require lib==2.0, your requirements cannot be met.
"""
PIP_HASH = """\
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.
    app==1.0 from https://index.invalid/app.whl
"""
PIP_PAGE = """\
Could not fetch URL https://u:p@index.invalid/simple/lib/: 503 Server Error: x - skipping
ERROR: No matching distribution found for lib==2.0
"""


@pytest.fixture
def missing(tmp_path: Path) -> list[Difference]:
    (tmp_path / "requirements.in").write_text("app\nlib\n", encoding="utf-8")
    (tmp_path / "requirements.txt").write_text("app==1.0\nlib==2.0\n", encoding="utf-8")
    [planned] = plan_folder(tmp_path)
    return [Difference(planned, pin) for pin in planned.pins]


@pytest.mark.parametrize(
    ("log", "failed", "hint"),
    [
        (PIP_GONE, "lib", "Lock another version: nox -s lock -- -P lib"),
        (UV_GONE, "lib", "Lock another version: nox -s lock -- -P lib"),
        (PIP_HASH, "app", "if it can be trusted: nox -s lock -- -P app"),
        (PIP_PAGE, "lib", "Run it again when the package index answers"),
    ],
)
def test_the_pin_that_failed_is_named(
    missing: list[Difference], log: str, failed: str, hint: str
) -> None:
    error = explain_failure(log, missing, "nox -s lock")
    versions = {"app": "app==1.0 (requirements.txt:1)", "lib": "lib==2.0 (requirements.txt:2)"}
    assert [name for name, shown in versions.items() if shown in error.message] == [failed]
    assert hint in (error.hint or "")
    assert "u:p" not in error.message


def test_an_error_that_names_no_pin_is_about_all(missing: list[Difference]) -> None:
    error = explain_failure("ERROR: something else", missing, "nox -s lock")
    assert error.message.count("requirements.txt:") == len(missing)
    assert error.hint is None


def test_yanked_pins(missing: list[Difference]) -> None:
    pip = (
        "The candidate selected for download or install is a yanked version: 'lib' candidate "
        "(version 2.0 at https://index.invalid/lib.whl)\nReason for being yanked: broken\n"
    )
    uv = 'warning: `app==1.0` is yanked (reason: "old")\n'
    assert find_yanked(pip, missing) == ["lib==2.0 was yanked: broken (requirements.txt:2)"]
    assert find_yanked(uv, missing) == ["app==1.0 was yanked: old (requirements.txt:1)"]
