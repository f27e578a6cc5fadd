"""The work of `nox -s lock`: the lock files of a stack in their order, written all or none.

A stack is the lock files of one target that build on each other. What does not depend on each
other is made side by side.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nox_lock import _lockfile
from nox_lock._errors import (
    BlockedError,
    LockFileError,
    LocksError,
    NoxLockError,
)
from nox_lock._files import clear_leftovers, write_all
from nox_lock._freshness import judge_all
from nox_lock._locking import RESTORED, UP_TO_DATE, Locker, Outcome
from nox_lock._outcomes import outcome_line
from nox_lock._plan import replan
from nox_lock._progress import DONE, FAILED, FROM_THE_CACHE, Progress
from nox_lock._refusals import refuse
from nox_lock._report import mend, verdict_lines
from nox_lock._target import running_platform
from nox_lock._together import resolve_together
from nox_lock._verdict import MISSING, STALE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from nox_lock._pins import Pin
    from nox_lock._planned import Planned

    Result = Outcome | NoxLockError


# Seconds without a word, after which those at work are named: nobody is to wonder whether it hangs.
_SIGN_OF_LIFE = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Lock files that change together or not at all, each after those it builds on."""

    files: tuple[Planned, ...]


def find_stacks(planned: Iterable[Planned]) -> list[Stack]:
    """Group lock files by what they build on, in the order they are given."""
    groups: list[list[Planned]] = []
    for each in planned:
        below = {low.path for low in each.below}
        touching = [group for group in groups if below & {other.path for other in group}]
        merged = [other for group in touching for other in group]
        groups = [group for group in groups if group not in touching]
        groups.append([*merged, each])
    return [Stack(tuple(group)) for group in groups]


def with_lower(planned: Planned) -> list[Planned]:
    """Return a lock file behind all those it builds on."""
    found: dict[str, Planned] = {}
    for low in planned.below:
        found.update((each.path, each) for each in with_lower(low))
    return [*found.values(), planned]


def lock_all(
    locker: Locker,
    planned: Sequence[Planned],
    done: Callable[[Planned, Result], None],
    show: Callable[[], Progress] = Progress,
) -> dict[str, Result]:
    """Bring lock files up to date; `done` hears of each when its stack is through.

    `show` is called once where there is work to do, for what shows how far it is. Returns what
    was made of each, by path: an outcome, or the error that says why not. A lock file of a stack
    that failed is as it was.
    """
    for folder in {(locker.root / each.path).parent for each in planned}:
        clear_leftovers(folder)
    results: dict[str, Result] = {}
    open_stacks = []
    for stack in find_stacks(planned):
        if all(locker.is_done(each) for each in stack.files):
            results.update((each.path, Outcome(each, UP_TO_DATE)) for each in stack.files)
        else:
            open_stacks.append(stack)
    order = {each.path: number for number, each in enumerate(planned)}

    def tell(stack: Stack, made: Mapping[str, Result]) -> None:
        results.update(made)
        for each in sorted(stack.files, key=lambda file: order[file.path]):
            done(each, made[each.path])

    for each in planned:
        if each.path in results:
            done(each, results[each.path])
    if open_stacks:
        progress = locker.compiler.progress = show()
        progress.begin(each.path for stack in open_stacks for each in stack.files)
        with progress.shown():
            _make_all(locker, open_stacks, tell)
    return results


def relock(
    locker: Locker,
    stale: Sequence[Planned],
    on_stale: str,
    may_lock: Callable[[], bool],
    command: str,
) -> dict[str, Planned]:
    """Lock anew for a session that cannot use its lock files, where that is allowed.

    `on_stale` is one of `_config.ON_STALE`; `may_lock` is asked only when it matters;
    `command` is what a person runs to lock. Returns what they are now, by path.

    Raises:
        LocksError: where it is not allowed, with the reasons and what to run.
        NoxLockError: where they cannot be made.
    """
    in_ci = bool(locker.environ.get("CI"))
    judged = judge_all(stale)
    reasons = [line for each in judged for line in verdict_lines(each)]
    if not (
        all(each.verdict.word in {STALE, MISSING} for each in judged)
        and (on_stale == "lock" or (on_stale == "auto" and not in_ci))
        and all(each.system or each.platform == running_platform() for each in stale)
        and may_lock()
    ):
        raise LocksError("\n".join(reasons), hint=f"Run: {mend(judged, command) or command}")
    for line in reasons:
        locker.tell(line)
    wanted = {each.path: each for top in stale for each in with_lower(top)}

    def done(_: Planned, result: Result) -> None:
        if isinstance(result, Outcome):
            locker.tell(outcome_line(result))
            for note in result.notes:
                locker.compiler.warn(f"{result.planned.path}: {note}")

    results = lock_all(locker, list(wanted.values()), done)
    made: dict[str, Planned] = {}
    # The error of a lock below says more than that of the one it blocks.
    for path, result in sorted(results.items(), key=lambda item: isinstance(item[1], BlockedError)):
        if isinstance(result, NoxLockError):
            raise result
        made[path] = result.planned
    return made


