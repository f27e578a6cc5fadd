"""Lock again, on the way of a session, what it cannot use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_lock.checking.judge import judge_all, lacks_hashes_alone
from nox_lock.checking.verdict import MISSING, STALE
from nox_lock.errors import BlockedError, NoxLockError
from nox_lock.locking.compile_options import CompileOptions
from nox_lock.locking.stacks import lock_all, with_lower
from nox_lock.project import is_ci
from nox_lock.reporting.outcomes import outcome_line
from nox_lock.reporting.verdicts import fix_command, verdict_lines
from nox_lock.target import running_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_lock.console import Console
    from nox_lock.planning.lock_plan import LockPlan
    from nox_lock.project import Project


def relock(
    project: Project,
    console: Console,
    stale: Sequence[LockPlan],
    on_stale: str,
    may_lock: Callable[[], bool],
) -> dict[str, LockPlan]:
    """Lock anew for a session that cannot use its lock files, where that is allowed.

    `on_stale` is one of `config.ON_STALE`; `may_lock` is asked only when it matters. Returns what
    they are now, by path.

    Raises:
        NoxLockError: where it is not allowed, with the reasons and what to run; or where they
            cannot be made.
    """
    command = console.lock_command
    in_ci = is_ci(project.environ)
    judged = judge_all(stale)
    reasons = [line for each in judged for line in verdict_lines(each)]
    if not (
        all(each.verdict.word in {STALE, MISSING} for each in judged)
        and not any(lacks_hashes_alone(each.verdict) for each in judged)
        and (on_stale == "lock" or (on_stale == "auto" and not in_ci))
        and all(each.system or each.platform == running_platform() for each in stale)
        and may_lock()
    ):
        raise NoxLockError(
            "\n".join(reasons), hint=f"Run: {fix_command(judged, command) or command}"
        )
    for line in reasons:
        console.log(line)
    wanted = {each.path: each for top in stale for each in with_lower(top)}
    made: dict[str, LockPlan] = {}
    errors: list[NoxLockError] = []
    verdicts = {each.path: each.verdict for each in judged}
    options, planned = CompileOptions(), list(wanted.values())
    for each, result in lock_all(project, options, console, planned, verdicts):
        if isinstance(result, NoxLockError):
            errors.append(result)
            continue
        console.log(outcome_line(result))
        console.warn(*(f"{each.path}: {note}" for note in result.notes))
        made[each.path] = result.planned
    # The error of a lock below says more than that of the one it blocks.
    for error in sorted(errors, key=lambda error: isinstance(error, BlockedError)):
        raise error
    return made
