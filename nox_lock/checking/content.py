"""The pins of a lock file beside what its inputs require, and what no lock file should have."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from nox_lock.errors import Reason
from nox_lock.inputs.entry import Entry
from nox_lock.inputs.syntax import INDEXES, meets, normalized, parse_version
from nox_lock.lockfile.lock_file import LockFile, Pin, is_plain_marker
from nox_lock.planning.lock_plan import UNSAFE_PACKAGES, LockPlan
from nox_lock.target import counts, find_patches, holds
from nox_lock.text import has_password, redact

# Options of pip-compile that a line of an input says as well.
_AS_LINES = (*INDEXES, "--trusted-host", "--pre")
_FLAGS = ("--pre", "--all-extras", "--no-annotate")
_LONG_NAMES = {"-c": "--constraint", "-i": "--index-url", "-f": "--find-links"}
_LONGEST = 4096  # a command that anybody has typed
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# pip's own list of systems: https://pip.pypa.io/en/stable/topics/vcs-support/
_REPOSITORY = r"(?i)(?:git|hg|svn|bzr)\+"
_COMMIT = r"@(?:[0-9a-f]{40}|[0-9a-f]{64})(?=$|#)|(?<=^svn).*@\d+(?=$|#)"
# With whether its marker holds; None where that depends on the patch release.
_Active = tuple[Entry, bool | None]


class Coverage:
    """Finds how pins and inputs differ; all but `find_unmet` needs inputs that are `judgeable`."""

    def __init__(self, planned: LockPlan, lock: LockFile) -> None:
        self._planned = planned
        self._lock = lock
        self._keys = [pin.name or canonical_url(pin) for pin in lock.pins]
        self._entries: list[_Active] = []
        self._by_name: dict[str | None, list[_Active]] = {}
        self._by_url: dict[str, list[_Active]] = {}
        active: dict[int, bool | None] = {}  # many lines share one marker
        for entry in planned.inputs.entries:
            marker = id(entry.marker)
            if marker not in active:
                active[marker] = holds(entry.marker, planned.target, planned.platform)
            each = (entry, active[marker])
            self._entries.append(each)
            self._by_name.setdefault(entry.name, []).append(each)
            if entry.url is not None:
                self._by_url.setdefault(canonical_url(entry), []).append(each)

    def _naming(self, pin: Pin) -> list[_Active]:
        """Return the entries with a pin's URL, and its name or none: pip-compile writes that."""
        return [
            (entry, active)
            for entry, active in self._by_url.get(canonical_url(pin), ())
            if pin.editable == entry.editable
            and (entry.bare if pin.name is None else entry.name in {None, pin.name})
        ]

    def find_unmet(self) -> Iterator[Reason]:
        """Yield the requirements without a pin that meets them, and the constraints broken."""
        planned, settings = self._planned, self._planned.settings
        pins: dict[str | None, list[Pin]] = {}
        for pin in self._lock.pins:
            if pin.name and counts(pin.marker, planned.target, planned.platform):
                pins.setdefault(pin.name, []).append(pin)
        named = {entry.text for pin in self._lock.pins if pin.url for entry, _ in self._naming(pin)}
        left_out = () if settings.allow_unsafe else settings.unsafe_packages or ()
        for entry, active in self._entries:
            found = pins.get(entry.name, ())
            if active is False or entry.name in left_out or (active is None and not found):
                continue
            if not (found or entry.constraint or entry.text in named):
                yield Reason(f"{entry.text} is not in the lock", entry.place)
            for pin in found:
                if fault := self._fault(entry, pin):
                    yield Reason(fault, entry.place)

    def _fault(self, entry: Entry, pin: Pin) -> str:
        """Return why a pin does not do for an entry, or nothing."""
        met = True
        if entry.url is not None:
            met = pin.url is not None and any(each is entry for each, _ in self._naming(pin))
        elif pin.version is not None and entry.specifier is not None:
            met = meets(entry.specifier, pin.version)
        if entry.constraint:
            return "" if met else f"{pin.shown} breaks the constraint {entry.text}"
        if not met:
            return f"{entry.text} is not met by {pin.shown}"
        if not self._planned.settings.strip_extras and not entry.extras <= pin.extras:
            return f"{entry.text} needs extras that the lock does not have"
        hashed = self._lock.hashed or self._planned.lock.settings.generate_hashes is not False
        if entry.hashes and hashed and not entry.hashes <= set(pin.hashes):
            return f"{entry.text} has a --hash that {pin.shown} has not"
        return ""

    def find_other_markers(self) -> Iterator[Reason]:
        """Yield the pins with a marker that no input gives them, and those without theirs.

        pip-compile (`OutputWriter.write`) gives a pin the marker of the last line that names it,
        counts and has one; it drops that of a URL or path without a name. uv gives none.
        """
        lock = self._lock
        if not (lock.stamp or (lock.maker or "").startswith("pip-compile")):
            return
        for pin in lock.pins:
            entries = self._by_name.get(pin.name, ()) if pin.name else self._naming(pin)
            if not pin.marker and all(entry.marker is None for entry, _ in entries):
                continue
            given = {str(entry.marker or ""): entry for entry, active in entries if active}
            undecided = {str(entry.marker) for entry, active in entries if active is None}
            undecided |= {str(entry.marker) for entry, active in entries if active and entry.bare}
            has = str(Marker(pin.marker)) if pin.marker else ""
            wanted = [each for each in given if each] or [""]
            if has in wanted or (undecided and has in {"", *undecided}):
                continue
            said = f"the marker {pin.marker}" if pin.marker else "no marker"
            if given:
                entry = given[wanted[-1]]
                yield Reason(f"{entry.text}: its pin has {said} in the lock", entry.place)
            else:
                said = f"{pin.shown} has {said}, which no input gives it"
                yield Reason(said, self._planned.at(pin.line))

    def find_unrequested_urls(self) -> Iterator[Reason]:
        """Yield the direct URLs and folders no input names: metadata is not seen offline."""
        for pin in self._lock.pins:
            naming = self._naming(pin) if pin.url else []
            if pin.url and all(active is False for _, active in naming):
                said = f"no input requires {show_url(pin)}"
                if naming:
                    said += f", {naming[0][0].text} does not count for {self._planned.target}"
                yield Reason(said, self._planned.at(pin.line))

    def find_unreached(self) -> Iterator[Reason]:
        """Yield the pins that no input requires, directly or through their ``# via`` notes."""
        planned, lock = self._planned, self._lock
        reached = self._reach(entry for entry, active in self._entries if active is not False)
        if reached.issuperset(self._keys):
            return
        everywhere = self._reach(planned.inputs.entries)  # as in a universal lock file
        missed = []
        for pin, key in zip(lock.pins, self._keys, strict=True):
            counting = counts(pin.marker, planned.target, planned.platform)
            if key not in (reached if counting else everywhere):
                missed.append(pin)
        if len(missed) > 1 and not any(pin.via for pin in lock.pins):
            shown = f"{len(missed)} pins are named by no input, such as {missed[0].shown}"
            yield Reason(f"{shown}, and there is no `# via` note", planned.at(missed[0].line))
            return
        here = f"Python {planned.target} on {planned.platform.system}"
        for pin in missed:
            entries = self._by_name.get(pin.name or "", ())
            silent = [each for each, active in entries if active is False and not each.constraint]
            if silent:
                said = f"the marker of {silent[-1].text} does not hold for {here}"
                yield Reason(f"{pin.shown} is in the lock, and {said}", silent[-1].place)
            else:
                yield Reason(f"{pin.shown} is required by no input", planned.at(pin.line))

    def _reach(self, entries: Iterable[Entry]) -> set[str]:
        """Return the keys of the pins that the requirements among entries reach."""
        asking = {id(entry): entry for entry in entries if not entry.constraint}
        waiting = [entry.name for entry in asking.values() if entry.name]
        # What a local project requires is known where it is static: no note can add to it.
        local = {each.name: each.requires for each in asking.values() if each.requires is not None}
        requires: dict[str, list[str]] = {}
        for pin, key in zip(self._lock.pins, self._keys, strict=True):
            if pin.url and any(id(entry) in asking for entry, _ in self._naming(pin)):
                waiting.append(key)
            for parent in (normalized(via) for via in pin.via if not via.startswith("-")):
                if parent not in local or pin.name in local[parent]:
                    requires.setdefault(parent, []).append(key)
        if any(entry.name is None for entry in asking.values()):
            # A project named only by its path: its name is in the annotations alone.
            waiting += requires.keys() - set(self._keys)
        reached: set[str] = set()
        while waiting:
            key = waiting.pop()
            if key not in reached:
                reached.add(key)
                waiting += requires.get(key, ())
        return reached


