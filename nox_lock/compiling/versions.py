"""Which versions there are, and the nearest of them to what is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from nox_lock.inputs.pep508 import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nox_lock.compiling.report import Versions

_SHOWN = 8


def allowed(versions: Iterable[str], *specifiers: SpecifierSet) -> list[str]:
    """Return the versions that all of these allow; a pre-release as pip does, where no other is."""
    both, there = SpecifierSet(",".join(filter(None, map(str, specifiers)))), list(versions)
    # Old packaging takes no pre-release by itself.
    return list(both.filter(there)) or list(both.filter(there, prereleases=True))


def in_order(versions: Iterable[str]) -> list[str]:
    """Return versions in their order, without what is no version."""
    return list(map(str, sorted({found for each in versions if (found := parse_version(each))})))


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
    # Of old packaging they come in any order.
    bounds = [each for specifier in specifiers for each in sorted(specifier, key=str)]
    edges = [each.version for each in bounds if each.operator != "!="]
    wanted = [near for edge in edges for near in _around(ordered, edge)]
    kept = dict.fromkeys([len(ordered) - 1, *wanted, *range(len(ordered) - 2, -1, -1)])
    chosen = sorted(list(kept)[:_SHOWN])
    parts = []
    for before, each in zip([-1, *chosen], chosen, strict=False):
        parts += (["..."] if each != before + 1 else []) + [ordered[each]]
    return f"{', '.join(parts)} ({len(chosen)} of {len(ordered)})"


def left_out(versions: Versions, specifiers: Sequence[SpecifierSet]) -> list[str]:
    """Return, a line for each reason, the versions that meet all demands and may not be taken."""
    return [
        f"{why}: {nearest(meeting, *specifiers)}"
        for why, there in (
            ("younger than uploaded-prior-to allows", versions.late),
            ("for other Pythons or platforms", in_order((*versions.python, *versions.platform))),
            ("left out by --only-binary or --no-binary", versions.format),
            ("withdrawn (yanked)", versions.yanked),
        )
        if (meeting := allowed(there, *specifiers))
    ]


def _around(ordered: list[str], bound: str) -> list[int]:
    """Return where the versions are that are next to `bound`."""
    edge = parse_version(bound.removesuffix(".*"))
    if edge is None:
        return []
    after = sum(Version(each) < edge for each in ordered)
    return [each for each in (after, after - 1) if 0 <= each < len(ordered)]
