"""What a person wants of a run that locks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from nox_lock.inputs.pep508 import name_of

if TYPE_CHECKING:
    from nox_lock.checking.verdict import Verdict
    from nox_lock.planning.lock_plan import LockPlan


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """The options of a run that locks, as the command line has them."""

    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    use_cache: bool = True
    overwrite: bool = False
    together: bool = False
    refresh: bool = False
    dry_run: bool = False

    @property
    def cacheable(self) -> bool:
        """Whether the answer may be another's: a limit of the command line is in no input."""
        return self.use_cache and not any(
            Requirement(package).specifier for package in self.upgrade_packages
        )

    def packages(self, planned: LockPlan) -> tuple[str, ...]:
        """Return those to upgrade; what a lock below pins is upgraded there, and here after it."""
        lower = {pin.name for low in planned.below for pin in low.pins}
        return tuple(each for each in self.upgrade_packages if name_of(each) not in lower)

    def upgrades(self, planned: LockPlan) -> bool:
        """Return whether pins of a lock are to be upgraded though its inputs allow them."""
        names = set(map(name_of, self.packages(planned)))
        return self.upgrade or any(
            pin.name in names for pin in (planned.origin.pins if planned.origin else ())
        )

    def may_answer_others(self, planned: LockPlan) -> bool:
        """Return whether what was compiled may be cached: not if some pins were upgraded."""
        return self.cacheable and (self.upgrade or not self.upgrades(planned))

    def are_met(self, planned: LockPlan, verdict: Verdict) -> bool:
        """Return whether there is nothing to do: a fresh lock file, as it was stamped.

        One without a stamp, or changed since (by a bot, or by hand), is compiled from its own
        pins: pip-tools confirms them, and only what it has confirmed is stamped.
        """
        return (
            verdict.fresh
            and planned.current is not None
            and planned.current.as_stamped
            and self.use_cache  # else for what only an index knows has changed
            and not self.upgrades(planned)
        )
