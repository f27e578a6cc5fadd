"""Verdicts for GitHub Actions: annotations on lines of the inputs, and a summary of the job.

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock.checking.verdict import MISSING, Reason
from nox_lock.errors import Place
from nox_lock.project import relative
from nox_lock.reporting.verdicts import fix_command, target_of
from nox_lock.text import markdown, redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nox_lock.checking.verdict import Judged
    from nox_lock.errors import NoxLockError
    from nox_lock.project import Project

# What would end the message of a workflow command, or one of its properties.
_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def annotate(judged: Iterable[Judged], project: Project) -> Iterator[str]:
    """Yield a workflow command for each reason and warning."""
    for each in judged:
        path = _from_top(each.path, project)
        title = f"nox-lock: {path} is {each.verdict.word}"
        for reason in each.verdict.reasons:
            shown = reason
            if each.verdict.word == MISSING and each.planned and each.planned.inputs.files:
                # GitHub shows no annotation in a file that does not exist.
                place = Place(each.planned.inputs.files[0], 1)
                shown = Reason(f"{each.path}: {reason.message}", place)
            yield _command("error", title, shown, project)
        for warning in each.verdict.warnings:
            yield _command("warning", f"nox-lock: {path}", warning, project)


def annotate_error(error: NoxLockError, project: Project) -> str:
    """Return the workflow command for an error that ended the command."""
    return _command("error", "nox-lock", error, project)


def write_summary(judged: Sequence[Judged], project: Project, lock_command: str) -> None:
    """Append a table to the summary of the job, if GitHub names a file for it.

    Raises:
        OSError: when that file cannot be written.
    """
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
        path, why = (
            f"<code>{markdown(_from_top(each.path, project))}</code>",
            "<br>".join(map(markdown, lines)),
        )
        yield f"| {mark} | {path} | {markdown(target_of(each))} | {verdict.word} | {why} |"
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
    return path if found.startswith("..") else found


def _command(level: str, title: str, reason: Reason | NoxLockError, project: Project) -> str:
    properties = {"title": title}
    if reason.place is not None:
        properties["file"] = _from_top(reason.place.file, project)
        if reason.place.line is not None:
            properties["line"] = str(reason.place.line)
    listed = ",".join(f"{key}={value.translate(_PROPERTY)}" for key, value in properties.items())
    return f"::{level} {listed}::{reason.message.translate(_MESSAGE)}"
