"""The command behind the session `lock`; nothing here knows of nox."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock.checking.judge import judge_all
from nox_lock.errors import ConfigError, NoxLockError
from nox_lock.planning.planner import of_targets, orphans_of
from nox_lock.project import Project
from nox_lock.reporting.verdicts import verdict_lines
from nox_lock.sessions.check_command import check, errors_told, print_lines
from nox_lock.sessions.options import parse_lock_options
from nox_lock.text import nearest, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_lock.console import Console
    from nox_lock.locking.one_lock import Outcome
    from nox_lock.planning.lock_plan import LockPlan
    from nox_lock.sessions.check_command import Plan
    from nox_lock.sessions.options import LockArguments


def run_lock(arguments: Sequence[str], session: str, plan: Plan, console: Console) -> None:
    """Bring the lock files up to date, as `arguments` of the session of that name ask.

    Raises:
        NoxLockError: when some could not be made.
    """
    found = parse_lock_options(arguments, session)
    if found is None:
        return
    project = Project(Path.cwd(), os.environ)
    with errors_told(found.format):
        config, planned = plan(project, found.names)
        planned = of_targets(planned, found.pythons, found.platforms)
    partial = bool(found.names or found.pythons or found.platforms)
    if found.check:
        orphans = [] if partial else orphans_of(config, planned, project)
        check(planned, orphans, project, console, form=found.format)
        return
    if found.why:
        print_why(planned, found.why)
        return
    from nox_lock.locking.one_lock import unknown_packages  # noqa: PLC0415  (a check must stay instant)

    for note in (*config.notes, *unknown_packages(planned, found.options.upgrade_packages)):
        console.warn(note)
    if found.verbose:
        console.verbose = True
    _lock_all(project, planned, console, found)
    if not partial:
        for each in judge_all([], orphans_of(config, planned, project)):
            console.warn(*verdict_lines(each, unicode=console.terminal.unicode))


def print_why(planned: Sequence[LockPlan], packages: Sequence[str]) -> None:
    """Print how inputs come to ask for projects, by each lock file that has one; all offline.

    Raises:
        ConfigError: for a project that no lock file has.
    """
    from nox_lock.locking.changes import find_reasons  # noqa: PLC0415  (seldom)

    known = sorted({pin.name for each in planned for pin in each.pins if pin.name})
    for package in packages:
        name = canonicalize_name(package)
        if name not in known:
            raise ConfigError(f"no lock file has {quoted(package)}{nearest(name, known)}")
        for each in planned:
            for pin in each.pins:
                if pin.name == name:
                    print_lines(f"{each.path}:{pin.line}: {pin.shown}")
                    print_lines(*(f"    {reason}" for reason in find_reasons(each, name)))


def _lock_all(
    project: Project, planned: Sequence[LockPlan], console: Console, arguments: LockArguments
) -> None:
    """Make lock files, and report each as its stack is through.

    Raises:
        NoxLockError: when one could not be made.
    """
    from nox_lock.locking.stacks import lock_all  # noqa: PLC0415
    from nox_lock.reporting.outcomes import (  # noqa: PLC0415  (a check must stay instant)
        change_lines,
        not_upgraded_lines,
        outcome_line,
    )

    results: dict[str, Outcome | NoxLockError] = {}
    options = arguments.options
    with errors_told(arguments.format):
        for each, result in lock_all(project, options, console, planned):
            if not isinstance(result, NoxLockError):
                changes = change_lines(result.changes, unicode=console.terminal.unicode)
                kept = (f"    {line}" for line in not_upgraded_lines(result.not_upgraded))
                console.log(outcome_line(result, dry=options.dry_run), *changes, *kept)
                console.warn(*(f"{each.path}: {note}" for note in result.notes))
            elif len(planned) > 1 and all(result is not other for other in results.values()):
                console.warn(*str(result).splitlines())
            results[each.path] = result
    results = {each.path: results[each.path] for each in planned}
    _report_totals(results, console, arguments.format)
    errors = {path: each for path, each in results.items() if isinstance(each, NoxLockError)}
    if errors and len(planned) == 1:
        raise errors[planned[0].path]
    if errors:
        raise NoxLockError(f"not locked: {', '.join(errors)}")


def _report_totals(
    results: Mapping[str, Outcome | NoxLockError], console: Console, form: str | None
) -> None:
    """Sum up what was done, in the form that was asked for."""
    from nox_lock.reporting.outcomes import outcomes_json, outcomes_markdown, totals  # noqa: PLC0415

    outcomes = [each for each in results.values() if not isinstance(each, NoxLockError)]
    errors = {path: each for path, each in results.items() if isinstance(each, NoxLockError)}
    if form == "json":
        print_lines(outcomes_json(outcomes, errors))
    elif form == "markdown":
        print_lines(outcomes_markdown(outcomes, errors))
    if summed := totals(outcomes):
        console.log(f"pins: {summed}")
