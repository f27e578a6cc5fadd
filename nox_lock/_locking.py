"""The work of `nox -s lock`: verdict -> cache -> compile -> validate -> write."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nox_lock import _lockfile
from nox_lock._cache import Cache, Entry, make_key, open_cache
from nox_lock._compile import Order, PipTools
from nox_lock._errors import CompileError, LockFileError, LocksError
from nox_lock._files import write_atomically
from nox_lock._freshness import MISSING, STALE, is_fresh, judge
from nox_lock._indexes import index_identity, read_index_settings
from nox_lock._report import outcome_line, verdict_lines
from nox_lock._tables import nearest
from nox_lock._target import holds, running_platform
from nox_lock._toolchain import find_toolchain, tool_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from nox_lock._compile import Resolver
    from nox_lock._indexes import IndexSettings
    from nox_lock._plan import Planned

UP_TO_DATE, RESTORED, COMPILED = "up to date", "restored", "compiled"
_DEADLINE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for on the command line of `lock`."""

    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    use_cache: bool = True
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done for one lock file.

    Attributes:
        planned: the lock file.
        action: `up to date`, `restored` or `compiled`.
        pins: how many pins it holds now.
        seconds: how long a compile took.
        day: when a restored lock was resolved (ISO 8601).
    """

    planned: Planned
    action: str
    pins: int
    seconds: float = 0.0
    day: str = ""


class Locker:
    """Makes lock files for one project; what several of them need is found once, when needed.

    `tell` hears of progress, `warn` of what a person should change; neither may raise.
    """

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        wishes: Wishes,
        *,
        tell: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self.root = root
        self.environ = environ
        self.wishes = wishes
        self.tell = tell
        self.warn = warn
        self._cache: Cache | None = None
        self._indexes: IndexSettings | None = None

    def lock(self, planned: Planned) -> Outcome:
        """Bring one lock file up to date.

        Raises:
            NoxLockError: saying why not; the lock file is then as it was.
        """
        if self._is_done(planned):
            return Outcome(planned, UP_TO_DATE, _pins(planned))
        refuse_foreign(planned, overwrite=self.wishes.overwrite)
        planned = replace(planned, platform=running_platform())  # what is made now is made here
        key = self._key(planned, _seed_pins(planned))
        with self._open().hold(key, lambda what: self.tell(f"{planned.path}: {what}")):
            # Whoever held it before us may have made this very lock.
            planned = replace(planned, existing=_lockfile.read(self.root, planned.path))
            if self._is_done(planned):
                return Outcome(planned, UP_TO_DATE, _pins(planned))
            entry = self._cached(planned)
            if entry is not None:
                return self._finish(planned, entry, RESTORED, 0.0)
            started = time.monotonic()
            body = self._compile(planned)
            entry = Entry(body, dt.datetime.now(dt.timezone.utc).date().isoformat())
            outcome = self._finish(planned, entry, COMPILED, time.monotonic() - started)
            self._remember(planned, entry)
            return outcome

    def relock(
        self, planned: Planned, on_stale: str, may_lock: Callable[[], bool], command: str
    ) -> Planned:
        """Lock anew for a session that cannot use its lock file, where that is allowed.

        `on_stale` is one of `_config.ON_STALE`; `may_lock` is asked only when it matters;
        `command` is what a person runs to lock.

        Raises:
            LocksError: where it is not, with the reasons and what to run.
        """
        in_ci = bool(self.environ.get("CI"))
        verdict = judge(planned)
        if (
            verdict.word in {STALE, MISSING}
            and (on_stale == "lock" or (on_stale == "auto" and not in_ci))
            and planned.platform == running_platform()
            and may_lock()
        ):
            for line in verdict_lines(planned, verdict):
                self.tell(line)
            outcome = self.lock(planned)
            self.tell(outcome_line(outcome))
            return outcome.planned
        raise LocksError("\n".join(verdict_lines(planned, verdict)), hint=f"Run: {command}")

    def _is_done(self, planned: Planned) -> bool:
        """Tell whether there is nothing to do: a fresh lock file, as it was stamped.

        One without a stamp, or changed since (a bot's, or a hand's), is compiled from its own
        pins: pip-tools confirms them, and only what it has confirmed is stamped.
        """
        lock = planned.existing
        if lock is None or lock.stamp is None or self._moves(planned):
            return False
        if lock.stamp.body != _lockfile.digest(lock.body) or not lock.recognised:
            return False
        return is_fresh(planned, by_content=False)

    def _moves(self, planned: Planned) -> bool:
        """Tell whether pins of this lock are to move though nothing asks them to."""
        names = {canonicalize_name(Requirement(each).name) for each in self.wishes.upgrade_packages}
        pins = planned.existing.pins if planned.existing else ()
        return self.wishes.upgrade or any(pin.name in names for pin in pins)

    def _open(self) -> Cache:
        if self._cache is None:
            self._cache = open_cache(self.environ, self.warn)
        return self._cache

    def _key(self, planned: Planned, pins: str) -> str:
        return make_key(
            "lock",
            planned.canonical(),
            str(running_platform()),
            *tool_versions(),
            index_identity(self.environ),
            pins,
        )

    def _cached(self, planned: Planned) -> Entry | None:
        """Return a cached lock that moves no pin of the old one unasked."""
        if self._moves(planned) or not self.wishes.use_cache:
            return None
        cache = self._open()
        pins = _seed_pins(planned)
        entry = cache.get(self._key(planned, pins))
        if entry is None and pins:
            entry = cache.get(self._key(planned, ""))
            if entry is not None and _moves_pins(planned, entry.body):
                return None
        if entry is None:
            return None
        made = replace(planned, existing=_lockfile.parse(self._render(planned, entry.body)))
        return entry if judge(made).fresh else None

    def _remember(self, planned: Planned, entry: Entry) -> None:
        """File a result; one that moved pins on demand is no answer for who keeps the old ones."""
        if self.wishes.use_cache:
            for pins in {"", "" if self._moves(planned) else _seed_pins(planned)}:
                self._open().put(self._key(planned, pins), entry)

    def _compile(self, planned: Planned) -> str:
        seed = ""
        if planned.existing and planned.existing.recognised:
            seed = planned.existing.body
        order = Order(planned, seed, self.wishes.upgrade, self.wishes.upgrade_packages)
        self.tell(f"{planned.path}: compiling for Python {planned.target}")
        with self._open().workshop() as workshop:
            try:
                return self._resolver(planned)(order, workshop)
            except CompileError as error:
                if error.kind != "tool":
                    raise
        # A pip that pip-tools does not work with: one of its own is made for it.
        with self._open().workshop() as workshop:
            return self._resolver(planned, private=True)(order, workshop)

    def _resolver(self, planned: Planned, *, private: bool = False) -> Resolver:
        indexes = self._read_indexes()
        cache = self._open()
        toolchain = find_toolchain(
            planned.target, cache, indexes, self.environ, self.tell, private=private
        )
        return PipTools(
            self.root, toolchain, self.environ, indexes, cache.downloads, _DEADLINE_SECONDS
        )

    def _read_indexes(self) -> IndexSettings:
        if self._indexes is None:
            self._indexes = read_index_settings(self.environ)
            for name in self._indexes.dropped:
                self.warn(
                    f"your pip configuration sets {name}, which would change the locks for "
                    "everybody: it is left out (say it in an input instead)"
                )
        return self._indexes

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

    def _finish(self, planned: Planned, entry: Entry, action: str, seconds: float) -> Outcome:
        """Validate and write a lock file."""
        text = self._render(planned, entry.body)
        made = replace(planned, existing=_lockfile.parse(text))
        verdict = judge(made)
        if not verdict.fresh:
            reasons = "\n".join(f"  {reason}" for reason in verdict.reasons)
            raise CompileError(
                f"pip-tools made a lock that is not what the inputs ask for:\n{reasons}",
                kind="other",
            )
        try:
            write_atomically(self.root / planned.path, text)
        except OSError as error:
            raise LockFileError(
                f"cannot be written: {error.strerror}; it is as it was", file=planned.path
            ) from error
        return Outcome(made, action, _pins(made), seconds, entry.day)


def unknown_packages(planned: Iterable[Planned], packages: Iterable[str]) -> list[str]:
    """Return a note on each project to upgrade that no lock pins."""
    pinned = {pin.name for each in planned if each.existing for pin in each.existing.pins}
    names = [canonicalize_name(Requirement(each).name) for each in packages]
    known = sorted(name for name in pinned if name)
    return [f"no lock pins {n!r}{nearest(n, known)}" for n in names if n not in pinned]


def refuse_foreign(planned: Planned, *, overwrite: bool) -> None:
    """Refuse to write over a file that is no lock file, or a broken one.

    Raises:
        LockFileError: naming the line that shows it, and the ways out.
    """
    lock = planned.existing
    if overwrite or lock is None or lock.recognised or lock.blank:
        return
    line = lock.problems[0].line if lock.problems else None
    why = lock.problems[0].message if lock.problems else "no header of pip-compile, no stamp"
    if lock.maker or lock.stamp:
        raise LockFileError(
            f"this lock file is broken, and is not overwritten: {why}",
            file=planned.path,
            line=line,
            hint="Mend it (of a conflict, keep either side), or make it anew: "
            "nox -s lock -- --overwrite",
        )
    raise LockFileError(
        f"this is no lock file, and is not overwritten: {why}",
        file=planned.path,
        line=line,
        hint="Is it yours? Give the lock another name: "
        f'[tool.nox-lock.locks.{planned.name}] lockfile = "...". '
        "Else: nox -s lock -- --overwrite",
    )


def _pins(planned: Planned) -> int:
    return len(planned.existing.pins) if planned.existing else 0


def _seed_pins(planned: Planned) -> str:
    """Return the old lock's pins and hashes: what a compile starts from, so a part of its key."""
    lock = planned.existing
    if lock is None or not lock.recognised:
        return ""
    return "\n".join(sorted(f"{pin.shown} {' '.join(sorted(pin.hashes))}" for pin in lock.pins))


def _moves_pins(planned: Planned, body: str) -> bool:
    """Tell whether `body` has another version of a project whose old pin the inputs still allow."""
    old = {pin.name: pin.version for pin in (planned.existing.pins if planned.existing else ())}
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
