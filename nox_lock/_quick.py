"""A quick first resolution by uv, where it is there: pip-tools starts from it, and decides.

pip-compile takes the newest of everything, file by file, and downloads each file of each version
to hash it. Shown pins that hold, with their hashes, it has little left to do. What it then writes
is what it would have written by itself: where that is not certain, it resolves by itself, without
hashes, and uv only tells those.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from nox_lock import _lockfile
from nox_lock._agreement import make_seed
from nox_lock._errors import CompileError
from nox_lock._target import holds
from nox_lock._uv import Uv, reads_alike

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from nox_lock._compile import Compiled, Order, PipTools
    from nox_lock._link_log import Offer
    from nox_lock._pins import Pin

# Failures that may come of what a compile starts from.
_OF_A_SEED = ("conflict", "no version")


@dataclass(frozen=True, slots=True)
class Quick:
    """The resolver with a quick first resolution before it.

    Attributes:
        uv: the command that runs uv.
        resolver: what confirms or corrects it.
    """

    uv: Sequence[str]
    resolver: PipTools

    def __call__(self, order: Order, workshop: Path) -> Compiled:
        """Compile in `workshop`, with the help of uv where it can be trusted.

        Raises:
            CompileError: saying which kind of failure it was.
        """
        own = {pin.name: pin for pin in _lockfile.parse(order.seed).pins}
        if not may_seed(order, own):
            return self.resolver(order, workshop)
        seed = self._find_seed(order, own, _folder(workshop, "quick"))
        compiled = self._confirm(order, seed, own, _folder(workshop, "confirmed"))
        if compiled and self._passes_over(order, seed, own, compiled, _folder(workshop, "built")):
            compiled = None
        if compiled and not (order.planned.below and _fell_back(compiled, own, order)):
            return compiled
        # The pins cost few downloads, and only pip tells what a lower layer held back.
        alone = self.resolver(_without_hashes(order), _folder(workshop, "alone"))
        versions = _versions(alone.pins)
        if compiled is None or _versions(compiled.pins) != versions:
            seed = self._add_hashes(order, alone, own, _folder(workshop, "hashes"))
            compiled = self._confirm(order, seed, own, _folder(workshop, "hashed"))
        if compiled is None or _versions(compiled.pins) != versions:
            return self.resolver(order, workshop)
        return replace(compiled, rejected=alone.rejected)

    def _confirm(
        self, order: Order, seed: Sequence[Pin], own: Mapping[str | None, Pin], folder: Path
    ) -> Compiled | None:
        """Compile from a seed; None if it is not exactly what pip-tools takes.

        Twice, if not all the hashes of the seed turn out to be sure.
        """
        settings = order.planned.settings
        left_out = () if settings.allow_unsafe else settings.unsafe_packages or ()
        wanted = _versions(pin for pin in seed if pin.name not in left_out)
        for name in ("once", "twice") if seed else ():
            quick = replace(order, seed=make_seed(seed).text, upgrade_packages=(), offers=True)
            try:
                compiled = self.resolver(quick, _folder(folder, name))
            except CompileError as error:
                if error.kind not in _OF_A_SEED:
                    raise
                return None
            if _versions(compiled.pins) != wanted:
                return None
            offers = _by_project(compiled)
            sure = [
                pin if pin is own.get(pin.name) else _sure_of_hashes(pin, offers[pin.name])
                for pin in seed
            ]
            if sure == seed:
                return compiled
            seed = sure
        return None

    def _passes_over(
        self,
        order: Order,
        seed: Sequence[Pin],
        own: Mapping[str | None, Pin],
        compiled: Compiled,
        folder: Path,
    ) -> bool:
        """Tell whether uv passed over a version that pip may have to build, and would take.

        It would not if uv does not take it either where it is built and asks for nothing.
        """
        offers = _by_project(compiled)
        unbuilt = [
            (pin.name or "", version)
            for pin in seed
            if pin is not own.get(pin.name)
            for version in _to_build(pin, offers[pin.name])
        ]
        if not unbuilt:
            return False
        again = self._find_seed(replace(order, refresh=False), own, folder, unbuilt)
        return _versions(again) != _versions(seed)

    def _add_hashes(
        self, order: Order, alone: Compiled, own: Mapping[str | None, Pin], folder: Path
    ) -> list[Pin]:
        """Return the pins that pip-tools took, with hashes: those of before, or that uv tells."""
        pins = [pin for pin in alone.pins if pin.version]
        offers = _by_project(alone)
        built = [pin for pin in pins if _is_built(pin, offers[pin.name])]
        told = {
            pin.shown: pin for pin in Uv(self.uv, self.resolver).tell_hashes(order, built, folder)
        }
        asked = _asked(order)
        kept = {pin.shown: pin for pin in own.values() if pin.name not in asked}
        return [kept.get(pin.shown) or told.get(pin.shown, pin) for pin in pins]

    def _find_seed(
        self,
        order: Order,
        own: Mapping[str | None, Pin],
        folder: Path,
        stand_ins: Sequence[tuple[str, str]] = (),
    ) -> list[Pin]:
        """Return what uv finds, but the pins there were before where they may stay."""
        kept = {name: pin for name, pin in own.items() if _holds(pin, order)}
        lines = make_seed(kept.values()).text.split("\n")
        found = Uv(self.uv, self.resolver).find(order, lines, folder, stand_ins)
        # Of what is asked to move, the files are to be those of now, too.
        asked = _asked(order)
        return [
            kept[pin.name]
            if pin.name in kept
            and pin.name not in asked
            and (kept[pin.name].shown == pin.shown or not asked)
            else pin
            for pin in found
        ]


def _folder(workshop: Path, name: str) -> Path:
    folder = workshop / name
    folder.mkdir()
    return folder


def _asked(order: Order) -> set[str]:
    """Return the projects that are asked to move."""
    return {canonicalize_name(Requirement(each).name) for each in order.upgrade_packages}


def _without_hashes(order: Order) -> Order:
    """Return an order for the pins alone."""
    settings = order.planned.settings._replace(generate_hashes=False)
    pins = (pin._replace(hashes=()) for pin in _lockfile.parse(order.seed).pins)
    planned = order.planned._replace(settings=settings)
    return replace(order, planned=planned, seed=make_seed(pins).text, offers=True)


def _fell_back(compiled: Compiled, own: Mapping[str | None, Pin], order: Order) -> bool:
    """Tell whether something that was not pinned before has a newer release than it got."""
    newest: dict[str, list[Version]] = defaultdict(list)
    for offer in compiled.offers:
        with suppress(InvalidVersion):
            newest[offer.project] += [Version(offer.version)] if offer.fits else []
    for pin in compiled.pins:
        for version in newest[pin.name or ""] if pin.name not in own and pin.version else ():
            allowed = _holds(pin._replace(version=str(version)), order)
            if allowed and not version.is_prerelease and version > Version(pin.version or "0"):
                return True
    return False


def _versions(pins: Iterable[Pin]) -> set[tuple[str | None, str | None]]:
    return {(pin.name, pin.version) for pin in pins if pin.version}


def _by_project(compiled: Compiled) -> Mapping[str | None, Sequence[Offer]]:
    offers: dict[str | None, list[Offer]] = defaultdict(list)
    for offer in compiled.offers:
        offers[offer.project].append(offer)
    return offers


def may_seed(order: Order, own: Mapping[str | None, Pin]) -> bool:
    """Tell whether a quick resolution may come first, and saves anything.

    It saves the downloads that hashes take. Where each requirement has a pin that holds, and none
    is to move, pip-compile starts from these.
    """
    planned = order.planned
    if planned.lock.seed == "never" or not planned.settings.generate_hashes or order.held:
        return False
    options = planned.inputs.options
    if any(o.name == "--no-index" for o in options) and not any("://" in o.value for o in options):
        return False  # nothing is downloaded
    if not reads_alike(order):
        return False
    return bool(order.upgrade_packages) or any(_unmet(order, own))


def _unmet(order: Order, own: Mapping[str | None, Pin]) -> Iterator[str]:
    """Yield the projects that inputs ask for and no pin meets."""
    planned = order.planned
    for entry in planned.inputs.requirements:
        counts = holds(entry.marker, planned.target, planned.platform) is not False
        if counts and entry.name and not (entry.name in own and _holds(own[entry.name], order)):
            yield entry.name


def _holds(pin: Pin, order: Order) -> bool:
    """Tell whether a pin meets all that the inputs themselves ask of its project."""
    asked = (entry for entry in order.planned.inputs.entries if entry.name == pin.name)
    return bool(pin.version) and all(
        entry.specifier is None or entry.specifier.contains(pin.version or "", prereleases=True)
        for entry in asked
        if holds(entry.marker, order.planned.target, order.planned.platform) is not False
    )


def _is_built(pin: Pin, offers: Iterable[Offer]) -> bool:
    """Tell whether there is a wheel of a version, for this Python and platform."""
    return any(o.version == pin.version and o.fits and o.file.endswith(".whl") for o in offers)


def _to_build(pin: Pin, offers: Sequence[Offer]) -> list[str]:
    """Return the versions that have to be built and that pip would try before that of a pin."""
    versions = sorted({each.version for each in offers if each.fits})
    return [
        version
        for version in versions
        if _comes_before(version, pin.version or "")
        and not _is_built(pin._replace(version=version), offers)
    ]


def _sure_of_hashes(pin: Pin, offers: Iterable[Offer]) -> Pin:
    """Return a pin, without its hashes where they may not be those of all its files.

    uv knows the hashes that an index tells; of an index that tells none that of the file it
    fetched, and of a file on two indexes one.
    """
    files = [each for each in offers if each.version == pin.version]
    told = all(value.startswith("sha256:") for value in pin.hashes)
    sure = not pin.hashes or (told and len(files) == len(pin.hashes))
    return pin if sure else pin._replace(hashes=())


def _comes_before(version: str, other: str) -> bool:
    """Tell whether pip would try a version before another one."""
    try:
        first, second = Version(version), Version(other)
    except InvalidVersion:
        return False
    return first > second and (second.is_prerelease or not first.is_prerelease)
