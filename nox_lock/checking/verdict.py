"""The result of checking a lock file: data only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nox_lock.errors import Reason
from nox_lock.planning.lock_plan import AnyPlan
from nox_lock.text import shortened

FRESH, STALE, MISSING, INVALID = "fresh", "stale", "missing", "invalid"
ORPHANED = "orphaned"
_MOST = 50


def cut(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the first of many reasons, each once and no longer than a person reads."""
    found = tuple(dict.fromkeys(reasons))
    shown = tuple(each._replace(message=shortened(each.message)) for each in found[:_MOST])
    if len(found) <= _MOST:
        return shown
    return (*shown, found[_MOST]._replace(message=f"and {len(found) - _MOST} more"))


class Verdict(NamedTuple):
    """The result of checking a lock file.

    Attributes:
        word: `fresh`, `stale`, `missing`, `invalid` or `orphaned`.
        reasons: why; empty for fresh.
        notes: what a person may want to know of a fresh one.
        warnings: what is allowed and better changed.
        diff: how the lock would change, as a unified diff; only where it was resolved again.
    """

    word: str
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[Reason, ...] = ()
    diff: str = ""

    @property
    def fresh(self) -> bool:
        """Whether the lock file can be used as it is."""
        return self.word == FRESH


class Judged(NamedTuple):
    """A lock file by its path, its verdict, and the plan that it was checked against, if any."""

    path: str
    verdict: Verdict
    planned: AnyPlan | None = None
