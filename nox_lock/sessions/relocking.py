"""Lock again, on the way of a session, what it cannot use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_lock.checking.judge import judge_all, lacks_hashes_alone
from nox_lock.checking.verdict import MISSING, STALE
from nox_lock.errors import BlockedError, NoxLockError
from nox_lock.locking.locker import Outcome
from nox_lock.locking.stacks import lock_all, with_lower
from nox_lock.project import is_ci
from nox_lock.reporting.outcomes import outcome_line
from nox_lock.reporting.verdicts import fix_command, verdict_lines
from nox_lock.target import running_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nox_lock.locking.locker import Locker
    from nox_lock.locking.stacks import Result
    from nox_lock.planning.planned import Planned


def relock(
    locker: Locker,
    stale: Sequence[Planned],
    on_stale: str,
    may_lock: Callable[[], bool],
    command: str,
) -> dict[str, Planned]:
    """Lock anew for a session that cannot use its lock files, where that is allowed.

    `on_stale` is one of `config.ON_STALE`; `may_lock` is asked only when it matters;
    `command` is what a person runs to lock. Returns what they are now, by path.

    Raises:
        NoxLockError: where it is not allowed, with the reasons and what to run.
        NoxLockError: where they cannot be made.
    """
    in_ci = is_ci(locker.project.environ)
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
        locker.console.log(line)
    wanted = {each.path: each for top in stale for each in with_lower(top)}

    def done(_: Planned, result: Result) -> None:
        if isinstance(result, Outcome):
            locker.console.log(outcome_line(result))
            for note in result.notes:
                locker.console.warn(f"{result.planned.path}: {note}")

    results = lock_all(locker, list(wanted.values()), done)
    made: dict[str, Planned] = {}
    # The error of a lock below says more than that of the one it blocks.
    for path, result in sorted(results.items(), key=lambda item: isinstance(item[1], BlockedError)):
        if isinstance(result, NoxLockError):
            raise result
        made[path] = result.planned
    return made
