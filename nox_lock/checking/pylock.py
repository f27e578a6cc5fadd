"""Judge a `pylock.toml`: is it what the lock files give that it is made of? Offline, as `judge`.

What it should be is rendered from them. Of itself come only where its files are, how large, and
since when: no lock file has that.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections import Counter
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from packaging.markers import Marker

from nox_lock.checking.content import canonical_url, entry_url
from nox_lock.checking.judge import FRESH, INVALID, MISSING, STALE, Verdict, cut
from nox_lock.errors import LockFileError, Place, Reason
from nox_lock.lockfile import pylock
from nox_lock.lockfile.pylock import MAKER, Environment, File, both, pick
from nox_lock.target import holds, marker_environment, parse_platform
from nox_lock.text import origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nox_lock.lockfile.pins import Pin
    from nox_lock.planning.lock_plan import LockPlan, PylockPlan

_REPOSITORY = re.compile(r"(git|hg)\+(.+)@([0-9a-f]{40}|[0-9a-f]{64})")
_TITLE = re.compile(r'^name = "(.*)"(?:\nversion = "(.*)")?', re.MULTILINE)
INDEXES = ("--index-url", "--extra-index-url", "--find-links")
_URL = re.compile(r"(https?://[^/@?#]+)/[^?#]+")


class Wanted(NamedTuple):
    """A package of a pylock, before its files and its environments are known.

    Attributes:
        name: normalized.
        version: as pinned; empty for a direct URL or path.
        url: that URL or path, as pinned; else empty.
        editable: whether it is an editable one.
        hashes: of its files, as pinned.
        marker: of its pin, where the target leaves that open; else empty.
    """

    name: str
    version: str
    url: str
    editable: bool
    hashes: frozenset[str]
    marker: str

    @property
    def shown(self) -> str:
        """The package as people name it."""
        return f"{self.name}=={self.version}" if self.version else f"{self.name} @ {self.url}"


# Each with the lock files that have it, and the place of its pin there.
Packages = dict[Wanted, dict[str, Place]]


def find_packages(planned: PylockPlan) -> Packages:
    """Return what the lock files of a pylock pin, each with its places.

    Raises:
        LockFileError: for a lock file that is not there, and for a pin that no pylock can have.
    """
    found: Packages = {}
    for low in planned.below:
        if low.current is None or low.current.problems or low.current.includes:
            fault = "broken" if low.current else "not there"
            raise LockFileError(f"it is made of {low.path}, which is {fault}", planned.at())
        for pin in low.current.pins:
            marker = _open_marker(pin.marker, low) if pin.marker else ""
            if marker is None:
                continue
            name, url = pin.name or _find_name(pin, low), pin.url or ""
            hashes = frozenset(pin.hashes)
            key = Wanted(name, pin.version or "", url, pin.editable, hashes, marker)
            found.setdefault(key, {}).setdefault(low.path, low.at(pin.line))
    environments = {low.path: _environment(low) for low in planned.below}
    for package, places in found.items():
        chosen = {environments[path] for path in places}
        for path in environments.keys() - places.keys():
            if environments[path] in chosen:
                said = f"{package.shown} is pinned otherwise in {path}, and no marker tells apart"
                raise _impossible(places, f"{said} what the two are for")
    return found


def _open_marker(text: str, low: LockPlan) -> str | None:
    """Return what a target leaves open of a pin's marker; None where that never holds."""
    found = holds(Marker(text), low.target, low.platform)
    return None if found is False else "" if found else str(Marker(text)).replace('"', "'")


def _find_name(pin: Pin, low: LockPlan) -> str:
    """Return the project of a folder: its pin has no name, its input may have one."""
    for entry in low.inputs.entries:
        if entry.name and entry.url and entry_url(entry) == canonical_url(pin):
            return entry.name
    raise _impossible({"": low.at(pin.line)}, f"{pin.shown} has no name here, nor a static one")


