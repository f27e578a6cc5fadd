"""Judge a `pylock.toml`: is it what its lock files give? Offline, as `judge`.

What it must be is rendered from these; of itself come where its files are, their size and time.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any
from urllib.parse import unquote

from packaging.markers import Marker
from packaging.version import Version

from nox_lock.checking.content import canonical_url
from nox_lock.checking.verdict import FRESH, INVALID, MISSING, STALE, Verdict, cut
from nox_lock.errors import ConfigError, LockFileError, Place, Reason
from nox_lock.inputs.syntax import INDEXES
from nox_lock.lockfile import pylock
from nox_lock.lockfile.lock_file import Pin
from nox_lock.lockfile.pylock import Files, PylockEnvironment, PylockFile, both, pick
from nox_lock.planning.lock_plan import LockPlan, PylockPlan
from nox_lock.target import Platform, holds, marker_environment, parse_platform
from nox_lock.text import origin

_REPOSITORY = re.compile(r"(git|hg)\+(.+)@([0-9a-f]{40}|[0-9a-f]{64})")
_TITLE = re.compile(r'^(name|version) = "(.*)"$', re.MULTILINE)
_URL = re.compile(r"(https?://[^/@?#]+)/[^?#]+")
# What lock files pin, as `_as_package` has it but with its whole marker; with its first place.
Packages = dict[Pin, Place]


def find_packages(planned: PylockPlan) -> Packages:
    """Return what the lock files of a pylock pin; LockFileError for what no pylock can have."""
    found: dict[Pin, dict[str, Place]] = {}  # by the paths of lock files
    for low in planned.below:
        if low.current is None or low.current.problems or low.current.includes:
            fault = "broken" if low.current else "not there"
            raise LockFileError(f"it is made of {low.path}, which is {fault}", planned.at())
        for pin in low.pins:
            if package := _as_package(pin, low):
                found.setdefault(package, {}).setdefault(low.path, low.at(pin.line))
    environments = _find_environments(planned)
    every = list(dict.fromkeys(environments.values()))
    marker_of = functools.cache(lambda chosen: pick(chosen, every))
    packages: Packages = {}
    for package, places in found.items():
        place = next(iter(places.values()))
        chosen = frozenset(environments[path] for path in places)
        for path, environment in environments.items():
            if environment in chosen and path not in places:
                said = f"{package.shown} is pinned otherwise in {path}, and no marker tells apart"
                raise _impossible(place, f"{said} what the two are for")
        marker = both(marker_of(chosen), package.marker)
        packages[package._replace(marker=marker)] = place
    return packages


def _as_package(pin: Pin, low: LockPlan) -> Pin | None:
    """Return a pin with a name, bare sha256, and an open marker; None for one that never holds."""
    marker = Marker(pin.marker) if pin.marker else None
    # No environment of a pylock names the patch release.
    holding = not marker or holds(marker, low.target._replace(patch=""), _find_platform(low))
    if holding is False:
        return None
    left_open = "" if holding else str(marker).replace('"', "'")
    entries = (each for each in low.inputs.entries if each.name and each.url)
    named = (each.name for each in entries if canonical_url(each) == canonical_url(pin))
    name, hashes = pin.name or next(named, None), _sha256(tuple(pin.hashes))
    fault = "" if name else "has no name here, nor a static one"
    if not (hashes or pin.unhashable):
        fault = "has no hash"
    elif any(":" in each for each in hashes):
        fault = "has not only sha256"
    if fault:
        raise _impossible(low.at(pin.line), f"{pin.shown} {fault}")
    return Pin(name, pin.version, pin.url, 0, frozenset(), left_open, pin.editable, hashes)


@functools.lru_cache(maxsize=4096)  # of one version in many lock files
def _sha256(hashes: tuple[str, ...]) -> tuple[str, ...]:
    """Return hashes in lower case, those of this kind without its name."""
    return tuple(sorted({each.lower().removeprefix("sha256:") for each in hashes}))


def _find_platform(low: LockPlan) -> Platform:
    """Return the named platform of a lock file, else that where it was made, whoever checks."""
    stamp = low.current.stamp if low.current else None
    return parse_platform(stamp.platform) if stamp and not low.system else low.platform


def _find_environments(planned: PylockPlan) -> dict[str, PylockEnvironment]:
    """Return what each lock file is for, by its path, in the order of Pythons."""
    found = {}
    for low in planned.below:
        known = marker_environment(low.target, _find_platform(low))
        found[low.path] = PylockEnvironment(*(known[name] for name in PylockEnvironment._fields))
    return dict(sorted(found.items(), key=lambda each: (Version(each[1].python_version), each[1])))


def _impossible(place: Place, message: str) -> LockFileError:
    hint = "A pylock.toml cannot have that: change it in an input, or say pylock = false."
    return LockFileError(message, place, hint)


def _behind(planned: PylockPlan, package: Pin, place: Place) -> LockFileError:
    said = f"{planned.path} is behind: it has not {package.shown}, or not as it is here"
    return LockFileError(said, place)


def expect(planned: PylockPlan, packages: Packages, files: Files) -> str:
    """Return the text that a pylock must have, with its files from some; LockFileError for none."""
    tables = []
    used: set[PylockFile] = set()
    left_out: set[PylockFile] = set()
    for package, place in packages.items():
        name, version, marker = package.name or "", package.version, package.marker or None
        if version is None:
            source = _find_source(package, place, planned)
        else:
            own = _take_files(package, place, planned, files)
            sdist, wheels = pylock.choose(name, version, own)
            if not (sdist or wheels):
                raise _impossible(place, f"{package.shown} has no file that the format allows")
            source = {"sdist": sdist, "wheels": wheels or None}
            used.update(own.values())
            left_out.update({*own.values()} - {sdist, *wheels})
        tables.append({"name": name, "version": version, "marker": marker, **source})
    every = list(dict.fromkeys(_find_environments(planned).values()))
    parts = (sorted(f"{name} == '{value}'" for name, value in e._asdict().items()) for e in every)
    tool = {
        "files": pylock.digest_files(used),
        "indexes": find_indexes(planned) or None,
        "left-out": [*left_out] or None,
    }
    document = {
        "lock-version": "1.0",
        "created-by": pylock.MAKER,
        "requires-python": f">={every[0].python_version}",
        "environments": [*map(" and ".join, parts)],
        "packages": tables,
        "tool": {pylock.MAKER: tool},
    }
    return pylock.render(document)


def _take_files(
    package: Pin, place: Place, planned: PylockPlan, files: Files
) -> dict[str, PylockFile]:
    """Return the files of a version, by name."""
    found: dict[str, PylockFile] = {}
    for sha256 in package.hashes:
        if sha256 not in files:
            raise _behind(planned, package, place)
        for file in files[sha256]:
            if found.setdefault(file.name, file).sha256 != sha256:
                raise _impossible(place, f"{package.shown} has two files {file.name}")
    return found


def _find_source(package: Pin, place: Place, planned: PylockPlan) -> dict[str, Any]:
    """Return where a direct URL or path leads, as a pylock has it."""
    address, _, fragment = (package.url or "").partition("#")
    found = re.search(r"(?:^|&)subdirectory=([^&]+)", fragment)
    source: dict[str, Any] = {"subdirectory": found and found[1]}
    if found := _REPOSITORY.fullmatch(address):
        kind, url, commit = found.groups()
        return {"vcs": {**source, "type": kind, "url": url, "commit-id": commit}}
    if re.match(r"\w+\+", address) or ("://" in address and not _URL.fullmatch(address)):
        raise _impossible(place, f"{package.shown} has a login, a query, or no full commit")
    if "://" in address:
        source["url"] = address
    else:
        path = unquote(address.removeprefix("file:"))
        source["path"] = posixpath.relpath(path, posixpath.dirname(planned.path) or ".")
        if not package.hashes:
            return {"directory": {**source, "editable": package.editable or None}}
    if len(package.hashes) != 1:
        raise _impossible(place, f"{package.shown} has not one hash")
    return {"archive": {**source, "hashes": {"sha256": min(package.hashes)}}}


def find_indexes(planned: PylockPlan) -> list[str]:
    """Return the options of the inputs that say where files are."""
    wanted = (*INDEXES, "--no-index")
    options = (each for each in planned.inputs.options if each.name in wanted)
    return list(dict.fromkeys(f"{each.name} {each.value}".rstrip() for each in options))


def _find_notes(planned: PylockPlan, packages: Packages) -> Iterator[str]:
    """Yield what a person should know of a pylock with some packages."""
    if shown := ", ".join(each.shown for each in packages if not each.hashes):
        yield f"uv installs {shown}; pip refuses folders and repositories beside hashes"
    machines = sorted({str(_find_platform(low)) for low in planned.below if not low.system})
    if len(machines) > 1:
        yield f"its lock files were made on {', '.join(machines)}: `platforms` names what it is for"


def find_wrong_place(planned: PylockPlan, files: Iterable[PylockFile]) -> str:
    """Return what is wrong with where some files are, or nothing.

    They are at https, or at an index that an input declares with http; at the host that the pages
    of the default index name, and as many others as inputs declare indexes; or in a folder of the
    project that an input declares.
    """
    options = planned.inputs.options
    folders = {posixpath.normpath(each.value) for each in options if each.name == "--find-links"}
    anywhere = any(each.startswith("file:") for each in folders)
    indexes = [each for each in options if each.name in INDEXES and "://" in each.value]
    hosts: set[str] = set()
    for file in files:
        if url := _URL.fullmatch(file.address):
            hosts.add(url[1])
        elif "://" in file.address:
            return f"the URL of {file.name} has a login, a query or a fragment"
        else:
            folder = posixpath.dirname(planned.path)
            path = posixpath.normpath(posixpath.join(folder, file.address))
            if path.startswith(("../", "/")):
                return f"{file.name} is outside the project"
            if not anywhere and (posixpath.dirname(path) or ".") not in folders:
                return f"{file.name} is in no folder that an input declares"
    others = sorted({*map(origin, hosts)} - {origin(each.value) for each in indexes})
    if others and others[0].startswith("http:"):  # which is sorted before https:
        return f"files at {others[0]} are not at https"
    most = len(indexes) + all(each.name != "--index-url" for each in indexes)
    return f"files are at too many hosts: {', '.join(others)}" if len(others) > most else ""


def judge_pylock(planned: PylockPlan) -> Verdict:
    """Judge a pylock by its content, whatever the order of its lines."""
    if planned.data is None:
        return Verdict(MISSING, (Reason("there is no pylock", planned.at()),))
    try:
        packages = find_packages(planned)
        text, files = pylock.parse(planned.text, planned.path)
        expected = expect(planned, packages, files)
        if expected != text:
            _compare(planned, packages, expected, pylock.tidy(text, planned.path))
    except (ConfigError, LockFileError) as error:
        word = INVALID if isinstance(error, ConfigError) else STALE
        return Verdict(word, cut([Reason(error.message, error.place)]))
    if fault := find_wrong_place(planned, chain(*files.values())):
        return Verdict(INVALID, (Reason(fault, planned.at()),))
    return Verdict(FRESH, notes=tuple(_find_notes(planned, packages)))


def _compare(planned: PylockPlan, packages: Packages, ours: str, theirs: str) -> None:
    """Raise for the first table of a tidy pylock that is not what it must be."""
    wanted, has = (Counter(each.split("\n\n")) for each in (ours, theirs))
    for table in chain(wanted - has, has - wanted):
        title = dict(_TITLE.findall(table))
        for package, place in packages.items():
            if (title.get("name"), title.get("version")) == package[:2]:
                raise _behind(planned, package, place)
        other = "where its files are looked for" if table.startswith("[") else "what it is for"
        shown = " ".join(title.values()) or other
        said = f"{shown} is not as its lock files and inputs have it"
        raise LockFileError(said, planned.at())
