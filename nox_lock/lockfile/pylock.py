"""The format of a `pylock.toml`: rendered and read line by line, each file in one of its own.

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

from nox_lock.errors import ConfigError, LockFileError, Place
from nox_lock.inputs.syntax import normalized, parse_version
from nox_lock.inputs.toml_tables import parse_toml
from nox_lock.lockfile import lock_file

MAKER = "nox-lock"
_SDISTS = (".tar.gz", ".zip")
_TEXT = r'"[^"\\#]*(?:\\[^#][^"\\#]*)*"'  # with nothing that may begin a comment
# All that a line may be, with the parts of a file. No quote is in an address: pip quotes URLs.
_LINE = re.compile(
    r'((?:sdist =| ) \{(?:url|path) = "([!$-\[\]-~]+)", '
    r"(?:upload-time = ([\d-]{10}T[\d:]{8}(?:\.(?!0{6})\d{6})?Z), )?(?:size = ([1-9]\d{,17}), )?"
    r'hashes = \{sha256 = "([0-9a-f]{64})"\}\},?'
    rf"|(?:lock-version|created-by|requires-python|name|version|marker|files) = {_TEXT}"
    rf"|(?:environments|wheels|indexes|left-out) = \[|  {_TEXT},|\]|packages = \[\]"
    rf"|(?:archive|directory|vcs) = \{{(?:type = {_TEXT}, )?(?:url|path) = {_TEXT}"
    rf"(?:, (?:commit-id|subdirectory) = {_TEXT})*"
    r'(?:, editable = true|, hashes = \{sha256 = "[0-9a-f]{64}"\})?\}'
    r"|\[\[packages\]\]|\[tool\.nox-lock\]|)"
    r"[ \t]*(?:#[^\x00-\x08\n-\x1f\x7f\ufffd]*)?"  # other letters would be no TOML
)
# The keys of an inline table, as they are written.
_ORDER = "type url path upload-time size commit-id subdirectory editable hashes"


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
        found = _LINE.fullmatch(f"  {self},")
        return found is not None and found.groups("")[1:] == self

    def __str__(self) -> str:
        # One hash: pip and uv take a file that has any of several.
        key = "url" if "://" in self.address else "path"
        time = f"upload-time = {self.time}, " if self.time else ""
        size = f"size = {self.size}, " if self.size else ""
        return f'{{{key} = "{self.address}", {time}{size}hashes = {{sha256 = "{self.sha256}"}}}}'


Files = dict[str, list[PylockFile]]  # by sha256


def render(top: Mapping[str, Any], packages: Sequence[str], tool: Mapping[str, Any]) -> str:
    """Return the text of a pylock: its keys, its rendered packages, those of `[tool.nox-lock]`."""
    comment = "# `nox -s lock` makes this of the requirements files, and writes it again."
    head = [comment, *_pairs(top), *([] if packages else ["packages = []"])]
    tail = [f"[tool.{MAKER}]", *_pairs(tool)]
    return "\n\n".join(["\n".join(head), *packages, "\n".join(tail)]) + "\n"


def render_package(table: Mapping[str, Any]) -> str:
    """Return a package as TOML, in the order of its keys, with a `PylockFile` for its table."""
    return "\n".join(["[[packages]]", *_pairs(table)])


def _pairs(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a table that are not empty, with their values, as TOML has them."""
    return (f"{key} = {_show(value)}" for key, value in table.items() if value)


def _show(value: Any) -> str:
    if isinstance(value, dict):
        table = {key: value[key] for key in sorted(value, key=_ORDER.find)}
        return f"{{{', '.join(_pairs(table))}}}"
    if isinstance(value, list):
        return "\n".join(["[", *(f"  {_show(each)}," for each in value), "]"])
    if isinstance(value, PylockFile):
        return str(value)
    if hasattr(value, "isoformat"):  # a date or time
        return str(value.isoformat()).replace("+00:00", "Z")
    return json.dumps(value, ensure_ascii=False).replace("#", r"\u0023")


def parse(text: str, path: str) -> tuple[Iterator[str], Files]:
    """Return the tables of a pylock of ours, with sorted keys and arrays, and its files.

    LockFileError is for what we do not write in any layout, and for files that were changed.
    """
    lines = list(map(_LINE.fullmatch, text.split("\n")))
    number = lines.index(None) + 1 if None in lines else 0
    if number:
        text = _lay_out(text, path)
        lines = list(map(_LINE.fullmatch, text.split("\n")))
    files: Files = {}
    tables = [[[""]]]
    for found in lines:
        if not found:
            raise LockFileError("nox-lock does not write this line", Place(path, number))
        said, *file = found.groups("")
        if file[-1]:
            files.setdefault(file[-1], []).append(PylockFile(*file))
        if said.startswith("["):
            tables.append([[said]])
        elif said.startswith((" ", "]")):
            tables[-1][-1].append(said)
        elif said:
            tables[-1].append([said])
    if f'files = "{digest_files(chain(*files.values()))}"' not in text:
        raise LockFileError("the files were changed since they were written", Place(path))
    ordered = (sorted([key, *sorted(rows[:-1]), *rows[-1:]] for key, *rows in t) for t in tables)
    return ("\n".join(chain(*each)) for each in ordered), files


def _lay_out(text: str, path: str) -> str:
    """Return what a formatter made of a pylock as we write it; itself where we write no such."""
    if "\ufffd" in text:  # no UTF-8
        return text
    try:
        document = parse_toml(text.encode(), path)
        packages = [each for each in document.get("packages", list) or () if isinstance(each, dict)]
        tool = document.table("tool").table(MAKER).values
        top = {**document.values, "packages": None, "tool": None}
        ours = render(top, list(map(render_package, packages)), tool)
        # What is anything else, or has no place there, is lost.
        same = parse_toml(ours.encode(), path).values == document.values
    except (ConfigError, ValueError, RecursionError):
        return text
    return ours if same else text


def digest_files(files: Iterable[PylockFile]) -> str:
    """Return the digest of files, against accidents."""
    return lock_file.digest("\n".join(sorted({"\t".join(each) for each in files})))


def choose(
    name: str, version: str, files: Iterable[PylockFile]
) -> tuple[PylockFile | None, list[PylockFile]]:
    """Return those of some files that a pylock can have: a source distribution, and wheels."""
    own = {found: each for each in files if _is_of(found := each.name, name, version)}
    sdists = (own[each] for kind in _SDISTS for each in sorted(own) if each.endswith(kind))
    return next(sdists, None), [own[each] for each in sorted(own) if each.endswith(".whl")]


def _is_of(filename: str, name: str, version: str) -> bool:
    """Return whether a file has the name of a wheel or source distribution of a version."""
    if filename.endswith(".whl"):
        parts = filename.split("-")
        strange = "__" in parts[0] or (len(parts) == 6 and not parts[2][:1].isdigit())  # noqa: PLR2004
        return len(parts) in {5, 6} and not strange and _are_same(*parts[:2], name, version)
    stem = next((filename[: -len(each)] for each in _SDISTS if filename.endswith(each)), "")
    return _are_same(*stem.rpartition("-")[::2], name, version)


@functools.lru_cache(maxsize=4096)  # a version has many wheels
def _are_same(name: str, version: str, wanted: str, wanted_version: str) -> bool:
    return normalized(name) == wanted and parse_version(version) == parse_version(wanted_version)


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
