"""The commands behind the sessions `lock` and `lock-check`; nothing here knows of nox."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock._errors import (
    InterpreterMissingError,
    InterpretersMissingError,
    LocksError,
    NoxLockError,
)
from nox_lock._freshness import judge, judge_orphan
from nox_lock._options import parse_check_options, parse_lock_options
from nox_lock._plan import orphans_of
from nox_lock._report import (
    moves,
    orphan_lines,
    outcome_line,
    summary,
    verdict_lines,
    verdicts_json,
)
from nox_lock._targets import of_targets
from nox_lock._verdict import FRESH, INVALID, ORPHANED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nox_lock._config import Config
    from nox_lock._locking import Locker, Outcome
    from nox_lock._planned import Planned
    from nox_lock._resolution import Wishes

    # Plans the lock files of some locks, or of all.
    Plan = Callable[[Iterable[str]], tuple[Config, list[Planned]]]


@dataclass(frozen=True)
class Voice:
    """How a command speaks to people; threads that speak at once do so one after the other.

    Attributes:
        tell: says what is done.
        warn: says what somebody should change.
        lock_command: what a person runs to lock.
    """

    tell: Callable[[str], None]
    warn: Callable[[str], None]
    lock_command: str
    _turn: threading.RLock = field(default_factory=threading.RLock)

    def say(self, speak: Callable[[str], None], lines: Iterable[str]) -> None:
        """Say some lines by `tell` or `warn`, with nothing between them."""
        with self._turn:
            for line in lines:
                speak(line)


def run_lock(arguments: Sequence[str], session: str, plan: Plan, voice: Voice) -> None:
    """Bring the lock files up to date, as `arguments` of the session of that name ask.

    Raises:
        NoxLockError: when some could not be made.
        InterpretersMissingError: when all others were, and these lack their Python.
    """
    options = parse_lock_options(arguments, session)
    if options is None:
        return
    config, planned = plan(options.names)
    planned = of_targets(planned, options.pythons)
    if options.check:
        _judge_all(config, planned, voice, complete=not (options.names or options.pythons))
        return
    from nox_lock._locking import unknown_packages  # noqa: PLC0415  (a check must stay instant)
    from nox_lock._resolution import Wishes  # noqa: PLC0415

    wishes = Wishes(
        options.upgrade,
        options.upgrade_packages,
        options.use_cache,
        options.overwrite,
        options.together,
    )
    for note in (*config.notes, *unknown_packages(planned, options.upgrade_packages)):
        voice.warn(note)
    missing = _lock_all(planned, wishes, voice)
    if not (options.names or options.pythons):
        for path in orphans_of(config, planned, Path.cwd()):
            voice.say(voice.warn, orphan_lines(path, judge_orphan(path)))
    if missing:
        raise InterpretersMissingError(missing)


def run_check(arguments: Sequence[str], session: str, plan: Plan, voice: Voice) -> None:
    """Judge the lock files, as `arguments` of the session of that name ask.

    Raises:
        LocksError: when one of them is not fresh.
    """
    options = parse_check_options(arguments, session)
    if options is not None:
        config, planned = plan(options.names)
        json = options.format == "json"
        _judge_all(config, planned, voice, complete=not options.names, json=json)


def make_locker(wishes: Wishes, voice: Voice) -> Locker:
    """Return what makes the lock files of the project in the current folder."""
    from nox_lock._locking import Locker  # noqa: PLC0415  (only when something is not fresh)
    from nox_lock._resolution import Compiler  # noqa: PLC0415

    def tell(line: str) -> None:
        voice.say(voice.tell, [line])

    def warn(line: str) -> None:
        voice.say(voice.warn, [line])

    return Locker(Compiler(Path.cwd(), os.environ, wishes, tell=tell, warn=warn))


def _lock_all(planned: Sequence[Planned], wishes: Wishes, voice: Voice) -> list[str]:
    """Make lock files and tell of each as its stack is through; return the Pythons not here.

    Raises:
        NoxLockError: when one could not be made for another reason.
    """
    from nox_lock._stacks import lock_all  # noqa: PLC0415  (a check must stay instant)

    told: list[NoxLockError] = []

    def done(_: Planned, result: Outcome | NoxLockError) -> None:
        if not isinstance(result, NoxLockError):
            moved = moves(result) if wishes.together else ()
            voice.say(voice.tell, [outcome_line(result), *(f"    {line}" for line in moved)])
            voice.say(voice.warn, result.notes)
        elif len(planned) > 1 and all(result is not error for error in told):
            told.append(result)
            voice.say(voice.warn, str(result).splitlines())

    results = lock_all(make_locker(wishes, voice), planned, done)
    errors = {path: each for path, each in results.items() if isinstance(each, NoxLockError)}
    missing = [each for each in errors.values() if isinstance(each, InterpreterMissingError)]
    failed = [each.path for each in planned if errors.get(each.path) not in (None, *missing)]
    if failed and len(planned) == 1:
        raise errors[failed[0]]
    if failed:
        raise LocksError(f"not locked: {', '.join(failed)}")
    if missing and len(planned) == 1:
        voice.say(voice.warn, str(missing[0]).splitlines())
    return sorted({each.python for each in missing})


def _judge_all(
    config: Config,
    planned: Sequence[Planned],
    voice: Voice,
    *,
    complete: bool,
    json: bool = False,
) -> None:
    """Judge lock files and tell of each; of orphaned ones, too, where `planned` is `complete`."""
    judged = [(each, judge(each)) for each in planned]
    left = orphans_of(config, planned, Path.cwd()) if complete else []
    orphans = [(path, judge_orphan(path)) for path in left]
    words = [verdict.word for _, verdict in (*judged, *orphans)]
    if json:
        sys.stdout.write(verdicts_json(judged, orphans) + "\n")
        sys.stdout.flush()
    else:
        for each, verdict in judged:
            voice.say(voice.tell if verdict.fresh else voice.warn, verdict_lines(each, verdict))
        for path, verdict in orphans:
            voice.say(voice.warn, orphan_lines(path, verdict))
    wrong = {word for word in words if word != FRESH}
    if not wrong:
        return
    hint = f"Run: {voice.lock_command}" if wrong - {ORPHANED} else None
    if INVALID in wrong:
        hint = f"{hint} -- --overwrite  (or mend the lines named)"
    raise LocksError(f"lock files: {summary(words)}", hint=hint)
