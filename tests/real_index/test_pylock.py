"""Pylocks of real requirement sets are exactly their lock files, also by pip and uv."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.answers import has_uv
from support.corpus import Input, default_corpus
from support.long import long
from support.pylock_trials import SETS, try_set
from support.pylocks import needs_select

if TYPE_CHECKING:
    from pathlib import Path

# Pins for some Pythons and for some systems.
SMALL = "pallets__flask/requirements/tests.in"

pytestmark = [
    needs_select,
    pytest.mark.network,
    pytest.mark.skipif(not has_uv(), reason="uv is not installed"),
    pytest.mark.skipif(not default_corpus().is_dir(), reason="no corpus beside the repository"),
]


@pytest.mark.parametrize(
    "name", [SMALL, long("pypa__manylinux/requirements.in"), *(long(each) for each in SETS)]
)
def test_a_real_set(name: str, tmp_path: Path) -> None:
    folder, _, file = name.partition("/")
    trial = try_set(Input(folder, (file,)), tmp_path, others=False)
    assert trial.wrong == []
    assert trial.texts["nox-lock"].count("[[packages]]") > 0
