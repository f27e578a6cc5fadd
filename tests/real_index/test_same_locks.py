"""Real inputs, real index: locks for other Pythons and platforms are what those make themselves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from support.answers import Answers, has_uv
from support.corpus import default_corpus, find_inputs
from support.project import interpreters
from support.same_locks import (
    HERE,
    PLATFORMS,
    PYTHONS,
    UNEXPLAINED,
    Comparison,
    batches,
    describe,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from support.corpus import Input
    from support.same_locks import Finding

# Of four sets, so that they are locked at once.
SMALL = {
    "bazelbuild__rules_python/examples/wheel/requirements_server.in",
    "freedomofpress__securedrop/securedrop/requirements/python3/translation-requirements.in",
    "pallets__flask/requirements/tests.in",
    "pypa__manylinux/requirements.in",
}
_LOG = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def corpus() -> Path:
    folder = default_corpus()
    if not folder.is_dir():
        pytest.skip(f"no folder {folder.parent.name}/{folder.name} beside the repository")
    return folder


@pytest.fixture(scope="module")
def answers(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Return one for all tests: what is downloaded for one is there for all."""
    return Answers(corpus, tmp_path_factory.mktemp("answers"))


def compare(comparison: Comparison, inputs: Sequence[Input]) -> list[Finding]:
    """Compare inputs; fail where a lock is not the right one and nothing explains it."""
    findings = []
    for batch in batches(inputs):
        found = list(comparison.compare(batch))
        _LOG.info("%s", "\n".join(describe(found)) or "all the same")
        findings += found
    _LOG.info("%s", table(findings))
    wrong = [each for each in findings if each.outcome in UNEXPLAINED]
    assert not wrong, "\n".join(map(str, wrong))
    return findings


@pytest.mark.network
def test_small_inputs(answers: Answers) -> None:
    """Four inputs for one other Python, hidden and found, and for two other platforms."""
    others = [each for each in PYTHONS if each != HERE and each in interpreters()]
    if not others:
        pytest.skip(f"no Python of {', '.join(PYTHONS)} is here beside {HERE}")
    if not has_uv():
        pytest.skip("uv is not installed: nothing to compare platforms with")
    inputs = [each for each in find_inputs(answers.corpus) if str(each) in SMALL]
    # Without hashes: pip-compile would download for half a minute.
    comparison = Comparison(answers, others[-1:], ["darwin", "win32"], hashed=())
    findings = compare(comparison, inputs)
    assert len(findings) == len(SMALL) * 4


@pytest.mark.long
@pytest.mark.network
@pytest.mark.parametrize("python", PYTHONS)
def test_pythons(answers: Answers, python: str) -> None:
    """All inputs, against the own pip-compile of another Python, byte for byte."""
    if python == HERE:
        pytest.skip(f"Python {python} is the one that runs")
    if python not in interpreters():
        pytest.skip(f"Python {python} is not here")
    compare(Comparison(answers, [python], []), find_inputs(answers.corpus))


@pytest.mark.long
@pytest.mark.network
@pytest.mark.parametrize("platform", PLATFORMS)
def test_platforms(answers: Answers, platform: str) -> None:
    """All inputs, against the pins that uv finds for another platform."""
    if not has_uv():
        pytest.skip("uv is not installed: nothing to compare with")
    compare(Comparison(answers, [], [platform]), find_inputs(answers.corpus))
