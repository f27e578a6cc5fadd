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
from nox_lock.checking.verdict import FRESH, INVALID, MISSING, STALE, Verdict, cut
from nox_lock.errors import LockFileError, Place, Reason
from nox_lock.lockfile import pylock
from nox_lock.lockfile.pylock import PylockEnvironment, PylockFile, both, pick
from nox_lock.target import holds, marker_environment, parse_platform
from nox_lock.text import origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nox_lock.lockfile.lock_file import Pin
    from nox_lock.planning.lock_plan import LockPlan, PylockPlan
    from nox_lock.target import Platform

INDEXES = ("--index-url", "--extra-index-url", "--find-links")
_REPOSITORY = re.compile(r"(git|hg)\+(.+)@([0-9a-f]{40}|[0-9a-f]{64})")
_TITLE = re.compile(r'^name = "(.*)"(?:\nversion = "(.*)")?', re.MULTILINE)
_URL = re.compile(r"(https?://[^/@?#]+)/[^?#]+")


class Package(NamedTuple):
    """What some lock files pin: a version, or a direct URL or path, with all its hashes.

    Its marker is what a target leaves open of that of the pin.
    """

    name: str
    version: str
    url: str
    editable: bool
    hashes: frozenset[str]
    marker: str

    @property
    def shown(self) -> str:
        return f"{self.name}=={self.version}" if self.version else f"{self.name} @ {self.url}"


# Each with the paths of the lock files that have it, and the place of its pin there.
Packages = dict[Package, dict[str, Place]]


def find_packages(planned: PylockPlan) -> Packages:
    """Return what the lock files of a pylock pin.

    Raises:
        LockFileError: for a lock file that is not there, and for a pin that no pylock can have.
    """
    found: Packages = {}
    for low in planned.below:
        if low.current is None or low.current.problems or low.current.includes:
            fault = "broken" if low.current else "not there"
            raise LockFileError(f"it is made of {low.path}, which is {fault}", planned.at())
        for pin in low.pins:
            place, marker = low.at(pin.line), _open_marker(pin.marker, low)
            if marker is None:
                continue
            hashes, name = _sha256(tuple(pin.hashes)), pin.name or _find_name(pin, low)
            url, version = pin.url or "", pin.version or ""
            package = Package(name, version, url, pin.editable, hashes, marker)
            if not (hashes or pin.unhashable):
                raise _impossible(place, f"{package.shown} has no hash")
            found.setdefault(package, {}).setdefault(low.path, place)
    environments = _find_environments(planned)
    for package, places in found.items():
        if any(":" in each for each in package.hashes):
            raise _impossible(next(iter(places.values())), f"{package.shown} has not only sha256")
        chosen = {environments[path] for path in places}
        for path in environments.keys() - places.keys():
            if environments[path] in chosen:
                said = f"{package.shown} is pinned otherwise in {path}, and no marker tells apart"
                raise _impossible(next(iter(places.values())), f"{said} what the two are for")
    return found


@functools.lru_cache(maxsize=4096)  # of one version in many lock files
def _sha256(hashes: tuple[str, ...]) -> frozenset[str]:
    """Return hashes in lower case, those of this kind without its name."""
    return frozenset(each.lower().removeprefix("sha256:") for each in hashes)


def _open_marker(text: str, low: LockPlan) -> str | None:
    """Return what a target leaves open of a pin's marker; None where that never holds."""
    target = low.target._replace(patch="")  # no environment of a pylock names the patch release
    found = holds(Marker(text), target, _find_platform(low)) if text else True
    return None if found is False else "" if found else str(Marker(text)).replace('"', "'")


def _find_name(pin: Pin, low: LockPlan) -> str:
    for entry in low.inputs.entries:
        if entry.name and entry.url and entry_url(entry) == canonical_url(pin):
            return entry.name
    raise _impossible(low.at(pin.line), f"{pin.shown} has no name here, nor a static one")


def _find_platform(low: LockPlan) -> Platform:
    """Return the named platform of a lock file, else that where it was made, whoever checks."""
    stamp = low.current.stamp if low.current else None
    return parse_platform(stamp.platform) if stamp and not low.system else low.platform


def _find_environments(planned: PylockPlan) -> dict[str, PylockEnvironment]:
    found = {}
    for low in planned.below:
        known = marker_environment(low.target, _find_platform(low))
        found[low.path] = PylockEnvironment(*(known[name] for name in PylockEnvironment._fields))
    return found


def _impossible(place: Place, message: str) -> LockFileError:
    hint = "A pylock.toml cannot have that: change it in an input, or say pylock = false."
    return LockFileError(message, place, hint)


