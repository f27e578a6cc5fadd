"""What a run did to a lock file: what was added, removed and changed; and why a pin is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from packaging.utils import canonicalize_name

from nox_lock.inputs.entry import Entry
from nox_lock.inputs.syntax import meets, parse_version
from nox_lock.lockfile.lock_file import LockFile, Pin
from nox_lock.planning.lock_plan import AnyPlan, LockPlan
from nox_lock.target import counts, holds

UP_TO_DATE, RESTORED, COMPILED, MADE = "up to date", "restored", "compiled", "made"
ADDED, REMOVED = "added", "removed"
UPGRADED, DOWNGRADED, CHANGED, REHASHED = "upgraded", "downgraded", "changed", "new hashes"
KINDS = (UPGRADED, DOWNGRADED, CHANGED, REHASHED, ADDED, REMOVED)


class Change(NamedTuple):
    """What became of one project in a lock file, with its version or URL, empty for none."""

    kind: str  # one of `KINDS`; `new hashes` for the same version with other files
    name: str
    old: str
    new: str
    why: str = ""  # the requirement of an input that brings it, or that forced the old one out
    size: str = ""  # the first part of the version that differs: major, minor or micro


class Outcome(NamedTuple):
    """What was done for one lock file; `planned` has what it is now as its `current`."""

    planned: AnyPlan
    action: str  # `up to date`, `restored` or `compiled`; of a pylock `made`
    text: str | None = None  # to be written; None where it stays
    seconds: float = 0.0
    day: str = ""  # when a restored lock was resolved (ISO 8601)
    notes: tuple[str, ...] = ()  # what a person should know of it
    before: LockFile | None = None
    changes: Sequence[Change] = ()  # since `before`, or since the lock file that it replaces


def find_changes(before: LockFile, after: LockPlan) -> list[Change]:
    """Return what differs between a lock file as it was and as it is planned now, by kind."""
    counting = (pin for pin in before.pins if counts(pin.marker, after.target, after.platform))
    old, new = ({pin.name or pin.url or "": pin for pin in pins} for pins in (counting, after.pins))
    found = []
    for name in old.keys() | new.keys():
        was, now = old.get(name), new.get(name)
        if was and now and before.stamp is None:  # another tool may have locked for more targets
            was = was._replace(marker=now.marker)
        kind, size = _compare(was, now)
        if not kind:
            continue
        shown = [pin.version or pin.url or "" if pin else "" for pin in (was, now)]
        if kind == CHANGED and shown[0] == shown[1]:
            pins = (pin for pin in (was, now) if pin)
            shown = [f"{'-e ' * e.editable}{shown[0]} ; {e.marker}".rstrip(" ;") for e in pins]
        why = ""
        if was and now and (limit := find_limit(after, was)):
            why = f"{limit.text} ({limit.place})"
        elif now and (way := chain(after, name)) != name:
            why = way.removeprefix(f"{name}, ")
        found.append(Change(kind, name, shown[0], shown[1], why, size))
    return sorted(found, key=lambda change: (KINDS.index(change.kind), change.name))


def _compare(old: Pin | None, new: Pin | None) -> tuple[str, str]:
    """Return the kind and the size of the change of a pin; empty for none."""
    if old is None or new is None:
        return REMOVED if old else ADDED, ""
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


def find_limit(planned: LockPlan, pin: Pin) -> Entry | None:
    """Return the first line of the inputs that a pin does not meet, or None."""
    named = (each for each in planned.inputs.entries if pin.version and each.name == pin.name)
    for entry in named:
        unmet = entry.specifier and not meets(entry.specifier, pin.version or "")
        if unmet and holds(entry.marker, planned.target, planned.platform) is not False:
            return entry
    return None


def find_reasons(planned: LockPlan, name: str) -> list[str]:
    """Return what brings a pin into its lock file: requirements and parents."""
    requirements = planned.inputs.requirements
    pins = {pin.name: pin for pin in planned.pins}
    ways = [f"{each.text} ({each.place})" for each in requirements if each.name == name]
    # An editable project has no name in its pin.
    known = pins.keys() | {entry.name for entry in requirements}
    via = pins[name].via
    for parent in sorted({canonicalize_name(each) for each in via} & known):
        pin = pins.get(parent)
        version = f"{parent} {pin.version or pin.url}, from " if pin else ""
        ways.append(f"{version}{chain(planned, parent)}")
    return ways or ([", ".join(via)] if via else [])


def chain(planned: LockPlan, name: str | None) -> str:
    """Return the way from a pin to an input: ``idna, for requests (requirements.in:3)``."""
    entries = {entry.name: entry for entry in reversed(planned.inputs.requirements)}
    pins = {pin.name: pin for pin in planned.pins}
    trails, seen = [[name or ""]], {name}
    for trail in trails:
        if entry := entries.get(trail[-1]):
            return ", for ".join([*trail[:-1], f"{entry.text} ({entry.place})"])
        pin = pins.get(trail[-1])
        for parent in map(canonicalize_name, pin.via if pin else ()):
            if (parent in pins or parent in entries) and parent not in seen:
                seen.add(parent)
                trails.append([*trail, parent])
    return f"{name}"


def whole_chain(planned: LockPlan, name: str | None) -> str:
    """Return the way from a pin to an input, and the constraints on it."""
    constraints = (entry for entry in planned.inputs.constraints if entry.name == name)
    limits = " and ".join(f"{entry.text} ({entry.place})" for entry in constraints)
    return ", limited by ".join(filter(None, [chain(planned, name), limits]))
