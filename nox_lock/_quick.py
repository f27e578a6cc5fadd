"""A quick first resolution by uv, where it is there: pip-tools starts from it, and decides.

pip-compile takes the newest of everything, file by file, and downloads each file of each version
to hash it. Shown pins that hold, with their hashes, it has little left to do. What it then writes
is what it would have written by itself: where that is not certain, it resolves by itself, without
hashes, and uv only tells those.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nox_lock import _lockfile
from nox_lock._agreement import make_seed
from nox_lock._certainty import (
    by_project,
    fell_back,
    is_built,
    is_unread,
    limits,
    may_be_wrong,
    meets_inputs,
    newer_than,
    releases_alone,
    sure_of_hashes,
    versions_of,
)
from nox_lock._errors import CompileError
from nox_lock._target import holds
from nox_lock._uv import PATIENCE, Question, Uv, reads_alike

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from nox_lock._compile import Compiled, Order, PipTools
    from nox_lock._pins import Pin
    from nox_lock._uv import Answer

# Failures that may come of what a compile starts from.
_OF_A_SEED = ("conflict", "no version")


@dataclass(frozen=True, slots=True)
class Quick:
    """The resolver with a quick first resolution before it.

    Attributes:
        uv: the program.
        resolver: what confirms or corrects it.
    """

    uv: str
    resolver: PipTools

    def __call__(self, order: Order, workshop: Path) -> Compiled:
        """Compile in `workshop`, with the help of uv where it can be trusted.

        Raises:
            CompileError: saying which kind of failure it was.
        """
        own = {pin.name: pin for pin in _lockfile.parse(order.seed).pins}
        if not may_seed(order, own):
            return self.resolver(order, workshop)
        question, answer = self._ask(order, own, _folder(workshop, "quick"))
        if not (answer.pins or question.left_out or answer.late):
            return self.resolver(order, workshop)  # it is no matter of what has to be built
        seed = self._keep_own(answer.pins, own, order)
        compiled = self._confirm(
            order, seed, own, _folder(workshop, "confirmed"), left_out=bool(question.left_out)
        )
        if compiled and not (order.planned.below and fell_back(compiled, own, order)):
            releases = releases_alone(answer, compiled, seed, order)
            if self._is_certain(question, seed, own, compiled, releases, workshop):
                return compiled
        known = compiled.pins if compiled else ()
        return self._resolve_alone(order, own, known, workshop)

    def _resolve_alone(
        self, order: Order, own: Mapping[str | None, Pin], known: Sequence[Pin], workshop: Path
    ) -> Compiled:
        """Have pip-tools resolve without hashes, which costs few downloads, and add these.

        Of known pins they are known. What a lower layer held back only pip tells.
        """
        alone = self.resolver(_without_hashes(order), _folder(workshop, "alone"))
        pins = self._add_hashes(order, alone, own, known, _folder(workshop, "hashes"))
        body = _lockfile.parse(alone.body)
        if all(pin.hashes for pin in pins) and len(pins) == len(body.pins) and not body.unsafe:
            hashes = {pin.name or "": pin.hashes for pin in pins}
            return replace(alone, body=_lockfile.with_hashes(alone.body, hashes))
        compiled = self._confirm(order, pins, own, _folder(workshop, "hashed"))
        if compiled is None or versions_of(compiled.pins) != versions_of(alone.pins):
            return self.resolver(order, workshop)
        return replace(compiled, rejected=alone.rejected)

    def _confirm(
        self,
        order: Order,
        seed: Sequence[Pin],
        own: Mapping[str | None, Pin],
        folder: Path,
        *,
        left_out: bool = False,
    ) -> Compiled | None:
        """Compile from a seed; None if it is not exactly what pip-tools takes.

        If something was left out, it may take that besides, and all it needs, in the newest
        releases. Twice, if not all the hashes of the seed turn out to be sure.
        """
        settings = order.planned.settings
        unsafe = () if settings.allow_unsafe else settings.unsafe_packages or ()
        wanted = versions_of(pin for pin in seed if pin.name not in unsafe)
        for name in ("once", "twice") if seed else ():
            quick = replace(order, seed=make_seed(seed).text, upgrade_packages=(), offers=True)
            try:
                compiled = self.resolver(quick, _folder(folder, name))
            except CompileError as error:
                if error.kind not in _OF_A_SEED:
                    raise
                return None
            more = versions_of(compiled.pins) - wanted
            if (more and not left_out) or wanted - versions_of(compiled.pins):
                return None
            if fell_back(compiled, {pin.name: pin for pin in seed}, order):
                return None
            offers = by_project(compiled)
            sure = [
                pin if pin is own.get(pin.name) else sure_of_hashes(pin, offers[pin.name])
                for pin in seed
            ]
            if sure == seed:
                return compiled
            seed = sure
        return None

    def _is_certain(
        self,
        question: Question,
        seed: Sequence[Pin],
        own: Mapping[str | None, Pin],
        compiled: Compiled,
        releases: Collection[str],
        workshop: Path,
    ) -> bool:
        """Tell whether pip-tools would have found the same by itself.

        uv builds nothing, and passes without a word over what has to be. So it is shown the newer
        releases that have to be as if they were built, and asked what speaks against each pin's.
        """
        order = replace(question.order, refresh=False)
        offers = by_project(compiled)
        new = [pin for pin in seed if pin is not own.get(pin.name)]
        if not all(offers[pin.name] for pin in new):
            return False
        newer = {
            pin.name or "": newer_than(
                pin, offers[pin.name], order, releases_only=pin.name in releases
            )
            for pin in new
        }
        unbuilt = tuple(
            (name, version)
            for name, found in newer.items()
            for version in found
            if not is_built(version, offers[name])
        )
        folder = _folder(workshop, "certain")
        question = replace(question, order=order, stand_ins=unbuilt, offline=True)
        if unbuilt:
            again = self._keep_own(self._uv.find(question, folder).pins, own, order)
            if versions_of(again) != versions_of(seed):
                return False
        for pin in (pin for pin in new if newer[pin.name or ""]):
            there = offers[pin.name], newer[pin.name or ""]
            why_not = replace(question, limits=limits(pin, *there, seed, new))
            answer = self._uv.find(why_not, folder)
            if is_unread(answer):
                answer = self._uv.find(replace(why_not, offline=False), folder)
            if may_be_wrong(answer, seed):
                return False
        return True

    def _add_hashes(
        self,
        order: Order,
        alone: Compiled,
        own: Mapping[str | None, Pin],
        known: Sequence[Pin],
        folder: Path,
    ) -> list[Pin]:
        """Return the pins that pip-tools took, with the hashes that are sure.

        Those of before, of pins that are known, or that uv tells.
        """
        pins = [pin for pin in alone.pins if pin.version]
        offers = by_project(alone)
        asked = _asked(order)
        kept = {pin.shown: pin for pin in known}
        kept |= {pin.shown: pin for pin in own.values() if pin.name not in asked}
        new = [pin for pin in pins if pin.shown not in kept]
        told = self._uv.tell_hashes(order, new, folder) if new else []
        kept |= {pin.shown: sure_of_hashes(pin, offers[pin.name]) for pin in told}
        return [pin._replace(hashes=kept.get(pin.shown, pin).hashes) for pin in pins]

    def _ask(
        self, order: Order, own: Mapping[str | None, Pin], folder: Path
    ) -> tuple[Question, Answer]:
        """Return what uv was asked in the end, and what it finds.

        What has to be built is left to pip-tools, with what it alone depends on, while that is
        quickly told.
        """
        kept = [pin for pin in own.values() if meets_inputs(pin, order)]
        question = Question(order, tuple(make_seed(kept).text.split("\n")))
        until = time.monotonic() + PATIENCE
        answer = self._uv.find(question, folder)
        while answer.to_build - question.left_out:
            question = replace(question, left_out=question.left_out | answer.to_build)
            if (left := until - time.monotonic()) <= 0:
                break
            answer = self._uv.find(question, folder, left)
        return question, answer

    def _keep_own(
        self, found: Iterable[Pin], own: Mapping[str | None, Pin], order: Order
    ) -> list[Pin]:
        """Return what uv found, but the pins there were before where they may stay."""
        kept = {name: pin for name, pin in own.items() if meets_inputs(pin, order)}
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

    @property
    def _uv(self) -> Uv:
        return Uv(self.uv, self.resolver)


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
        if (
            counts
            and entry.name
            and not (entry.name in own and meets_inputs(own[entry.name], order))
        ):
            yield entry.name
