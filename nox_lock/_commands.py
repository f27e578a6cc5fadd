"""The command behind the session `lock`; nothing here knows of nox."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock._checking import check
from nox_lock._errors import (
    InterpreterMissingError,
    InterpretersMissingError,
    LocksError,
    NoxLockError,
)
from nox_lock._freshness import judge_all
from nox_lock._options import parse_lock_options
from nox_lock._plan import orphans_of
from nox_lock._report import moves, outcome_line, verdict_lines
from nox_lock._targets import of_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_lock._checking import Plan
    from nox_lock._locking import Locker, Outcome
    from nox_lock._planned import Planned
    from nox_lock._resolution import Wishes
    from nox_lock._voice import Voice


def run_lock(arguments: Sequence[str], session: str, plan: Plan, voice: Voice) -> None:
    """Bring the lock files up to date, as `arguments` of the session of that name ask.

    Raises:
        NoxLockError: when some could not be made.
        InterpretersMissingError: when all others were, and these lack their Python.
    """
    options = parse_lock_options(arguments, session)
    if options is None:
        return
    config, planned = plan(options.names)
    planned = of_targets(planned, options.pythons)
    if options.check:
        partial = bool(options.names or options.pythons)
        check(planned, [] if partial else orphans_of(config, planned, Path.cwd()), voice)
        return
    from nox_lock._locking import unknown_packages  # noqa: PLC0415  (a check must stay instant)
    from nox_lock._resolution import Wishes  # noqa: PLC0415

    wishes = Wishes(
        options.upgrade,
        options.upgrade_packages,
        options.use_cache,
        options.overwrite,
        options.together,
    )
    for note in (*config.notes, *unknown_packages(planned, options.upgrade_packages)):
        voice.warn(note)
    missing = _lock_all(planned, wishes, voice)
    if not (options.names or options.pythons):
        for each in judge_all([], orphans_of(config, planned, Path.cwd())):
            voice.warn(*verdict_lines(each, unicode=voice.unicode))
    if missing:
        raise InterpretersMissingError(missing)


def make_locker(wishes: Wishes, voice: Voice) -> Locker:
    """Return what makes the lock files of the project in the current folder."""
    from nox_lock._locking import Locker  # noqa: PLC0415  (only when something is not fresh)
    from nox_lock._resolution import Compiler  # noqa: PLC0415

    return Locker(Compiler(Path.cwd(), os.environ, wishes, tell=voice.tell, warn=voice.warn))


def _lock_all(planned: Sequence[Planned], wishes: Wishes, voice: Voice) -> list[str]:
    """Make lock files and tell of each as its stack is through; return the Pythons not here.

    Raises:
        NoxLockError: when one could not be made for another reason.
    """
    from nox_lock._stacks import lock_all  # noqa: PLC0415  (a check must stay instant)

    told: list[NoxLockError] = []

    def done(_: Planned, result: Outcome | NoxLockError) -> None:
        if not isinstance(result, NoxLockError):
            moved = moves(result) if wishes.together else ()
            voice.tell(outcome_line(result), *(f"    {line}" for line in moved))
            voice.warn(*result.notes)
        elif len(planned) > 1 and all(result is not error for error in told):
            told.append(result)
            voice.warn(*str(result).splitlines())

    results = lock_all(make_locker(wishes, voice), planned, done)
    errors = {path: each for path, each in results.items() if isinstance(each, NoxLockError)}
    missing = [each for each in errors.values() if isinstance(each, InterpreterMissingError)]
    failed = [each.path for each in planned if errors.get(each.path) not in (None, *missing)]
    if failed and len(planned) == 1:
        raise errors[failed[0]]
    if failed:
        raise LocksError(f"not locked: {', '.join(failed)}")
    if missing and len(planned) == 1:
        voice.warn(*str(missing[0]).splitlines())
    return sorted({each.python for each in missing})
