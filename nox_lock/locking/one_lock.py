"""The work for one lock file: from the cache or compiled, in agreement with those it builds on."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from packaging.requirements import Requirement

from nox_lock.checking import content, judge
from nox_lock.checking.verdict import cut
from nox_lock.compiling.cache import CacheEntry, make_key
from nox_lock.compiling.demands import in_one
from nox_lock.compiling.interpreters import tool_versions
from nox_lock.compiling.pip_tools import Compiled
from nox_lock.errors import CompileError, Place, Reason
from nox_lock.inputs.entry import URL, is_project_file, parse_entry
from nox_lock.inputs.syntax import Line, name_of, parse_version
from nox_lock.lockfile import lock_file
from nox_lock.lockfile.lock_file import Pin
from nox_lock.locking import changes
from nox_lock.locking.changes import Outcome, find_changes, find_limit, whole_chain
from nox_lock.locking.compiler import Compiler, find_starting_pins, versions
from nox_lock.planning.lock_plan import LockPlan
from nox_lock.target import counts
from nox_lock.text import as_argument


def make_lock(
    compiler: Compiler,
    planned: LockPlan,
    together: Sequence[Pin] | None = None,  # pins that its whole stack was resolved to
) -> Outcome:
    """Make one lock file that is not current, but do not write it."""
    options, console = compiler.options, compiler.console
    compiler.check_replaceable(planned)
    starting = find_starting_pins(planned, together, upgrade=options.upgrade)
    keys = _make_keys(compiler, planned, starting)
    # What is in the cache needs no file lock: it is the same for all who ask for it.
    if outcome := _restore(compiler, planned, starting, keys):
        return outcome
    stopped = compiler.ended.is_set
    with compiler.cache.hold(keys[0], lambda said: console.log(f"{planned.path}: {said}"), stopped):
        # Another process may have made it meanwhile.
        if outcome := _restore(compiler, planned, starting, keys):
            return outcome
        if not console.board:
            console.log(f"{planned.path}: compiling for Python {planned.target}")
        began, day = time.monotonic(), dt.datetime.now(dt.timezone.utc).date().isoformat()
        compiled = compile_in_agreement(compiler, planned, starting)
        entry = CacheEntry(compiled.body, day, compiled.notes)
        outcome = _validate(compiler, planned, entry, changes.COMPILED)
        whole = options.upgrade or not options.upgrades(planned)
        if together is None and compiler.cacheable and whole:
            compiler.cache.put(keys[0], entry)
        return outcome._replace(seconds=time.monotonic() - began)


def _make_keys(compiler: Compiler, planned: LockPlan, starting: Sequence[Pin]) -> tuple[str, str]:
    """Return the cache's key for a lock, and that of the same lock made from no pins."""
    root, files = compiler.project.root, []
    # No input shows what a compile takes from folders here.
    places = [each.value for each in planned.inputs.options if each.name == "--find-links"]
    places += [each.url for each in planned.inputs.entries if each.url and not each.metadata]
    for path in (root / place for place in places if not URL.match(place)):
        with suppress(OSError):  # pip will say so
            found = sorted(path.iterdir()) if path.is_dir() else [path]
            files += [f"{each.name} {_digest(each)}" for each in found if each.is_file()]
    facts = (
        "lock 2",  # the first ones answered also those who did not start from the same pins
        planned.digest,
        str(planned.platform),
        compiler.interpreter(planned).builder,
        *tool_versions(),
        compiler.indexes.identity,
        *files,
    )
    pins = (" ".join([pin.shown, *pin.hashes]) for pin in starting)
    return make_key(*facts, *pins), make_key(*facts)


def _restore(
    compiler: Compiler, planned: LockPlan, starting: Sequence[Pin], keys: tuple[str, str]
) -> Outcome | None:
    """Return a lock from the cache, or None; it moves no pin unasked."""
    if not compiler.cacheable or compiler.options.upgrades(planned):
        return None
    key, key_without_pins = keys
    entry = compiler.cache.get(key)
    if entry is None and starting:
        entry = compiler.cache.get(key_without_pins)
        made_of_none = lock_file.parse(entry.body).pins if entry else ()
        new = {pin.name: pin.version for pin in made_of_none}
        moved = (pin for pin in starting if new.get(pin.name, pin.version) != pin.version)
        if not all(find_limit(planned, pin) for pin in moved):
            entry = None
    with suppress(CompileError):  # nothing in a cache is trusted
        if entry is not None:
            return _validate(compiler, planned, entry, changes.RESTORED)
    return None


@functools.lru_cache(maxsize=4096)  # many lock files may be made from one folder
def _digest(file: Path) -> str:
    total = hashlib.sha256()
    with file.open("rb") as opened:
        while part := opened.read(1 << 20):
            total.update(part)
    return total.hexdigest()


