"""A run of `nox -s lock`: which lock files are made, in stacks.

A stack is the lock files of one target that build on each other, or with a pylock those of all its
targets. What does not depend on each other is made side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nox_lock.checking.judge import judge
from nox_lock.checking.verdict import Verdict
from nox_lock.console import Console
from nox_lock.errors import NoxLockError
from nox_lock.files import clear_leftovers
from nox_lock.locking.changes import UP_TO_DATE, Outcome
from nox_lock.locking.options import CompileOptions
from nox_lock.planning.lock_plan import AnyPlan
from nox_lock.planning.planner import find_stacks
from nox_lock.project import Project


def lock_all(
    project: Project,
    options: CompileOptions,
    console: Console,
    planned: Sequence[AnyPlan],
    verdicts: Mapping[str, Verdict] | None = None,  # of those that were judged already, by path
) -> Iterator[tuple[AnyPlan, Outcome | NoxLockError]]:
    """Bring lock files up to date; yield each with what was done, or why not, stack by stack."""
    for folder in {(project.root / each.path).parent for each in planned}:
        clear_leftovers(folder)
    known = verdicts or {}
    judged = {each.path: known.get(each.path) or judge(each) for each in planned}
    work = []
    for stack in find_stacks(planned):
        if all(options.are_met(each, judged[each.path]) for each in stack):
            yield from ((each, Outcome(each, UP_TO_DATE)) for each in stack)
        else:
            work.append(stack)
    if work:
        from nox_lock.locking.compiler import Compiler  # noqa: PLC0415  (most runs have no work)
        from nox_lock.locking.stacks import make_stacks  # noqa: PLC0415

        compiler = Compiler(project, options, console)
        with console.show_board([each.path for stack in work for each in stack]):
            yield from make_stacks(compiler, work, judged)
