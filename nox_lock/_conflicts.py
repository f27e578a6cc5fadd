"""Demands that cannot hold together: who makes them, where, and what may be changed."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock._errors import CompileError
from nox_lock._origins import Origin, find_origin, project_of
from nox_lock._versions import (
    allowed,
    find_versions,
    left_out,
    nearest,
    read_specifier,
    read_versions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.specifiers import SpecifierSet

    from nox_lock._inputs import Inputs
    from nox_lock._versions import Versions

_CAUSES = re.compile(r"The conflict is caused by:\n(.*?)\n\s*\n", re.DOTALL)
_DEPENDS = " depends on "
_CONSTRAINT = "(constraint) "
_REQUESTED = "The user requested "
_FIXED = re.compile(r"(\S+) (\d\S*) \(from (.*)\)")
_SHOWN = 3


class Demand(NamedTuple):
    """What is asked of a project.

    Attributes:
        name: the project.
        text: the requirement.
        specifier: the versions it allows, or None where that is no question of versions.
        by: the project that asks, or empty for an input.
        versions: those of `by` that ask for it.
        origin: the requirement of an input that it comes from.
    """

    name: str
    text: str
    specifier: SpecifierSet | None
    by: str
    versions: tuple[str, ...]
    origin: Origin | None

    @property
    def fixed(self) -> bool:
        """Whether an input names a file or folder, and so one version, for it."""
        return not self.by and self.origin is not None and bool(self.origin.entry.url)

    def __str__(self) -> str:
        """Return the demand with its chain: ``a 1.0 depends on b<2, for c (requirements.in:3)``."""
        place = f" ({self.origin.place})" if self.origin else ""
        if not self.by:
            return f"{self.text}{place}"
        through = "".join(f", for {each}" for each in self.origin.through) if self.origin else ""
        asking = ", ".join(self.versions[:_SHOWN])
        if (more := len(self.versions) - _SHOWN) > 0:
            asking += f" and {more} more"
        verb = "depend on" if len(self.versions) > 1 else "depends on"
        return f"{self.by} {asking} {verb} {self.text}{through}{place}"


def tell_conflict(output: str, log: str, inputs: Inputs) -> CompileError:
    """Return the error for demands that cannot hold together, from pip's words."""
    demands = read_demands(output, inputs)
    there = {each.name: _find(each.name, demands, log) for each in demands}
    shown = [each for each in demands if _is_in_question(each, demands, there)]
    lines = [f"  {each}" for each in shown]
    for name in dict.fromkeys(each.name for each in shown):
        # Where a file is named, pip asks no index.
        if there[name].found and not any(each.fixed for each in shown if each.name == name):
            bounds = _all_of(name, shown)
            lines.append(f"  of {name} there are {nearest(there[name].found, *bounds)}")
        lines += [f"  {each}" for each in left_out(there[name], (), _all_of(name, demands))]
    error = CompileError(
        "\n".join(["these cannot hold together:", *lines]) if lines else "requirements conflict",
        kind="conflict",
        projects=tuple(
            dict.fromkeys(
                part for each in demands for part in (project_of(each.by), each.name) if part
            )
        ),
    )
    error.edits = tuple(dict.fromkeys(_edits(shown, demands, there, log)))
    error.hint = in_one(error.edits) or "Loosen one of the requirements named."
    return error


def in_one(edits: Sequence[str]) -> str:
    """Return what may be changed as a hint; empty where nothing is known."""
    if len(edits) > 1:
        return "\n".join(["Any one of these may solve it:", *(f"  {each}" for each in edits)])
    return f"This may solve it: {edits[0]}" if edits else ""


def read_demands(output: str, inputs: Inputs) -> list[Demand]:
    """Return the demands of pip's last conflict; of one project's versions those alike as one."""
    causes = _CAUSES.findall(output)
    found: dict[tuple[str, str], Demand] = {}
    for line in map(str.strip, causes[-1].splitlines()) if causes else ():
        demand = _read(line, output, inputs)
        key = demand.by, demand.text if demand.by else line
        versions = found[key].versions if key in found else ()
        found[key] = demand._replace(versions=tuple(dict.fromkeys((*versions, *demand.versions))))
    return list(found.values())


