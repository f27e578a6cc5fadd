"""Demands that cannot hold together: who makes them, where, and what may be changed."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock.compiling.versions import allowed, in_order, left_out, nearest
from nox_lock.errors import CompileError
from nox_lock.inputs.pep508 import parse_specifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.specifiers import SpecifierSet

    from nox_lock.compiling.report import Demand, Failure, Versions
    from nox_lock.inputs.entry import Entry
    from nox_lock.inputs.requirements import Inputs

_SHOWN = 3


class Origin(NamedTuple):
    """The requirement of an input that brings a project; `through` are those between, if any."""

    entry: Entry
    through: tuple[str, ...] = ()


class Claim(NamedTuple):
    """A demand, with the requirement of an input that it comes from.

    Attributes:
        name: the project that is asked for.
        text: the requirement.
        specifier: the versions it allows, or None where that is no question of versions.
        by: the project that asks, or empty for an input.
        versions: those of `by` that ask for it.
        origin: the requirement of an input, or None where that is not known.
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
        place = f" ({self.origin.entry.place})" if self.origin else ""
        if not self.by:
            return f"{self.text}{place}"
        through = "".join(f", for {each}" for each in self.origin.through) if self.origin else ""
        asking = ", ".join(self.versions[:_SHOWN])
        if (more := len(self.versions) - _SHOWN) > 0:
            asking += f" and {more} more"
        verb = "depend on" if len(self.versions) > 1 else "depends on"
        return f"{self.by} {asking} {verb} {self.text}{through}{place}"


def find_origin(name: str, said: Demand | Failure, inputs: Inputs) -> Origin | None:
    """Return the requirement of an input that brings a project, by where pip says it comes from.

    Where pip names no line, as for a project file, it is found by the projects on the way.
    """
    through = tuple(dict.fromkeys(each for each in said.through if each != name))
    there = [each for each in inputs.entries if each.place == (said.file, said.line)]
    for top in (*through[-1:], name):
        named = [each for each in (there or inputs.entries) if each.name == top]
        if named:
            entry = min(named, key=lambda each: each.constraint)
            return Origin(entry, through if top != name else ())
    return Origin(there[0], through) if there else None


def describe_conflict(failure: Failure, inputs: Inputs) -> CompileError:
    """Return the error for demands that cannot hold together."""
    claims = _read_claims(failure.demands, inputs)
    there = {name: _find(name, claims, failure) for name in failure.versions}
    # pip names all that was asked of a project, also what every version meets.
    clashing = [each for pair in combinations(claims, 2) if _clash(*pair, there) for each in pair]
    shown = [each for each in claims if each in clashing] or claims
    lines = [f"  {each}" for each in shown]
    for name in dict.fromkeys(each.name for each in shown):
        # Where a file is named, pip asks no index.
        if there[name].found and not any(each.fixed for each in shown if each.name == name):
            bounds = _all_of(name, shown)
            lines.append(f"  of {name} there are {nearest(there[name].found, *bounds)}")
        lines += [f"  {each}" for each in left_out(there[name], _all_of(name, claims))]
    names = (part.partition("[")[0] for each in claims for part in (each.by, each.name))
    error = CompileError(
        "\n".join(["these cannot hold together:", *lines]) if lines else "requirements conflict",
        kind="conflict",
        projects=tuple(dict.fromkeys(map(canonicalize_name, filter(None, names)))),
    )
    error.edits = tuple(dict.fromkeys(_edits(shown, claims, there)))
    error.hint = in_one(error.edits) or "Loosen one of the requirements named."
    return error


def in_one(edits: Sequence[str]) -> str:
    """Return what may be changed as a hint; empty where nothing is known."""
    if len(edits) > 1:
        return "\n".join(["Any one of these may solve it:", *(f"  {each}" for each in edits)])
    return f"This may solve it: {edits[0]}" if edits else ""


def _read_claims(demands: Iterable[Demand], inputs: Inputs) -> list[Claim]:
    """Return what is asked, in pip's order; of one project's versions those alike as one."""
    found: dict[tuple[str, ...], Claim] = {}
    for demand in demands:
        claim = _read(demand, inputs)
        if demand.constraint and claim.origin is None:
            continue  # a starting pin, which gives way
        key = claim.by, claim.text, "" if claim.by else f"{demand.file}:{demand.line}"
        versions = found[key].versions if key in found else ()
        versions = tuple(dict.fromkeys((*versions, *claim.versions)))
        found[key] = claim._replace(versions=versions)
    return list(found.values())


def _read(demand: Demand, inputs: Inputs) -> Claim:
    name, specifier, text = demand.project, parse_specifier(demand.specifier), demand.text
    if demand.by is not None:
        by, version = demand.by
        project = canonicalize_name(by.partition("[")[0])
        return Claim(name, text, specifier, by, (version,), find_origin(project, demand, inputs))
    origin = find_origin(name, demand, inputs)
    if demand.constraint:
        exact = [each for each in inputs.constraints if each.name == name]
        exact = [each for each in exact if each.specifier == specifier] or exact
        origin = Origin(exact[0]) if exact else None
    return Claim(name, text, specifier, "", (), origin)


def _clash(one: Claim, other: Claim, there: Mapping[str, Versions]) -> bool:
    if one.name != other.name or one.specifier is None or other.specifier is None:
        return False
    versions = there[one.name].found
    return bool(versions) and not allowed(versions, one.specifier, other.specifier)


def _find(name: str, claims: Iterable[Claim], failure: Failure) -> Versions:
    """Return the versions that there are, with those of a URL or a path."""
    there = failure.versions[name]
    named = [f"{each.specifier}" for each in claims if each.name == name and each.fixed]
    return there._replace(found=in_order((*there.found, *(each[2:] for each in named))))


def _all_of(name: str, claims: Iterable[Claim]) -> list[SpecifierSet]:
    return [each.specifier for each in claims if each.name == name and each.specifier]


def _edits(
    shown: Sequence[Claim], claims: Sequence[Claim], there: Mapping[str, Versions]
) -> list[str]:
    """Return what may be changed, of that alone which is known to give way to all the others."""
    edits = []
    for claim in shown:
        # What one line of an input brings goes with it.
        place = claim.origin and claim.origin.entry.place
        rest = [
            each
            for each in claims
            if each.name == claim.name and (each.origin is None or each.origin.entry.place != place)
        ]
        if claim.origin is None or claim.fixed or any(each.specifier is None for each in rest):
            continue
        room = allowed(there[claim.name].found, *_all_of(claim.name, rest))
        if room and (rest or claim.by):
            edits += _edit(claim, claim.origin, room, there)
    return edits


def _edit(
    claim: Claim, origin: Origin, room: Sequence[str], there: Mapping[str, Versions]
) -> list[str]:
    """Return how the line that a demand comes from may be changed."""
    entry, place = origin.entry, origin.entry.place
    if not claim.by:
        span = room if len(room) <= _SHOWN else [room[0], "...", room[-1]]
        return [f"loosen {entry.text} ({place}): the others allow {', '.join(span)}"]
    name = entry.name or ""
    others = set(there[name].found) if name in there else set()
    if not entry.specifier or not others - set(entry.specifier.filter(others)):
        return []
    return [f"ask for another version of {name} than {entry.text} ({place})"]