def _environment(low: LockPlan) -> Environment:
    """Return the environment of a lock file; without a named platform where it was made."""
    stamp = low.current.stamp if low.current else None
    platform = parse_platform(stamp.platform) if stamp and not low.system else low.platform
    known = marker_environment(low.target, platform)
    return Environment(*(known[name] for name in Environment._fields))


def _impossible(places: Mapping[str, Place], message: str) -> LockFileError:
    hint = "A pylock.toml cannot have that: change it in an input, or say pylock = false."
    return LockFileError(message, next(iter(places.values())), hint)


def expect(
    planned: PylockPlan, packages: Packages, files: Mapping[str, Sequence[File]]
) -> dict[str, Any]:
    """Return what a pylock must hold, as TOML has it; `files` are by sha256.

    Raises:
        LockFileError: for a file that is not among them, and for a pin that no pylock can have.
    """
    environments = {low.path: _environment(low) for low in planned.below}
    every = sorted(set(environments.values()), key=lambda each: each.sort_key)
    markers = functools.cache(lambda paths: pick({environments[each] for each in paths}, every))
    tables = []
    used: dict[str, list[File]] = {}
    for package, places in packages.items():
        marker = both(markers(frozenset(places)), package.marker)
        table: dict[str, Any] = {"name": package.name, "version": package.version, "marker": marker}
        if package.version:
            hashes = find_hashes(package, places)
            if lacking := hashes - files.keys():
                said = (
                    f"{package.shown} has a file that {planned.path} has not: sha256:{min(lacking)}"
                )
                raise LockFileError(said, next(iter(places.values())))
            found = (file for each in hashes for file in files[each])
            chosen = pylock.choose(package.name, package.version, found)
            if not chosen:
                raise _impossible(places, f"{package.shown} has no file that the format allows")
            used |= {each: [file for file in chosen if file.sha256 == each] for each in hashes}
            wheels = [file for file in chosen if file.name.endswith(".whl")]
            table |= {"sdist": chosen[0] if chosen[0] not in wheels else "", "wheels": wheels}
        else:
            table |= _find_source(package, places, planned)
        tables.append({key: each for key, each in table.items() if each})
    left_out = [each for each in used if not used[each]]
    tool = {"files": pylock.digest(used), **({"left-out": left_out} if left_out else {})}
    return {
        "lock-version": "1.0",
        "created-by": MAKER,
        "requires-python": f">={min(every, key=lambda each: each.sort_key[1]).python_version}",
        "environments": [each.marker for each in every],
        "packages": tables,
        "tool": {MAKER: tool},
    }


def find_hashes(package: Wanted, places: Mapping[str, Place]) -> set[str]:
    """Return the sha256 of the files of a package.

    Raises:
        LockFileError: where it has another hash, or none.
    """
    kinds = {each.partition(":")[0] for each in package.hashes}
    if kinds != {"sha256"}:
        raise _impossible(places, f"{package.shown} has no sha256, or another hash")
    return {each[len("sha256:") :].lower() for each in package.hashes}


def _find_source(
    package: Wanted, places: Mapping[str, Place], planned: PylockPlan
) -> dict[str, Any]:
    """Return where a direct URL or path leads, as a pylock has it."""
    address, _, fragment = package.url.partition("#")
    parts = dict(part.partition("=")[::2] for part in fragment.split("&"))
    below = {"subdirectory": parts["subdirectory"]} if "subdirectory" in parts else {}
    if found := _REPOSITORY.fullmatch(address):
        kind, url, commit = found.groups()
        return {"vcs": {"type": kind, "url": url, "commit-id": commit, **below}}
    place = {"url": address}
    if "://" not in address:
        path = unquote(address.removeprefix("file:"))
        place = {"path": posixpath.relpath(path, posixpath.dirname(planned.path) or ".")}
        if not package.hashes:
            editable = {"editable": True} if package.editable else {}
            return {"directory": {**place, **editable, **below}}
    elif "+" in address.partition("://")[0]:
        raise _impossible(places, f"{package.shown} names no full commit of git or hg")
    elif not _URL.fullmatch(address):
        raise _impossible(places, f"{package.shown} has a login or a query")
    hashes = find_hashes(package, places)
    if len(hashes) > 1:
        raise _impossible(places, f"{package.shown} has more than one hash")
    return {"archive": {**place, **below, "hashes": {"sha256": hashes.pop()}}}


