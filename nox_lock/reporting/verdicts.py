"""Verdicts on lock files, as lines, as JSON, and for GitHub Actions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nox_lock.checking.judge import find_obstacles
from nox_lock.checking.verdict import FRESH, MISSING, ORPHANED, Judged
from nox_lock.errors import NoxLockError, Place, Reason
from nox_lock.project import Project, relative
from nox_lock.text import markdown, redact

# What would end the message of a workflow command, or one of its properties:
# https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def verdict_lines(judged: Judged, *, unicode: bool = False) -> Iterator[str]:
    """Yield a line with the verdict, then its reasons and warnings, indented."""
    verdict, planned = judged.verdict, judged.planned
    good, bad = ("\N{CHECK MARK}", "\N{BALLOT X}") if unicode else ("+", "x")
    target = f", {target_of(judged)}" if planned else ""
    notes = f" ({'; '.join(verdict.notes)})" if verdict.notes else ""
    yield f"{good if verdict.fresh else bad} {judged.path}: {verdict.word}{target}{notes}"
    yield from (f"    {reason if planned else reason.message}" for reason in verdict.reasons)
    yield from (f"    warning: {warning}" for warning in verdict.warnings)
    yield from (f"    {line}" for line in verdict.diff.splitlines())


def target_of(judged: Judged) -> str:
    """Return what a lock file is for: ``Python 3.11 on linux``; empty for an orphaned one."""
    if (planned := judged.planned) is None:
        return ""
    return f"Python {planned.target}{f' on {planned.system}' if planned.system else ''}"


def summary(judged: Iterable[Judged]) -> str:
    """Count the lock files by verdict, fresh ones last: ``1 stale, 2 fresh``."""
    counts = Counter(each.verdict.word for each in judged)
    words = sorted(counts, key=lambda word: (word == FRESH, word))
    return ", ".join(f"{counts[word]} {word}" for word in words)


def fix_command(judged: Iterable[Judged], lock_command: str) -> str | None:
    """Return what to run for those that are not fresh; None where their reasons say it."""
    wrong = [each for each in judged if each.verdict.word not in {FRESH, ORPHANED}]
    if any(find_obstacles(each.planned) for each in wrong if each.planned):
        return f"{lock_command} -- --overwrite  (or correct the lines named)"
    if any(each.verdict.diff for each in wrong):  # only an index knows that it is not fresh
        return f"{lock_command} -- --no-cache"
    return lock_command if wrong else None


def verdicts_json(judged: Iterable[Judged]) -> str:
    """Return the JSON of `lock-check --format json`."""
    locks = [
        {
            "name": planned and planned.name,
            "lockfile": path,
            "python": planned and str(planned.target),
            "platform": (planned and planned.system) or None,
            "verdict": verdict.word,
            "reasons": list(map(_reason_fields, verdict.reasons)),
            "warnings": list(map(_reason_fields, verdict.warnings)),
            "notes": list(verdict.notes),
            "diff": verdict.diff or None,
        }
        for path, verdict, planned in judged
    ]
    return to_json(locks=locks)


def to_json(**parts: Any) -> str:
    """Return JSON with the version of its shape."""
    return json.dumps({"version": 1, **parts}, indent=2)


def error_fields(error: NoxLockError) -> dict[str, Any]:
    """Return the fields of an error in JSON."""
    return {**_reason_fields(error), "hint": error.hint}


def _reason_fields(reason: Reason | NoxLockError) -> dict[str, Any]:
    file, line = reason.place or (None, None)
    return {"message": reason.message, "file": file, "line": line}


def annotate(judged: Iterable[Judged], project: Project) -> Iterator[str]:
    """Yield a workflow command for each reason and warning."""
    for path, verdict, planned in judged:
        title = f"nox-lock: {_from_top(path, project)}"
        reasons, wrong = verdict.reasons, f"{title} is {verdict.word}"
        if verdict.word == MISSING and planned and planned.inputs.files:
            # GitHub shows no annotation in a file that does not exist.
            place = Place(planned.inputs.files[0], 1)
            reasons = tuple(Reason(f"{path}: {each.message}", place) for each in reasons)
        yield from (annotation("error", wrong, each, project) for each in reasons)
        yield from (annotation("warning", title, each, project) for each in verdict.warnings)


def write_summary(judged: Sequence[Judged], project: Project, lock_command: str) -> None:
    """Append a table to the summary of the job, if GitHub names a file for it."""
    if file := project.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.writelines(f"{redact(line)}\n" for line in table(judged, project, lock_command))


def table(judged: Sequence[Judged], project: Project, lock_command: str) -> Iterator[str]:
    """Yield the lines of a Markdown table of the verdicts, and what to run where."""
    yield "| | lock file | for | verdict | why |"
    yield "| --- | --- | --- | --- | --- |"
    for each in judged:
        verdict = each.verdict
        mark = "\N{WHITE HEAVY CHECK MARK}" if verdict.fresh else "\N{CROSS MARK}"
        lines = [*map(str, verdict.reasons), *verdict.notes]
        lines += [f"warning: {warning}" for warning in verdict.warnings]
        shown = f"<code>{markdown(_from_top(each.path, project))}</code>"
        why = "<br>".join(map(markdown, lines))
        yield f"| {mark} | {shown} | {markdown(target_of(each))} | {verdict.word} | {why} |"
    yield ""
    if command := fix_command(judged, lock_command):
        folder = _from_top(".", project)
        where = "" if folder == "." else f" in <code>{markdown(folder)}</code>"
        yield f"Run{where}: <code>{markdown(command)}</code>"
        yield ""


def _from_top(path: str, project: Project) -> str:
    """Return a path of the project from the top of the checkout: it may have several projects."""
    top = project.environ.get("GITHUB_WORKSPACE")
    found = relative(project.root / path, Path(top)) if top else path
    return path if found.startswith("..") or Path(found).is_absolute() else found


def annotation(level: str, title: str, reason: Reason | NoxLockError, project: Project) -> str:
    """Return the workflow command that shows a reason, or an error, beside its line."""
    file, line = reason.place or ("", None)
    facts = {"title": title, "file": file and _from_top(file, project), "line": str(line or "")}
    listed = (f"{key}={fact.translate(_PROPERTY)}" for key, fact in facts.items() if fact)
    return f"::{level} {','.join(listed)}::{reason.message.translate(_MESSAGE)}"
