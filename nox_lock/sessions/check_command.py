"""The command behind the session `lock-check`: judge, tell, and end in error unless all is well."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock.checking.judge import judge_all
from nox_lock.errors import NoxLockError
from nox_lock.planning.planner import of_targets, orphans_of
from nox_lock.project import Project
from nox_lock.reporting.verdicts import (
    error_json,
    fix_command,
    summary,
    verdict_lines,
    verdicts_json,
)
from nox_lock.sessions.options import parse_check_options
from nox_lock.text import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from nox_lock.checking.verdict import Judged
    from nox_lock.console import Console
    from nox_lock.planning.config import Config
    from nox_lock.planning.lock_plan import LockPlan

    # Plans the lock files of some locks, or of all.
    Plan = Callable[[Project, Iterable[str]], tuple[Config, list[LockPlan]]]


def run_check(arguments: Sequence[str], session: str, plan: Plan, console: Console) -> None:
    """Judge the lock files, as `arguments` of the session of that name ask.

    Raises:
        NoxLockError: when one of them is not fresh, or could not be resolved.
    """
    options = parse_check_options(arguments, session)
    if options is None:
        return
    project = Project(Path.cwd(), os.environ)
    with errors_told(options.format):
        config, planned = plan(project, options.names)
        partial = bool(options.names or options.pythons or options.platforms)
        orphans = [] if partial else orphans_of(config, planned, project)
        planned = of_targets(planned, options.pythons, options.platforms)
    check(planned, orphans, project, console, form=options.format, deep=options.deep)


def check(
    planned: Sequence[LockPlan],
    orphans: Sequence[str],
    project: Project,
    console: Console,
    *,
    form: str | None = None,
    deep: bool = False,
) -> None:
    """Judge lock files, and tell of them and of the orphaned ones.

    `form` is one of `_options.FORMATS`; None means the one that fits where this runs.

    Raises:
        NoxLockError: when one of them is not fresh, or could not be resolved.
    """
    judged = judge_all(planned, orphans)
    unresolved: list[str] = []
    if deep:
        from nox_lock.locking.deep_check import resolve_again  # noqa: PLC0415  (a check must stay instant)

        judged, unresolved = resolve_again(judged, project, console)
    form = form or _form_here()
    if form == "json":
        print_lines(verdicts_json(judged))
    else:
        for each in judged:
            write = console.log if each.verdict.fresh else console.warn
            write(*verdict_lines(each, unicode=console.terminal.unicode))
    if form == "github":
        _report_to_github(judged, console)
    if not all(each.verdict.fresh for each in judged):
        command = fix_command(judged, console.lock_command)
        hint = f"Run: {command}" if command else None
        raise NoxLockError(f"lock files: {summary(judged)}", hint=hint)
    if unresolved:
        raise NoxLockError(
            f"not resolved: {', '.join(unresolved)}",
            hint="Run it where it can be built, or leave it out with --python and --platform.",
        )


@contextmanager
def errors_told(form: str | None) -> Iterator[None]:
    """Tell an error that keeps all from being judged or made in a form, too.

    It goes on to the one error boundary. None means the form that fits where this runs.
    """
    form = form or _form_here()
    try:
        yield
    except NoxLockError as error:
        if form == "json":
            print_lines(error_json(error))
        elif form == "github":
            from nox_lock.reporting.github import annotate_error  # noqa: PLC0415

            print_lines(annotate_error(error, Path.cwd(), os.environ))
        raise


def _form_here() -> str:
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"


def _report_to_github(judged: Sequence[Judged], console: Console) -> None:
    from nox_lock.reporting.github import annotate, write_summary  # noqa: PLC0415

    print_lines(*annotate(judged, Path.cwd(), os.environ))
    try:
        write_summary(judged, console.lock_command, os.environ)
    except OSError as error:
        console.warn(f"the summary of the job cannot be written: {error.strerror}")


def print_lines(*texts: str) -> None:
    """Write to the standard output, where nothing of nox's own goes."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in "\n".join(texts).split("\n") if texts else ():
        shown = redact(line).encode(encoding, "backslashreplace")
        sys.stdout.write(f"{shown.decode(encoding)}\n")
    sys.stdout.flush()