def _validate(compiler: Compiler, planned: LockPlan, entry: CacheEntry, action: str) -> Outcome:
    """Return what a compiled lock gives; CompileError where that would not be fresh."""
    text = lock_file.render(
        entry.body,
        python=planned.target.version,
        command=planned.command or compiler.console.lock_command,
        stamp=lock_file.Stamp(
            inputs=planned.digest,
            hidden=frozenset(planned.hidden),
            body=lock_file.digest(entry.body),
            platform=str(planned.platform),
        ),
        options=tuple(planned.options),
    )
    if planned.current is not None and planned.current.crlf:
        text = text.replace("\n", "\r\n")
    lock = lock_file.parse(text)
    made, root = planned.with_current(lock), compiler.project.root
    own = [(root / each).parent.resolve() for each in filter(is_project_file, made.lock.inputs)]
    for pin in lock.pins if own else ():
        _, local, path = (pin.url or "").partition("file:")
        if local and (root / path).resolve() in own:
            said = f"an extra asks for the project itself, which would be pinned as {pin.shown}"
            place = Place(next(iter(planned.inputs.dynamic)))
            hint = "Name the extras that it means: extras = [...]."
            raise CompileError(said, place, hint, kind="other")
    verdict = judge.judge(made)
    if not (verdict.fresh and lock.as_stamped):
        said = "pip-tools made a lock that is not what the inputs ask for:"
        raise CompileError("\n  ".join([said, *map(str, verdict.reasons)]), kind="other")
    before, notes = planned.current, (*_find_lost(planned), *entry.notes)
    old = before or planned.earlier
    found = find_changes(old, made) if old and old.pins else ()
    return Outcome(made, action, text, day=entry.day, notes=notes, before=before, changes=found)


def _find_lost(planned: LockPlan) -> tuple[str, ...]:
    """Return what an old lock file says that its new text does not, a line each."""
    lock = planned.current
    if lock is None:
        return ()
    left_out = [Reason(each.text, planned.at(each.number)) for each in lock.problems]
    bad = (pin for pin in lock.pins if pin.version and parse_version(pin.version) is None)
    left_out += (Reason(f"{pin.shown} cannot be read", planned.at(pin.line)) for pin in bad)
    left_out += content.find_repeated(planned, lock)
    if lock.stamp is None:
        undeclared = (each for each in lock.options if each.text not in planned.options)
        said = "no input declares"
        left_out += (Reason(f"{said} {each.text}", planned.at(each.number)) for each in undeclared)
    unused = content.find_unused_arguments(planned, lock) if lock.stamp is None else ()
    return (*(f"left out: {each}" for each in cut(left_out)), *map(str, unused))


def compile_in_agreement(compiler: Compiler, planned: LockPlan, pins: Sequence[Pin]) -> Compiled:
    """Compile to a lock with the versions of those below, or raise a conflict with both chains."""
    order, made = compiler.order(planned), planned.with_current(None)
    try:
        compiled = compiler.compile(order, pins)
        made = planned.with_current(compiled.lock)
        if not (planned.below and any(judge.disagreements(made))):
            return compiled
        # pip-tools lets go of starting pins in an order of its own. With those of the locks below
        # fixed it shows whether there is a way; what it finds are the pins to start from.
        fixed = tuple(
            parse_entry(Line(low.at(pin.line), pin.shown), compiler.project, constraint=True)
            for low in planned.below
            for pin in versions(low.current, planned)
        )
        found = compiler.compile(order._replace(fixed=fixed), pins)
        compiled = compiler.compile(order, [pin for pin in found.lock.pins if pin.version])
        made = planned.with_current(compiled.lock)
    except CompileError as error:
        for each in compiler.options.upgrade_package:
            if Requirement(each).specifier and name_of(each) in error.projects:
                error.message += f"\n  -P {as_argument(each)} (of this command)"
        raise _explain(made, error, compiler) from error
    if any(judge.disagreements(made)):
        raise _explain(made, CompileError("", kind="conflict"), compiler)
    return compiled


def _explain(planned: LockPlan, conflict: CompileError, compiler: Compiler) -> CompileError:
    """Return the error for a conflict with the chains of the lower pins in it, and the ways out."""
    if conflict.kind in {"no version", "unknown project"}:  # whatever is pinned below
        return conflict
    differing = {ours.name: ours for _, _, ours in judge.disagreements(planned)}
    lines = [
        f"  {pin.shown} is in {low.path}:{pin.line} (layer {low.name!r}): "
        f"{whole_chain(low, pin.name)}"
        for low in planned.below
        for pin in low.pins
        if pin.name in {*conflict.projects, *differing}
        and counts(pin.marker, planned.target, planned.platform)
    ]
    lines += (f"  {own.shown} here: {whole_chain(planned, own.name)}" for own in differing.values())
    if not lines:
        return conflict
    below = ", ".join(low.path for low in planned.below)
    message = f"{planned.path} cannot agree with {below}, on which it builds:"
    said = (f"  {line}" for line in conflict.message.splitlines())
    hint = "\n".join(_find_ways(planned, conflict, compiler))
    return CompileError("\n".join([message, *said, *lines]), hint=hint, kind="conflict")


def _find_ways(planned: LockPlan, conflict: CompileError, compiler: Compiler) -> Iterator[str]:
    pins = [f"({low.path}:" for low in planned.below]
    if conflict.edits and not any(pin in conflict.message for pin in pins):
        yield in_one(conflict.edits)  # whatever is pinned below, the inputs cannot agree
        return
    # The pins below are not to be edited, and a line of `-c` is there to limit them.
    kept = [*pins, *(f"({each.place})" for each in planned.inputs.constraints)]
    if edits := [edit for edit in conflict.edits if not any(each in edit for each in kept)]:
        yield in_one(edits)
    options = compiler.options
    again = ["-U"] * options.upgrade
    again += (f"-P {as_argument(each)}" for each in options.upgrade_package)
    command = " ".join([compiler.console.lock_command, "--", *again, "--together"])
    say = "To have the same version in both, cap it in the input of the lower one, or resolve the"
    yield f"{say} stack as one: {command}"
    if not any(low.path in planned.inputs.files for low in planned.below):
        yield f"To let them differ: [tool.nox-lock.locks.{planned.name}] builds-on = []"
