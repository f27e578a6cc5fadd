"""The work for one lock file: verdict -> cache -> compile -> validate."""

from __future__ import annotations

import datetime as dt
import functools
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from nox_lock.checking.content import find_unhonoured
from nox_lock.checking.judge import find_obstacles, find_undeclared, judge
from nox_lock.checking.verdict import Reason, cut
from nox_lock.compiling.cache import Entry, make_key
from nox_lock.compiling.interpreters import tool_versions
from nox_lock.console import RESOLVING, WAITING
from nox_lock.errors import CompileError, LockFileError, Place
from nox_lock.inputs.local_projects import is_project_file
from nox_lock.inputs.pep508 import meets, name_of
from nox_lock.inputs.syntax import MERGE
from nox_lock.lockfile import lock_file
from nox_lock.locking.agreement import Seed, find_seed, is_whole, make_seed
from nox_lock.locking.changes import find_held
from nox_lock.locking.resolution import with_body
from nox_lock.target import holds
from nox_lock.text import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from nox_lock.compiling.pip_tools import Compiled
    from nox_lock.lockfile.pins import Pin
    from nox_lock.locking.changes import Held
    from nox_lock.locking.resolution import Compiler
    from nox_lock.planning.planned import Planned

_SHOWN = 10  # lines of a file that is refused
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
    before: lock_file.LockFile | None = None
    held: tuple[Held, ...] = ()

    @property
    def pins(self) -> int:
        """How many pins it holds now."""
        return len(self.planned.pins)


class Locker:
    """Makes lock files for one project; several threads may use one locker."""

    def __init__(self, compiler: Compiler) -> None:
        self.compiler = compiler
        self.project = compiler.project
        self.options = compiler.options
        self.console = compiler.console

    def is_done(self, planned: Planned) -> bool:
        """Tell whether there is nothing to do: a fresh lock file, as it was stamped.

        One without a stamp, or changed since (a bot's, or a hand's), is compiled from its own
        pins: pip-tools confirms them, and only what it has confirmed is stamped.
        """
        lock = planned.existing
        if lock is None or lock.stamp is None or self.compiler.moves(planned):
            return False
        if not self.options.use_cache:
            return False  # what only an index knows has changed
        if not lock.as_stamped or not lock.recognised:
            return False
        return judge(planned).fresh

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
        refuse(planned, overwrite=self.options.overwrite)
        seed = self._seed(planned, together)
        with self.compiler.cache.hold(
            self._key(planned, seed), functools.partial(self._log_wait, planned)
        ):
            # Whoever held it before us may have made this very lock.
            self.project.forget(planned.path)
            now = lock_file.read(self.project, planned.path)
            there = planned._replace(existing=now)
            if together is None and self.is_done(there):
                return Outcome(there, UP_TO_DATE)
            planned = planned._replace(existing=now)
            seed = self._seed(planned, together)
            entry = self._cached(planned, seed)
            if entry is not None:
                made, text = self._validate(planned, entry.body)
                outcome = Outcome(made, RESTORED, text, day=entry.day, notes=entry.notes)
            else:
                outcome = self._compile(planned, seed, texts or {}, keep=together is None)
            return replace(outcome, before=before, notes=(*_find_lost(planned), *outcome.notes))

    def _compile(
        self, planned: Planned, seed: Seed, texts: Mapping[str, str], *, keep: bool
    ) -> Outcome:
        """Make a lock file that is not in the cache; where it is an answer to others, keep it."""
        self.console.update(planned.path, RESOLVING)
        if not self.console.has_board:
            self.console.log(f"{planned.path}: compiling for Python {planned.target}")
        started = time.monotonic()
        compiled = self.compiler.resolve(planned, seed, texts)
        made, text = self._validate(planned, compiled.body)
        day = dt.datetime.now(dt.timezone.utc).date().isoformat()
        if keep:
            self._remember(planned, seed, Entry(compiled.body, day, compiled.notes))
        seconds, held = time.monotonic() - started, self._held(made, compiled)
        return Outcome(made, COMPILED, text, seconds, notes=compiled.notes, held=held)

    def _log_wait(self, planned: Planned, what: str) -> None:
        self.console.update(planned.path, WAITING)
        self.console.log(f"{planned.path}: {what}")

    def _held(self, made: Planned, compiled: Compiled) -> tuple[Held, ...]:
        asked = {
            name_of(package): Requirement(package) for package in self.options.upgrade_packages
        }
        if not self.options.upgrade and not asked:
            return ()
        held = find_held(made, compiled.newest, asked)
        return tuple(each for each in held if self.options.upgrade or each.name in asked)

    def _seed(self, planned: Planned, together: Sequence[Pin] | None) -> Seed:
        if together is None:
            return find_seed(planned, fresh_start=self.options.upgrade)
        own = {pin.shown: pin for pin in find_seed(planned).pins}
        return make_seed(own.get(pin.shown, pin) for pin in together)

    def _key(self, planned: Planned, seed: Seed | None) -> str:
        return make_key(
            "lock 2",  # the first ones answered also those who did not start from the same pins
            planned.canonical(),
            str(planned.platform),
            self.compiler.interpreter(planned.target, planned.named_platform).builder,
            *tool_versions(),
            self.compiler.read_indexes().identity,
            seed.key if seed else "",
        )

    def _cached(self, planned: Planned, seed: Seed) -> Entry | None:
        """Return a cached lock that moves no pin of the seed unasked."""
        if self.compiler.moves(planned) or not self.options.cacheable:
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
        lock = lock_file.parse(self._render(made, entry.body))
        is_whole = lock.as_stamped and not lock.problems
        return entry if is_whole and judge(made._replace(existing=lock)).fresh else None

    def _remember(self, planned: Planned, seed: Seed, entry: Entry) -> None:
        """File a result under the pins that it was made from, and no others.

        One that moved some of them on demand is no answer for who keeps them.
        """
        if self.options.cacheable and (self.options.upgrade or not self.compiler.moves(planned)):
            self.compiler.cache.put(self._key(planned, seed), entry)

    def _render(self, planned: Planned, body: str) -> str:
        stamp = lock_file.Stamp(
            inputs=planned.digest(),
            hidden=frozenset(planned.hidden()),
            body=lock_file.digest(body),
            platform=str(planned.platform),
        )
        text = lock_file.render(
            body,
            python=planned.target.version,
            command=planned.command,
            stamp=stamp,
            options=tuple(planned.options),
        )
        crlf = planned.existing is not None and planned.existing.crlf
        return text.replace("\n", "\r\n") if crlf else text

    def _validate(self, planned: Planned, body: str) -> tuple[Planned, str]:
        """Return the lock file as it will be, and its text."""
        text = self._render(planned, body)
        made = planned._replace(existing=lock_file.parse(text))
        for pin in made.pins:
            if any(_is_project_of(pin, file, self.project.root) for file in planned.inputs.sources):
                raise CompileError(
                    f"an extra asks for the project itself, which would be pinned as {pin.shown}",
                    Place(next(each.place.file for each in planned.inputs.dynamic)),
                    "Name the extras that it means: extras = [...].",
                    kind="other",
                )
        verdict = judge(made)
        if not verdict.fresh:
            reasons = "\n".join(f"  {reason}" for reason in verdict.reasons)
            raise CompileError(
                f"pip-tools made a lock that is not what the inputs ask for:\n{reasons}",
                kind="other",
            )
        return made, text


