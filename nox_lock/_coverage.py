"""Do the pins of a lock file and the demands of its inputs cover each other?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from nox_lock._target import counts, holds
from nox_lock._verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.specifiers import SpecifierSet

    from nox_lock._entries import Entry
    from nox_lock._planned import Planned
    from nox_lock.lockfile.lock_file import LockFile
    from nox_lock.lockfile.pins import Pin


def judge_entries(planned: Planned, lock: LockFile) -> Iterator[Reason]:
    """Check that every requirement has a pin that meets it, and every constraint holds."""
    pins: dict[str, Pin] = {
        pin.name: pin
        for pin in reversed(lock.pins)
        if pin.name and counts(pin.marker, planned.target, planned.platform)
    }
    urls = {canonical_url(pin.url) for pin in lock.pins if pin.url}
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
            if url_of(entry) not in urls:
                yield Reason(f"{entry.text} is not in the lock", *where)
        elif fault := _find_fault(entry, pin, strip_extras=planned.settings.strip_extras):
            yield Reason(f"{entry.text} {fault}", *where)


def _find_fault(entry: Entry, pin: Pin | None, *, strip_extras: bool | None) -> str:
    """Return why a pin does not do for a requirement, or nothing."""
    if pin is None:
        return "is not in the lock"
    if not _meets(pin, entry):
        return f"is not met by {pin.shown}"
    if not strip_extras and not entry.extras <= pin.extras:
        return "asks for extras the lock does not have"
    if pin.hashes and not entry.hashes <= set(pin.hashes):
        return f"has a --hash that {pin.shown} has not"
    return ""


def _meets(pin: Pin, entry: Entry) -> bool:
    if entry.url is not None:
        return pin.url is not None and canonical_url(pin.url) == url_of(entry)
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


def canonical_url(url: str | None) -> str:
    """Return a URL with its fragment in the one form that pip-compile's spellings of it share.

    A name in the fragment is left out: it is judged as the name of the pin.
    """
    bare, _, fragment = (url or "").partition("#")
    bare = bare.rstrip("/")
    for prefix in ("file:", "./"):
        bare = bare.removeprefix(prefix)
    parts = sorted(part for part in fragment.split("&") if part and not part.startswith("egg="))
    return "#".join([bare.replace("git+file:///", "git+file:/"), *parts])


def url_of(entry: Entry) -> str:
    """Return the URL or path of an entry in that form."""
    url = entry.url or ""
    return canonical_url(url if "#" in url else f"{url}#{entry.fragment}")


def judge_markers(planned: Planned, lock: LockFile) -> Iterator[Reason]:
    """Check that what an input asks for by name has the marker in the lock that it has there.

    pip-compile gives a pin the marker of the last line that asks for it and counts; uv none.
    https://pip-tools.readthedocs.io/en/stable/ (`OutputWriter.write` has the rule)
    """
    by_pip_compile = lock.stamp is not None or (lock.maker or "").startswith("pip-compile")
    if not by_pip_compile or not planned.inputs.judgeable:
        return
    last: dict[str | None, Entry] = {}
    undecided: dict[str | None, set[str]] = {}
    for entry in planned.inputs.entries:
        active = holds(entry.marker, planned.target, planned.platform)
        if active is None:
            undecided.setdefault(entry.name, {""}).add(str(entry.marker))
        elif active and (entry.marker or entry.name not in last):
            last[entry.name] = entry
    for pin in lock.pins:
        asked = last.get(pin.name)
        wanted, has = str(asked.marker or "") if asked else "", _canonical(pin.marker)
        if has == wanted or has in undecided.get(pin.name, ()):
            continue
        said = f"the marker {pin.marker}" if pin.marker else "no marker"
        if asked is None:
            yield Reason(f"{pin.shown} has {said}, which no input gives it", planned.path, pin.line)
        else:
            yield Reason(f"{asked.text}: its pin has {said} in the lock", *asked.where)


def _canonical(marker: str) -> str:
    try:
        return str(Marker(marker)) if marker else ""
    except (InvalidMarker, RecursionError):
        return marker


def judge_urls(planned: Planned, lock: LockFile) -> Iterator[Reason]:
    """Check that an input names every direct URL and folder: its project, and the whole URL.

    What another project requires by URL has to be named, too: its metadata is not seen offline.
    """
    if not planned.inputs.judgeable:
        return
    for pin in lock.pins:
        if pin.url is None:
            continue
        url = canonical_url(pin.url)
        named = [
            entry
            for entry in planned.inputs.entries
            if entry.url and url_of(entry) == url and pin.name in {None, entry.name or pin.name}
        ]
        if not any(_may_count(entry, planned) for entry in named):
            shown = pin.url if pin.name is None or pin.url[0] in "./" else f"{pin.name} @ {pin.url}"
            why = f", {named[0].text} does not count for {planned.target}" if named else ""
            yield Reason(f"no input asks for {shown}{why}", planned.path, pin.line)


def _may_count(entry: Entry, planned: Planned) -> bool:
    return holds(entry.marker, planned.target, planned.platform) is not False


def judge_reach(planned: Planned, lock: LockFile) -> Iterator[Reason]:
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
        yield Reason(f"{shown}, and there is no `# via` note", planned.path, missed[0].line)
        return
    silent = {
        entry.name: entry for entry in planned.inputs.requirements if not _may_count(entry, planned)
    }
    for pin in missed:
        entry = silent.get(pin.name)
        if entry is None:
            yield Reason(f"{pin.shown} is asked for by no requirement", planned.path, pin.line)
        else:
            here = f"Python {planned.target} on {planned.platform.system}"
            yield Reason(
                f"{pin.shown} is in the lock, and the marker of {entry.text} does not hold for "
                f"{here}",
                *entry.where,
            )


def _reach(lock: LockFile, asking: Iterable[Entry]) -> set[str]:
    """Return the keys of the pins that entries reach."""
    asking = list(asking)
    urls = {url_of(entry) for entry in asking if entry.url}
    waiting = [entry.name for entry in asking if entry.name]
    requires: dict[str, list[str]] = {}
    pinned = {_key(pin) for pin in lock.pins}
    for pin in lock.pins:
        if pin.url and canonical_url(pin.url) in urls:
            waiting.append(_key(pin))
        for via in pin.via:
            if not via.startswith("-"):
                requires.setdefault(canonicalize_name(via), []).append(_key(pin))
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
    return pin.name or canonical_url(pin.url)
