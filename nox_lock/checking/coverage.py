"""Do the pins of a lock file and the demands of its inputs cover each other?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.markers import InvalidMarker, Marker

from nox_lock.checking.verdict import Reason
from nox_lock.inputs.pep508 import meets, normalized
from nox_lock.target import counts, holds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nox_lock.inputs.entry import Entry
    from nox_lock.lockfile.lock_file import LockFile
    from nox_lock.lockfile.pins import Pin
    from nox_lock.planning.lock_plan import LockPlan


def judge_entries(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Check that every requirement has a pin that meets it, and every constraint holds."""
    pins: dict[str | None, list[Pin]] = {}
    for pin in lock.pins:
        if pin.name and counts(pin.marker, planned.target, planned.platform):
            pins.setdefault(pin.name, []).append(pin)
    left_out = (
        set() if planned.settings.allow_unsafe else set(planned.settings.unsafe_packages or ())
    )
    strip_extras = planned.settings.strip_extras
    hashed = lock.hashed or planned.lock.settings.generate_hashes is not False
    for entry in planned.inputs.entries:
        active = holds(entry.marker, planned.target, planned.platform)
        found = pins.get(entry.name, [])
        if active is False or entry.name in left_out or (active is None and not found):
            continue
        if entry.constraint:
            broken = (pin for pin in found if not _meets(pin, entry))
            said = [f"{pin.shown} breaks the constraint {entry.text}" for pin in broken]
        elif found:
            faults = (
                _find_fault(entry, pin, strip_extras=strip_extras, hashed=hashed) for pin in found
            )
            said = [f"{entry.text} {fault}" for fault in faults if fault]
        else:
            there = entry.url and any(is_named_by(pin, entry) for pin in lock.pins)
            said = [] if there else [f"{entry.text} is not in the lock"]
        yield from (Reason(each, entry.place) for each in said)


def _find_fault(entry: Entry, pin: Pin, *, strip_extras: bool | None, hashed: bool) -> str:
    """Return why a pin does not do for a requirement, or nothing."""
    if not _meets(pin, entry):
        return f"is not met by {pin.shown}"
    if not strip_extras and not entry.extras <= pin.extras:
        return "needs extras that the lock does not have"
    if hashed and not entry.hashes <= set(pin.hashes):
        return f"has a --hash that {pin.shown} has not"
    return ""


def _meets(pin: Pin, entry: Entry) -> bool:
    if entry.url is not None:
        return is_named_by(pin, entry)
    if pin.version is None or entry.specifier is None:
        return True
    # One demand and one pin meet in many lock files of a project.
    key = entry.text, pin.version
    if key not in _MET:
        _MET[key] = meets(entry.specifier, pin.version)
    return _MET[key]


_MET: dict[tuple[str, str], bool] = {}


def is_named_by(pin: Pin, entry: Entry) -> bool:
    """Return whether an entry names the direct URL or folder of a pin, and its project.

    pip-compile writes what an input names by its URL alone with its name.
    """
    if pin.url is None or entry.url is None or pin.editable != entry.editable:
        return False
    if pin.name is None:
        return entry.bare and canonical_url(pin) == url_of(entry)
    return entry.name in {None, pin.name} and canonical_url(pin) == url_of(entry)


def show_url(pin: Pin) -> str:
    """Return a direct URL as a requirement has it, with its project; a path alone."""
    url = pin.url or ""
    return url if pin.name is None or url.startswith((".", "/")) else f"{pin.name} @ {url}"


def canonical_url(pin: Pin) -> str:
    """Return the URL of a pin with its fragment in the one form that all its spellings share."""
    return _canonical_url(pin.url or "", pin.name)


def url_of(entry: Entry) -> str:
    """Return the URL or path of an entry in that form."""
    url = entry.url or ""
    whole = url if "#" in url or not entry.fragment else f"{url}#{entry.fragment}"
    return _canonical_url(whole, entry.name)


def _canonical_url(url: str, name: str | None) -> str:
    bare, mark, fragment = url.partition("#")
    if "://" not in bare:
        bare = bare.removeprefix("file:").rstrip("/").removeprefix("./")
    parts = sorted(part for part in fragment.split("&") if part)
    if mark and not fragment:  # for pip a part of the path
        parts = [""]
    if name is not None:  # pip-compile takes the name out of the fragment
        parts = [part for part in parts if part[:4] != "egg=" or normalized(part[4:]) != name]
    return "#".join([bare.replace("git+file:///", "git+file:/"), *parts])


