"""The work of `nox -s lock`: the lock files of a stack in their order, written all or none.

A stack is the lock files of one target that build on each other. What does not depend on each
other is made side by side.
"""

from __future__ import annotations

import functools
import os
import time
from typing import TYPE_CHECKING

from nox_lock.console import DONE, FAILED, FROM_THE_CACHE
from nox_lock.errors import BlockedError, LockFileError, NoxLockError, Place
from nox_lock.files import clear_leftovers, write_all
from nox_lock.inputs.inputs import Parts
from nox_lock.inputs.reader import Files, read_inputs
from nox_lock.lockfile import lock_file
from nox_lock.locking.agreement import find_seed, make_seed
from nox_lock.locking.locker import RESTORED, UP_TO_DATE, Locker, Outcome, refuse
from nox_lock.planning.planner import replan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nox_lock.lockfile.pins import Pin
    from nox_lock.locking.resolution import Compiler
    from nox_lock.planning.planned import Planned

    Result = Outcome | NoxLockError


# Seconds without a word, after which those at work are named: nobody is to wonder whether it hangs.
_SIGN_OF_LIFE = 30.0


def find_stacks(planned: Iterable[Planned]) -> list[list[Planned]]:
    """Group lock files by what they build on, in the order they are given."""
    stacks: list[list[Planned]] = []
    for each in planned:
        below = {low.path for low in each.below}
        touching = [stack for stack in stacks if below & {other.path for other in stack}]
        merged = [other for stack in touching for other in stack]
        stacks = [stack for stack in stacks if stack not in touching]
        stacks.append([*merged, each])
    return stacks


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
) -> dict[str, Result]:
    """Bring lock files up to date; `done` is called for each when its stack is finished.

    Returns what was made of each, by path: an outcome, or the error that says why not. A lock
    file of a stack that failed is not changed.
    """
    for folder in {(locker.project.root / each.path).parent for each in planned}:
        clear_leftovers(folder)
    results: dict[str, Result] = {}

    def report(made: Mapping[str, Result]) -> None:
        results.update(made)
        for each in planned:
            if each.path in made:
                done(each, made[each.path])

    open_stacks = []
    up_to_date: dict[str, Result] = {}
    for stack in find_stacks(planned):
        if all(map(locker.is_done, stack)):
            up_to_date.update((each.path, Outcome(each, UP_TO_DATE)) for each in stack)
        else:
            open_stacks.append(stack)
    report(up_to_date)
    if open_stacks:
        paths = [each.path for stack in open_stacks for each in stack]
        with locker.console.board(paths):
            _make_all(locker, open_stacks, report)
    return results


def _make_all(
    locker: Locker,
    stacks: Sequence[Sequence[Planned]],
    report: Callable[[Mapping[str, Result]], None],
) -> None:
    """Make stacks side by side, as many lock files at a time as there are processors."""
    import graphlib  # noqa: PLC0415  (only when something is not fresh)
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait  # noqa: PLC0415

    by_path = {each.path: each for stack in stacks for each in stack}
    stack_of = {each.path: stack for stack in stacks for each in stack}
    results: dict[str, Result] = {}
    running: dict[Future[Result], str] = {}
    started: dict[str, float] = {}
    sorter = graphlib.TopologicalSorter(
        {path: {low.path for low in each.below} & set(by_path) for path, each in by_path.items()}
    )
    sorter.prepare()
    console = locker.console
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            pins: dict[str, Sequence[Pin] | NoxLockError] = {}
            if locker.options.together:
                layered = [stack for stack in stacks if len(stack) > 1]
                resolve = functools.partial(_resolve_together, locker.compiler)
                for stack, found in zip(layered, pool.map(resolve, layered), strict=True):
                    pins.update((each.path, found) for each in stack)
            while sorter.is_active():
                for path in sorter.get_ready():
                    made = pins.get(path)
                    running[pool.submit(_make, locker, by_path[path], results, made)] = path
                    started[path] = time.monotonic()
                ended = wait(running, _SIGN_OF_LIFE, FIRST_COMPLETED).done
                for path in () if ended or console.has_board else running.values():
                    console.log(f"{path}: not done yet ({time.monotonic() - started[path]:.0f} s)")
                for future in ended:
                    path = running.pop(future)
                    results[path] = result = future.result()
                    if isinstance(result, NoxLockError):
                        console.update(path, FAILED)
                    else:
                        console.update(path, FROM_THE_CACHE if result.action == RESTORED else DONE)
                    sorter.done(path)
                    files = [each.path for each in stack_of[path]]
                    if results.keys() >= set(files):
                        report(_write(locker, {file: results[file] for file in files}))
        except BaseException:
            locker.compiler.processes.end()
            raise