def _read(line: str, output: str, inputs: Inputs) -> Demand:
    """Read ``a 1.0 depends on b<2 and >=1``, or ``The user requested (constraint) b<2``."""
    asking, depends, wanted = line.partition(_DEPENDS)
    if not depends:
        wanted = line.removeprefix(_REQUESTED).removeprefix(_CONSTRAINT)
    if fixed := _FIXED.fullmatch(wanted):
        return _read_fixed(fixed[1], fixed[2], fixed[3], inputs)
    specifier, name = read_specifier(wanted), project_of(wanted)
    text = wanted
    if specifier is not None:
        text = re.sub(" and |, ", ",", wanted.partition(";")[0].strip())
    if depends:
        by, _, version = asking.rpartition(" ")
        origin = find_origin(project_of(by), output, inputs)
        return Demand(name, text, specifier, by, (version,), origin)
    constraint = _CONSTRAINT in line
    entries = [each for each in inputs.entries if each.name == name]
    exact = [each for each in entries if each.specifier == specifier]
    narrow = [each for each in exact if each.constraint is constraint] or exact
    origin = Origin(narrow[0]) if narrow else None
    if origin is None and not line.startswith(_REQUESTED):
        origin = find_origin(name, output, inputs)
    return Demand(name, text, specifier, "", (), origin)


def _read_fixed(project: str, version: str, place: str, inputs: Inputs) -> Demand:
    """Read ``b 1.0 (from PLACE)``: what stands at a URL or a path has one version."""
    name, file = canonicalize_name(project), re.split(r"[/\\]", place)[-1]
    entries = [each for each in inputs.entries if each.url and each.url.endswith(file)]
    origin = Origin(entries[0]) if entries else None
    text = f"{project} {version}, from {file}"
    return Demand(name, text, read_specifier(f"{name}=={version}"), "", (), origin)


def _is_in_question(
    demand: Demand, demands: Sequence[Demand], there: Mapping[str, Versions]
) -> bool:
    """Tell whether a demand is one of those in each other's way.

    pip names all that was asked of a project, also what every version meets.
    """
    clashing = [pair for pair in combinations(demands, 2) if _clash(*pair, there)]
    return not clashing or any(demand is each for pair in clashing for each in pair)


def _clash(one: Demand, other: Demand, there: Mapping[str, Versions]) -> bool:
    if one.name != other.name or one.specifier is None or other.specifier is None:
        return False
    versions = there[one.name].found
    return bool(versions) and not allowed(versions, one.specifier, other.specifier)


def _find(name: str, demands: Iterable[Demand], log: str) -> Versions:
    """Return the versions that there are, with those that stand at a URL or a path."""
    found = find_versions(log, name)
    pinned = [
        bound.version
        for each in demands
        if each.name == name and each.fixed and each.specifier
        for bound in each.specifier
    ]
    return found._replace(found=tuple(read_versions(",".join({*found.found, *pinned}))))


def _all_of(name: str, demands: Iterable[Demand]) -> list[SpecifierSet]:
    return [each.specifier for each in demands if each.name == name and each.specifier]


def _edits(
    shown: Sequence[Demand],
    demands: Sequence[Demand],
    there: Mapping[str, Versions],
    log: str,
) -> list[str]:
    """Return what may be changed, of that alone which is known to give way to all the others."""
    asked: dict[str, list[Demand]] = defaultdict(list)
    for each in demands:
        asked[each.name].append(each)
    edits = []
    for demand in shown:
        # What one line of an input brings goes with it.
        place = demand.origin and demand.origin.entry.where
        rest = [
            each
            for each in asked[demand.name]
            if each.origin is None or each.origin.entry.where != place
        ]
        if demand.origin is None or any(each.specifier is None for each in rest):
            continue
        room = allowed(there[demand.name].found, *_all_of(demand.name, rest))
        if room and (rest or demand.by):
            edits += _edit(demand, room, log)
    return edits


def _edit(demand: Demand, room: Sequence[str], log: str) -> list[str]:
    """Return how the line that a demand comes from may be changed."""
    assert demand.origin is not None  # noqa: S101  (the caller has asked)
    entry, place = demand.origin.entry, demand.origin.place
    if demand.fixed:
        return []
    if not demand.by:
        span = room if len(room) <= _SHOWN else [room[0], "...", room[-1]]
        return [f"loosen {entry.text} ({place}): the others allow {', '.join(span)}"]
    name = entry.name or ""
    others = set(find_versions(log, name).found)
    if not entry.specifier:
        return []
    others -= set(entry.specifier.filter(others))
    if not others:
        return []
    return [f"ask for another version of {name} than {entry.text} ({place})"]
