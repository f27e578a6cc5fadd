"""The layouts of six real projects, at full size and against the real package index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.layouts import LAYOUTS
from support.trial import obstacle, try_layout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.long
@pytest.mark.network
@pytest.mark.parametrize("name", LAYOUTS)
def test_layout(name: str, shared: Path, cache: Path, tmp_path: Path) -> None:
    """One run locks all as pip-compile does by hand, in layers that agree; a second nothing."""
    if why := obstacle():
        pytest.skip(why)
    trial = try_layout(name, LAYOUTS[name], shared, tmp_path, cache)
    assert not trial.problems, "\n".join(trial.problems)
