"""The long tier, for some cases of a parametrized test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet


def long(*values: object) -> ParameterSet:
    """Return the values of one case, which is run with `--run-long` alone."""
    return pytest.param(*values, marks=pytest.mark.long)
