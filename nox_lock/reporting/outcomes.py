"""What was done to lock files, as lines, JSON and Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import indent

from nox_lock.console import GREEN, RED, YELLOW, ColouredLine
from nox_lock.errors import NoxLockError
from nox_lock.locking import changes
from nox_lock.locking.changes import Change, Outcome
from nox_lock.planning.lock_plan import LockPlan
from nox_lock.reporting.verdicts import error_fields, to_json
from nox_lock.text import markdown

# The mark, colour and remark of a change by its kind, of an upgrade by its size.
_STYLES = {
    changes.ADDED: ("+", GREEN, ""),
    changes.REMOVED: ("-", RED, ""),
    "major": ("~", RED, " (major)"),
    "minor": ("~", YELLOW, ""),
    "micro": ("~", GREEN, ""),
    changes.DOWNGRADED: ("!", RED, " (DOWNGRADE)"),
    changes.CHANGED: ("~", YELLOW, ""),
    changes.REHASHED: ("#", YELLOW, ": the same version with other files"),
}


def outcome_line(outcome: Outcome, *, dry: bool = False) -> str:
    """Return a line on what was done for one lock file, or would be."""
    path, action, count = outcome.planned.path, outcome.action, len(outcome.planned.pins)
    pins = f"{count} pin{'' if count == 1 else 's'}"
    if action == changes.UP_TO_DATE:
        return f"{path}: {action} ({pins})"
    done = f"{action} in {outcome.seconds:.1f} s ({pins})"
    if action == changes.RESTORED:
        resolved = f"resolved on {outcome.day}; -U looks for newer versions"
        done = f"{action} from the cache ({pins}, {resolved})"
    return f"{path}: {done}{', not written' if dry else ''}"


def change_lines(found: Iterable[Change], *, unicode: bool = False) -> Iterator[ColouredLine]:
    """Yield a line for each change: ``~ idna 3.6 -> 3.7, for requests (requirements.in:3)``."""
    arrow = "\N{RIGHTWARDS ARROW}" if unicode else "->"
    for kind, name, old, new, why, size in found:
        mark, colour, remark = _STYLES[size if kind == changes.UPGRADED else kind]
        moved = old and new and kind != changes.REHASHED
        versions = f"{old} {arrow} {new}" if moved else new or old
        reason = f", {why}" if why else ""
        yield f"    {mark} {name} {versions}{remark}{reason}", colour


def totals(outcomes: Sequence[Outcome]) -> str:
    """Sum the changes up: ``3 upgraded, 41 kept; 2 lock files unchanged``; empty for none."""
    locks = [(each, each.planned) for each in outcomes if isinstance(each.planned, LockPlan)]
    # Also those with the same pins and another stamp.
    written = [each for each, planned in locks if each.text and planned.current != each.before]
    total: Counter[str] = Counter()
    for each in written:
        if each.changes or (each.before and each.before.pins):
            total.update(change.kind for change in each.changes)
            new = sum(change.kind != changes.REMOVED for change in each.changes)
            total["kept"] += len(each.planned.pins) - new
    summed = ", ".join(f"{total[kind]} {kind}" for kind in (*changes.KINDS, "kept") if total[kind])
    others = len(locks) - len(written)
    if summed and others:
        summed += f"; {others} lock file{'' if others == 1 else 's'} unchanged"
    return summed


def outcomes_json(outcomes: Iterable[Outcome], errors: Mapping[str, NoxLockError]) -> str:
    """Return the JSON of `lock --format json`; `errors` are of lock files, by path."""
    locks = [
        {
            "name": each.planned.name,
            "lockfile": each.planned.path,
            "python": str(each.planned.target),
            "platform": each.planned.system or None,
            "action": each.action,
            "pins": len(each.planned.pins),
            "changes": list(map(_change_fields, each.changes)),
            "notes": list(each.notes),
        }
        for each in outcomes
    ]
    failed = [{"lockfile": path, **error_fields(error)} for path, error in errors.items()]
    return to_json(locks=locks, errors=failed)


def _change_fields(change: Change) -> dict[str, str | None]:
    kind, name, old, new, why, _ = change
    found = {"project": name, "kind": kind, "from": old, "to": new, "why": why}
    return {key: each or None for key, each in found.items()}


def outcomes_markdown(outcomes: Sequence[Outcome], errors: Mapping[str, NoxLockError]) -> str:
    """Return Markdown for a pull request; `errors` are of lock files, by path."""
    lines = []
    for path, error in errors.items():
        lines += [f"### {markdown(path)}\n", "Not locked:\n", indent(str(error), "    "), ""]
    for each in outcomes:
        if each.changes or each.notes:
            lines.append(f"### {markdown(each.planned.path)}\n")
        if each.changes:
            lines += ["| project | | from | to | why |", "|---|---|---|---|---|"]
            rows = ((name, kind, old, new, why) for kind, name, old, new, why, _ in each.changes)
            lines += [*(f"| {' | '.join(map(markdown, row))} |" for row in rows), ""]
        if each.notes:
            lines += [*(f"- {markdown(note)}" for note in each.notes), ""]
    if summed := totals(outcomes) or ("" if errors else "No pin has changed."):
        lines.append(summed)
    return "\n".join(lines)
