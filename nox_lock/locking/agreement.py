"""How a lock comes to agree with those it builds on: it starts from their pins, or says why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from nox_lock.checking.judge import disagreements
from nox_lock.compiling.conflicts import in_one
from nox_lock.errors import CompileError, Place
from nox_lock.inputs.entry import Entry
from nox_lock.inputs.pep508 import parse_specifier, parse_version
from nox_lock.target import counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nox_lock.lockfile.lock_file import LockFile
    from nox_lock.lockfile.pins import Pin
    from nox_lock.planning.planned import Planned


@dataclass(frozen=True, slots=True)
class Seed:
    """What a compile starts from: pins, and the text that pip-compile is shown."""

    pins: tuple[Pin, ...] = ()
    text: str = ""

    @property
    def key(self) -> str:
        """The pins and hashes, in a form that is the same for the same seed."""
        return "\n".join(
            sorted(f"{p.shown} {p.marker} {' '.join(sorted(p.hashes))}" for p in self.pins)
        )


def find_seed(planned: Planned, *, fresh_start: bool = False) -> Seed:
    """Return the pins a compile starts from: of the locks below, then of the lock file itself.

    A lock file that does not stand yet starts from the one of another target that it replaces.
    With `fresh_start` its own pins are left out.
    """
    lock = None if fresh_start else planned.origin
    if not planned.below and lock is planned.existing and (lock is None or _is_plain(lock)):
        return Seed(lock.pins, lock.body) if lock else Seed()
    pins = {pin.name: pin for pin in _versions(lock, planned) if is_whole(pin)}
    for low in planned.below:
        for pin in _versions(low.existing, planned):
            own = pins.get(pin.name)
            if own is None or own.shown != pin.shown or not own.hashes:
                pins[pin.name] = pin
    return make_seed(pins.values())


def _is_plain(lock: LockFile) -> bool:
    """Return whether pip-compile may be shown the body of a lock file as it is.

    It takes the last of two pins of one project, whatever their markers say.
    """
    bare = not (lock.includes or lock.problems) and all(map(is_whole, lock.pins))
    return bare and not any(pin.marker for pin in lock.pins)


def is_whole(pin: Pin) -> bool:
    """Return whether pip can read a pin: one spoilt by hand does not prevent a new lock."""
    try:
        urlsplit(pin.url or "")
    except ValueError:
        return False
    return pin.version is None or parse_version(pin.version) is not None


def make_seed(pins: Iterable[Pin]) -> Seed:
    """Return a seed of pins by version."""
    ordered = tuple(sorted(pins, key=lambda pin: pin.name or ""))
    lines = (
        " \\\n    ".join([pin.shown, *(f"--hash={value}" for value in pin.hashes)])
        for pin in ordered
    )
    return Seed(ordered, "\n".join(lines))


def held_pins(planned: Planned) -> tuple[Entry, ...]:
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
        for pin in _versions(low.existing, planned)
    )


def explain(planned: Planned, conflict: CompileError) -> CompileError:
    """Return the error for a conflict with the chains of the lower pins in it, and the ways out.

    `planned` may hold what was made without agreement, as its `existing`.
    """
    lines = [
        f"  {pin.shown} is in {low.path}:{pin.line} (layer {low.name!r}): {chain(low, pin.name)}"
        for low in planned.below
        for pin in _versions(low.existing, planned)
        if pin.name in conflict.projects
    ]
    own = planned.existing or None
    for low, theirs, ours in disagreements(planned, own) if own else ():
        if ours.name not in conflict.projects:
            lines.append(
                f"  {ours.name}: {theirs.version} in {low.path} (layer {low.name!r}: "
                f"{chain(low, theirs.name)}), {ours.version} here ({chain(planned, ours.name)})"
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
        hint="Cap it in the input named, so that both can have it; or resolve the stack as one: "
        "nox -s lock -- --together",
    )
    # The pins below are not to be edited, but what stands in inputs may be.
    error.edits = tuple(
        edit for edit in conflict.edits if not any(f"({low.path}:" in edit for low in planned.below)
    )
    error.hint = "\n".join(filter(None, (in_one(error.edits), error.hint)))
    return error


def disagreement(planned: Planned) -> CompileError | None:
    """Return the error for a lock that differs from those it builds on, or None when none does."""
    lock = planned.existing
    differing = list(disagreements(planned, lock)) if lock else []
    if not differing:
        return None
    names = tuple(dict.fromkeys(ours.name or "" for _, _, ours in differing))
    lines = [
        f"{ours.shown} here: {chain(planned, ours.name)}"
        for ours in {ours.name: ours for _, _, ours in differing}.values()
    ]
    return CompileError("\n".join(lines), kind="conflict", projects=names)


def chain(planned: Planned, name: str | None) -> str:
    """Say how an input comes to ask for a pin: ``idna, for requests (requirements.in:3)``."""
    asking: Mapping[str | None, Entry] = {
        entry.name: entry for entry in reversed(planned.inputs.requirements)
    }
    pins = {pin.name: pin for pin in planned.existing.pins} if planned.existing else {}
    trails: list[tuple[str | None, ...]] = [(name,)]
    seen = {name}
    while trails:
        trail = trails.pop(0)
        if entry := asking.get(trail[-1]):
            steps = [each or "" for each in trail[:-1]]
            place = f"{entry.text} ({entry.place})"
            return ", for ".join([*steps, place])
        pin = pins.get(trail[-1])
        for via in pin.via if pin else ():
            parent = canonicalize_name(via)
            if parent in pins and parent not in seen:
                seen.add(parent)
                trails.append((*trail, parent))
    return f"{name}"


def _versions(lock: LockFile | None, planned: Planned) -> Iterator[Pin]:
    """Yield the pins by version that count for a target; its own after those it includes."""
    for pin in (*lock.included, *lock.pins) if lock else ():
        if pin.version is None or pin.name is None:
            continue
        if counts(pin.marker, planned.target, planned.platform):
            yield pin
