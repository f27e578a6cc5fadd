"""A `pylock.toml`: its format, what it must be by its lock files, and whether it is. Offline.

It is rendered from these; of itself come where its files are, their size and time. The format:
https://packaging.python.org/en/latest/specifications/pylock-toml/
"""

from __future__ import annotations

import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain
from typing import NamedTuple
from urllib.parse import unquote

from packaging.markers import Marker
from packaging.version import Version

from nox_lock.checking.content import canonical_url
from nox_lock.checking.verdict import FRESH, INVALID, MISSING, STALE, Verdict, cut
from nox_lock.errors import ConfigError, LockFileError, Place, Reason
from nox_lock.inputs.syntax import INDEXES, normalized, parse_version
from nox_lock.inputs.toml_tables import parse_toml
from nox_lock.lockfile import lock_file
from nox_lock.lockfile.lock_file import Pin
from nox_lock.planning.lock_plan import LockPlan, PylockPlan
from nox_lock.target import Platform, holds, marker_environment, parse_platform
from nox_lock.text import mask, origin

# Of a wheel or a source distribution.
_FILENAME = re.compile(
    r"((?:(?!__)[^-])*-[^-]*)(?:-\d[^-]*)?(?:-[^-]*){3}\.whl|(.*-[^-]*)(?:\.tar\.gz|\.zip)"
)
_TIME = r"[\d-]{10}T[\d:]{8}"
_SIZE = r"[1-9]\d{,17}"
_LETTER = r"[!$-.0->@-\[\]-~]"  # of an address: no quote, slash, query or fragment
_ROW = re.compile(
    rf'(?a)(?<!archive = )(\{{(?:url = "(https?://[\w.:[\]-]+)/(?:{_LETTER}*/)*'
    rf'|path = "((?:{_LETTER}*/)*))({_LETTER}+)", (?:upload-time = {_TIME}Z, )?'
    rf'(?:size = {_SIZE}, )?hashes = \{{sha256 = "([0-9a-f]{{64}})"\}}\}})'
)
_REPOSITORY = re.compile(r"(git|hg)\+(.+)@([0-9a-f]{40}|[0-9a-f]{64})")
_URL = re.compile(r"https?://[^/@?#]+/[^?#]+")
# All keys, in the order in which they are written.
_KEYS = (
    "lock-version created-by requires-python environments packages name version marker sdist wheels"
    " vcs archive directory type url path upload-time size commit-id subdirectory editable hashes"
    " sha256 tool nox-lock files left-out"
)
_place_of = {key: place for place, key in enumerate(_KEYS.split())}.__getitem__
# What a target decides of the marker variables; its Python is ``X.Y``.
_VARIABLES = ("implementation_name", "sys_platform", "platform_machine", "python_version")
Environment = tuple[str, ...]  # their values
# What lock files pin, with an open marker and bare hashes; and the first place of each.
Packages = dict[Pin, Place]
Files = dict[str, "PylockFile"]  # by sha256


class PylockFile(NamedTuple):
    """A wheel or source distribution: all that is written of it, and what that says."""

    row: str
    host: str  # scheme and host of its URL; empty for a path
    folder: str  # of its path, relative to the `pylock.toml`
    last: str  # its name, as its URL has it
    sha256: str


def make_file(address: str, uploaded: str, size: str, sha256: str) -> PylockFile | None:
    """Return a file by its URL or path; None for an address that may not be written.

    When it was uploaded (in UTC, with ``Z``) and its size may be unknown.
    """
    _, is_url, rest = address.partition("://")
    key = "url" if is_url else "path"
    known = re.fullmatch(rf"({_TIME})(?:\.\d+)?Z", uploaded)
    time = f"upload-time = {known[1]}Z, " if known else ""
    size = f"size = {size}, " if re.fullmatch(_SIZE, size) else ""
    # One hash: pip and uv take a file that has any of several.
    row = f'{{{key} = "{address}", {time}{size}hashes = {{sha256 = "{sha256}"}}}}'
    found = _ROW.fullmatch(row)
    return PylockFile(*found.groups("")) if found and mask(rest) == rest else None


def find_files(text: str) -> Files:
    """Return the files of a pylock in our layout, or of a table that `tidy` returns."""
    return {file.sha256: file for file in map(PylockFile._make, _ROW.findall(text))}


def _show(value: object) -> str:
    """Return a value of TOML on one line, whatever the order of keys and arrays."""
    if isinstance(value, dict):
        pairs = (f"{key} = {_show(value[key])}" for key in sorted(value, key=_place_of))
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(sorted(map(_show, value)))}]"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return json.dumps(value, ensure_ascii=False)