def expect(
    planned: PylockPlan, packages: Packages, files: Mapping[str, Sequence[PylockFile]]
) -> dict[str, Any]:
    """Return what a pylock must hold, as TOML has it; `files` are by sha256.

    Raises:
        LockFileError: for a file that is not among them, and for a pin that no pylock can have.
    """
    environments = _find_environments(planned)
    every = sorted(set(environments.values()), key=lambda each: each.sort_key)
    markers = functools.cache(lambda paths: pick({environments[each] for each in paths}, every))
    tables, used, left_out = [], set[PylockFile](), set[PylockFile]()
    for package, places in packages.items():
        name, version, place = package.name, package.version, next(iter(places.values()))
        marker = both(markers(frozenset(places)), package.marker)
        table: dict[str, Any] = {"name": name, "version": version, "marker": marker}
        if not version:
            table |= _find_source(package, place, planned)
        else:
            found = _take_files(package, place, planned, files)
            sdist, wheels = pylock.choose(name, version, found)
            if not (sdist or wheels):
                raise _impossible(place, f"{package.shown} has no file that the format allows")
            table |= {"sdist": sdist, "wheels": wheels}
            chosen = {*wheels, *filter(None, [sdist])}
            used |= chosen
            others = ((e.address.rpartition("/")[2], e.sha256) for e in found if e not in chosen)
            left_out |= {PylockFile(address, "", "", sha256) for address, sha256 in others}
        tables.append({key: each for key, each in table.items() if each})
    ours = {
        "files": pylock.digest_files(used | left_out),
        "indexes": find_indexes(planned),
        "left-out": [*left_out],
    }
    return {
        "lock-version": "1.0",
        "created-by": pylock.MAKER,
        "requires-python": f">={min(every, key=lambda each: each.sort_key[1]).python_version}",
        "environments": [each.marker for each in every],
        "packages": tables,
        "tool": {pylock.MAKER: {key: each for key, each in ours.items() if each}},
    }


def _take_files(
    package: Package,
    place: Place,
    planned: PylockPlan,
    files: Mapping[str, Sequence[PylockFile]],
) -> list[PylockFile]:
    """Return the files of a version, each name once; LockFileError where one is missing."""
    lacking = sorted(package.hashes - files.keys())
    if lacking:
        said = f"{package.shown} has a file that {planned.path} has not: sha256:{lacking[0]}"
        behind = len(lacking) == len(package.hashes)
        raise LockFileError(_behind(planned, package) if behind else said, place)
    found = sorted({file for each in package.hashes for file in files[each]})
    by_name: dict[str, str] = {}
    for file in found:
        if by_name.setdefault(name := file.name, file.sha256) != file.sha256:
            raise _impossible(place, f"{package.shown} has two files {name}")
    return found


def _find_source(package: Package, place: Place, planned: PylockPlan) -> dict[str, Any]:
    """Return where a direct URL or path leads, as a pylock has it."""
    address, _, fragment = package.url.partition("#")
    parts = (each.partition("=") for each in fragment.split("&"))
    below = {key: each for key, _, each in parts if key == "subdirectory"}
    if found := _REPOSITORY.fullmatch(address):
        kind, url, commit = found.groups()
        return {"vcs": {"type": kind, "url": url, "commit-id": commit, **below}}
    if re.match(r"\w+\+", address) or ("://" in address and not _URL.fullmatch(address)):
        raise _impossible(place, f"{package.shown} has a login, a query, or no full commit")
    source: dict[str, Any] = {"url": address, **below}
    if "://" not in address:
        path = unquote(address.removeprefix("file:"))
        source = {"path": posixpath.relpath(path, posixpath.dirname(planned.path) or "."), **below}
        if not package.hashes:
            return {"directory": {**source, **({"editable": True} if package.editable else {})}}
    if len(package.hashes) > 1:
        raise _impossible(place, f"{package.shown} has more than one hash")
    return {"archive": {**source, "hashes": {"sha256": min(package.hashes)}}}


def find_indexes(planned: PylockPlan) -> list[str]:
    """Return the options of the inputs that say where files are."""
    wanted = (*INDEXES, "--no-index")
    options = (each for each in planned.inputs.options if each.name in wanted)
    return list(dict.fromkeys(f"{each.name} {each.value}".rstrip() for each in options))


def find_notes(planned: PylockPlan, packages: Packages) -> Iterator[str]:
    """Yield what a person should know of a pylock with some packages."""
    if shown := ", ".join(each.shown for each in packages if not each.hashes):
        yield f"uv installs {shown}; pip refuses folders and repositories beside hashes"
    machines = sorted({str(_find_platform(low)) for low in planned.below if not low.system})
    if len(machines) > 1:
        yield f"its lock files were made on {', '.join(machines)}: `platforms` names what it is for"