def judge_markers(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Check that what an input asks for by name has a marker in the lock that an input gives it.

    pip-compile gives a pin the marker of the last line that asks for it, counts and has one, and
    reads a file as often as it is included; uv gives none.
    https://pip-tools.readthedocs.io/en/stable/ (`OutputWriter.write` has the rule)
    """
    by_pip_compile = lock.stamp is not None or (lock.maker or "").startswith("pip-compile")
    if not by_pip_compile or not planned.inputs.judgeable:
        return
    given: dict[str | None, dict[str, Entry]] = {}
    undecided: dict[str | None, set[str]] = {}
    for entry in planned.inputs.entries:
        active = holds(entry.marker, planned.target, planned.platform)
        if active is None:
            undecided.setdefault(entry.name, {""}).add(str(entry.marker))
        elif active:
            given.setdefault(entry.name, {})[str(entry.marker or "")] = entry
    for pin in lock.pins:
        asked = given.get(pin.name, {})
        if pin.name is None:
            named = (each for each in planned.inputs.entries if is_named_by(pin, each))
            asked = {str(each.marker or ""): each for each in named}
        has, wanted = _canonical(pin.marker), [each for each in asked if each] or [""]
        if has in wanted or has in undecided.get(pin.name, ()):
            continue
        said = f"the marker {pin.marker}" if pin.marker else "no marker"
        if not asked:
            yield Reason(f"{pin.shown} has {said}, which no input gives it", planned.at(pin.line))
        else:
            entry = asked[wanted[-1]]
            yield Reason(f"{entry.text}: its pin has {said} in the lock", entry.place)


def _canonical(marker: str) -> str:
    try:
        return str(Marker(marker)) if marker else ""
    except (InvalidMarker, RecursionError):
        return marker


def judge_urls(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Check that an input names every direct URL and folder: its project, and the whole URL.

    What another project requires by URL has to be named, too: its metadata is not seen offline.
    """
    if not planned.inputs.judgeable:
        return
    for pin in lock.pins:
        if pin.url is None:
            continue
        named = [entry for entry in planned.inputs.entries if is_named_by(pin, entry)]
        if not any(_may_count(entry, planned) for entry in named):
            why = f", {named[0].text} does not count for {planned.target}" if named else ""
            yield Reason(f"no input requires {show_url(pin)}{why}", planned.at(pin.line))


def _may_count(entry: Entry, planned: LockPlan) -> bool:
    return holds(entry.marker, planned.target, planned.platform) is not False


def judge_reach(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Check that every pin is reached from an input, directly or through its ``# via`` notes.

    What counts for the target is reached from what counts for it. A universal lock file has pins
    for others, too, which lines for others may reach.
    """
    if not planned.inputs.judgeable:
        return
    asking = [entry for entry in planned.inputs.requirements if _may_count(entry, planned)]
    reached = _reach(lock, asking)
    missed = [pin for pin in lock.pins if _key(pin) not in reached]
    if not missed:
        return
    everywhere = _reach(lock, planned.inputs.requirements)
    missed = [
        pin
        for pin in missed
        if _key(pin) not in everywhere or counts(pin.marker, planned.target, planned.platform)
    ]
    if len(missed) > 1 and not lock.annotated:
        shown = f"{len(missed)} pins are named by no input, such as {missed[0].shown}"
        yield Reason(f"{shown}, and there is no `# via` note", planned.at(missed[0].line))
        return
    silent = {
        entry.name: entry for entry in planned.inputs.requirements if not _may_count(entry, planned)
    }
    for pin in missed:
        entry = silent.get(pin.name)
        if entry is None:
            yield Reason(f"{pin.shown} is required by no input", planned.at(pin.line))
        else:
            here = f"Python {planned.target} on {planned.platform.system}"
            yield Reason(
                f"{pin.shown} is in the lock, and the marker of {entry.text} does not hold for "
                f"{here}",
                entry.place,
            )


def _reach(lock: LockFile, asking: Iterable[Entry]) -> set[str]:
    """Return the keys of the pins that entries reach."""
    asking = list(asking)
    by_url = [entry for entry in asking if entry.url]
    waiting = [entry.name for entry in asking if entry.name]
    requires: dict[str, list[str]] = {}
    pinned = {_key(pin) for pin in lock.pins}
    for pin in lock.pins:
        if pin.url and any(is_named_by(pin, entry) for entry in by_url):
            waiting.append(_key(pin))
        for via in pin.via:
            if not via.startswith("-"):
                requires.setdefault(normalized(via), []).append(_key(pin))
    if any(entry.name is None for entry in asking):
        # A project named only by its path: its name stands in the annotations alone.
        waiting += requires.keys() - pinned
    reached: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += requires.get(key, ())
    return reached


def _key(pin: Pin) -> str:
    return pin.name or canonical_url(pin)
