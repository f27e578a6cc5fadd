"""Verdicts and outcomes -> lines for people, and JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nox_lock.checking.judge import find_obstacles
from nox_lock.checking.verdict import FRESH, ORPHANED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nox_lock.checking.verdict import Judged, Reason
    from nox_lock.errors import NoxLockError

JSON_VERSION = 1
# By whether the terminal speaks Unicode: of what is fresh, and of all else.
_MARKS = {True: ("\N{CHECK MARK}", "\N{BALLOT X}"), False: ("+", "x")}


def verdict_lines(judged: Judged, *, unicode: bool = False) -> Iterator[str]:
    """Say what a lock file is worth: one line, then its reasons and warnings indented."""
    verdict, planned = judged.verdict, judged.planned
    mark = _MARKS[unicode][not verdict.fresh]
    notes = f" ({'; '.join(verdict.notes)})" if verdict.notes else ""
    target = f", {target_of(judged)}" if planned else ""
    yield f"{mark} {judged.path}: {verdict.word}{target}{notes}"
    for reason in verdict.reasons:
        yield f"    {reason if planned else reason.message}"
    for warning in verdict.warnings:
        yield f"    warning: {warning}"
    for line in verdict.diff.splitlines():
        yield f"    {line}"


def target_of(judged: Judged) -> str:
    """Say what a lock file is for: ``Python 3.11 on linux``; empty where nobody knows."""
    if judged.planned is None:
        return ""
    system = judged.planned.system
    return f"Python {judged.planned.target}{f' on {system}' if system else ''}"


def summary(judged: Iterable[Judged]) -> str:
    """Count the lock files by the words of their verdicts: ``1 stale, 2 fresh``."""
    counts: dict[str, int] = {}
    for each in judged:
        counts[each.verdict.word] = counts.get(each.verdict.word, 0) + 1
    words = sorted(counts, key=lambda word: (word == FRESH, word))
    return ", ".join(f"{counts[word]} {word}" for word in words)


def fix_command(judged: Iterable[Judged], lock_command: str) -> str | None:
    """Return what to run for those that are not fresh; orphaned ones say it themselves."""
    wrong = [each for each in judged if each.verdict.word not in {FRESH, ORPHANED}]
    if not wrong:
        return None
    if any(find_obstacles(each.planned) for each in wrong if each.planned):
        return f"{lock_command} -- --overwrite  (or correct the lines named)"
    if any(each.verdict.diff for each in wrong):  # its inputs alone do not show it
        return f"{lock_command} -- --no-cache"
    return lock_command


def verdicts_json(judged: Iterable[Judged]) -> str:
    """Return the JSON of `lock-check --format json`; its shape is versioned.

    Of an orphaned file nobody knows the lock and the Python: they are null.
    """
    return to_json(locks=[_as_json(each) for each in judged])


def error_json(error: NoxLockError) -> str:
    """Return the JSON for an error that kept all from being judged, or made."""
    return to_json(locks=[], error=fields_of(error))


def fields_of(error: NoxLockError) -> dict[str, Any]:
    """Return an error as it is in JSON."""
    return {**_reason(error), "hint": error.hint}


def _reason(reason: Reason | NoxLockError) -> dict[str, Any]:
    file, line = reason.place or (None, None)
    return {"message": reason.message, "file": file, "line": line}


def to_json(**parts: Any) -> str:
    """Return JSON with the version of its shape."""
    return json.dumps({"version": JSON_VERSION, **parts}, indent=2)


def _as_json(judged: Judged) -> dict[str, Any]:
    planned, verdict = judged.planned, judged.verdict
    return {
        "name": planned and planned.name,
        "lockfile": judged.path,
        "python": planned and str(planned.target),
        "platform": (planned and planned.system) or None,
        "verdict": verdict.word,
        "reasons": list(map(_reason, verdict.reasons)),
        "warnings": list(map(_reason, verdict.warnings)),
        "notes": list(verdict.notes),
        "diff": verdict.diff or None,
    }
