"""What pip and uv print, read: which pins failed, why, and what was yanked."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from nox_lock.environments.comparison import Difference
from nox_lock.environments.sync import Installed, explain_failure, find_yanked
from nox_lock.target import Target
from support.plans import plan_folder

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target("3.11", patch="2")
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
PIP_LIMIT = """\
ERROR: Cannot install lib==2.0 because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested lib==2.0
    The user requested (constraint) lib<2
"""
PIP_PYTHON = (
    "ERROR: Ignored the following versions that require a different python version: "
    "2.0 Requires-Python >=3.11.5\n"
    "ERROR: Could not find a version that satisfies the requirement lib==2.0 (from versions: 1.0)\n"
    "ERROR: No matching distribution found for lib==2.0\n"
)
UV_PYTHON = (
    "error: No solution found when resolving dependencies\n"
    "  cause: Because the current Python version (3.11.2) does not satisfy Python>=3.11.5 and "
    "lib==2.0 depends on Python>=3.11.5, we can conclude that lib==2.0 cannot be used.\n"
)


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
        (PIP_HASH, "app", "or the version was changed by hand: nox -s lock -- -P app==1.0"),
        (PIP_LIMIT, "lib", "A constraint of your own settings forbids it (PIP_CONSTRAINT, or"),
        (PIP_PAGE, "lib", "Run it again when the package index answers"),
        (PIP_PYTHON, "lib", "This session runs Python 3.11.2, and the lock is for a later patch"),
        (UV_PYTHON, "lib", 'lock for this one: [tool.nox-lock] python = ["3.11.2"]'),
    ],
)
@pytest.mark.parametrize("width", [1000, 80])  # as wide as the terminal
def test_the_pin_that_failed_is_named(
    missing: list[Difference], log: str, failed: str, hint: str, width: int
) -> None:
    if log.startswith("error: "):  # uv's
        log = "\n".join(line for each in log.split("\n") for line in textwrap.wrap(each, width))
    error = explain_failure(Installed(log, failed=True), missing, "nox -s lock", TARGET)
    versions = {"app": "app==1.0 (requirements.txt:1)", "lib": "lib==2.0 (requirements.txt:2)"}
    assert [name for name, shown in versions.items() if shown in error.message] == [failed]
    assert hint in (error.hint or "")
    assert "u:p" not in error.message


def test_an_error_that_names_no_pin_is_about_all(missing: list[Difference]) -> None:
    result = Installed("ERROR: something else", failed=True)
    error = explain_failure(result, missing, "nox -s lock", TARGET)
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
