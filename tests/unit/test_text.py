"""Words of messages; what hides secrets has its tests in `tests/robustness/test_secrets.py`."""

from __future__ import annotations

import os

import pytest

from nox_lock.text import as_argument


@pytest.mark.parametrize(
    ("system", "word", "shown"),
    [
        ("posix", "tests-3.11", "tests-3.11"),
        ("nt", "tests-3.11", "tests-3.11"),
        ("posix", "tests(django='4.2')", "'tests(django='\"'\"'4.2'\"'\"')'"),
        ("nt", "tests(django='4.2')", "\"tests(django='4.2')\""),
        ("nt", "six<1.17", '"six<1.17"'),
    ],
)
def test_a_word_for_the_shell_of_a_system(
    monkeypatch: pytest.MonkeyPatch, system: str, word: str, shown: str
) -> None:
    monkeypatch.setattr(os, "name", system)
    found = as_argument(word)
    monkeypatch.undo()
    assert found == shown