def find_notes(packages: Packages) -> Iterator[str]:
    """Yield what a person should know of a pylock with some packages."""
    if shown := ", ".join(each.shown for each in packages if not each.hashes):
        yield f"uv installs {shown}; pip refuses folders and repositories beside hashes"


def find_wrong_files(planned: PylockPlan, files: Iterable[File]) -> Iterator[str]:
    """Yield what is wrong with the places of some files.

    They are at https, or at an index that an input declares with http; at the host that the pages
    of the default index name, and as many others as inputs declare indexes; or in the project.
    """
    options = [each for each in planned.inputs.options if each.name in INDEXES]
    known = {origin(each.value) for each in options}
    most = len(options) + all(each.name != "--index-url" for each in options)
    others: set[str] = set()
    for file in files:
        url = _URL.fullmatch(file.address)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(planned.path), file.address))
        if "://" not in file.address:
            if path.startswith(("../", "/")):
                yield f"{file.name} is outside the project"
        elif url is None or not (url[1].startswith("https:") or origin(url[1]) in known):
            yield f"{file.name} is not at https, or its URL has a login, query or fragment"
        else:
            others |= {origin(url[1])} - known
            if len(others) > most:
                yield f"{file.name} is at another host than the others"


def read_own(planned: PylockPlan) -> str:
    """Return what a pylock of ours says, as `pylock.render` gives it.

    Raises:
        LockFileError: for one that we would not write, whatever the lock files say.
    """
    text = pylock.render(pylock.parse(planned.data or b"", planned.path))
    files = pylock.read_files(text)
    if pylock.has_other_files(text):
        said = "a file has another key than ours, or another hash than one sha256"
        raise LockFileError(said, planned.at())
    if f'files = "{pylock.digest(files)}"' not in text:
        raise LockFileError("its files were changed since it was written", planned.at())
    for wrong in find_wrong_files(planned, chain(*files.values())):
        raise LockFileError(wrong, planned.at())
    return text


def judge_pylock(planned: PylockPlan) -> Verdict:
    """Judge a pylock by its content, whatever the order of its lines."""
    if planned.data is None:
        return Verdict(MISSING, (Reason("there is no pylock", planned.at()),))
    word = STALE
    try:
        packages = find_packages(planned)
        with suppress(LockFileError):  # of one that is written otherwise
            files = pylock.read_files(planned.text)
            wrong = any(find_wrong_files(planned, chain(*files.values())))
            if not wrong and pylock.render(expect(planned, packages, files)) == planned.text:
                return Verdict(FRESH, notes=tuple(find_notes(packages)))
        word = INVALID
        text = read_own(planned)
        word = STALE
        expected = pylock.render(expect(planned, packages, pylock.read_files(text)))
    except LockFileError as error:
        return Verdict(word, cut([Reason(error.message, error.place)]))
    if expected == text:
        return Verdict(FRESH, notes=tuple(find_notes(packages)))
    return Verdict(STALE, cut([_find_difference(planned, packages, expected, text)]))


def _find_difference(planned: PylockPlan, packages: Packages, expected: str, text: str) -> Reason:
    """Return the first difference between a pylock and what it must be, both rendered."""
    ours, theirs = (Counter(each.split("\n\n")) for each in (expected, text))
    for block in ours - theirs:
        for package, places in packages.items():
            if _TITLE.findall(block) == [(package.name, package.version)]:
                place = next(iter(places.values()))
                said = f"{planned.path} is behind: it has not {package.shown}, or not as it is here"
                return Reason(said, place)
    for name, version in (each for block in theirs - ours for each in _TITLE.findall(block)):
        line = planned.text.partition(f'name = "{name}"')[0].count("\n") + 1
        return Reason(f"{name} {version} is not pinned so by its lock files", planned.at(line))
    return Reason("its environments are not those of its lock files", planned.at())