def find_wrong_files(planned: PylockPlan, files: Iterable[PylockFile]) -> Iterator[str]:
    """Yield what is wrong with the places of some files.

    They are at https, or at an index that an input declares with http; at the host that the pages
    of the default index name, and as many others as inputs declare indexes; or in a folder of the
    project that an input declares.
    """
    links = [each.value for each in planned.inputs.options if each.name == "--find-links"]
    folders = {posixpath.normpath(each) for each in links}
    options = [o for o in planned.inputs.options if o.name in INDEXES and "://" in o.value]
    known = {origin(each.value) for each in options}
    most = len(options) + all(each.name != "--index-url" for each in options)
    passed: set[str] = set()
    for file in files:
        url = _URL.fullmatch(file.address)
        if "://" not in file.address:
            path = posixpath.join(posixpath.dirname(planned.path), file.address)
            path = posixpath.normpath(path)
            if path.startswith(("../", "/")):
                yield f"{file.name} is outside the project"
            elif (posixpath.dirname(path) or ".") not in folders and not any(
                each.startswith("file:") for each in links
            ):
                yield f"{file.name} is in no folder that an input declares"
        elif url is None:
            yield f"the URL of {file.name} has a login, a query or a fragment"
        elif url[1] not in passed:
            passed.add(url[1])
            others = {origin(each) for each in passed} - known
            if url[1].startswith("http:") and origin(url[1]) in others:
                yield f"{file.name} is not at https"
            elif len(others) > most:
                yield f"{file.name} is at another host than the others"


def read_own(planned: PylockPlan) -> str:
    """Return what a pylock of ours says, as `pylock.render` gives it.

    Raises:
        LockFileError: for one that we would not write, whatever the lock files say.
    """
    if not planned.is_ours:
        raise LockFileError("nox-lock has not made it", planned.at())
    text = pylock.normalize(planned.data or b"", planned.path)
    placed = pylock.read_files(text.partition(f"\n[tool.{pylock.MAKER}]\n")[0])  # none left out
    wrong = find_wrong_files(planned, chain(*placed.values()))
    if has_indexes(planned, text) and (first := next(wrong, "")):
        raise LockFileError(first, planned.at())
    return text


def has_indexes(planned: PylockPlan, text: str) -> bool:
    """Return whether files were looked for where the inputs say now."""
    lines = find_indexes(planned)
    shown = "\n".join(pylock.pairs({"indexes": lines}))
    return f"\n{shown}\n" in text if lines else "\nindexes = " not in text


def judge_pylock(planned: PylockPlan) -> Verdict:
    """Judge a pylock by its content, whatever the order of its lines."""
    if planned.data is None:
        return Verdict(MISSING, (Reason("there is no pylock", planned.at()),))
    word = STALE
    try:
        packages = find_packages(planned)
        fresh = Verdict(FRESH, notes=tuple(find_notes(planned, packages)))
        with suppress(LockFileError):  # of one that is written otherwise
            text = planned.data.decode(errors="replace").replace("\r\n", "\n")
            table = expect(planned, packages, pylock.read_files(text))
            every = ((*each.get("wheels", ()), each.get("sdist")) for each in table["packages"])
            wrong = any(find_wrong_files(planned, filter(None, chain(*every))))
            if not wrong and pylock.render(table) == text:
                return fresh
        word = INVALID
        text = read_own(planned)
        word = STALE
        expected = pylock.render(expect(planned, packages, pylock.read_files(text)))
    except LockFileError as error:
        return Verdict(word, cut([Reason(error.message, error.place)]))
    if expected == text:
        return fresh
    return Verdict(STALE, cut([_find_difference(planned, packages, expected, text)]))


def _find_difference(planned: PylockPlan, packages: Packages, expected: str, text: str) -> Reason:
    ours, theirs = (Counter(each.split("\n\n")) for each in (expected, text))
    parts = [*(ours - theirs), *(theirs - ours)]
    name, version = next(chain(*map(_TITLE.findall, parts)), ("", ""))
    for package, places in packages.items():
        if (name, version) == package[:2]:
            return Reason(_behind(planned, package), next(iter(places.values())))
    shown = f"{name} {version}".strip() or "what it is for"
    if not has_indexes(planned, text):
        shown = "where its files are looked for"
    return Reason(f"{shown} is not as its lock files and inputs have it", planned.at())


def _behind(planned: PylockPlan, package: Package) -> str:
    return f"{planned.path} is behind: it has not {package.shown}, or not as it is here"
