"""Which versions of a project there are, by pip's log, and the nearest of them to what is asked."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHOWN = 8
_LINK = re.compile(r"(?P<what>Found link|Link requires|Skipping link:) (?P<rest>.*)")
_FILE = re.compile(r"\w+:/\S*?([^/\s#]+\.(?:whl|tar\.gz|zip))(?=[\s#]|$)")
_SIGNS = (
    ("Found link", "", "found"),
    ("Link requires", "", "python"),
    ("Skipping link:", "Upload time ", "late"),
    ("Skipping link:", "none of the wheel's tags ", "platform"),
)


class Versions(NamedTuple):
    """The versions of a project, each list in order.

    Attributes:
        found: those that pip may take.
        python: those for other Pythons alone.
        late: those younger than `uploaded-prior-to` allows.
        platform: those that have files for other platforms or Pythons alone.
    """

    found: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether an index has the project at all."""
        return any(self)


def find_versions(log: str, name: str) -> Versions:
    """Return what pip's log tells of a project's versions; each stands in one list alone."""
    sorted_out: dict[str, set[Version]] = {kind: set() for _, _, kind in _SIGNS}
    for line in log.splitlines():
        found = _LINK.search(line)
        if not found:
            continue
        kind = next(
            (
                kind
                for what, sign, kind in _SIGNS
                if found["what"] == what and found["rest"].startswith(sign)
            ),
            None,
        )
        version = _version_of(found["rest"], name) if kind else None
        if kind and version:
            sorted_out[kind].add(version)
    seen: set[Version] = set()
    lists = []
    for kind in Versions._fields:
        lists.append(tuple(map(str, sorted(sorted_out[kind] - seen))))
        seen |= sorted_out[kind]
    return Versions(*lists)


def _version_of(link: str, name: str) -> Version | None:
    found = _FILE.search(link)
    if not found or not canonicalize_name(found[1]).startswith(f"{name}-"):  # most are others'
        return None
    try:
        if found[1].endswith(".whl"):
            project, version = parse_wheel_filename(found[1])[:2]
        else:
            project, version = parse_sdist_filename(found[1])
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return version if project == name else None


def read_specifier(requirement: str) -> SpecifierSet | None:
    """Return the versions that a requirement allows, as pip words it; None for no such thing."""
    bare = re.sub(r"^[\w.-]+(?:\[[^\]]*\])?", "", requirement.partition(";")[0])
    try:
        return SpecifierSet(bare.replace(" and ", ","))
    except InvalidSpecifier:
        return None


def allowed(versions: Iterable[str], *specifiers: SpecifierSet) -> list[str]:
    """Return the versions that all of these allow; a pre-release as pip does, where no other is."""
    return list(SpecifierSet(",".join(filter(None, map(str, specifiers)))).filter(versions))


def read_versions(text: str) -> list[str]:
    """Return the versions of a list such as ``1.0, 1.1``, in order; a build may print anything."""
    found = []
    for each in text.split(","):
        with suppress(InvalidVersion):
            found.append(Version(each.strip()))
    return list(map(str, sorted(found)))


def nearest(versions: Iterable[str], *specifiers: SpecifierSet) -> str:
    """Name versions, and of many those on either side of where each demand ends, and the newest.

    Only a part is shown: ``..., 1.0, 2.0, ..., 9.1 (3 of 40)``; of pre-releases none, where there
    are releases and nobody asks for one.
    """
    ordered = list(versions)
    if not any(each.prereleases for each in specifiers):
        ordered = [each for each in ordered if not Version(each).is_prerelease] or ordered
    if len(ordered) <= _SHOWN:
        return ", ".join(ordered) or "none"
    bounds = [each for specifier in specifiers for each in specifier if each.operator != "!="]
    wanted = [near for bound in bounds for near in _around(ordered, bound.version)]
    kept = dict.fromkeys([len(ordered) - 1, *wanted, *range(len(ordered) - 2, -1, -1)])
    chosen = sorted(list(kept)[:_SHOWN])
    parts = []
    for before, each in zip([-1, *chosen], chosen, strict=False):
        parts += (["..."] if each != before + 1 else []) + [ordered[each]]
    return f"{', '.join(parts)} ({len(chosen)} of {len(ordered)})"


def left_out(
    versions: Versions, yanked: Iterable[str], specifiers: Sequence[SpecifierSet]
) -> list[str]:
    """Tell of the versions that would meet all demands, and why pip may not take them."""
    return [
        f"{why}: {nearest(meeting, *specifiers)}"
        for why, there in (
            ("younger than uploaded-prior-to allows", versions.late),
            ("for other Pythons or platforms", (*versions.python, *versions.platform)),
            ("withdrawn (yanked)", yanked),
        )
        if (meeting := allowed(there, *specifiers))
    ]


def _around(ordered: list[str], bound: str) -> list[int]:
    """Return where the versions stand that are next to `bound`."""
    try:
        edge = Version(bound.removesuffix(".*"))
    except InvalidVersion:
        return []
    after = sum(Version(each) < edge for each in ordered)
    return [each for each in (after, after - 1) if 0 <= each < len(ordered)]
