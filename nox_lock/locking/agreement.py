"""How a lock comes to agree with those it builds on: it takes their pins, or the error says why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nox_lock.checking.judge import disagreements
from nox_lock.compiling.demands import in_one
from nox_lock.errors import CompileError, Place
from nox_lock.inputs.entry import Entry
from nox_lock.inputs.pep508 import parse_specifier
from nox_lock.lockfile import lock_file
from nox_lock.locking.changes import whole_chain
from nox_lock.locking.compiler import versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nox_lock.compiling.pip_tools import Compiled
    from nox_lock.lockfile.pins import Pin
    from nox_lock.locking.compiler import Compiler
    from nox_lock.planning.lock_plan import LockPlan


def compile_in_agreement(
    compiler: Compiler, planned: LockPlan, starting: Sequence[Pin], texts: Mapping[str, str]
) -> Compiled:
    """Compile to a lock that has the versions of those below; `texts` as in `Compiler.order`.

    Raises:
        CompileError: of kind "conflict" with both chains, where there is none.
        NoxLockError: saying why it cannot be compiled.
    """
    order, command = compiler.order(planned, texts), compiler.console.lock_command
    try:
        compiled = compiler.compile(order, starting)
    except CompileError as error:
        raise _explain(planned.with_current(None), error, command) from error
    if not planned.below:
        return compiled
    made = planned.with_current(lock_file.parse(compiled.body))
    if _find_disagreement(made) is None:
        return compiled
    # pip-tools lets go of starting pins in an order of its own. With those of the locks below
    # fixed it shows whether there is a way; what it finds are the pins to start from.
    try:
        found = compiler.compile(replace(order, fixed=_pins_below(planned)), starting)
    except CompileError as error:
        raise _explain(made, error, command) from error
    compiled = compiler.compile(order, [pin for pin in found.pins if pin.version])
    made = planned.with_current(lock_file.parse(compiled.body))
    if differs := _find_disagreement(made):
        raise _explain(made, differs, command)
    return compiled


def _pins_below(planned: LockPlan) -> tuple[Entry, ...]:
    """Return the pins of the locks below as constraints, each with its place in their files."""
    return tuple(
        Entry(
            text=pin.shown,
            place=Place(low.path, pin.line),
            name=pin.name,
            extras=frozenset(),
            specifier=parse_specifier(f"=={pin.version}"),
            marker=None,
            url=None,
            editable=False,
            constraint=True,
        )
        for low in planned.below
        for pin in versions(low.current, planned)
    )


def _find_disagreement(made: LockPlan) -> CompileError | None:
    """Return the error for a lock that differs from those it builds on, or None."""
    differing = {ours.name or "": ours for _, _, ours in disagreements(made)}
    if not differing:
        return None
    lines = [f"{ours.shown} here: {whole_chain(made, name)}" for name, ours in differing.items()]
    return CompileError("\n".join(lines), kind="conflict", projects=tuple(differing))


def _explain(planned: LockPlan, conflict: CompileError, command: str) -> CompileError:
    """Return the error for a conflict with the chains of the lower pins in it, and the ways out.

    `planned` may have what was made without agreement, as its `current`; `command` locks.
    """
    lines = [
        f"  {pin.shown} is in {low.path}:{pin.line} (layer {low.name!r}): "
        f"{whole_chain(low, pin.name)}"
        for low in planned.below
        for pin in versions(low.current, planned)
        if pin.name in conflict.projects
    ]
    lines += (
        f"  {ours.name}: {theirs.version} in {low.path} (layer {low.name!r}: "
        f"{whole_chain(low, theirs.name)}), {ours.version} here ({whole_chain(planned, ours.name)})"
        for low, theirs, ours in disagreements(planned)
        if ours.name not in conflict.projects
    )
    if not lines:
        return conflict
    below = ", ".join(low.path for low in planned.below)
    error = CompileError(
        "\n".join(
            [f"{planned.path} cannot agree with {below}, on which it builds:"]
            + [f"  {line}" for line in conflict.message.splitlines()]
            + lines
        ),
        kind="conflict",
    )
    error.hint = "\n".join(_find_ways(planned, conflict, command))
    return error


def _find_ways(planned: LockPlan, conflict: CompileError, command: str) -> Iterator[str]:
    """Yield what may be done about a conflict with the locks below."""
    pins = [f"({low.path}:" for low in planned.below]
    if conflict.edits and not any(pin in conflict.message for pin in pins):
        yield in_one(conflict.edits)  # whatever is pinned below, the inputs cannot agree
        return
    # The pins below are not to be edited, and a line of `-c` is there to limit them.
    kept = [*pins, *(f"({each.place})" for each in planned.inputs.constraints)]
    if edits := [edit for edit in conflict.edits if not any(each in edit for each in kept)]:
        yield in_one(edits)
    yield (
        "To have the same version in both, cap it in the input of the lower one, "
        f"or resolve the stack as one: {command} -- --together"
    )
    if not any(low.path in planned.inputs.files for low in planned.below):
        yield f"To let them differ: [tool.nox-lock.locks.{planned.name}] builds-on = []"
