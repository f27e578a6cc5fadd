"""The hashes of a lock file: told by uv where they are sure, else computed by pip-tools.

pip-compile downloads each file of each version it pins, to hash it: most of its time, and nearly
all of its bytes. So it is told to resolve without hashes, and uv asks the indexes for those of
what it took, and these are written below the pins as pip-compile writes them. What is pinned is up
to pip-tools alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, canonicalize_version

from nox_lock import _lockfile
from nox_lock._agreement import make_seed
from nox_lock._target import holds
from nox_lock._uv import Uv

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from nox_lock._compile import Compiled, Order, PipTools
    from nox_lock._link_log import Offer
    from nox_lock._pins import Pin


@dataclass(frozen=True, slots=True)
class QuickHashing:
    """The resolver, with the hashes that uv tells.

    Attributes:
        uv: the program.
        resolver: pip-tools.
    """

    uv: str
    resolver: PipTools

    def __call__(self, order: Order, workshop: Path) -> Compiled:
        """Compile in `workshop`.

        Raises:
            CompileError: saying which kind of failure it was.
        """
        own = {pin.name: pin for pin in _lockfile.parse(order.seed).pins}
        if not is_worth_it(order, own):
            return self.resolver(order, workshop)
        compiled = self.resolver(_without_hashes(order), _folder(workshop, "pins"))
        asked = {canonicalize_name(Requirement(each).name) for each in order.upgrade_packages}
        # Of what is asked to move, the files are to be those of now, too.
        kept = [pin for pin in own.values() if pin.hashes and pin.name not in asked]
        pins = self._add_hashes(order, compiled, kept, _folder(workshop, "told"))
        lock = _lockfile.parse(compiled.body)
        if len(pins) == len(lock.pins) and all(pin.hashes for pin in pins) and not lock.unsafe:
            hashes = {pin.name or "": pin.hashes for pin in pins}
            return replace(compiled, body=_lockfile.with_hashes(compiled.body, hashes))
        return self._compute(order, compiled, pins, workshop)

    def _add_hashes(
        self, order: Order, compiled: Compiled, kept: Iterable[Pin], folder: Path
    ) -> list[Pin]:
        """Return the pins of a compile, with the hashes that are sure: of kept pins, or by uv."""
        known = {pin.shown: pin for pin in kept}
        pins = [pin for pin in compiled.pins if pin.version]
        new = [pin for pin in pins if pin.shown not in known]
        told = Uv(self.uv, self.resolver).tell_hashes(order, new, folder) if new else []
        offers: dict[str | None, list[Offer]] = defaultdict(list)
        for offer in compiled.offers:
            offers[offer.project].append(offer)
        known |= {pin.shown: pin for pin in told if is_sure(pin, offers[pin.name])}
        return [
            pin._replace(hashes=known[pin.shown].hashes if pin.shown in known else ())
            for pin in pins
        ]

    def _compute(
        self, order: Order, compiled: Compiled, pins: Iterable[Pin], workshop: Path
    ) -> Compiled:
        """Have pip-tools compute the hashes that pins lack."""
        seeded = replace(order, seed=make_seed(pins).text, upgrade_packages=())
        hashed = self.resolver(seeded, _folder(workshop, "hashes"))
        if _versions(hashed.pins) != _versions(compiled.pins):
            return self.resolver(order, workshop)
        return replace(hashed, rejected=compiled.rejected, offers=compiled.offers)


def _folder(workshop: Path, name: str) -> Path:
    folder = workshop / name
    folder.mkdir()
    return folder


def _versions(pins: Iterable[Pin]) -> set[tuple[str | None, str | None]]:
    return {(pin.name, pin.version) for pin in pins}


def _without_hashes(order: Order) -> Order:
    """Return an order for the pins alone."""
    settings = order.planned.settings._replace(generate_hashes=False)
    pins = (pin._replace(hashes=()) for pin in _lockfile.parse(order.seed).pins)
    planned = order.planned._replace(settings=settings)
    return replace(order, planned=planned, seed=make_seed(pins).text, offers=True)


def is_sure(pin: Pin, offers: Iterable[Offer]) -> bool:
    """Tell whether the hashes that uv tells are those of all files of a pin.

    uv knows the hashes that an index tells; of an index that tells none none, and of a file on two
    indexes one.
    """
    offers = list(offers)
    version = canonicalize_version(pin.version or "")
    spellings = {each.version for each in offers}
    spellings = {each for each in spellings if canonicalize_version(each) == version}
    files = [each for each in offers if each.version in spellings]
    told = all(value.startswith("sha256:") for value in pin.hashes)
    return told and len(files) == len(pin.hashes)


def is_worth_it(order: Order, own: Mapping[str | None, Pin]) -> bool:
    """Tell whether there are hashes that uv may tell, and that would cost something.

    Where each requirement has a pin that holds, and none is to move, pip-compile starts from these.
    Those of a URL or a folder only pip-tools computes.
    """
    planned = order.planned
    if planned.lock.seed == "never" or not planned.settings.generate_hashes:
        return False
    inputs = planned.inputs
    local = any(o.name == "--no-index" for o in inputs.options) and not any(
        "://" in o.value for o in inputs.options
    )
    # What a file at a URL says of indexes is not known here.
    if local or inputs.remote or any(entry.editable or entry.url for entry in inputs.entries):
        return False
    moves = bool(order.upgrade_packages or inputs.dynamic) or any(_unmet(order, own))
    return moves or not all(pin.hashes for pin in own.values())


def _unmet(order: Order, own: Mapping[str | None, Pin]) -> Iterator[str]:
    """Yield the projects that inputs ask for and no pin meets."""
    planned = order.planned
    for entry in planned.inputs.requirements:
        counts = holds(entry.marker, planned.target, planned.platform) is not False
        if (
            counts
            and entry.name
            and not (entry.name in own and _meets_inputs(own[entry.name], order))
        ):
            yield entry.name


def _meets_inputs(pin: Pin, order: Order) -> bool:
    """Tell whether a pin meets all that the inputs themselves ask of its project."""
    asked = (entry for entry in order.planned.inputs.entries if entry.name == pin.name)
    return bool(pin.version) and all(
        entry.specifier is None or entry.specifier.contains(pin.version or "", prereleases=True)
        for entry in asked
        if holds(entry.marker, order.planned.target, order.planned.platform) is not False
    )
