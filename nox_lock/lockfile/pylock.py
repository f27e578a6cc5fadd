"""The format of a `pylock.toml`, and its markers. What it says is compared as rendered text.

https://packaging.python.org/en/latest/specifications/pylock-toml/
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, NamedTuple
from urllib.parse import unquote

from nox_lock.errors import ConfigError, Place
from nox_lock.inputs.syntax import normalized, parse_version
from nox_lock.inputs.toml_tables import parse_toml
from nox_lock.lockfile import lock_file

MAKER = "nox-lock"
_FILENAME = re.compile(
    r"(?P<wheel>(?:(?!__)[^-])*-[^-]*)(?:-\d[^-]*)?(?:-[^-]*){3}\.whl"
    r"|(?P<source>.*-[^-]*)(?:\.tar\.gz|\.zip)"
)
# All of a file as it may be written. No quote is in an address: pip quotes URLs.
_ROW = re.compile(
    r'(?a)(?:sdist =| ) \{(?:url|path) = "([!$-\[\]-~]+)", '
    r"(?:upload-time = ([\d-]{10}T[\d:]{8}(?:\.(?!0{6})\d{6})?Z), )?(?:size = ([1-9]\d{,17}), )?"
    r'hashes = \{sha256 = "([0-9a-f]{64})"\}\}'
)
_COMMENT = "# `nox -s lock` makes this of the requirements files, and writes it again."
# All keys, in the order in which they are written in a table.
_KEYS = (
    "lock-version created-by requires-python environments packages name version marker sdist wheels"
    " vcs archive directory type url path upload-time size commit-id subdirectory editable hashes"
    " sha256 tool nox-lock files indexes left-out"
)
_place_of = {key: place for place, key in enumerate(_KEYS.split())}.__getitem__


class PylockFile(NamedTuple):
    """A wheel or source distribution."""

    address: str  # its URL, or its path relative to the `pylock.toml`
    time: str  # when it was uploaded (as `datetime.isoformat`, with ``Z``); empty where unknown
    size: str  # its bytes, in digits; empty where unknown
    sha256: str  # in hexadecimal digits

    @property
    def name(self) -> str:
        """Its file name."""
        return unquote(self.address.rpartition("/")[2])

    @property
    def is_plain(self) -> bool:
        """Whether all its parts are as they may be written."""
        found = _ROW.fullmatch(f"  {self}")
        return found is not None and found.groups("") == self

    def __str__(self) -> str:
        # One hash: pip and uv take a file that has any of several.
        key = "url" if "://" in self.address else "path"
        time = f"upload-time = {self.time}, " if self.time else ""
        size = f"size = {self.size}, " if self.size else ""
        return f'{{{key} = "{self.address}", {time}{size}hashes = {{sha256 = "{self.sha256}"}}}}'


Files = dict[str, list[PylockFile]]  # by sha256


def render(document: Mapping[str, Any]) -> str:
    """Return the text of a pylock: None is left out, and a file may be a `PylockFile` or a table.

    The order of keys and arrays changes nothing, anything else does: so texts can be compared in
    place of documents. KeyError is for a key that nox-lock does not write.
    """
    packages, tool = document.get("packages") or [], document.get("tool") or {}
    inner = ("packages", "tool")
    head = {key: value for key, value in document.items() if key not in inner or not value}
    tables = sorted(_show_table("[[packages]]", each) for each in packages)
    tables += (_show_table(f"[tool.{key}]", tool[key]) for key in sorted(tool, key=_place_of))
    return "\n\n".join([_show_table(_COMMENT, head), *tables]) + "\n"


def _show_table(title: str, table: Mapping[str, Any]) -> str:
    return "\n".join([title, *_show_pairs(table)])


def _show_pairs(table: Mapping[str, Any]) -> Iterator[str]:
    keys = (key for key in sorted(table, key=_place_of) if table[key] is not None)
    return (f"{key} = {_show(table[key])}" for key in keys)


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(_show_pairs(value))}}}"
    if isinstance(value, list):
        rows = sorted(f"  {_show(each)}," for each in value)
        rows.sort(key=lambda row: row.partition('", ')[0].rpartition("/")[2])  # a file's name
        return "\n".join(["[", *rows, "]"]) if rows else "[]"
    if isinstance(value, PylockFile):
        return str(value)
    if hasattr(value, "isoformat"):  # a date or time
        return str(value.isoformat()).replace("+00:00", "Z")
    return json.dumps(value, ensure_ascii=False).replace("#", r"\u0023")


def tidy(text: str, path: str) -> str:
    """Return a pylock in any layout as nox-lock writes it; ConfigError for what it does not."""
    try:
        return render(parse_toml(text.encode(errors="surrogateescape"), path).values)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        start = text.find(f"\n{error.args[0]} = ")  # of an unknown key
        line = text.count("\n", 0, start) + 2 if start >= 0 else None
        raise ConfigError(f"nox-lock does not write this: {error}", Place(path, line)) from error


def parse(text: str, path: str) -> tuple[str, Files]:
    """Return a pylock and its files, tidied if that is needed to find these.

    ConfigError is for files that were changed; all else is for the caller to compare. Parsing TOML
    takes longer than all of a check, and few files need it.
    """
    for in_our_layout in (False, True):
        text = tidy(text, path) if in_our_layout else text
        files: Files = {}
        for file in map(PylockFile._make, _ROW.findall(text)):
            files.setdefault(file.sha256, []).append(file)
        if f'files = "{digest_files(chain(*files.values()))}"' in text:
            return text, files
    raise ConfigError("the files were changed since they were written", Place(path))


def digest_files(files: Iterable[PylockFile]) -> str:
    """Return the digest of files, against accidents."""
    return lock_file.digest("\n".join(sorted({"\t".join(each) for each in files})))


def choose(
    name: str, version: str, files: Mapping[str, PylockFile]
) -> tuple[PylockFile | None, list[PylockFile]]:
    """Return those of some files, by name, that a pylock can have: a source, and wheels."""
    sources: list[PylockFile] = []
    wheels: list[PylockFile] = []
    for filename, file in sorted(files.items()):
        found = _FILENAME.fullmatch(filename)
        if found and _are_same(found["wheel"] or found["source"], name, version):
            (wheels if found["wheel"] else sources).append(file)
    return min(sources, key=lambda each: each.name.endswith(".zip"), default=None), wheels


@functools.lru_cache(maxsize=4096)  # a version has many wheels
def _are_same(stem: str, name: str, version: str) -> bool:
    """Return whether the first part of a filename is of a version."""
    own, _, its_version = stem.rpartition("-")
    return normalized(own) == name and parse_version(its_version) == parse_version(version)


class PylockEnvironment(NamedTuple):
    """What a target decides of the marker variables; its Python is ``X.Y``."""

    implementation_name: str
    sys_platform: str
    platform_machine: str
    python_version: str


def pick(
    chosen: Collection[PylockEnvironment], every: Sequence[PylockEnvironment], depth: int = 0
) -> str:
    """Return a marker that holds for those of `every` that are chosen, and no others.

    It is empty where all are. `every` is sorted by Python, and equal in what is before `depth`.
    """
    if len(chosen) == len(every):
        return ""
    values = list(dict.fromkeys(each[depth] for each in every))
    # By the marker for the variables behind this one: where in `values` it is needed.
    groups: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        if part := [each for each in chosen if each[depth] == value]:
            rest = pick(part, [each for each in every if each[depth] == value], depth + 1)
            groups.setdefault(rest, []).append(place)
    name = PylockEnvironment._fields[depth]
    test = _in_ranges if name == "python_version" else _one_of
    return " or ".join(both(test(name, places, values), rest) for rest, places in groups.items())


def both(*markers: str) -> str:
    """Return a marker that holds where all of these do; an empty one always does."""
    found = [each for each in markers if each]
    return " and ".join(f"({x})" if found[1:] and " or " in x else x for x in found)


def _one_of(name: str, places: Sequence[int], values: Sequence[str]) -> str:
    others = [each for place, each in enumerate(values) if place not in places]
    if len(others) < min(2, len(places)):
        return "".join(f"{name} != '{each}'" for each in others)
    return " or ".join(f"{name} == '{values[place]}'" for place in places)


def _in_ranges(name: str, places: Sequence[int], values: Sequence[str]) -> str:
    ranges = []
    for _, pairs in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        row = [place for _, place in pairs]
        limits = [f"{name} >= '{values[row[0]]}'"] if row[0] else []
        limits += [f"{name} < '{each}'" for each in values[row[-1] + 1 :][:1]]
        alone = len(row) < len(limits)
        ranges.append(f"{name} == '{values[row[0]]}'" if alone else " and ".join(limits))
    return " or ".join(ranges)
