"""Do the pins of a lock file and the demands of its inputs cover each other?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from nox_lock._target import counts, holds
from nox_lock._verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

    from nox_lock._entries import Entry
    from nox_lock._lockfile import LockFile
    from nox_lock._pins import Pin
    from nox_lock._planned import Planned


def judge_entries(planned: Planned, lock: LockFile) -> Iterator[Reason]:
    """Check that every requirement has a pin that meets it, and every constraint holds."""
    pins: dict[str, Pin] = {
        pin.name: pin
        for pin in reversed(lock.pins)
        if pin.name and counts(pin.marker, planned.target, planned.platform)
    }
    urls = {bare_url(pin.url) for pin in lock.pins if pin.url}
    left_out = (
        set() if planned.settings.allow_unsafe else set(planned.settings.unsafe_packages or ())
    )
    for entry in planned.inputs.entries:
        active = holds(entry.marker, planned.target, planned.platform)
        pin = pins.get(entry.name or "")
        if active is False or entry.name in left_out or (active is None and pin is None):
            continue
        where = (entry.where.file, entry.where.line)
        if entry.constraint:
            if pin is not None and not _meets(pin, entry):
                yield Reason(f"{pin.shown} breaks the constraint {entry.text}", *where)
        elif entry.name is None or (pin is None and entry.url):
            if bare_url(entry.url) not in urls:
                yield Reason(f"{entry.text} is not in the lock", *where)
        elif pin is None:
            yield Reason(f"{entry.text} is not in the lock", *where)
        elif not _meets(pin, entry):
            yield Reason(f"{entry.text} is not met by {pin.shown}", *where)
        elif not planned.settings.strip_extras and not entry.extras <= pin.extras:
            yield Reason(f"{entry.text} asks for extras the lock does not have", *where)


def _meets(pin: Pin, entry: Entry) -> bool:
    if entry.url is not None:
        return pin.url is not None and bare_url(pin.url) == bare_url(entry.url)
    if pin.version is None or entry.specifier is None:
        return True
    # One demand and one pin meet in many lock files of a project.
    key = entry.text, pin.version
    if key not in _MET:
        _MET[key] = _contains(entry.specifier, pin.version)
    return _MET[key]


_MET: dict[tuple[str, str], bool] = {}


def _contains(specifier: SpecifierSet, version: str) -> bool:
    try:
        # pip-tools keeps a pre-release that is locked, so one always counts.
        return specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:  # meets nothing, but for what asks for this very text
        return str(specifier) == f"==={version}"
    except ValueError:  # a number of more digits than Python reads
        return False


def bare_url(url: str | None) -> str:
    """Return a URL in the one form that pip-compile's spellings of it share."""
    bare = (url or "").partition("#")[0].rstrip("/")
    for prefix in ("file:", "./"):
        bare = bare.removeprefix(prefix)
    return bare.replace("git+file:///", "git+file:/")


def judge_markers(planned: Planned, lock: LockFile) -> Iterator[Reason]:
    """Check that what an input asks for by name has the marker in the lock that it has there.

    pip-compile gives a pin the marker of the last line that asks for it and counts; uv none.
    https://pip-tools.readthedocs.io/en/stable/ (`OutputWriter.write` has the rule)
    """
    by_pip_compile = lock.stamp is not None or (lock.maker or "").startswith("pip-compile")
    if not by_pip_compile or not planned.inputs.judgeable:
        return
    last: dict[str | None, Entry] = {}
    undecided = set()
    for entry in planned.inputs.entries:
        active = holds(entry.marker, planned.target, planned.platform)
        if active is None:
            undecided.add(entry.name)
        elif active and (entry.marker or entry.name not in last):
            last[entry.name] = entry
    for pin in lock.pins:
        asked = last.get(pin.name)
        wanted = str(asked.marker or "") if asked else ""
        if pin.file or pin.name in undecided or wanted == _canonical(pin.marker):
            continue
        has = f"the marker {pin.marker}" if pin.marker else "no marker"
        if asked is None:
            yield Reason(f"{pin.shown} has {has}, which no input gives it", planned.path, pin.line)
        else:
            yield Reason(f"{asked.text}: its pin has {has} in the lock", *asked.where)


def _canonical(marker: str) -> str:
    try:
        return str(Marker(marker)) if marker else ""
    except (InvalidMarker, RecursionError):
        return marker


def judge_reach(planned: Planned, lock: LockFile) -> Iterator[Reason]:
    """Check that an input asks for every pin, directly or through others, as annotated."""
    # Under a stamp of ours they were taken away, and the stamp made anew.
    if not (lock.annotated or lock.as_stamped) or not planned.inputs.judgeable:
        return
    asking, silent = _sorted_by_marker(planned)
    wanted = {entry.name for entry in asking if entry.name}
    wanted |= {bare_url(entry.url) for entry in asking if entry.url}
    asked_by = {
        _key(pin): {canonicalize_name(via) for via in pin.via if not via.startswith("-")}
        for pin in lock.pins
    }
    if any(entry.name is None for entry in asking):
        # A project named only by its path: its name stands in the annotations alone.
        wanted |= set().union(*asked_by.values()) - set(asked_by)
    reached: set[str] = set()
    growing = True
    while growing:
        more = {
            key
            for key, by in asked_by.items()
            if key not in reached and (key in wanted or by & (wanted | reached))
        }
        reached |= more
        growing = bool(more)
    for pin in planned.own_pins:
        if not counts(pin.marker, planned.target, planned.platform):
            continue
        if _key(pin) in reached or bare_url(pin.url or "-") in wanted:
            continue
        entry = silent.get(pin.name)
        if entry is None:
            told = f"{pin.shown} is asked for by no requirement"
            yield Reason(told, *planned.place_of(pin))
        else:
            here = f"Python {planned.target} on {planned.platform.system}"
            yield Reason(
                f"{pin.shown} is in the lock, and the marker of {entry.text} does not hold for "
                f"{here}",
                *entry.where,
            )


def _sorted_by_marker(planned: Planned) -> tuple[list[Entry], dict[str | None, Entry]]:
    """Return the requirements that may count for the target, and by name those that do not."""
    asking, silent = [], {}
    for entry in planned.inputs.requirements:
        if holds(entry.marker, planned.target, planned.platform) is False:
            silent[entry.name] = entry
        else:
            asking.append(entry)
    return asking, silent


def _key(pin: Pin) -> str:
    return pin.name or bare_url(pin.url)
