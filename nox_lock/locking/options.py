"""The options of a run that locks: what they upgrade, and whether they leave anything to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nox_lock.checking.verdict import Verdict
from nox_lock.inputs.syntax import name_of
from nox_lock.planning.lock_plan import AnyPlan, LockPlan, PylockPlan


class CompileOptions(NamedTuple):
    """The options of a run that locks, as the command line has them."""

    upgrade: bool = False
    upgrade_package: Sequence[str] = ()
    no_cache: bool = False
    overwrite: bool = False
    together: bool = False
    dry_run: bool = False

    def packages(self, planned: LockPlan) -> tuple[str, ...]:
        """Return those to upgrade; what a lock below pins is upgraded there, and here after it."""
        lower = {pin.name for low in planned.below for pin in low.pins}
        return tuple(each for each in self.upgrade_package if name_of(each) not in lower)

    def upgrades(self, planned: LockPlan) -> bool:
        """Return whether pins of a lock are to be upgraded though its inputs allow them."""
        names = set(map(name_of, self.packages(planned)))
        lock = planned.current or planned.earlier
        return self.upgrade or (lock is not None and any(pin.name in names for pin in lock.pins))

    def are_met(self, planned: AnyPlan, verdict: Verdict) -> bool:
        """Return whether there is nothing to do: a fresh lock file, as it was stamped."""
        if self.no_cache or not verdict.fresh:  # that is for what only an index knows has changed
            return False
        if isinstance(planned, PylockPlan):
            return True
        # Any other is compiled from its own pins: only what pip-tools has confirmed is stamped.
        lock = planned.current
        return lock is not None and lock.as_stamped and not self.upgrades(planned)
