"""What a run did to a lock file: what was added, removed and changed; and why a pin is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock.inputs.syntax import meets, parse_version
from nox_lock.target import counts, holds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nox_lock.inputs.entry import Entry
    from nox_lock.lockfile.lock_file import LockFile, Pin
    from nox_lock.planning.lock_plan import AnyPlan, LockPlan

UP_TO_DATE, RESTORED, COMPILED, MADE = "up to date", "restored", "compiled", "made"
ADDED, REMOVED = "added", "removed"
UPGRADED, DOWNGRADED, CHANGED = "upgraded", "downgraded", "changed"
REHASHED = "new hashes"
KINDS = (UPGRADED, DOWNGRADED, CHANGED, REHASHED, ADDED, REMOVED)


class Change(NamedTuple):
    """What became of one project in a lock file.

    Attributes:
        kind: one of `KINDS`; `new hashes` for the same version with other files.
        old: the version or URL before; empty for none.
        new: the version or URL now; empty for none.
        why: the requirement of an input that brings it; empty for what was removed.
        size: the first part of the version that differs: ``major``, ``minor`` or ``micro``.
    """

    kind: str
    name: str
    old: str
    new: str
    why: str = ""
    size: str = ""


class Outcome(NamedTuple):
    """What was done for one lock file.

    Attributes:
        planned: the lock file, with what it is now as its `current`.
        action: `up to date`, `restored` or `compiled`; of a pylock `made`.
        text: its new text, to be written; None where it stays.
        day: when a restored lock was resolved (ISO 8601).
        notes: what a person should know of it.
        changes: what differs from that, or from the lock file it replaces.
    """

    planned: AnyPlan
    action: str
    text: str | None = None
    seconds: float = 0.0
    day: str = ""
    notes: tuple[str, ...] = ()
    before: LockFile | None = None
    changes: Sequence[Change] = ()

    @property
    def pins(self) -> int:
        """How many pins it has now."""
        return len(self.planned.pins)


def find_changes(before: LockFile | None, after: LockPlan) -> list[Change]:
    """Return what differs between a lock file as it was and as it is planned now, by kind."""
    new = {_key(pin): pin for pin in after.pins}
    old = {
        _key(pin): pin
        for pin in (before.pins if before else ())
        if counts(pin.marker, after.target, after.platform)
    }
    if before is not None and before.stamp is None:
        # A lock file of another tool may be for several targets: a marker that is true for this
        # one goes, and the pin is kept.
        old |= {
            name: old[name]._replace(marker=new[name].marker) for name in old.keys() & new.keys()
        }
    found = [Change(REMOVED, name, _version(old[name]), "") for name in old.keys() - new.keys()]
    found += (
        Change(ADDED, name, "", _version(new[name]), _why(after, name))
        for name in new.keys() - old.keys()
    )
    for name in old.keys() & new.keys():
        kind, size = _compare(old[name], new[name])
        if kind:
            was, now = _version(old[name]), _version(new[name])
            if was == now and kind == CHANGED:
                was, now = _whole(old[name]), _whole(new[name])
            why = _find_limit(after, old[name]) or _why(after, name)
            found.append(Change(kind, name, was, now, why, size))
    return sorted(found, key=lambda change: (KINDS.index(change.kind), change.name))


def _compare(old: Pin, new: Pin) -> tuple[str, str]:
    """Return the kind and the size of the change of a pin; empty for none."""
    if (old.version, old.url) != (new.version, new.url):
        before, after = parse_version(old.version or ""), parse_version(new.version or "")
        if before is None or after is None:
            return CHANGED, ""
        kind = UPGRADED if after > before else DOWNGRADED
        if (before.epoch, before.major) != (after.epoch, after.major):
            return kind, "major"
        return kind, "minor" if before.minor != after.minor else "micro"
    if old.marker != new.marker or old.editable != new.editable:
        return CHANGED, ""
    return REHASHED if old.hashes and new.hashes and {*old.hashes} != {*new.hashes} else "", ""


def find_reasons(planned: LockPlan, name: str) -> list[str]:
    """Return what brings a pin into a lock file: requirements and parents; empty for no pin."""
    pins = {_key(pin): pin for pin in planned.pins}
    if name not in pins:
        return []
    via = pins[name].via
    ways = _places(entry for entry in planned.inputs.requirements if entry.name == name)
    # An editable project has no name in its pin.
    known = pins.keys() | {entry.name for entry in planned.inputs.requirements}
    ways += (
        (f"{parent} {_version(pins[parent])}, from " if parent in pins else "")
        + chain(planned, parent)
        for parent in sorted({canonicalize_name(each) for each in via} & known)
    )
    return ways or ([", ".join(via)] if via else [])


def chain(planned: LockPlan, name: str | None) -> str:
    """Return the way from a pin to an input: ``idna, for requests (requirements.in:3)``."""
    entries = {entry.name: entry for entry in reversed(planned.inputs.requirements)}
    pins = {pin.name: pin for pin in planned.pins}
    trails: list[tuple[str | None, ...]] = [(name,)]
    seen = {name}
    for trail in trails:
        if trail[-1] in entries:
            steps = [each or "" for each in trail[:-1]]
            return ", for ".join([*steps, *_places([entries[trail[-1]]])])
        pin = pins.get(trail[-1])
        for via in pin.via if pin else ():
            parent = canonicalize_name(via)
            if (parent in pins or parent in entries) and parent not in seen:
                seen.add(parent)
                trails.append((*trail, parent))
    return f"{name}"


def whole_chain(planned: LockPlan, name: str | None) -> str:
    """Return the way from a pin to an input, and the constraints on it."""
    lines = _places(entry for entry in planned.inputs.constraints if entry.name == name)
    return ", limited by ".join(filter(None, [chain(planned, name), " and ".join(lines)]))


def _places(entries: Iterable[Entry]) -> list[str]:
    """Return entries, each with its place: ``idna<3 (requirements.in:3)``."""
    return [f"{entry.text} ({entry.place})" for entry in entries]


def _why(planned: LockPlan, name: str) -> str:
    said = chain(planned, name)
    return "" if said == name else said.removeprefix(f"{name}, ")


def _find_limit(planned: LockPlan, old: Pin) -> str:
    """Return the line of an input that an old pin does not meet; empty where none forced it out."""
    for entry in planned.inputs.entries if old.version else ():
        limits = entry.name == old.name and entry.specifier is not None
        counting = limits and holds(entry.marker, planned.target, planned.platform) is not False
        if counting and not meets(entry.specifier, old.version):
            return _places([entry])[0]
    return ""


def _key(pin: Pin) -> str:
    return pin.name or pin.url or ""


def _version(pin: Pin) -> str:
    return pin.version or pin.url or ""


def _whole(pin: Pin) -> str:
    edit, marker = "-e " * pin.editable, f" ; {pin.marker}" * bool(pin.marker)
    return f"{edit}{_version(pin)}{marker}"
