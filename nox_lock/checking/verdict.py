"""The result of checking a lock file: data only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nox_lock.errors import Reason
from nox_lock.planning.lock_plan import AnyPlan
from nox_lock.text import shortened

FRESH, STALE, MISSING, INVALID, ORPHANED = "fresh", "stale", "missing", "invalid", "orphaned"
_MOST = 50


def cut(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the first of many reasons, each once and no longer than a person reads."""
    found = tuple(dict.fromkeys(reasons))
    shown = tuple(each._replace(message=shortened(each.message)) for each in found[:_MOST])
    if len(found) <= _MOST:
        return shown
    return (*shown, found[_MOST]._replace(message=f"and {len(found) - _MOST} more"))


class Verdict(NamedTuple):
    """The result of checking a lock file."""

    word: str  # one of the five above
    reasons: tuple[Reason, ...] = ()  # why; empty for fresh
    notes: tuple[str, ...] = ()  # what a person may want to know of a fresh one
    warnings: tuple[Reason, ...] = ()  # what is allowed and better changed
    diff: str = ""  # how the lock would change, unified; only where it was resolved again

    @property
    def fresh(self) -> bool:
        return self.word == FRESH


class Judged(NamedTuple):
    """A lock file by its path, its verdict, and the plan that it was checked against, if any."""

    path: str
    verdict: Verdict
    planned: AnyPlan | None = None
