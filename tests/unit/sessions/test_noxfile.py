"""What the values of `python=` name."""

from __future__ import annotations

import pytest

from nox_lock.planning.planner import is_within
from nox_lock.sessions.noxfile import read_pythons
from nox_lock.target import parse_target


@pytest.mark.parametrize(
    ("python", "target", "said"),
    [
        ("3.12", "3.12", True),
        ("3.12", "3.11", False),
        ("3.12", "3.12t", False),
        ("3.12", "pypy3.12", False),
        ("3.12.4", "3.12", True),
        ("python3.12", "3.12", True),
        ("pypy-3.10", "pypy3.10", True),
        ("3.13t", "3.13t", True),
        ("3", "3.12", True),
        (">=3.12", "3.13", True),
        (">=3.12", "3.11", False),
        (">=3.12.4", "3.12", True),
        ("python3", "3.12", None),
        ("3.6-32", "3.12", None),
        ("/opt/python3.11/bin/python", "3.12", None),
    ],
)
def test_what_a_value_says_of_a_python(
    python: str,
    target: str,
    said: bool | None,  # noqa: FBT001
) -> None:
    found = [is_within(parse_target(target), each) for each in read_pythons([python])]
    assert found == ([] if said is None else [said])