def _resolve_together(compiler: Compiler, stack: Sequence[Planned]) -> Sequence[Pin] | NoxLockError:
    """Return pins that meet all inputs of a stack at once; each of its locks takes its part."""
    # What a layer asks of a lock file below is asked of its inputs here.
    texts = dict.fromkeys((each.path for each in stack), "")
    top = stack[-1]
    settings = top.settings._replace(generate_hashes=False, strip_extras=True, allow_unsafe=True)
    pins: dict[str | None, Pin] = {}
    for each in reversed(stack) if not compiler.options.upgrade else ():
        pins.update((pin.name, pin) for pin in find_seed(each._replace(below=())).pins)
    seed = make_seed(pin for pin in pins.values() if pin.version)
    compiler.console.log(f"{', '.join(texts)}: resolving together")
    try:
        inputs = read_inputs(
            list(dict.fromkeys(source for each in stack for source in each.inputs.sources)),
            compiler.project,
            Parts(
                tuple(dict.fromkeys(extra for each in stack for extra in each.lock.extras)),
                tuple(dict.fromkeys(group for each in stack for group in each.lock.groups)),
            ),
            Files(compiler.project, texts),
        )
        lock = top.lock._replace(constraints=())
        whole = top._replace(lock=lock, inputs=inputs, settings=settings, below=())
        compiled = compiler.resolve_once(whole, seed, texts)
    except NoxLockError as error:
        return error
    return [pin for pin in compiled.pins if pin.version]


def _make(
    locker: Locker,
    planned: Planned,
    results: Mapping[str, Result],
    together: Sequence[Pin] | NoxLockError | None,
) -> Result:
    """Make one lock file on top of those made before it."""
    if isinstance(together, NoxLockError):
        return together
    below = []
    texts = {}
    for low in planned.below:
        result = results.get(low.path)
        if isinstance(result, NoxLockError):
            return BlockedError(low.path, planned.path)
        below.append(result.planned if result else low)
        if result and result.text is not None:
            texts[low.path] = result.text
    try:
        planned = replan(planned, tuple(below), texts, locker.project)
        return locker.make(planned, texts, together)
    except NoxLockError as error:
        return error


def _write(locker: Locker, made: Mapping[str, Result]) -> dict[str, Result]:
    """Write the lock files of a stack, unless one of them failed."""
    failed = [path for path, result in made.items() if isinstance(result, NoxLockError)]
    outcomes = [each for each in made.values() if isinstance(each, Outcome)]
    texts = {each.planned.path: each.text for each in outcomes if each.text is not None}
    if failed:
        left = {path: BlockedError(failed[0], path) for path in texts}
        return {**made, **left}
    if locker.options.dry_run:
        return dict(made)
    try:
        for each in outcomes:
            if each.text is not None:
                # A compile takes its time: what is there now may be another's.
                locker.project.forget(each.planned.path)
                now = lock_file.read(locker.project, each.planned.path)
                there = each.planned._replace(existing=now)
                refuse(there, overwrite=locker.options.overwrite)
        write_all({locker.project.root / path: text for path, text in texts.items()})
    except LockFileError as error:
        left = {path: BlockedError(error.file or path, path) for path in texts}
        return {**made, **left, error.file or "": error}
    except OSError as error:
        said = f"cannot be written: {error.strerror}; it is as it was"
        return {**made, **{path: LockFileError(said, Place(path)) for path in texts}}
    return dict(made)
