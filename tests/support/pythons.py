"""Pythons beside the one that runs the tests."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from support.project import interpreters

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
# One that no machine has, nor will have.
MISSING = "3.99"
# The first and the last of the first three are told apart by markers in tests.
_PREFERRED = tuple(dict.fromkeys((HERE, "3.10", "3.12", "3.11", "3.13")))


def three_pythons() -> list[str]:
    """Return three supported Pythons of this machine, this one among them, the oldest first.

    Skips where there are fewer.
    """
    found = [version for version in _PREFERRED if version in interpreters()][:3]
    if len(found) < 3:
        pytest.skip(f"three Pythons from 3.10 to 3.13 are needed; here are {', '.join(found)}")
    return sorted(found, key=lambda version: int(version.partition(".")[2]))


def with_pythons(versions: Iterable[str]) -> dict[str, str]:
    """Return the PATH on which nox and virtualenv find these Pythons."""
    folders = [str(interpreters()[version].parent) for version in versions]
    return {"PATH": os.pathsep.join([*folders, os.environ["PATH"]])}
