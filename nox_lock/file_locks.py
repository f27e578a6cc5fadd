"""One process after the other, by file locks; where there are none, work may be done twice."""

from __future__ import annotations

import math
import os
import time
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from nox_lock.errors import ConfigError, InterruptedWorkError, NoxLockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

VARIABLE = "NOX_LOCK_TIMEOUT"
SECONDS = 600.0


@contextmanager
def exclusive(
    path: Path,
    timeout: float,
    log: Callable[[str], None],
    doing: str,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Be the only process that is `doing` something; `path` is the file lock for it.

    `timeout` is in seconds; `log` is called with a line on a wait. Ctrl-C reaches the main
    thread alone: another one waits no longer once `stopped`.

    Raises:
        NoxLockError: when another process has the lock for longer.
        InterruptedWorkError: when the wait was interrupted.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  (7 ms, only when there is work)

    # It goes on with a softer lock, and would say so with a path of this machine.
    warnings.filterwarnings("ignore", message="flock not supported")
    lock, note = FileLock(path), path.with_suffix(".holder")
    other = f"another process that {doing}"
    with suppress(OSError, NotImplementedError):  # a system without file locks
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log(f"waiting for {other}{_read(note)}")
            try:
                lock.acquire(timeout=timeout, cancel_check=stopped)
            except Timeout as error:
                if stopped():
                    raise InterruptedWorkError from error
                raise NoxLockError(
                    f"{other} did not end within {timeout:g} s{_read(note)}: "
                    f"it holds the file lock {'/'.join(path.parts[-3:])}",
                    hint=f"Wait for it or end it; {VARIABLE}=SECONDS waits longer.",
                ) from error
    try:
        with suppress(OSError):
            if lock.is_locked:
                since = time.strftime("%H:%M:%S")
                note.write_text(f"process {os.getpid()} since {since}", encoding="utf-8")
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):
                note.unlink(missing_ok=True)
        lock.release()


def _read(note: Path) -> str:
    """Return who has a file lock, for a message; nothing depends on it.

    The note is a file of its own, since Windows lets nobody else read a locked one.
    """
    with suppress(OSError, ValueError):
        if (text := note.read_text(encoding="utf-8")).isprintable() and text:
            return f" ({text[:80]})"
    return ""


def read_timeout(environ: Mapping[str, str]) -> float:
    """Return how many seconds to wait, as `NOX_LOCK_TIMEOUT` says.

    Raises:
        ConfigError: where it is no number of seconds.
    """
    text = environ.get(VARIABLE, "")
    try:
        seconds = float(text) if text else SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:  # a wait has an end
        raise ConfigError(f"{VARIABLE} is {text!r}", hint="Give a number of seconds.")
    return seconds
