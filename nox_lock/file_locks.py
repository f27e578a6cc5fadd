"""File locks between processes; where a system has none, work may be done twice."""

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
    """Hold an exclusive file lock, so that no other process is `doing` the same.

    On a wait `log` is called with a line; it ends after `timeout` seconds, or once `stopped`,
    since Ctrl-C reaches the main thread alone.

    Raises:
        NoxLockError: when another process has the lock for longer.
        InterruptedWorkError: when the wait was interrupted.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  (7 ms, only when there is work)

    # filelock continues with a softer lock; the warning has a path of this machine.
    warnings.filterwarnings("ignore", message="flock not supported")
    lock, holder = FileLock(path), path.with_suffix(".holder")
    other = f"another process that {doing}"
    with suppress(OSError, NotImplementedError):  # a system without file locks
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log(f"waiting for {other}{_read(holder)}")
            try:
                lock.acquire(timeout=timeout, cancel_check=stopped)
            except Timeout as error:
                if stopped():
                    raise InterruptedWorkError from error
                raise NoxLockError(
                    f"{other} did not end within {timeout:g} s{_read(holder)}: "
                    f"it holds the file lock {'/'.join(path.parts[-3:])}",
                    hint=f"Wait for it or end it; {VARIABLE}=SECONDS waits longer.",
                ) from error
    try:
        if lock.is_locked:
            with suppress(OSError):
                text = f"process {os.getpid()} since {time.strftime('%H:%M:%S')}"
                holder.write_text(text, encoding="utf-8")
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):
                holder.unlink(missing_ok=True)
        lock.release()


def _read(holder: Path) -> str:
    """Return who holds a file lock, for a message: Windows lets nobody read the locked file."""
    with suppress(OSError, ValueError):
        if (text := holder.read_text(encoding="utf-8")).isprintable() and text:
            return f" ({text[:80]})"
    return ""


def read_timeout(environ: Mapping[str, str]) -> float:
    """Return how many seconds to wait, from `NOX_LOCK_TIMEOUT`.

    Raises:
        ConfigError: when it is no number of seconds.
    """
    text = environ.get(VARIABLE, "")
    try:
        seconds = float(text) if text else SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:  # a wait has an end
        raise ConfigError(f"{VARIABLE} is {text!r}", hint="Give a number of seconds.")
    return seconds
