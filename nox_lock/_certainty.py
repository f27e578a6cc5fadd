"""Whether what uv found, which builds nothing, is what pip finds, which builds what it has to."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from nox_lock._target import holds
from nox_lock._uv import TO_BUILD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nox_lock._compile import Compiled, Order
    from nox_lock._link_log import Offer
    from nox_lock._pins import Pin
    from nox_lock._uv import Answer

# What uv says where there is nothing; all else is a failure, which speaks against no release.
_NO_SOLUTION = "No solution found when resolving"
# What it says besides where it did not look at all that pip looks at.
_DOUBT = re.compile(r"wheel|build|metadata|offline|network|not found in", re.IGNORECASE)
_UNREAD = re.compile(r"network was disabled|needs to be downloaded", re.IGNORECASE)


def versions_of(pins: Iterable[Pin]) -> set[tuple[str | None, str | None]]:
    """Return projects and versions of pins, but of those that name a URL."""
    return {(pin.name, pin.version) for pin in pins if pin.version}


def by_project(compiled: Compiled) -> Mapping[str | None, Sequence[Offer]]:
    """Return the files that a compile was offered, by normalized name."""
    offers: dict[str | None, list[Offer]] = defaultdict(list)
    for offer in compiled.offers:
        offers[offer.project].append(offer)
    return offers


def meets_inputs(pin: Pin, order: Order) -> bool:
    """Tell whether a pin meets all that the inputs themselves ask of its project."""
    asked = (entry for entry in order.planned.inputs.entries if entry.name == pin.name)
    return bool(pin.version) and all(
        entry.specifier is None or entry.specifier.contains(pin.version or "", prereleases=True)
        for entry in asked
        if holds(entry.marker, order.planned.target, order.planned.platform) is not False
    )


def is_built(version: str, offers: Iterable[Offer]) -> bool:
    """Tell whether there is a wheel of a version, for this Python and platform."""
    return any(o.version == version and o.fits and o.file.endswith(".whl") for o in offers)


def releases_alone(
    answer: Answer, compiled: Compiled, seed: Sequence[Pin], order: Order
) -> frozenset[str]:
    """Return the projects that nothing asks for a pre-release of.

    Of what pip-tools took besides its seed, uv was not told what it asks for.
    """
    if any(option.name == "--pre" for option in order.planned.inputs.options):
        return frozenset()
    besides = {pin.name for pin in compiled.pins} - {pin.name for pin in seed}
    asked_besides = {
        pin.name for pin in compiled.pins if besides.intersection(map(canonicalize_name, pin.via))
    }
    return answer.releases - asked_besides


def newer_than(
    pin: Pin, offers: Iterable[Offer], order: Order, *, releases_only: bool = True
) -> list[str]:
    """Return the versions that pip would try before that of a pin, as far as the inputs tell.

    Pre-releases it tries where something asks for one, or there is no release.
    """
    return [
        version
        for version in sorted({each.version for each in offers if each.fits})
        if _is_newer(version, pin, releases_only=releases_only)
        and meets_inputs(pin._replace(version=version), order)
    ]


def limits(
    pin: Pin, offers: Iterable[Offer], newer: Sequence[str], seed: Sequence[Pin], new: Sequence[Pin]
) -> tuple[str, ...]:
    """Return the constraints under which a pin is newer, nothing new is older, the rest stays."""
    lines = (f"{each.name}{'>=' if each in new else '=='}{each.version}" for each in seed)
    out = {each.version for each in offers if _is_newer(each.version, pin, releases_only=False)}
    left_out = sorted(out.difference(newer) | {pin.version or ""})
    return (*lines, *(f"{pin.name}!={version}" for version in left_out))


def is_unread(answer: Answer) -> bool:
    """Tell whether uv had to say something offline that it could tell better."""
    return bool(_UNREAD.search(answer.said))


def may_be_wrong(answer: Answer, seed: Sequence[Pin]) -> bool:
    """Tell whether what speaks against a newer release, by uv, need not count for pip.

    Of the projects of the seed the newer versions that have to be built stood there as built, and
    the older ones are not asked for.
    """
    if _NO_SOLUTION not in answer.said or answer.to_build - {pin.name for pin in seed}:
        return True
    return bool(_DOUBT.search(TO_BUILD.sub("", answer.said)))


def fell_back(compiled: Compiled, own: Mapping[str | None, Pin], order: Order) -> bool:
    """Tell whether something that was not pinned before has a newer release than it got."""
    offers = by_project(compiled)
    return any(
        newer_than(pin, offers[pin.name], order)
        for pin in compiled.pins
        if pin.version and pin.name not in own
    )


def sure_of_hashes(pin: Pin, offers: Iterable[Offer]) -> Pin:
    """Return a pin, without its hashes where they may not be those of all its files.

    uv knows the hashes that an index tells; of an index that tells none that of the file it
    fetched, and of a file on two indexes one.
    """
    files = [each for each in offers if each.version == pin.version]
    told = all(value.startswith("sha256:") for value in pin.hashes)
    sure = not pin.hashes or (told and len(files) == len(pin.hashes))
    return pin if sure else pin._replace(hashes=())


def _is_newer(version: str, pin: Pin, *, releases_only: bool) -> bool:
    """Tell whether pip would try a version before that of a pin."""
    try:
        first, second = Version(version), Version(pin.version or "")
    except InvalidVersion:
        return False
    return first > second and not (
        releases_only and first.is_prerelease and not second.is_prerelease
    )