def _find_lost(planned: Planned) -> tuple[str, ...]:
    """Return what an old lock file says that its new text does not, a line each."""
    lock = planned.existing
    if lock is None:
        return ()
    left_out = [Reason(each.message, planned.at(each.line)) for each in lock.problems]
    left_out += (
        Reason(f"{pin.shown} cannot be read", planned.at(pin.line))
        for pin in lock.pins
        if not is_whole(pin)
    )
    if lock.stamp is None:
        left_out += find_undeclared(planned, lock)
    lost = (f"left out: {each}" for each in cut(left_out))
    return (*lost, *map(str, find_unhonoured(planned, lock)))


def refuse(planned: Planned, *, overwrite: bool) -> None:
    """Refuse to write a lock file over something else.

    Raises:
        LockFileError: saying what, and the ways out.
    """
    obstacles = [] if overwrite else find_obstacles(planned)
    if obstacles:
        raise _not_overwritten(planned, obstacles)


def _not_overwritten(planned: Planned, obstacles: Sequence[Reason]) -> LockFileError:
    first = obstacles[0]
    if first.message == MERGE:
        hint = f"Keep one side: git checkout --ours {planned.path}. Or keep the pins of both "
        hint += "that fit: nox -s lock -- --overwrite"
        return LockFileError(MERGE, first.place, hint)
    lines = [f"  {each}" for each in cut(obstacles[:_SHOWN])]
    if len(obstacles) > _SHOWN:
        lines.append(f"  ... and {len(obstacles) - _SHOWN} more")
    return LockFileError(
        "\n".join(["this is no lock file of these inputs, and is not overwritten:", *lines]),
        first.place,
        "Is it yours? Give the lock another name: "
        f'[tool.nox-lock.locks.{planned.name}] lockfile = "...". '
        "Else: nox -s lock -- --overwrite keeps its pins, as far as they are needed",
    )


def unknown_packages(planned: Iterable[Planned], packages: Iterable[str]) -> list[str]:
    """Return a note on each project to upgrade that no lock pins."""
    pinned = {pin.name for each in planned if each.origin for pin in each.origin.pins}
    names = [name_of(each) for each in packages]
    known = sorted(name for name in pinned if name)
    return [f"no lock pins {n!r}{nearest(n, known)}" for n in names if n not in pinned]


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
        and not meets(entry.specifier, version)
    }
    return any(
        pin.name not in refused and old.get(pin.name, pin.version) != pin.version
        for pin in lock_file.parse(body).pins
    )
