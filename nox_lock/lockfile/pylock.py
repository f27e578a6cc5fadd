"""The format of a `pylock.toml`: parsed and rendered, in one order, with a line for each file.

https://packaging.python.org/en/latest/specifications/pylock-toml/
"""

from __future__ import annotations

import functools
import json
import re
from contextlib import suppress
from datetime import datetime
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from nox_lock.errors import LockFileError
from nox_lock.inputs.syntax import normalized, parse_version
from nox_lock.inputs.toml_tables import parse_toml
from nox_lock.lockfile import lock_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

MAKER = "nox-lock"
# All keys of ours, in their order: of the whole, of a package, and of what is in that.
_TOP = ("lock-version", "created-by", "requires-python", "environments")
_PACKAGE = ("name", "version", "marker", "archive", "directory", "vcs", "sdist", "wheels")
_OTHERS = ("type", "url", "path", "upload-time", "size", "commit-id", "subdirectory", "editable")
_ORDER = {key: place for place, key in enumerate((*_TOP, *_PACKAGE, *_OTHERS))}
_SDISTS = (".tar.gz", ".zip")
# The line of a file. No quote is in an address: pip quotes URLs.
_FILE = re.compile(
    r'^(?:sdist =| ) \{(?:url|path) = "([!#-\[\]-~]+)", '
    r"(?:upload-time = ([\d-]{10}T[\d:]{8}(?:\.\d{6})?Z), )?(?:size = (0|[1-9]\d{,17}), )?"
    r'hashes = \{sha256 = "([0-9a-f]{64})"\}\},?$',
    re.MULTILINE,
)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|\+00:00)")


class PylockFile(NamedTuple):
    """A wheel or source distribution.

    Attributes:
        address: its URL, or its path relative to the `pylock.toml`; of one that the format has no
            place for its name alone.
        time: when it was uploaded, as `plain_time` gives it; empty where that is not known.
        size: its bytes, in digits; empty where that is not known.
        sha256: in hexadecimal digits.
    """

    address: str
    time: str
    size: str
    sha256: str

    @property
    def name(self) -> str:
        """Its file name."""
        return unquote(self.address.rpartition("/")[2])

    def __str__(self) -> str:
        # One hash: pip and uv take a file that has any of several.
        key = "url" if "://" in self.address else "path"
        time = f"upload-time = {self.time}, " if self.time else ""
        size = f"size = {self.size}, " if self.size else ""
        hashes = f'hashes = {{sha256 = "{self.sha256}"}}'
        return f'{{{key} = "{self.address}", {time}{size}{hashes}}}'


def plain_time(text: str) -> str:
    """Return a moment (RFC 3339, UTC) as we write it; empty for anything else."""
    with suppress(ValueError):
        if found := _TIME.fullmatch(text):
            fraction = f".{found[2].ljust(6, '0')}" if int(found[2] or 0) else ""
            return f"{datetime.fromisoformat(found[1]).isoformat()}{fraction}Z"
    return ""


def render(table: Mapping[str, Any]) -> str:
    """Return the text of a pylock, with an empty line between its parts.

    `table` is as TOML has it, with a `PylockFile` in the place of a table that is one, or not.
    """
    top = {key: each for key, each in table.items() if key not in {"packages", "tool"}}
    packages = sorted(_block("[[packages]]", each) for each in table["packages"])
    comment = "# `nox -s lock` makes this of the requirements files, and writes it again."
    parts = [_block(comment, top if packages else {**top, "packages": []}), *packages]
    return "\n\n".join([*parts, _block(f"[tool.{MAKER}]", table["tool"][MAKER])]) + "\n"


def _block(title: str, table: Mapping[str, Any]) -> str:
    return "\n".join([title, *pairs(table)])


