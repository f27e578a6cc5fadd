"""What a lock file has gained, lost and moved, each with the reason; and why a pin is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock.inputs.pep508 import meets, parse_version
from nox_lock.locking.agreement import chain
from nox_lock.target import counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.requirements import Requirement

    from nox_lock.lockfile.lock_file import LockFile
    from nox_lock.lockfile.pins import Pin
    from nox_lock.planning.planned import Planned

ADDED, REMOVED = "added", "removed"
UPGRADED, DOWNGRADED, CHANGED = "upgraded", "downgraded", "changed"
REHASHED = "new hashes"
KINDS = (UPGRADED, DOWNGRADED, CHANGED, REHASHED, ADDED, REMOVED)


class Change(NamedTuple):
    """What became of one project in a lock file.

    Attributes:
        kind: one of `KINDS`; `new hashes` for the same version with other files.
        name: the project, normalized.
        old: the version or URL there was; empty for none.
        new: the version or URL there is; empty for none.
        why: how an input comes to ask for it; empty for what was removed.
        size: of a move, its first part that differs: ``major``, ``minor`` or ``micro``.
    """

    kind: str
    name: str
    old: str
    new: str
    why: str = ""
    size: str = ""


def find_changes(before: LockFile | None, after: Planned) -> list[Change]:
    """Return what differs between a lock file as it was and as it is planned now, by kind."""
    old = {
        _key(pin): pin
        for pin in (before.pins if before else ())
        if counts(pin.marker, after.target, after.platform)
    }
    new = {_key(pin): pin for pin in after.pins}
    # A lock file of another tool may be for several targets: a marker that holds for this one
    # goes, and the pin is kept.
    if before is not None and before.stamp is None:
        old = {
            name: pin._replace(marker=new[name].marker) if name in new else pin
            for name, pin in old.items()
        }
    found = [Change(REMOVED, name, _shown(old[name]), "") for name in old.keys() - new.keys()]
    for name, pin in new.items():
        kind = _kind(old.get(name), pin)
        if kind:
            was, now = _shown(old[name]) if name in old else "", _shown(pin)
            size = _size(was, now)
            if was == now and kind == CHANGED:
                was, now = _whole(old[name]), _whole(pin)
            found.append(Change(kind, name, was, now, _why(after, name), size))
    return sorted(found, key=lambda change: (KINDS.index(change.kind), change.name))


def find_reasons(planned: Planned, name: str) -> list[str]:
    """Return how inputs come to ask for a pin: a way for each that asks for it directly.

    Empty where the lock file has no such pin.
    """
    pins = {_key(pin): pin for pin in planned.pins}
    pin = pins.get(name)
    if pin is None:
        return []
    ways = [
        f"{entry.text} ({entry.place})"
        for entry in planned.inputs.requirements
        if entry.name == name
    ]
    parents = sorted({canonicalize_name(via) for via in pin.via} & pins.keys())
    ways += (
        f"{parent} {_shown(pins[parent])}, from {chain(planned, parent)}" for parent in parents
    )
    if not ways and pin.via:
        ways = [", ".join(pin.via)]
    return ways


class Held(NamedTuple):
    """A project that was to move and could not: what it has, what there is, what holds it back."""

    name: str
    version: str
    newest: str
    why: str


def find_held(
    planned: Planned, newest: Mapping[str, str], asked: Mapping[str, Requirement]
) -> list[Held]:
    """Return the pins for which an index has something newer.

    `newest` is the newest version that fits, by project; `asked` is what was asked for on the
    command line, by project.
    """
    found = []
    for pin in planned.pins:
        name, has = pin.name or "", parse_version(pin.version or "")
        there = parse_version(newest.get(name, ""))
        if has is None or there is None or there <= has:
            continue
        caps = [
            f"{entry.text} ({entry.place})"
            for entry in planned.inputs.entries
            if entry.name == name and entry.specifier and not meets(entry.specifier, str(there))
        ]
        if name in asked and not meets(asked[name].specifier, str(there)):
            caps.append(f"{asked[name]}, as was asked for")
        below = [low.path for low in planned.below if any(each.name == name for each in low.pins)]
        parents = [via for via in pin.via if not via.startswith(("-r ", "-c "))]
        needs = f"what needs it: {', '.join(parents)}" if parents else "what else is locked"
        found.append(Held(name, str(has), str(there), ", ".join(caps or below or [needs])))
    return found


def _kind(old: Pin | None, new: Pin) -> str:
    if old is None:
        return ADDED
    if (old.version, old.url) != (new.version, new.url):
        before, after = parse_version(old.version or ""), parse_version(new.version or "")
        if before is None or after is None:
            return CHANGED
        return UPGRADED if after > before else DOWNGRADED
    if old.marker != new.marker or old.editable != new.editable:
        return CHANGED
    return REHASHED if old.hashes and new.hashes and {*old.hashes} != {*new.hashes} else ""


def _why(planned: Planned, name: str) -> str:
    said = chain(planned, name)
    return "" if said == name else said.removeprefix(f"{name}, ")


def _size(old: str, new: str) -> str:
    before, after = parse_version(old), parse_version(new)
    if before is None or after is None:
        return ""
    if (before.epoch, before.major) != (after.epoch, after.major):
        return "major"
    return "minor" if before.minor != after.minor else "micro"


def _key(pin: Pin) -> str:
    return pin.name or pin.url or ""


def _shown(pin: Pin) -> str:
    return pin.version or pin.url or ""


def _whole(pin: Pin) -> str:
    edit, marker = "-e " * pin.editable, f" ; {pin.marker}" * bool(pin.marker)
    return f"{edit}{_shown(pin)}{marker}"
