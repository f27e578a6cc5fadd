"""The example's committed locks are fresh, and hold the pins of its day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from support.locks import pins
from support.project import Project

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "example_project"


def test_its_locks_are_fresh(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both as CI judges them, and as `nox -s lock` does, which has nothing to do."""
    monkeypatch.delenv("NOX_LOCK_CACHE_DIR")
    example = Project(EXAMPLE, home)
    before = example.snapshot()
    example.nox("-s", "lock-check").ok()
    run = example.nox("-s", "lock").ok()
    assert run.output.count("up to date") == 2
    assert example.snapshot() == before


def test_it_holds_the_werkzeug_of_its_day() -> None:
    """Flask alone stands in its input; the lock keeps what Flask 2.0 needs."""
    text = (EXAMPLE / "requirements.in").read_text(encoding="utf-8")
    assert text == "Flask==2.0.0\nrequests<2.28.0\n"
    assert pins((EXAMPLE / "requirements.txt").read_text(encoding="utf-8"))["werkzeug"] == "2.0.3"
