"""The work for one lock file: verdict -> cache -> compile -> validate."""

from __future__ import annotations

import datetime as dt
import functools
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nox_lock import _lockfile
from nox_lock._agreement import Seed, find_seed, make_seed
from nox_lock._cache import Entry, make_key
from nox_lock._changes import find_held
from nox_lock._errors import CompileError
from nox_lock._freshness import judge
from nox_lock._indexes import index_identity
from nox_lock._planned import platform_of
from nox_lock._progress import RESOLVING, WAITING_FOR_ANOTHER
from nox_lock._projects import is_project_file
from nox_lock._refusals import refuse
from nox_lock._resolution import with_body
from nox_lock._target import holds, running_platform
from nox_lock.compiling.interpreters import tool_versions
from nox_lock.text import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from nox_lock._changes import Held
    from nox_lock._pins import Pin
    from nox_lock._planned import Planned
    from nox_lock._resolution import Compiler
    from nox_lock.compiling.pip_tools import Compiled

UP_TO_DATE, RESTORED, COMPILED = "up to date", "restored", "compiled"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done for one lock file.

    Attributes:
        planned: the lock file, with what it is now as its `existing`.
        action: `up to date`, `restored` or `compiled`.
        text: its new text, to be written; None where it stays.
        seconds: how long a compile took.
        day: when a restored lock was resolved (ISO 8601).
        notes: what a person should know of it.
        held: of those that were to move, which could not.
        before: the lock file as it was, or None.
    """

    planned: Planned
    action: str
    text: str | None = None
    seconds: float = 0.0
    day: str = ""
    notes: tuple[str, ...] = ()
    before: _lockfile.LockFile | None = None
    held: tuple[Held, ...] = ()

    @property
    def pins(self) -> int:
        """How many pins it holds now."""
        return len(self.planned.existing.pins) if self.planned.existing else 0


class Locker:
    """Makes lock files for one project; several threads may use one locker."""

    def __init__(self, compiler: Compiler) -> None:
        self.compiler = compiler
        self.root = compiler.root
        self.environ = compiler.environ
        self.wishes = compiler.wishes
        self.tell = compiler.tell

    def is_done(self, planned: Planned) -> bool:
        """Tell whether there is nothing to do: a fresh lock file, as it was stamped.

        One without a stamp, or changed since (a bot's, or a hand's), is compiled from its own
        pins: pip-tools confirms them, and only what it has confirmed is stamped.
        """
        lock = planned.existing
        if lock is None or lock.stamp is None or self.compiler.moves(planned):
            return False
        if not self.wishes.use_cache:
            return False  # what only an index knows has changed
        if not lock.as_stamped or not lock.recognised:
            return False
        return planned.matches_stamp() or judge(planned).fresh

    def make(
        self,
        planned: Planned,
        texts: Mapping[str, str] | None = None,
        together: Sequence[Pin] | None = None,
    ) -> Outcome:
        """Make one lock file, but do not write it.

        `texts` are lock files below that are made and not written yet, by path; `together` are
        pins that its whole stack was resolved to.

        Raises:
            NoxLockError: saying why it cannot be made.
        """
        before = planned.existing
        if together is None and self.is_done(planned):
            return Outcome(planned, UP_TO_DATE)
        refuse(planned, self.root, overwrite=self.wishes.overwrite)
        # What is made now is for the named platform, or for this one.
        planned = planned._replace(platform=planned.named_platform or running_platform())
        seed = self._seed(planned, together)
        with self.compiler.cache.hold(
            self._key(planned, seed), functools.partial(self._tell_of_wait, planned)
        ):
            # Whoever held it before us may have made this very lock.
            now = _lockfile.read(self.root, planned.path)
            there = planned._replace(existing=now, platform=platform_of(now, planned.system))
            if together is None and self.is_done(there):
                return Outcome(there, UP_TO_DATE)
            planned = planned._replace(existing=now)
            seed = self._seed(planned, together)
            entry = self._cached(planned, seed)
            if entry is not None:
                made, text = self._validate(planned, entry.body)
                notes = entry.notes
                return Outcome(made, RESTORED, text, day=entry.day, notes=notes, before=before)
            outcome = self._compile(planned, seed, texts or {}, keep=together is None)
            return replace(outcome, before=before)

    def _compile(
        self, planned: Planned, seed: Seed, texts: Mapping[str, str], *, keep: bool
    ) -> Outcome:
        """Make a lock file that is not in the cache; where it is an answer to others, keep it."""
        self.compiler.progress.note(planned.path, RESOLVING)
        if not self.compiler.progress.live:
            self.tell(f"{planned.path}: compiling for Python {planned.target}")
        started = time.monotonic()
        compiled = self.compiler.resolve(planned, seed, texts)
        made, text = self._validate(planned, compiled.body)
        day = dt.datetime.now(dt.timezone.utc).date().isoformat()
        if keep:
            self._remember(planned, seed, Entry(compiled.body, day, compiled.notes))
        seconds, held = time.monotonic() - started, self._held(made, compiled)
        return Outcome(made, COMPILED, text, seconds, notes=compiled.notes, held=held)

    def _tell_of_wait(self, planned: Planned, what: str) -> None:
        self.compiler.progress.note(planned.path, WAITING_FOR_ANOTHER)
        self.tell(f"{planned.path}: {what}")

    def _held(self, made: Planned, compiled: Compiled) -> tuple[Held, ...]:
        asked = {_name(package): Requirement(package) for package in self.wishes.upgrade_packages}
        if not self.wishes.upgrade and not asked:
            return ()
        held = find_held(made, compiled.newest, asked)
        return tuple(each for each in held if self.wishes.upgrade or each.name in asked)

    def _seed(self, planned: Planned, together: Sequence[Pin] | None) -> Seed:
        if together is None:
            return find_seed(planned, fresh_start=self.wishes.upgrade)
        own = {pin.shown: pin for pin in find_seed(planned).pins}
        return make_seed(own.get(pin.shown, pin) for pin in together)

    def _key(self, planned: Planned, seed: Seed | None) -> str:
        return make_key(
            "lock 2",  # the first ones answered also those who did not start from the same pins
            planned.canonical(),
            str(planned.platform),
            self.compiler.interpreter(planned).builder,
            *tool_versions(),
            index_identity(self.environ),
            seed.key if seed else "",
        )

    def _cached(self, planned: Planned, seed: Seed) -> Entry | None:
        """Return a cached lock that moves no pin of the seed unasked."""
        if self.compiler.moves(planned) or not self.wishes.cacheable:
            return None
        cache = self.compiler.cache
        entry = cache.get(self._key(planned, seed))
        if entry is None and seed.pins:
            entry = cache.get(self._key(planned, None))
            if entry is not None and _moves_pins(planned, seed, entry.body):
                return None
        if entry is None:
            return None
        made = with_body(planned, entry.body)
        lock = _lockfile.parse(self._render(made, entry.body))
        is_whole = lock.as_stamped and not lock.problems
        return entry if is_whole and judge(made._replace(existing=lock)).fresh else None

    def _remember(self, planned: Planned, seed: Seed, entry: Entry) -> None:
        """File a result under the pins that it was made from, and no others.

        One that moved some of them on demand is no answer for who keeps them.
        """
        if self.wishes.cacheable and (self.wishes.upgrade or not self.compiler.moves(planned)):
            self.compiler.cache.put(self._key(planned, seed), entry)

    def _render(self, planned: Planned, body: str) -> str:
        stamp = _lockfile.Stamp(
            inputs=planned.digest(),
            hidden=frozenset(planned.hidden()),
            body=_lockfile.digest(body),
            platform=str(planned.platform),
        )
        return _lockfile.render(
            body,
            python=planned.target.version,
            command=planned.command,
            stamp=stamp,
            options=tuple(planned.options),
        )

    def _validate(self, planned: Planned, body: str) -> tuple[Planned, str]:
        """Return the lock file as it will be, and its text."""
        text = self._render(planned, body)
        made = planned._replace(existing=_lockfile.parse(text))
        for pin in made.existing.pins if made.existing else ():
            if any(_is_project_of(pin, file, self.root) for file in planned.inputs.sources):
                raise CompileError(
                    f"an extra asks for the project itself, which would be pinned as {pin.shown}",
                    kind="other",
                    file=next(each.where.file for each in planned.inputs.dynamic),
                    hint="Name the extras that it means: extras = [...].",
                )
        verdict = judge(made)
        if not verdict.fresh:
            reasons = "\n".join(f"  {reason}" for reason in verdict.reasons)
            raise CompileError(
                f"pip-tools made a lock that is not what the inputs ask for:\n{reasons}",
                kind="other",
            )
        return made, text


def unknown_packages(planned: Iterable[Planned], packages: Iterable[str]) -> list[str]:
    """Return a note on each project to upgrade that no lock pins."""
    pinned = {pin.name for each in planned if each.origin for pin in each.origin.pins}
    names = [_name(each) for each in packages]
    known = sorted(name for name in pinned if name)
    return [f"no lock pins {n!r}{nearest(n, known)}" for n in names if n not in pinned]


def _name(package: str) -> str:
    return canonicalize_name(Requirement(package).name)


def _is_project_of(pin: Pin, file: str, root: Path) -> bool:
    """Tell whether a pin is the very project whose file is an input."""
    if not is_project_file(file) or pin.url is None or "file:" not in pin.url:
        return False
    return (root / pin.url.partition("file:")[2]).resolve() == (root / file).parent.resolve()


def _moves_pins(planned: Planned, seed: Seed, body: str) -> bool:
    """Tell whether `body` has another version of a seeded project that the inputs still allow."""
    old = {pin.name: pin.version for pin in seed.pins}
    refused = {
        entry.name
        for entry in planned.inputs.entries
        if entry.specifier is not None
        and holds(entry.marker, planned.target, planned.platform) is not False
        and (version := old.get(entry.name))
        and not entry.specifier.contains(version, prereleases=True)
    }
    return any(
        pin.name not in refused and old.get(pin.name, pin.version) != pin.version
        for pin in _lockfile.parse(body).pins
    )
