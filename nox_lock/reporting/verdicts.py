"""Verdicts on lock files, as lines and JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from nox_lock.checking.judge import find_obstacles
from nox_lock.checking.verdict import FRESH, ORPHANED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nox_lock.checking.verdict import Judged, Reason
    from nox_lock.errors import NoxLockError

_JSON_VERSION = 1


def verdict_lines(judged: Judged, *, unicode: bool = False) -> Iterator[str]:
    """Yield a line with the verdict, then its reasons and warnings, indented."""
    verdict, planned = judged.verdict, judged.planned
    good, bad = ("\N{CHECK MARK}", "\N{BALLOT X}") if unicode else ("+", "x")
    target = f", {target_of(judged)}" if planned else ""
    notes = f" ({'; '.join(verdict.notes)})" if verdict.notes else ""
    yield f"{good if verdict.fresh else bad} {judged.path}: {verdict.word}{target}{notes}"
    for reason in verdict.reasons:
        yield f"    {reason if planned else reason.message}"
    for warning in verdict.warnings:
        yield f"    warning: {warning}"
    for line in verdict.diff.splitlines():
        yield f"    {line}"


def target_of(judged: Judged) -> str:
    """Return what a lock file is for: ``Python 3.11 on linux``; empty for an orphaned one."""
    if judged.planned is None:
        return ""
    system = judged.planned.system
    return f"Python {judged.planned.target}{f' on {system}' if system else ''}"


def summary(judged: Iterable[Judged]) -> str:
    """Count the lock files by verdict, fresh ones last: ``1 stale, 2 fresh``."""
    counts = Counter(each.verdict.word for each in judged)
    words = sorted(counts, key=lambda word: (word == FRESH, word))
    return ", ".join(f"{counts[word]} {word}" for word in words)


def fix_command(judged: Iterable[Judged], lock_command: str) -> str | None:
    """Return what to run for those that are not fresh; None where their reasons say it."""
    wrong = [each for each in judged if each.verdict.word not in {FRESH, ORPHANED}]
    if not wrong:
        return None
    if any(find_obstacles(each.planned) for each in wrong if each.planned):
        return f"{lock_command} -- --overwrite  (or correct the lines named)"
    if any(each.verdict.diff for each in wrong):  # only an index knows that it is not fresh
        return f"{lock_command} -- --no-cache"
    return lock_command


def verdicts_json(judged: Iterable[Judged]) -> str:
    """Return the JSON of `lock-check --format json`."""
    return to_json(locks=[_verdict_fields(each) for each in judged])


def error_json(error: NoxLockError) -> str:
    """Return the JSON for an error that ended the command."""
    return to_json(locks=[], error=error_fields(error))


def to_json(**parts: Any) -> str:
    """Return JSON with the version of its shape."""
    return json.dumps({"version": _JSON_VERSION, **parts}, indent=2)


def error_fields(error: NoxLockError) -> dict[str, Any]:
    """Return the fields of an error in JSON."""
    return {**_reason_fields(error), "hint": error.hint}


def _reason_fields(reason: Reason | NoxLockError) -> dict[str, Any]:
    file, line = reason.place or (None, None)
    return {"message": reason.message, "file": file, "line": line}


def _verdict_fields(judged: Judged) -> dict[str, Any]:
    planned, verdict = judged.planned, judged.verdict
    return {
        "name": planned and planned.name,
        "lockfile": judged.path,
        "python": planned and str(planned.target),
        "platform": (planned and planned.system) or None,
        "verdict": verdict.word,
        "reasons": list(map(_reason_fields, verdict.reasons)),
        "warnings": list(map(_reason_fields, verdict.warnings)),
        "notes": list(verdict.notes),
        "diff": verdict.diff or None,
    }