def show_url(pin: Pin) -> str:
    """Return a direct URL as a requirement has it, with its project; a path alone."""
    url = pin.url or ""
    return url if pin.name is None or url.startswith((".", "/")) else f"{pin.name} @ {url}"


def canonical_url(of: Pin | Entry) -> str:
    """Return a URL or path with its fragment in the one form that all its spellings share."""
    bare, mark, fragment = (of.url or "").partition("#")
    if isinstance(of, Entry) and not mark:
        fragment = of.fragment
    if "://" not in bare:
        if bare.startswith("file:"):
            bare = unquote(bare.removeprefix("file:")).replace("#", "%23")
        bare = bare.rstrip("/").removeprefix("./")
    parts = sorted(part for part in fragment.split("&") if part)
    if mark and not fragment:  # for pip a part of the path
        parts = [""]
    if of.name is not None:  # pip-compile takes the name out of the fragment
        parts = [part for part in parts if part[:4] != "egg=" or normalized(part[4:]) != of.name]
    return "#".join([bare.replace("git+file:///", "git+file:/"), *parts])


def find_faults(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield what makes a lock file `invalid`: secrets, pins without a hash or a version."""
    for option in lock.options:
        if has_password(option.text):
            yield Reason("a password is written here in clear", planned.at(option.number))
    hashed = lock.hashed and planned.settings.generate_hashes
    for pin in lock.pins:
        if pin.url and has_password(pin.url):
            yield Reason("a password is written here in clear", planned.at(pin.line))
        if hashed and not pin.hashes and not pin.unhashable:
            yield Reason(f"{pin.shown} has no hash", planned.at(pin.line))
        if pin.version and parse_version(pin.version) is None:
            yield Reason(f"{pin.shown} pins what is not a version", planned.at(pin.line))
        if pin.marker and not is_plain_marker(pin.marker):
            same = (entry for entry in planned.inputs.entries if entry.name == pin.name)
            given = {str(entry.marker) for entry in same if entry.marker}
            if str(Marker(pin.marker)) not in given:
                said = f"the marker {pin.marker[:80]}, which readers take differently"
                yield Reason(f"{pin.shown} has {said}", planned.at(pin.line))
    yield from find_repeated(planned, lock)


def find_repeated(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield the projects with two pins that differ in a patch release of the target."""
    target, twice = planned.target, {}
    numbers = Counter(pin.name for pin in lock.pins if pin.name)
    chosen: dict[tuple[str, int], tuple[str, ...]] = {}  # by project and patch release
    for pin in lock.pins:
        if pin.name and numbers[pin.name] > 1:
            what = (pin.shown, *sorted(pin.hashes))
            patches = find_patches(pin.marker, target, target.patch, planned.platform)
            if any(chosen.setdefault((pin.name, patch), what) != what for patch in patches):
                twice[pin.name] = Reason(f"{pin.name} is pinned twice", planned.at(pin.line))
    yield from twice.values()


def find_warnings(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield what is allowed and better changed."""
    for line, where in planned.options.items():
        name, _, value = line.partition(" ")
        if name in INDEXES and _is_open(value):
            yield Reason(f"{line} is not encrypted: anybody on the way can change it", where)
    for name in planned.apart:
        said = f"it builds on {name!r}, which is not made for Python {planned.target}"
        fix = "the versions of both may differ; [tool.nox-lock] python makes both for the same"
        yield Reason(f"{said}: {fix}", planned.at())
    for option in planned.inputs.remote:
        said = f"{option.name} {option.value} is remote: what it holds is seen by --deep alone"
        yield Reason(said, option.place)
    if planned.lock.settings.generate_hashes is None and lock.pins and not lock.hashed:
        fix = "say generate-hashes = true in [tool.nox-lock], and run: nox -s lock"
        yield Reason(f"its pins have no hashes: {fix}", planned.at())
    for pin in lock.pins:
        if pin.url and (risk := _find_risk(pin, pin.url)):
            yield Reason(risk, planned.at(pin.line))
    if lock.stamp is None:
        yield from find_unused_arguments(planned, lock)


def _find_risk(pin: Pin, url: str) -> str:
    """Return why what a pin names may change unseen, or nothing."""
    if pin.editable:
        return f"-e {url} is editable: its code is not locked"
    if re.match(_REPOSITORY, url) and not re.search(_COMMIT, url):
        return f"{show_url(pin)} names no commit: what is there can change"
    if _is_open(url) and not pin.hashes:
        return f"{show_url(pin)} is not encrypted and has no hash"
    return ""


def find_unused_arguments(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield arguments of the command that made a lock file which our compile would lose."""
    inputs, table = planned.inputs, f"[tool.nox-lock.locks.{planned.name}]"
    source = next(iter(planned.lock.inputs), "an input")
    options = {f"{each.name} {each.value}".strip() for each in inputs.options}
    unsafe = {*UNSAFE_PACKAGES, *(planned.settings.unsafe_packages or ())}
    given = {posixpath.normpath(each) for each in inputs.files}
    for name, value in _arguments(lock.command or ""):
        fix = ""
        if name == "--constraint" and posixpath.normpath(value) not in given:
            fix = f"write -c {value} into {source}"
        elif name == "--extra" and value not in planned.lock.extras:
            fix = f'{table} extras = ["{value}"]'
        elif name == "--all-extras" and not planned.lock.extras:
            fix = f"{table} extras = [...] names them"
        elif name in _AS_LINES and f"{name} {value}".strip() not in options:
            fix = redact(f"write {name} {value}".strip()) + f" into {source}"
        elif name == "--unsafe-package" and canonicalize_name(value) not in unsafe:
            fix = f'{table} unsafe-package = ["{value}"]'
        elif name == "--no-annotate" or (name, value) == ("--annotation-style", "line"):
            fix = "nox-lock writes `# via` notes below each pin, which a check needs"
        if fix:
            shown = redact(f"{name}={value}" if value else name)
            yield Reason(f"made with {shown}, which is not said elsewhere: {fix}", planned.at())


def _arguments(command: str) -> Iterator[tuple[str, str]]:
    """Yield the options of a command of pip-compile or uv, by their long names."""
    try:  # `shlex` takes time that grows with the square of a word's length
        words = shlex.split(command) if len(command) < _LONGEST else []
    except ValueError:
        return
    if words[:1] not in (["pip-compile"], ["uv"]):
        return
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        name = _LONG_NAMES.get(name, name)
        if name.startswith("--"):
            yield name, value if equals or name in _FLAGS else after


def _is_open(url: str) -> bool:
    """Return whether a URL is fetched over the network in clear."""
    try:
        parts = urlsplit(url)
    except ValueError:  # whoever fetches it will say so
        return False
    scheme = parts.scheme.rpartition("+")[2]  # of ``git+http``
    return scheme in {"http", "ftp"} and parts.hostname not in _LOOPBACK