def tidy(text: str, path: str) -> list[tuple[str, str]]:
    """Return the tables of a pylock in any layout, each with what it is about.

    ConfigError is for what nox-lock does not write. Parsing TOML takes longer than all of a check.
    """
    try:
        document = dict(parse_toml(text.encode(errors="surrogateescape"), path).values)
        packages, tool = document["packages"], document.pop("tool", {})
        document["packages"] = type(packages).__name__  # may be no array
        tables = [(f"{each.get('name')} {each.get('version')}", _show(each)) for each in packages]
        facts = {"[tool.nox-lock]": tool, "what it is for": document}
        return tables + [(title, _show(table)) for title, table in facts.items()]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        start = text.find(f"\n{error.args[0]} = ")  # of an unknown key
        line = text.count("\n", 0, start) + 2 if start >= 0 else None
        raise ConfigError(f"nox-lock does not write this: {error}", Place(path, line)) from error


def pick(chosen: Sequence[Environment], every: Sequence[Environment], depth: int = 0) -> str:
    """Return a marker that holds for those of `every` that are chosen, and no others.

    It is empty where all are. `every` is sorted by Python, and equal in what is before `depth`.
    """
    if len(chosen) == len(every):
        return ""
    values = list(dict.fromkeys(each[depth] for each in every))
    groups: dict[str, list[str]] = {}  # values by the marker for the variables behind this one
    for value in values:
        if part := [each for each in chosen if each[depth] == value]:
            rest = pick(part, [each for each in every if each[depth] == value], depth + 1)
            groups.setdefault(rest, []).append(value)
    name = _VARIABLES[depth]
    return " or ".join(_both(_one_of(name, some, values), rest) for rest, some in groups.items())


def _both(*markers: str) -> str:
    """Return a marker that holds where all of these do; an empty one always does."""
    found = [each for each in markers if each]
    return " and ".join(f"({x})" if found[1:] and " or " in x else x for x in found)


def _one_of(name: str, some: Sequence[str], values: Sequence[str]) -> str:
    """Return a marker for some of the values of a variable; of Pythons by their ranges."""
    if len(some) == len(values):
        return ""
    if name != "python_version":
        return " or ".join(f"{name} == '{each}'" for each in some)
    ranges = []
    for found in re.finditer("x+", "".join("x" if each in some else "-" for each in values)):
        first, behind = found.span()
        limits = [f"{name} >= '{values[first]}'"] if first else []
        limits += [f"{name} < '{values[behind]}'"] if behind < len(values) else []
        ranges.append(" and ".join(limits))
    return " or ".join(ranges)


def find_packages(planned: PylockPlan) -> Packages:
    """Return what the lock files of a pylock pin; LockFileError for what no pylock can have."""
    environments = _find_environments(planned)
    every = list(dict.fromkeys(environments.values()))
    pinned: dict[Environment, tuple[str, Packages]] = {}  # with the lock file
    first: Packages = {}
    for low in planned.below:
        if low.current is None or low.current.problems or low.current.includes:
            fault = "broken" if low.current else "not there"
            raise LockFileError(f"it is made of {low.path}, which is {fault}", planned.at())
        own = {each: low.at(pin.line) for pin in low.pins if (each := _as_package(pin, low))}
        path, other = pinned.setdefault(environments[low.path], (low.path, own))
        for package, place in {**own, **other}.items():
            first.setdefault(package, place)
            if (package in own) != (package in other):
                where = path if package in own else low.path
                said = f"{package.shown} is pinned otherwise in {where}"
                raise _impossible(place, f"{said}, and no marker tells apart what the two are for")
    packages: Packages = {}
    for package, place in first.items():
        hashes = sorted({each.lower().removeprefix("sha256:") for each in package.hashes})
        if any(":" in each for each in hashes) or not (hashes or package.unhashable):
            raise _impossible(place, f"{package.shown} has no hash, or one that is no sha256")
        chosen = [each for each in every if package in pinned[each][1]]
        marker = _both(pick(chosen, every), package.marker)
        packages[package._replace(marker=marker, hashes=tuple(hashes))] = place
    return packages


