"""`lock-check -- --deep`: resolve a private copy of each lock, and compare it with the lock."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import cast

from packaging.markers import Marker

from nox_lock.checking.content import canonical_url
from nox_lock.checking.verdict import INVALID, STALE, Judged, Verdict, cut
from nox_lock.console import Console
from nox_lock.errors import CompileError, Reason, ToolchainError
from nox_lock.lockfile.lock_file import LockFile, Pin
from nox_lock.locking.compiler import Compiler
from nox_lock.locking.options import CompileOptions
from nox_lock.planning.lock_plan import LockPlan
from nox_lock.project import Project
from nox_lock.target import holds

_Pins = dict[tuple[str, str, str], Pin]
# Failures that say something about the lock, and not about the way to an index or about a tool.
_ABOUT_THE_LOCK = ("conflict", "unknown project", "no version", "python")
_HASH_LINE = re.compile(r" \\\n    --hash=[^\s\\]+")


def resolve_again(
    judged: Sequence[Judged], project: Project, console: Console
) -> tuple[list[Judged], list[str]]:
    """Resolve fresh ones again; return all, and the paths of those that could not be resolved."""
    compiler = Compiler(project, CompileOptions(no_cache=True), console)
    unresolved: list[str] = []

    def resolve(each: Judged) -> Judged:
        planned, verdict = each.planned, each.verdict
        if not (isinstance(planned, LockPlan) and verdict.fresh):
            return each
        try:
            verdict = _resolve(planned, cast("LockFile", planned.current), verdict, compiler)
        except (ToolchainError, CompileError) as error:
            kind = error.kind if isinstance(error, CompileError) else ""
            if kind in _ABOUT_THE_LOCK:
                said = f"it can no longer be resolved: {error.message}"
                reason = Reason(said, error.place or planned.at())
                verdict = verdict._replace(word=STALE, reasons=(reason,), notes=())
            elif kind and not (kind == "build" and compiler.interpreter(planned).builder):
                raise
            else:  # this machine cannot build for the target
                unresolved.append(each.path)
                note = f"not resolved: {error.message}"
                verdict = verdict._replace(notes=(*verdict.notes, note))
        return each._replace(verdict=verdict)

    with compiler.threads() as pool:
        return list(pool.map(resolve, judged)), sorted(unresolved)


def _resolve(planned: LockPlan, lock: LockFile, verdict: Verdict, compiler: Compiler) -> Verdict:
    """Return the verdict on a fresh lock by what its inputs resolve to now."""
    compiler.console.log(f"{planned.path}: resolving for Python {planned.target}")
    # From its pins new releases move nothing; without hashes those that are published are taken.
    starting = [pin._replace(hashes=()) for pin in lock.pins if pin.version]
    compiled = compiler.compile(compiler.order(planned), starting)
    old, new = (_pins(planned, each) for each in (lock, compiled.lock))
    changed = list(_find_changed(planned, old, new))
    unpublished, more = _compare_hashes(planned, old, new)
    yanked = (
        Reason(f"{pin.shown} was yanked: {why}", planned.at(pin.line))
        for name, version, why in compiled.report.yanked
        for pin in old.values()
        if (pin.name, pin.version) == (name, version)
    )
    verdict = verdict._replace(warnings=cut([*verdict.warnings, *yanked, *more]))
    bare = not lock.hashed and not all(pin.unhashable for pin in lock.pins)
    if bare and planned.lock.settings.generate_hashes is None:
        said = "its pins have no hashes: set generate-hashes in [tool.nox-lock], to true or false"
        changed.append(Reason(said, planned.at()))
    if not changed and not unpublished:
        return verdict
    return verdict._replace(
        word=INVALID if unpublished else STALE,
        reasons=cut([*changed, *unpublished]),
        notes=(),
        diff=_diff(planned.path, lock.body, compiled.body, hashes=bool(unpublished)),
    )


def _pins(planned: LockPlan, lock: LockFile) -> _Pins:
    """Return the pins that count for the target, by what decides what is installed, and when."""
    found: _Pins = {}
    for pin in lock.pins:
        marker, url = Marker(pin.marker) if pin.marker else None, canonical_url(pin)
        always = holds(marker, planned.target, planned.platform)
        if always is not False:
            key = pin.name or url, pin.version or url, "" if always else str(marker)
            found[key] = pin._replace(hashes=(*pin.hashes, *found.get(key, pin).hashes))
    return found


def _find_changed(planned: LockPlan, old: _Pins, new: _Pins) -> Iterator[Reason]:
    """Yield each pin of the lock that its inputs do not resolve to now, and the other way."""
    for key in sorted(old.keys() ^ new.keys()):
        pin = old.get(key) or new[key]
        shown = f"{pin.shown} ; {pin.marker}".rstrip("; ")
        if key in old:
            yield Reason(f"{shown} is not what the inputs resolve to now", planned.at(pin.line))
        else:
            said = f"is not in the lock, but required by {', '.join(pin.via)}"
            yield Reason(f"{shown} {said}", planned.at())


def _compare_hashes(planned: LockPlan, old: _Pins, new: _Pins) -> tuple[list[Reason], list[Reason]]:
    """Return the hashes that no index publishes, and the pins of which one has more files."""
    unpublished, more = [], []
    for key, pin in old.items():
        has, published = {*pin.hashes}, {*new.get(key, pin).hashes}
        said = f"no index publishes a file of {pin.shown} with the hash"
        missing = sorted(has - published)
        unpublished += [Reason(f"{said} {each}", planned.at(pin.line)) for each in missing]
        if has and published - has:
            said = f"an index publishes more files of {pin.shown} than the lock has hashes of"
            said += ": uploaded later, or taken out of the lock"
            more.append(Reason(said, planned.at(pin.line)))
    return unpublished, more


def _diff(path: str, old: str, new: str, *, hashes: bool) -> str:
    was, now = (each if hashes else _HASH_LINE.sub("", each) for each in (old, new))
    label, lines = f"{path} (resolved now)", (was.splitlines(), now.splitlines())
    return "\n".join(difflib.unified_diff(*lines, path, label, lineterm=""))
