"""Demands that cannot be met, and the versions that exist: whose they are, what may be changed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from nox_lock.errors import CompileError
from nox_lock.inputs.entry import Entry, Inputs
from nox_lock.inputs.syntax import parse_specifier, parse_version

_OTHER_VERSION = "Ask for another version: only its makers can repair this one."
_OTHER_PYTHON = "Ask for an older version, or lock for another Python."
_SHOWN = 3
_VERSIONS_SHOWN = 8


class Versions(NamedTuple):
    """The versions of a project, each in one of these, in order."""

    refused: Mapping[str, str] = {}  # those whose metadata pip refuses, with why
    found: Collection[str] = ()  # those that pip may take; the others it may not, see `left_out`
    yanked: Collection[str] = ()
    python: Mapping[str, str] = {}  # those for other Pythons, with these
    late: Collection[str] = ()
    platform: Collection[str] = ()
    format: Collection[str] = ()

    def left_out(self, specifiers: Sequence[SpecifierSet]) -> list[str]:
        """Return, a line for each reason, those that meet all demands and may not be taken."""
        return [
            f"  {why}: {show_versions(meeting, *specifiers)}"
            for why, there in (
                ("younger than uploaded-prior-to allows", self.late),
                ("for other Pythons or platforms", (*self.python, *self.platform)),
                ("left out by --only-binary or --no-binary", self.format),
                ("withdrawn (yanked)", self.yanked),
            )
            if (meeting := allowed(there, *specifiers))
        ]


class Demand(NamedTuple):
    """What is required of a project, or of Python."""

    project: str  # normalized; empty for a demand on Python
    text: str
    specifier: SpecifierSet | None = None  # None where that is no question of versions
    by: str = ""  # the project that requires it, in these `versions`; empty for an input
    versions: tuple[str, ...] = ()
    entry: Entry | None = None  # the requirement of an input that brings `by`, or is this
    through: tuple[str, ...] = ()  # the projects between that and `by`

    @property
    def parent(self) -> str:
        """The normalized name of `by`."""
        return canonicalize_name(self.by.partition("[")[0])

    @property
    def fixed(self) -> bool:
        """Whether an input names a file or folder, and so one version, for it."""
        return not self.by and self.entry is not None and bool(self.entry.url)

    def __str__(self) -> str:
        """Return it with its chain: ``a 1.0 depends on b<2, for c (requirements.in:3)``."""
        said = "".join([self.text, *(f", for {each}" for each in self.through)])
        if self.by:
            asking, more = ", ".join(self.versions[:_SHOWN]), len(self.versions) - _SHOWN
            asking += f" and {more} more" if more > 0 else ""
            said = f"{self.by} {asking} {'depend' if self.versions[1:] else 'depends'} on {said}"
        return f"{said} ({self.entry.place})" if self.entry else said


def find_origin(
    name: str, found: Mapping[str, Any], inputs: Inputs
) -> tuple[Entry | None, tuple[str, ...]]:
    """Return the requirement of an input that brings a project, and the projects between."""
    through = tuple(dict.fromkeys(each for each in found.get("through", ()) if each != name))
    place = found.get("file"), found.get("line")
    there = [each for each in inputs.entries if each.place == place]
    for top in (*through[-1:], name):
        named = [each for each in (there or inputs.entries) if each.name == top]
        if named:
            entry = min(named, key=lambda each: each.constraint)
            return entry, through if top != name else ()
    return (there[0], through) if there else (None, ())


def read_demand(found: Mapping[str, Any], inputs: Inputs) -> list[Demand]:
    """Return a demand of a report; of constraints that pip has merged one for each line.

    That is none for a starting pin, which gives way.
    """
    name, specifier = found["project"], parse_specifier(found.get("specifier"))
    if found.get("constraint"):
        named = [each for each in inputs.constraints if each.name == name]
        exact = [each for each in named if each.specifier == specifier][:1] or named
        return [
            Demand(name, each.text.partition(" --hash=")[0], each.specifier, entry=each)
            for each in exact
        ]
    by, *versions = found.get("by") or [""]
    demand = Demand(name, found["text"], specifier, by, tuple(versions))
    entry, through = find_origin(demand.parent or name, found, inputs)
    return [demand._replace(entry=entry, through=through)]


def describe_demands(demands: Sequence[Demand], there: Mapping[str, Versions]) -> CompileError:
    """Return the error for demands that nothing meets together; `there` is by project."""
    for demand in demands:
        if not demand.project:
            only = Versions(python=dict.fromkeys(demand.versions, str(demand.specifier)))
            return _describe_unmet(Demand(demand.parent, demand.parent, entry=demand.entry), only)
    if len(demands) == 1:
        return _describe_unmet(demands[0], there[demands[0].project])
    return _describe_conflict(demands, there)


def _describe_unmet(demand: Demand, there: Versions) -> CompileError:
    name, entry, hint = demand.project, demand.entry, None
    asked = f" (required by {demand.parent})" if demand.by else ""
    limits = _limits(name, [demand])
    newest = {there.python[version]: version for version in allowed(there.python, *limits)}
    if refused := allowed(there.refused, *limits):
        kind, hint, why = "metadata", _OTHER_VERSION, there.refused[refused[-1]]
        message = f"{name} {refused[-1]}{asked} cannot be used: pip refuses its metadata: {why}"
    elif newest:
        kind, hint = "python", _OTHER_PYTHON
        pythons = (f"{version} wants Python {python}" for python, version in newest.items())
        message = f"{demand.text}{asked} has no version for this Python: {'; '.join(pythons)}"
    elif not any(there):
        kind, message = "unknown project", f"no package index has a project {name!r}{asked}"
        hint = "Check its spelling, and that your pip configuration names the index that has it."
    else:
        kind, found = "no version", show_versions(there.found, *limits)
        lines = [f"no version meets {demand.text}{asked}; there are {found}"]
        message = "\n".join([*lines, *there.left_out(limits)])
        if allowed(there.late, *limits):
            hint = "Wait, let uploaded-prior-to allow more, or ask for an older version."
    return CompileError(message, entry and entry.place, hint, kind=kind, projects=(name,))


def _describe_conflict(demands: Sequence[Demand], there: Mapping[str, Versions]) -> CompileError:
    demands = _alike(demands)
    found = {name: list(versions.found) for name, versions in there.items()}
    # Of URLs and paths, for which pip asks no index, the one version that they have.
    for each in demands:
        if each.fixed and str(each.specifier).startswith("=="):
            found[each.project] = [str(each.specifier)[2:]]
    # pip names all that is required of a project, also what every version meets.
    clashing: list[Demand] = []
    for pair in combinations(demands, 2):
        versions, limits = found[pair[0].project], _limits(pair[0].project, pair)
        if versions and len(limits) > 1 and not allowed(versions, *limits):
            clashing += pair
    shown = [each for each in demands if each in clashing] or demands
    lines = ["these cannot hold together:", *(f"  {each}" for each in shown)]
    for name in dict.fromkeys(each.project for each in shown):
        if found[name] and not any(each.fixed for each in demands if each.project == name):
            lines += [f"  of {name} there are {show_versions(found[name], *_limits(name, shown))}"]
        lines += there[name].left_out(_limits(name, demands))
    names = tuple(name for each in demands for name in (each.parent, each.project) if name)
    edits = tuple(dict.fromkeys(_find_edits(shown, demands, found)))
    hint = in_one(edits) or "Loosen one of the requirements named."
    return CompileError("\n".join(lines), None, hint, kind="conflict", projects=names, edits=edits)


def in_one(edits: Sequence[str]) -> str:
    """Return what may be changed as a hint; empty where nothing is known."""
    if len(edits) > 1:
        return "\n".join(["Any one of these may solve it:", *(f"  {each}" for each in edits)])
    return f"This may solve it: {edits[0]}" if edits else ""


def _alike(demands: Iterable[Demand]) -> list[Demand]:
    """Return demands in pip's order; those alike of one project's versions as one."""
    found: dict[tuple[object, ...], Demand] = {}
    for demand in demands:
        key = demand.by, demand.text, demand.by or (demand.entry and demand.entry.place)
        known = found.setdefault(key, demand).versions
        found[key] = demand._replace(versions=tuple(dict.fromkeys(known + demand.versions)))
    return list(found.values())


def _limits(name: str, demands: Iterable[Demand]) -> list[SpecifierSet]:
    return [one.specifier for one in demands if one.project == name and one.specifier is not None]


def _find_edits(
    shown: Sequence[Demand], demands: Sequence[Demand], found: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield what may be changed: only what is known to give way to all the others."""
    for demand in shown:
        entry = demand.entry
        if entry is None or demand.fixed:
            continue
        # What one line of an input brings goes with it.
        same = [each for each in demands if each.project == demand.project]
        rest = [each for each in same if not each.entry or each.entry.place != entry.place]
        room = allowed(found[demand.project], *_limits(demand.project, rest))
        if not room or any(each.specifier is None for each in rest):
            continue
        if demand.by:
            others = set(found.get(entry.name or "", ()))
            if entry.specifier and others - set(entry.specifier.filter(others)):
                yield f"ask for another version of {entry.name} than {entry.text} ({entry.place})"
        elif rest:
            span = room if len(room) <= _SHOWN else [room[0], "...", room[-1]]
            yield f"loosen {entry.text} ({entry.place}): the others allow {', '.join(span)}"


def allowed(versions: Iterable[str], *specifiers: SpecifierSet) -> list[str]:
    """Return the versions that all of these allow; pre-releases as pip does, if no other."""
    return list(SpecifierSet(",".join(filter(None, map(str, specifiers)))).filter(versions))


def show_versions(versions: Iterable[str], *specifiers: SpecifierSet) -> str:
    """Name versions; of many the last and those around each demand: ``..., 3.1 (1 of 40)``."""
    ordered = sorted(versions, key=Version)
    if not any(each.prereleases for each in specifiers):  # as pip takes none then
        ordered = allowed(ordered)
    if len(ordered) <= _VERSIONS_SHOWN:
        return ", ".join(ordered) or "none"
    last = len(ordered) - 1
    chosen = {last, last - 1, last - 2}
    for each in (each for specifier in specifiers for each in specifier):
        edge = parse_version(each.version.removesuffix(".*"))
        if edge and each.operator != "!=":
            after = bisect_left(ordered, edge, key=Version)
            chosen |= {max(after - 1, 0), min(after, last)}
    shown = ("..., " * (each - 1 not in {-1, *chosen}) + ordered[each] for each in sorted(chosen))
    return f"{', '.join(shown)} ({len(chosen)} of {len(ordered)})"