def _as_package(pin: Pin, low: LockPlan) -> Pin | None:
    """Return a pin with a name and an open marker alone; None for one that never holds."""
    marker = Marker(pin.marker) if pin.marker else None
    # No environment of a pylock names the patch release.
    holding = not marker or holds(marker, low.target._replace(patch=""), _find_platform(low))
    if holding is False:
        return None
    left_open = "" if holding else str(marker).replace('"', "'")
    entries = (each for each in low.inputs.entries if each.name and each.url)
    named = (each.name for each in entries if canonical_url(each) == canonical_url(pin))
    name, hashes = pin.name or next(named, None), tuple(sorted(pin.hashes))
    if name is None:
        raise _impossible(low.at(pin.line), f"{pin.shown} has no name here, nor a static one")
    return Pin(name, pin.version, pin.url, 0, frozenset(), left_open, pin.editable, hashes)


def _find_platform(low: LockPlan) -> Platform:
    """Return the named platform of a lock file, else that where it was made, whoever checks."""
    stamp = low.current.stamp if low.current else None
    return parse_platform(stamp.platform) if stamp and not low.system else low.platform


def _find_environments(planned: PylockPlan) -> dict[str, Environment]:
    """Return what each lock file is for, by its path, in the order of Pythons."""
    every = {low.path: marker_environment(low.target, _find_platform(low)) for low in planned.below}
    found = {path: tuple(each[name] for name in _VARIABLES) for path, each in every.items()}
    return dict(sorted(found.items(), key=lambda each: (Version(each[1][-1]), each[1])))


def _impossible(place: Place, message: str) -> LockFileError:
    hint = "A pylock.toml cannot have that: change it in an input, or say pylock = false."
    return LockFileError(message, place, hint)


def _behind(planned: PylockPlan, package: Pin, place: Place) -> LockFileError:
    said = f"{planned.path} is behind: it has not {package.shown}, or not as it is here"
    return LockFileError(said, place)


def expect(planned: PylockPlan, packages: Packages, files: Files) -> str:
    """Return the text that a pylock must have, with its files from some; LockFileError for none."""
    tables: list[str] = []
    used: Files = {}
    placed: set[str] = set()
    for package, place in packages.items():
        facts = {"name": package.name, "version": package.version, "marker": package.marker}
        lines = [f"{key} = {_show(value)}" for key, value in facts.items() if value]
        if package.version is None:
            lines.append(_find_source(planned, package, place))
        else:
            if not files.keys() >= {*package.hashes}:
                raise _behind(planned, package, place)
            rows = {unquote(files[each].last): files[each].row for each in package.hashes}
            if len(rows) < len(package.hashes):
                raise _impossible(place, f"{package.shown} has two files of one name")
            fitting = [each for each in sorted(rows, key=str.lower) if _fits(each, package)]
            if not fitting:
                raise _impossible(place, f"{package.shown} has no file that the format allows")
            wheels = [rows[each] for each in fitting if each.endswith(".whl")]
            sources = [rows[each] for each in fitting if not each.endswith(".whl")][:1]
            lines += [*(f"sdist = {row}" for row in sources), *_show_array("wheels", wheels)]
            used |= {each: files[each] for each in package.hashes}
            placed.update(sources, wheels)
        tables.append("\n".join(["[[packages]]", *lines]))
    every = list(dict.fromkeys(_find_environments(planned).values()))
    pairs = (map("{} == '{}'".format, _VARIABLES, each) for each in every)
    head = [
        "# `nox -s lock` makes this of the requirements files, and writes it again.",
        'lock-version = "1.0"',
        'created-by = "nox-lock"',
        f'requires-python = ">={every[0][-1]}"',
        *_show_array("environments", (f'"{" and ".join(each)}"' for each in pairs)),
        *([] if tables else ["packages = []"]),
    ]
    tool = ["[tool.nox-lock]", f'files = "{digest(planned, used)}"']
    tool += _show_array("left-out", sorted({each.row for each in used.values()} - placed))
    return "\n\n".join(["\n".join(head), *sorted(tables), "\n".join(tool)]) + "\n"


def _show_array(key: str, rows: Iterable[str]) -> list[str]:
    lines = [f"  {each}," for each in rows]
    return [f"{key} = [", *lines, "]"] if lines else []


def digest(planned: PylockPlan, files: Files) -> str:
    """Return the digest, against accidents, of files and of where the inputs look for them."""
    options = (each for each in planned.inputs.options if each.name in (*INDEXES, "--no-index"))
    places = dict.fromkeys(f"{each.name} {each.value}" for each in options)
    return lock_file.digest("\n".join([*sorted(each.row for each in files.values()), *places]))


def _fits(filename: str, package: Pin) -> bool:
    """Return whether the format allows a file name for a version."""
    found, wanted = _FILENAME.fullmatch(filename), package.version or ""
    stem = (found[1] or found[2]) if found else ""
    name, _, version = stem.rpartition("-")
    same = version == wanted or parse_version(version) == parse_version(wanted)
    return same and normalized(name) == package.name


