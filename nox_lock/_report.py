"""Verdicts and outcomes -> lines for people, and JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nox_lock._freshness import FRESH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nox_lock._freshness import Verdict
    from nox_lock._locking import Outcome
    from nox_lock._plan import Planned

JSON_VERSION = 1


def verdict_lines(planned: Planned, verdict: Verdict) -> Iterator[str]:
    """Say what a lock file is worth: one line, then its reasons indented."""
    notes = f" ({'; '.join(verdict.notes)})" if verdict.notes else ""
    yield f"{planned.path}: {verdict.word}, Python {planned.target}{notes}"
    for reason in verdict.reasons:
        yield f"    {reason}"


def summary(judged: Iterable[tuple[Planned, Verdict]]) -> str:
    """Count the lock files by verdict: ``1 stale, 2 fresh``."""
    counts: dict[str, int] = {}
    for _, verdict in judged:
        counts[verdict.word] = counts.get(verdict.word, 0) + 1
    words = sorted(counts, key=lambda word: (word == FRESH, word))
    return ", ".join(f"{counts[word]} {word}" for word in words)


def verdicts_json(judged: Iterable[tuple[Planned, Verdict]]) -> str:
    """Return the JSON of `lock-check --format json`; its shape is versioned."""
    locks = [
        {
            "name": planned.name,
            "lockfile": planned.path,
            "python": str(planned.target),
            "verdict": verdict.word,
            "reasons": [
                {"message": reason.message, "file": reason.file, "line": reason.line}
                for reason in verdict.reasons
            ],
        }
        for planned, verdict in judged
    ]
    return json.dumps({"version": JSON_VERSION, "locks": locks}, indent=2)


def outcome_line(outcome: Outcome) -> str:
    """Say what was done for one lock file."""
    path, pins = outcome.planned.path, _count(outcome.pins, "pin")
    if outcome.action == "up to date":
        return f"{path}: up to date ({pins})"
    if outcome.action == "restored":
        return (
            f"{path}: restored from the cache ({pins}, resolved on {outcome.day}; "
            "-U looks for newer versions)"
        )
    return f"{path}: compiled in {outcome.seconds:.1f} s ({pins})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
