"""A quick first resolution by uv, where it is there: pip-tools starts from it, and decides.

pip-compile takes the newest of everything, file by file, and downloads each file of each version
to hash it. Shown pins that hold, with their hashes, it has little left to do. What it then writes
is what it would have written by itself; where that is not certain, it is not shown any.
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
        """Compile in `workshop`, from what uv finds where it can be trusted to find the same.

        Raises:
            CompileError: saying which kind of failure it was.
        """
        own = {pin.name: pin for pin in _lockfile.parse(order.seed).pins}
        if not may_seed(order, own):
            return self.resolver(order, workshop)
        compiled = self._confirm(order, own, workshop)
        if compiled is None:
            return self.resolver(order, workshop)
        if not (order.planned.below and _fell_back(compiled, own, order)):
            return compiled
        # Only pip tells what it was that a lower layer held back; the pins cost no downloads.
        scout = self.resolver(_without_hashes(order), _folder(workshop, "scout"))
        if _versions(scout) != _versions(compiled):
            return self.resolver(order, workshop)
        return replace(compiled, rejected=scout.rejected)

    def _confirm(
        self, order: Order, own: Mapping[str | None, Pin], workshop: Path
    ) -> Compiled | None:
        """Compile from a seed, less what of it turns out not to be certain; None if it misleads."""
        seed = self._find_seed(order, own, _folder(workshop, "quick"))
        for name in ("quick-1", "quick-2") if seed else ():
            quick = replace(order, seed=make_seed(seed).text, upgrade_packages=(), offers=True)
            try:
                compiled = self.resolver(quick, _folder(workshop, name))
            except CompileError as error:
                if error.kind not in _OF_A_SEED:
                    raise
                return None
            certain = self._certain(order, seed, own, compiled, _folder(workshop, f"{name}-again"))
            if certain == seed:
                return compiled
            seed = certain
        return None

    def _certain(
        self,
        order: Order,
        seed: Sequence[Pin],
        own: Mapping[str | None, Pin],
        compiled: Compiled,
        folder: Path,
    ) -> list[Pin]:
        """Return what of a seed is what pip would have found by itself.

        uv passes over versions that have to be built. If it does not take them either where they
        are built and ask for nothing, they are none that pip would take.
        """
        new = _to_confirm(seed, own, compiled)
        offers: dict[str | None, list[Offer]] = defaultdict(list)
        for offer in compiled.offers:
            offers[offer.project].append(offer)
        passed_over = {pin.name: _passed_over(pin, offers[pin.name]) for pin in new}
        versions = [(name or "", each) for name, found in passed_over.items() for each in found]
        if versions:
            again = self._find_seed(replace(order, refresh=False), own, folder, versions)
            if {pin.shown for pin in again} == {pin.shown for pin in seed}:
                passed_over = {}
        sure = [pin for pin in seed if not passed_over.get(pin.name)]
        return [_sure_of_hashes(pin, offers[pin.name]) if pin in new else pin for pin in sure]

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
        asked = {canonicalize_name(Requirement(each).name) for each in order.upgrade_packages}
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


def _without_hashes(order: Order) -> Order:
    """Return an order for the pins alone."""
    settings = order.planned.settings._replace(generate_hashes=False)
    pins = (pin._replace(hashes=()) for pin in _lockfile.parse(order.seed).pins)
    bare = make_seed(pins).text
    planned = order.planned._replace(settings=settings)
    return replace(order, planned=planned, seed=bare, offers=False)


def _fell_back(compiled: Compiled, own: Mapping[str | None, Pin], order: Order) -> bool:
    """Tell whether something that was not pinned before has a newer release than it got."""
    newest: dict[str, list[Version]] = defaultdict(list)
    for offer in compiled.offers:
        with suppress(InvalidVersion):
            newest[offer.project] += [Version(offer.version)] if offer.fits else []
    for pin in _lockfile.parse(compiled.body).pins:
        for version in newest[pin.name or ""] if pin.name not in own and pin.version else ():
            allowed = _holds(pin._replace(version=str(version)), order)
            if allowed and not version.is_prerelease and version > Version(pin.version or "0"):
                return True
    return False


def _versions(compiled: Compiled) -> set[str]:
    return {pin.shown for pin in _lockfile.parse(compiled.body).pins}


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


def _to_confirm(
    seed: Sequence[Pin], own: Mapping[str | None, Pin], compiled: Compiled
) -> list[Pin]:
    """Return what of a seed is new, and was taken."""
    made = {pin.name: pin.version for pin in _lockfile.parse(compiled.body).pins}
    return [
        pin
        for pin in seed
        if pin is not own.get(pin.name or "") and made.get(pin.name) == pin.version
    ]


def _passed_over(pin: Pin, offers: Iterable[Offer]) -> list[str]:
    """Return the versions that have to be built and that pip would try before that of a pin."""
    there = [each for each in offers if each.fits]
    built = {each.version for each in there if each.file.endswith(".whl")}
    versions = sorted({each.version for each in there} - built)
    return [each for each in versions if _comes_before(each, pin.version or "")]


def _sure_of_hashes(pin: Pin, offers: Iterable[Offer]) -> Pin:
    """Return a pin, without its hashes where they may not be those of all its files.

    uv knows the hashes that an index tells; of an index that tells none that of the file it
    fetched, and of a file on two indexes one.
    """
    files = [each for each in offers if each.version == pin.version]
    told = all(value.startswith("sha256:") for value in pin.hashes)
    return pin if told and len(files) == len(pin.hashes) else pin._replace(hashes=())


def _comes_before(version: str, other: str) -> bool:
    """Tell whether pip would try a version before another one."""
    try:
        first, second = Version(version), Version(other)
    except InvalidVersion:
        return False
    return first > second and (second.is_prerelease or not first.is_prerelease)
