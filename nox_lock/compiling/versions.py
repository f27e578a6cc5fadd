"""The versions of a project, and the nearest of them to what is required."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from nox_lock.inputs.pep508 import parse_version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

_SHOWN = 8
_NONE: Mapping[str, str] = MappingProxyType({})


class Versions(NamedTuple):
    """The versions of a project, each in one of these, in order.

    Attributes:
        refused: those whose metadata pip refuses, with why.
        found: those that pip may take.
        yanked: those that were withdrawn (PEP 592).
        python: those for other Pythons, with these.
        late: those younger than `uploaded-prior-to` allows.
        platform: those that have files for other platforms or Pythons alone.
        format: those that `--only-binary` or `--no-binary` leave out.
    """

    refused: Mapping[str, str] = _NONE
    found: Collection[str] = ()
    yanked: Collection[str] = ()
    python: Mapping[str, str] = _NONE
    late: Collection[str] = ()
    platform: Collection[str] = ()
    format: Collection[str] = ()

    def left_out(self, specifiers: Sequence[SpecifierSet]) -> list[str]:
        """Return, a line for each reason, those that meet all demands and may not be taken."""
        return [
            f"  {why}: {nearest(meeting, *specifiers)}"
            for why, there in (
                ("younger than uploaded-prior-to allows", self.late),
                ("for other Pythons or platforms", in_order((*self.python, *self.platform))),
                ("left out by --only-binary or --no-binary", self.format),
                ("withdrawn (yanked)", self.yanked),
            )
            if (meeting := allowed(there, *specifiers))
        ]


def allowed(versions: Iterable[str], *specifiers: SpecifierSet) -> list[str]:
    """Return the versions that all of these allow; pre-releases as pip does, if no other."""
    both, there = SpecifierSet(",".join(filter(None, map(str, specifiers)))), list(versions)
    # Old packaging takes no pre-release by itself.
    return list(both.filter(there)) or list(both.filter(there, prereleases=True))


def in_order(versions: Iterable[str]) -> list[str]:
    """Return versions in their order, without what is no version."""
    return list(map(str, sorted({found for each in versions if (found := parse_version(each))})))


def nearest(versions: Iterable[str], *specifiers: SpecifierSet) -> str:
    """Name versions, and of many those on either side of where each demand ends, and the newest.

    Only a part is shown: ``..., 1.0, 2.0, ..., 9.1 (3 of 40)``; of pre-releases none, where there
    are releases and no demand names one.
    """
    ordered = list(versions)
    if not any(each.prereleases for each in specifiers):
        ordered = [each for each in ordered if not Version(each).is_prerelease] or ordered
    if len(ordered) <= _SHOWN:
        return ", ".join(ordered) or "none"
    # Of old packaging they come in any order.
    bounds = [each for specifier in specifiers for each in sorted(specifier, key=str)]
    near: list[int] = []
    for bound in (each.version.removesuffix(".*") for each in bounds if each.operator != "!="):
        if edge := parse_version(bound):
            after = sum(Version(each) < edge for each in ordered)
            near += (each for each in (after, after - 1) if 0 <= each < len(ordered))
    kept = dict.fromkeys([len(ordered) - 1, *near, *range(len(ordered) - 2, -1, -1)])
    chosen = sorted(list(kept)[:_SHOWN])
    parts = []
    for before, each in zip([-1, *chosen], chosen, strict=False):
        parts += (["..."] if each != before + 1 else []) + [ordered[each]]
    return f"{', '.join(parts)} ({len(chosen)} of {len(ordered)})"
