"""What was done to lock files -> lines for people, JSON, Markdown."""

from __future__ import annotations

from collections import Counter
from textwrap import indent
from typing import TYPE_CHECKING, Any

from nox_lock.console import GREEN, RED, YELLOW, ColouredLine
from nox_lock.locking.changes import (
    ADDED,
    CHANGED,
    DOWNGRADED,
    KINDS,
    REHASHED,
    REMOVED,
    UPGRADED,
)
from nox_lock.reporting.verdicts import fields_of, to_json
from nox_lock.text import markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nox_lock.errors import NoxLockError
    from nox_lock.locking.changes import Change, NotUpgraded
    from nox_lock.locking.one_lock import Outcome

# What a change looks like by its kind, and a move by its size.
_COLOURS = {ADDED: GREEN, REMOVED: RED, DOWNGRADED: RED, REHASHED: YELLOW, CHANGED: YELLOW}
_SIZES = {"major": RED, "minor": YELLOW, "micro": GREEN}


def outcome_line(outcome: Outcome, *, dry: bool = False) -> str:
    """Say what was done for one lock file, or would be."""
    planned, pins = outcome.planned, _count(outcome.pins, "pin")
    if outcome.action == "up to date":
        return f"{planned.path}: up to date ({pins})"
    unwritten = ", not written" if dry else ""
    if outcome.action == "restored":
        return (
            f"{planned.path}: restored from the cache ({pins}, resolved on {outcome.day}; "
            f"-U looks for newer versions){unwritten}"
        )
    return f"{planned.path}: compiled in {outcome.seconds:.1f} s ({pins}){unwritten}"


def _is_adopted(outcome: Outcome) -> bool:
    """Return whether another tool's lock file was taken over: that its pins are kept is news."""
    return outcome.before is not None and bool(outcome.before.pins) and not outcome.before.stamp


def change_lines(changes: Iterable[Change], *, unicode: bool = False) -> Iterator[ColouredLine]:
    """Say each change in a line: ``~ idna 3.6 -> 3.7, for requests (requirements.in:3)``."""
    arrow = "\N{RIGHTWARDS ARROW}" if unicode else "->"
    for kind, name, old, new, why, size in changes:
        if kind == ADDED:
            told = f"+ {name} {new}"
        elif kind == REMOVED:
            told = f"- {name} {old}"
        elif kind == REHASHED:
            told = f"# {name} {new}: the same version with other files"
        elif kind == DOWNGRADED:
            told = f"! {name} {old} {arrow} {new} (DOWNGRADE)"
        else:
            major = " (major)" * (kind == UPGRADED and size == "major")
            told = f"~ {name} {old} {arrow} {new}{major}"
        colour = _COLOURS.get(kind) or _SIZES.get(size, YELLOW)
        yield ColouredLine("    ", told, f", {why}" if why else "", colour)


def not_upgraded_lines(pins: Iterable[NotUpgraded]) -> Iterator[str]:
    """Say, a line each, what could not move, and why: ``= idna 3.6, not 3.7: idna<3.7 (...)``."""
    for name, version, newest, why in pins:
        yield f"= {name} {version}, not {newest}: held back by {why}"


def totals(outcomes: Sequence[Outcome]) -> str:
    """Sum the changes up: ``3 upgraded, 1 added, 41 kept; 2 lock files unchanged``; or nothing."""
    changed = [each for each in outcomes if each.changes or _is_adopted(each)]
    if not changed:
        return ""
    total: Counter[str] = Counter()
    for each in changed:
        total.update(change.kind for change in each.changes)
        total["kept"] += each.pins - sum(change.kind != REMOVED for change in each.changes)
    told = ", ".join(f"{total[kind]} {kind}" for kind in (*KINDS, "kept") if total[kind])
    others = len(outcomes) - len(changed)
    return f"{told}; {_count(others, 'lock file')} unchanged" if others else told


def outcomes_json(outcomes: Iterable[Outcome], errors: Mapping[str, NoxLockError]) -> str:
    """Return the JSON of `lock --format json`; its shape is versioned.

    `errors` tells of each lock file that could not be made, by its path.
    """
    locks = [
        {
            "name": each.planned.name,
            "lockfile": each.planned.path,
            "python": str(each.planned.target),
            "action": each.action,
            "pins": each.pins,
            "changes": [_change_json(change) for change in each.changes],
            "held": [pin._asdict() for pin in each.not_upgraded],
            "notes": list(each.notes),
        }
        for each in outcomes
    ]
    failed = [{"lockfile": path, **fields_of(error)} for path, error in errors.items()]
    return to_json(locks=locks, errors=failed)


def outcomes_markdown(outcomes: Sequence[Outcome], errors: Mapping[str, NoxLockError]) -> str:
    """Return the changes as tables that are fit for a pull request.

    `errors` tells of each lock file that could not be made, by its path.
    """
    parts = []
    for path, error in errors.items():
        parts += [f"### {markdown(path)}\n", "Not locked:\n", indent(str(error), "    "), ""]
    for each in outcomes:
        if each.changes or each.not_upgraded or each.notes:
            parts.append(f"### {markdown(each.planned.path)}\n")
        if each.changes:
            parts += ["| project | | from | to | why |", "|---|---|---|---|---|"]
            parts += (
                f"| {' | '.join(map(markdown, (name, kind, old, new, why)))} |"
                for kind, name, old, new, why, _ in each.changes
            )
            parts.append("")
        listed = [line.removeprefix("= ") for line in not_upgraded_lines(each.not_upgraded)]
        if listed or each.notes:
            parts += [*(f"- {markdown(line)}" for line in (*listed, *each.notes)), ""]
    if summed := totals(outcomes) or ("" if errors else "No pin has changed."):
        parts.append(summed)
    return "\n".join(parts)


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "project": change.name,
        "kind": change.kind,
        "from": change.old or None,
        "to": change.new or None,
        "why": change.why or None,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
