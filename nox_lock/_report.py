"""Verdicts and outcomes -> lines for people, and JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nox_lock._verdict import FRESH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nox_lock._locking import Outcome
    from nox_lock._planned import Planned
    from nox_lock._verdict import Verdict

JSON_VERSION = 1


def verdict_lines(planned: Planned, verdict: Verdict) -> Iterator[str]:
    """Say what a lock file is worth: one line, then its reasons indented."""
    notes = f" ({'; '.join(verdict.notes)})" if verdict.notes else ""
    system = f" on {planned.system}" if planned.system else ""
    yield f"{planned.path}: {verdict.word}, Python {planned.target}{system}{notes}"
    for reason in verdict.reasons:
        yield f"    {reason}"


def orphan_lines(path: str, verdict: Verdict) -> Iterator[str]:
    """Say of a lock file that nothing asks for: its name and its verdict, then the mend."""
    yield f"{path}: {verdict.word}"
    for reason in verdict.reasons:
        yield f"    {reason.message}"


def summary(verdicts: Iterable[str]) -> str:
    """Count the lock files by the words of their verdicts: ``1 stale, 2 fresh``."""
    counts: dict[str, int] = {}
    for word in verdicts:
        counts[word] = counts.get(word, 0) + 1
    words = sorted(counts, key=lambda word: (word == FRESH, word))
    return ", ".join(f"{counts[word]} {word}" for word in words)


def verdicts_json(
    judged: Iterable[tuple[Planned, Verdict]], orphans: Iterable[tuple[str, Verdict]] = ()
) -> str:
    """Return the JSON of `lock-check --format json`; its shape is versioned.

    Of an orphaned file nobody knows the lock and the Python: they are null.
    """
    locks = [
        _as_json(planned.name, planned.path, str(planned.target), verdict)
        for planned, verdict in judged
    ]
    locks += [_as_json(None, path, None, verdict) for path, verdict in orphans]
    return json.dumps({"version": JSON_VERSION, "locks": locks}, indent=2)


def _as_json(name: str | None, path: str, python: str | None, verdict: Verdict) -> dict[str, Any]:
    return {
        "name": name,
        "lockfile": path,
        "python": python,
        "verdict": verdict.word,
        "reasons": [
            {"message": reason.message, "file": reason.file, "line": reason.line}
            for reason in verdict.reasons
        ],
    }


def outcome_line(outcome: Outcome) -> str:
    """Say what was done for one lock file."""
    planned, pins = outcome.planned, _count(outcome.pins, "pin")
    if outcome.action == "waits":
        return f"{planned.path}: waits for `nox -s lock` on {planned.system}"
    if outcome.action == "up to date":
        return f"{planned.path}: up to date ({pins})"
    if outcome.action == "restored":
        return (
            f"{planned.path}: restored from the cache ({pins}, resolved on {outcome.day}; "
            "-U looks for newer versions)"
        )
    return f"{planned.path}: compiled in {outcome.seconds:.1f} s ({pins})"


def moves(outcome: Outcome) -> Iterator[str]:
    """Tell which pins of a lock file moved: ``idna 3.6 -> 3.7``."""
    before = {pin.name: pin for pin in outcome.before.pins} if outcome.before else {}
    now = outcome.planned.existing
    for pin in now.pins if now else ():
        old = before.get(pin.name)
        if old is not None and old.shown != pin.shown:
            yield f"{pin.name} {old.version or old.url} -> {pin.version or pin.url}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