def _make_all(
    locker: Locker,
    stacks: Sequence[Stack],
    tell: Callable[[Stack, Mapping[str, Result]], None],
) -> None:
    """Make stacks side by side, as many lock files at a time as there are processors."""
    import graphlib  # noqa: PLC0415  (only when something is not fresh)
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait  # noqa: PLC0415

    by_path = {each.path: each for stack in stacks for each in stack.files}
    stack_of = {each.path: stack for stack in stacks for each in stack.files}
    results: dict[str, Result] = {}
    running: dict[Future[Result], str] = {}
    started: dict[str, float] = {}
    sorter = graphlib.TopologicalSorter(
        {path: {low.path for low in each.below} & set(by_path) for path, each in by_path.items()}
    )
    sorter.prepare()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            pins = _resolve_together(locker, stacks, pool) if locker.wishes.together else {}
            while sorter.is_active():
                for path in sorter.get_ready():
                    made = pins.get(stack_of[path])
                    running[pool.submit(_make, locker, by_path[path], results, made)] = path
                    started[path] = time.monotonic()
                ended = wait(running, _SIGN_OF_LIFE, FIRST_COMPLETED).done
                for path in () if ended or locker.compiler.progress.live else running.values():
                    locker.tell(f"{path}: not done yet ({time.monotonic() - started[path]:.0f} s)")
                for future in ended:
                    path = running.pop(future)
                    results[path] = future.result()
                    locker.compiler.progress.note(path, _state_of(results[path]))
                    sorter.done(path)
                    stack = stack_of[path]
                    if all(each.path in results for each in stack.files):
                        tell(stack, _write(locker, {e.path: results[e.path] for e in stack.files}))
        except BaseException:
            locker.compiler.processes.end()
            raise


def _state_of(result: Result) -> str:
    if isinstance(result, NoxLockError):
        return FAILED
    return FROM_THE_CACHE if result.action == RESTORED else DONE


def _resolve_together(
    locker: Locker, stacks: Iterable[Stack], pool: Executor
) -> dict[Stack, Sequence[Pin] | NoxLockError]:
    layered = [stack for stack in stacks if len(stack.files) > 1]

    def resolve(stack: Stack) -> Sequence[Pin] | NoxLockError:
        try:
            return resolve_together(locker.compiler, stack.files)
        except NoxLockError as error:
            return error

    return dict(zip(layered, pool.map(resolve, layered), strict=True))


def _make(
    locker: Locker,
    planned: Planned,
    results: Mapping[str, Result],
    together: Sequence[Pin] | NoxLockError | None,
) -> Result:
    """Make one lock file on top of those made before it."""
    if isinstance(together, NoxLockError):
        return together
    made = {low.path: results[low.path] for low in planned.below if low.path in results}
    for path, result in made.items():
        if isinstance(result, NoxLockError):
            return BlockedError(path, file=planned.path)
    outcomes = {path: each for path, each in made.items() if isinstance(each, Outcome)}
    below = tuple(
        outcomes[low.path].planned if low.path in outcomes else low for low in planned.below
    )
    texts = {path: each.text for path, each in outcomes.items() if each.text is not None}
    try:
        planned = replan(planned, below, texts, locker.root, locker.environ)
        return locker.make(planned, texts, together)
    except NoxLockError as error:
        return error


def _write(locker: Locker, made: Mapping[str, Result]) -> dict[str, Result]:
    """Write the lock files of a stack, unless one of them failed."""
    failed = [path for path, result in made.items() if isinstance(result, NoxLockError)]
    texts = {
        path: result.text
        for path, result in made.items()
        if isinstance(result, Outcome) and result.text is not None
    }
    if failed:
        left = {path: BlockedError(failed[0], file=path) for path in texts}
        return {**made, **left}
    if locker.wishes.dry_run:
        return dict(made)
    try:
        for each in made.values():
            if isinstance(each, Outcome) and each.text is not None:
                # A compile takes its time: what stands there now may be another's.
                now = _lockfile.read(locker.root, each.planned.path)
                refuse(
                    each.planned._replace(existing=now),
                    locker.root,
                    overwrite=locker.wishes.overwrite,
                )
        write_all({locker.root / path: text for path, text in texts.items()})
    except LockFileError as error:
        left = {path: BlockedError(error.file or path, file=path) for path in texts}
        return {**made, **left, error.file or "": error}
    except OSError as error:
        said = f"cannot be written: {error.strerror}; it is as it was"
        return {**made, **{path: LockFileError(said, file=path) for path in texts}}
    return dict(made)