def pairs(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a table with their values, as TOML has them, in our order."""
    for key in sorted(table, key=lambda key: (_ORDER.get(key, len(_ORDER)), key)):
        yield f"{key if re.fullmatch('[a-z0-9-]+', key) else _show(key)} = {_show(table[key])}"


def _show(value: Any) -> str:
    """Return a value as TOML has it; of a kind that is in no pylock of ours the name of that."""
    if isinstance(value, PylockFile):
        return str(value)
    if isinstance(value, dict):
        return f"{{{', '.join(pairs(value))}}}"
    if isinstance(value, list):
        # By the name of a file, which is behind the last slash; and whole without one.
        shown = sorted(map(_show, value), key=lambda each: each.partition('", ')[0].split("/")[-1])
        return "\n".join(["[", *(f"  {each}," for each in shown), "]"]) if shown else "[]"
    if isinstance(value, (str, bool)):
        return json.dumps(value, ensure_ascii=False)
    known = str(value) if isinstance(value, int) and 0 <= value < 10**18 else ""
    known = plain_time(value.isoformat()) if isinstance(value, datetime) else known
    return known or f"<{type(value).__name__}>"


def normalize(data: bytes, path: str) -> str:
    """Return what a pylock of ours says, as `render` has it.

    Raises:
        LockFileError: for what is no TOML, keys that we do not write, and files that were changed.
    """
    top = parse_toml(data, path, LockFileError)
    top.refuse_unknown((*_TOP, "packages", "tool"))
    packages, tool = top.values.get("packages"), top.table("tool")
    if not isinstance(packages, list) or not all(isinstance(each, dict) for each in packages):
        raise top.wrong("packages", " is no array of tables")
    for each in packages:
        top._replace(values=each, path=("packages",)).refuse_unknown(_PACKAGE)
    tool.refuse_unknown([MAKER])
    text = render({**top.values, "tool": {MAKER: tool.table(MAKER).values}})
    if text.count("\nsdist = ") + text.count("\n  {") != len(_FILE.findall(text)):
        raise top.wrong("packages", ": a file has a key that is not ours, or not one sha256")
    if f'files = "{digest_files(chain(*read_files(text).values()))}"' not in text:
        raise top.wrong("packages", ": the files were changed since they were written")
    return text


def read_files(text: str) -> dict[str, list[PylockFile]]:
    """Return the files in a text of `render`, by sha256, those that are left out among them."""
    found: dict[str, list[PylockFile]] = {}
    for each in _FILE.findall(text):
        found.setdefault(each[-1], []).append(PylockFile(*each))
    return found


def digest_files(files: Iterable[PylockFile]) -> str:
    """Return the digest of files, against accidents."""
    return lock_file.digest("\n".join(sorted({"\t".join(each) for each in files})))


def choose(
    name: str, version: str, files: Iterable[PylockFile]
) -> tuple[PylockFile | None, list[PylockFile]]:
    """Return those of some files that a pylock can have: a source distribution, and wheels."""
    own = {found: each for each in files if _is_of(found := each.name, name, version)}
    sdists = (own[each] for kind in _SDISTS for each in sorted(own) if each.endswith(kind))
    return next(sdists, None), [own[each] for each in own if each.endswith(".whl")]


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
    found = parse_version(version)
    return (
        normalized(name) == wanted and found is not None and found == parse_version(wanted_version)
    )


class PylockEnvironment(NamedTuple):
    """What a target decides of the marker variables; its Python is ``X.Y``."""

    implementation_name: str
    sys_platform: str
    platform_machine: str
    python_version: str

    @property
    def marker(self) -> str:
        """The marker that holds for this environment alone."""
        return " and ".join(f"{name} == '{each}'" for name, each in sorted(self._asdict().items()))

    @property
    def sort_key(self) -> tuple[str, list[int], str, str]:
        """Orders 3.9 before 3.10."""
        python = list(map(int, self.python_version.split(".")))
        return self.implementation_name, python, self.sys_platform, self.platform_machine


def pick(
    chosen: Collection[PylockEnvironment], every: Sequence[PylockEnvironment], depth: int = 0
) -> str:
    """Return a marker that holds for those of `every` that are chosen, and no others.

    It is empty where all are. `every` is sorted, and equal in the variables before `depth`.
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
