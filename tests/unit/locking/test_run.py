"""Which lock files are a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_lock.locking.run import find_stacks, with_lower
from support.plans import plan_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_what_builds_on_each_other_is_one_stack(tmp_path: Path) -> None:
    """A lock that builds on two others makes one stack of the three."""
    files = {
        "one.in": "a\n",
        "two.in": "b\n",
        "three.in": "c\n",
        "both.in": "-c one.txt\n-c two.txt\n",
        "pyproject.toml": "".join(
            f"[tool.nox-lock.locks.{name}]\ninputs = ['{name}.in']\n"
            for name in ("one", "two", "three", "both")
        ),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    planned = plan_folder(tmp_path)
    stacks = [[each.name for each in stack] for stack in find_stacks(planned)]
    assert sorted(stacks) == [["one", "two", "both"], ["three"]]
    (both,) = (each for each in planned if each.name == "both")
    assert [each.name for each in with_lower(both)] == ["one", "two", "both"]