def _find_source(planned: PylockPlan, package: Pin, place: Place) -> str:
    """Return where a direct URL or path leads, as a pylock has it."""
    address, _, fragment = (package.url or "").partition("#")
    found = re.search(r"(?:^|&)subdirectory=([^&]+)", fragment)
    part = f", subdirectory = {_show(found[1])}" if found else ""
    if found := _REPOSITORY.fullmatch(address):
        kind, url, commit = found.groups()
        return f'vcs = {{type = "{kind}", url = {_show(url)}, commit-id = "{commit}"{part}}}'
    if re.match(r"\w+\+", address) or ("://" in address and not _URL.fullmatch(address)):
        raise _impossible(place, f"{package.shown} has a login, a query, or no full commit")
    path, below = unquote(address.removeprefix("file:")), posixpath.dirname(planned.path) or "."
    where = f"path = {_show(posixpath.relpath(path, below))}{part}"
    if "://" in address:
        where = f"url = {_show(address)}{part}"
    elif not package.hashes:
        editable = ", editable = true" if package.editable else ""
        return f"directory = {{{where}{editable}}}"
    if len(package.hashes) != 1:
        raise _impossible(place, f"{package.shown} has not one hash")
    return f'archive = {{{where}, hashes = {{sha256 = "{package.hashes[0]}"}}}}'


def find_wrong_place(planned: PylockPlan, files: Iterable[PylockFile]) -> str:
    """Return what is wrong with where some files are, or nothing.

    They are at https, or at an index that an input declares with http; at the host that the pages
    of the default index name, and as many others as inputs declare indexes; or in a folder of the
    project that an input declares.
    """
    options, below = planned.inputs.options, posixpath.dirname(planned.path)
    indexes = [each for each in options if each.name in INDEXES]
    paths = (each.value.removeprefix("file:") for each in indexes)
    declared = {origin(each) or posixpath.normpath(each) for each in paths}
    places = {
        origin(host) or posixpath.normpath(posixpath.join(below, folder))
        for host, folder in {(each.host, each.folder) for each in files}
    }
    others = sorted(each for each in places if each not in declared or each.startswith(("..", "/")))
    for each in others:
        if not each.startswith("https://"):
            return f"files are in {each}: at no https, nor where an input declares that they are"
    urls = [each.name for each in indexes if "://" in each.value]
    most = len(urls) + ("--index-url" not in urls)
    return f"files are at too many hosts: {', '.join(others)}" if len(others) > most else ""


def judge_pylock(planned: PylockPlan) -> Verdict:
    """Judge a pylock by its content, in any layout."""
    if planned.data is None:
        return Verdict(MISSING, (Reason("there is no pylock", planned.at()),))
    try:
        packages = find_packages(planned)
        files = _compare(planned, packages)
    except (ConfigError, LockFileError) as error:
        word = INVALID if isinstance(error, ConfigError) else STALE
        return Verdict(word, cut([Reason(error.message, error.place)]))
    if fault := find_wrong_place(planned, files.values()):
        return Verdict(INVALID, (Reason(fault, planned.at()),))
    return Verdict(FRESH, notes=tuple(_find_notes(planned, packages)))


def _compare(planned: PylockPlan, packages: Packages) -> Files:
    """Return the files of a pylock, or raise for the first table that is not what it must be."""
    files = find_files(planned.text)
    with suppress(LockFileError):  # in another layout they may not be found
        if expect(planned, packages, files) == planned.text:
            return files
    theirs = tidy(planned.text, planned.path)
    files = find_files("\n".join(table for _, table in theirs))
    if digest(planned, files) not in planned.text:
        said = "its files were changed since it was made, or where the inputs look for them"
        raise LockFileError(said, planned.at())
    ours = tidy(expect(planned, packages, files), planned.path)
    for title, _ in chain(Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)):
        for package, place in packages.items():
            if title == f"{package.name} {package.version}":
                raise _behind(planned, package, place)
        raise LockFileError(f"{title} is not as its lock files and inputs have it", planned.at())
    return files


def _find_notes(planned: PylockPlan, packages: Packages) -> Iterator[str]:
    """Yield what a person should know of a pylock with some packages."""
    if shown := ", ".join(each.shown for each in packages if not each.hashes):
        yield f"uv installs {shown}; pip refuses folders and repositories beside hashes"
    machines = sorted({str(_find_platform(low)) for low in planned.below if not low.system})
    if len(machines) > 1:
        yield f"its lock files were made on {', '.join(machines)}: `platforms` names what it is for"
