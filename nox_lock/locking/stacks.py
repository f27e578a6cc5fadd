"""Make stacks of lock files side by side, each written whole or not at all."""

from __future__ import annotations

import graphlib
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from typing import cast

from nox_lock.checking.judge import judge
from nox_lock.checking.verdict import Verdict
from nox_lock.console import DONE, FAILED, FROM_THE_CACHE
from nox_lock.errors import LockFileError, NoxLockError, Place
from nox_lock.files import write_all
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.lockfile import lock_file
from nox_lock.lockfile.lock_file import Pin
from nox_lock.locking.changes import RESTORED, UP_TO_DATE, Outcome
from nox_lock.locking.compiler import Compiler, versions
from nox_lock.locking.one_lock import make_lock
from nox_lock.planning.lock_plan import AnyPlan, LockPlan, PylockPlan
from nox_lock.planning.planner import find_stacks, replan

Result = Outcome | NoxLockError
Results = Mapping[str, Result]  # by path
Made = tuple[AnyPlan, Result]
Pins = Future[Sequence[Pin]]
_SIGN_OF_LIFE = 30.0  # seconds, after which those at work are named: does it hang?
_WAIT_SECONDS = 0.5
_STATES = {"": FAILED, RESTORED: FROM_THE_CACHE}  # on the board; "" is that of an error


def make_stacks(
    compiler: Compiler, stacks: Sequence[Sequence[AnyPlan]], verdicts: Mapping[str, Verdict]
) -> Iterator[Made]:
    """Make stacks side by side, as many lock files at a time as there are processors."""
    stack_of = {each.path: stack for stack in stacks for each in stack}
    by_path = {each.path: each for stack in stacks for each in stack}
    results: dict[str, Result] = {}
    running: dict[Future[Result], str] = {}
    together: dict[str, Pins] = {}
    sorter = graphlib.TopologicalSorter(
        {path: {low.path for low in each.below} & by_path.keys() for path, each in by_path.items()}
    )
    sorter.prepare()
    with compiler.threads() as pool:
        locks = [each for each in by_path.values() if isinstance(each, LockPlan)]
        for stack in find_stacks(locks) if compiler.options.together else ():
            if len(stack) > 1:
                resolved = pool.submit(_resolve_together, compiler, cast("list[LockPlan]", stack))
                together.update((each.path, resolved) for each in stack)
        while sorter.is_active():
            for path in sorter.get_ready():
                work = by_path[path], verdicts[path], results, together.get(path)
                running[pool.submit(_make, compiler, *work)] = path
            ended: set[Future[Result]] = set()
            until = time.monotonic() + _SIGN_OF_LIFE
            while not ended and time.monotonic() < until:  # Windows sees Ctrl-C between two
                left = min(until - time.monotonic(), _WAIT_SECONDS)
                ended = wait(running, left, FIRST_COMPLETED).done
            if not (ended or compiler.console.board):
                at_work = (path for each, path in running.items() if each.running())
                compiler.console.log(*(f"{path}: not done yet" for path in at_work))
            for future in ended:
                path = running.pop(future)
                result = results[path] = future.result()
                action = "" if isinstance(result, NoxLockError) else result.action
                compiler.console.update(path, _STATES.get(action, DONE))
                sorter.done(path)
                whole = stack_of[path]
                if results.keys() >= {each.path for each in whole}:
                    yield from _write(compiler, whole, results)


def _resolve_together(compiler: Compiler, stack: Sequence[LockPlan]) -> Sequence[Pin]:
    """Return pins that meet all inputs of a stack at once; each of its locks takes its part."""
    # What a layer requires of a lock file below is required of its inputs here.
    texts = dict.fromkeys((each.path for each in stack), "")
    top = stack[-1]
    settings = top.settings._replace(generate_hashes=False, strip_extras=True, allow_unsafe=True)
    kept = () if compiler.options.upgrade else reversed(stack)
    pins = {pin.name: pin for each in kept for pin in versions(each.current or each.earlier, each)}
    compiler.console.log(f"{', '.join(texts)}: resolving together")
    inputs = read_inputs(
        list(dict.fromkeys(source for each in stack for source in each.lock.inputs)),
        Files(compiler.project, texts),
        extras=tuple(dict.fromkeys(extra for each in stack for extra in each.lock.extras)),
        groups=tuple(dict.fromkeys(group for each in stack for group in each.lock.groups)),
    )
    whole = replace(top, inputs=inputs, settings=settings, below=())
    compiled = compiler.compile(compiler.order(whole), list(pins.values()))
    return [pin for pin in compiled.lock.pins if pin.version]


def _make(
    compiler: Compiler, planned: AnyPlan, verdict: Verdict, results: Results, resolved: Pins | None
) -> Result:
    below, texts = [], {}
    try:
        pins = resolved.result() if resolved else None  # it was begun before this
        for low in planned.below:
            result = results.get(low.path)
            if isinstance(result, NoxLockError):
                return _blocked(planned.path, low.path)
            below.append(cast("LockPlan", result.planned) if result else low)
            if result and result.text is not None:
                texts[low.path] = result.text
        now = replan(planned, tuple(below), texts, compiler.project)
        verdict = verdict if now is planned else judge(now)
        if pins is None and compiler.options.are_met(now, verdict):
            return Outcome(now, UP_TO_DATE)
        if isinstance(now, PylockPlan):
            from nox_lock.locking.one_pylock import make_pylock  # noqa: PLC0415  (few have one)

            return make_pylock(compiler, now)
        return make_lock(compiler, now, pins)
    except NoxLockError as error:
        return error


def _blocked(path: str, failed: str) -> LockFileError:
    return LockFileError(f"not updated: {failed} (same stack) could not be locked", Place(path))


def _write(compiler: Compiler, stack: Sequence[AnyPlan], results: Results) -> Iterator[Made]:
    """Write the lock files of a stack, unless one of them failed; yield what became of each."""
    made = {each.path: results[each.path] for each in stack}
    outcomes = [each for each in made.values() if isinstance(each, Outcome)]
    texts = {each.planned.path: each.text for each in outcomes if each.text is not None}
    failed = next((path for path, each in made.items() if isinstance(each, NoxLockError)), None)
    if failed is None and not compiler.options.dry_run:
        project = compiler.project
        try:
            for planned in (each.planned for each in outcomes if each.text is not None):
                # A compile takes its time: what is there now may be another's.
                project.forget(planned.path)
                now: AnyPlan
                if isinstance(planned, PylockPlan):
                    now = planned._replace(data=lock_file.read_bytes(project, planned.path))
                else:
                    now = planned.with_current(lock_file.read(project, planned.path))
                compiler.check_replaceable(now)
            write_all({project.root / path: text for path, text in texts.items()})
        except LockFileError as error:
            failed = error.place.file if error.place else ""
            made[failed] = error
        except OSError as error:
            message = f"cannot be written: {error.strerror}; it is unchanged"
            made.update((path, LockFileError(message, Place(path))) for path in texts)
    if failed is not None:
        made.update((path, _blocked(path, failed)) for path in texts if path != failed)
    return ((each, made[each.path]) for each in stack)
