"""One process after the other, by file locks; where there are none, work may be done twice."""

from __future__ import annotations

import math
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from nox_lock._errors import ConfigError, InterruptedWorkError, WaitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from filelock import BaseFileLock

VARIABLE = "NOX_LOCK_TIMEOUT"
SECONDS = 600.0
_PAUSE_SECONDS = 0.05


@contextmanager
def take_turn(
    path: Path,
    timeout: float,
    tell: Callable[[str], None],
    doing: str,
    interrupted: threading.Event | None = None,
) -> Iterator[None]:
    """Be the only process that is `doing` something; `path` is the file lock for it.

    `timeout` is in seconds; `tell` hears of a wait, which ends when `interrupted` is set.

    Raises:
        WaitError: when another process holds it for longer.
        InterruptedWorkError: when the wait was interrupted.
    """
    from filelock import FileLock  # noqa: PLC0415  (7 ms, only when there is work)

    lock = FileLock(path)
    wait = _Wait(path, timeout, tell, doing)
    held = _acquire(lock, wait, interrupted or threading.Event())
    # The lock file itself cannot tell who holds it: on Windows nobody else may read it.
    holder = path.with_suffix(".holder")
    if held:
        with suppress(OSError):
            holder.write_text(f"{os.getpid()} {int(time.time())}", encoding="ascii")
    try:
        yield
    finally:
        if held:
            with suppress(OSError):
                holder.unlink()
            lock.release()


class _Wait:
    """Waiting for a file lock: how long it may take, and what is said of it."""

    def __init__(self, path: Path, timeout: float, tell: Callable[[str], None], doing: str) -> None:
        self.path = path
        self.timeout = timeout
        self.tell = tell
        self.doing = doing
        self._began = time.monotonic()
        self._told = False

    def goes_on(self) -> None:
        """Tell of the wait, once; and end it when it took too long.

        Raises:
            WaitError: naming the file, who holds it, and the variable.
        """
        waited = time.monotonic() - self._began
        if waited >= self.timeout:
            raise WaitError(
                f"another process that {self.doing} did not end within {self.timeout:g} s "
                f"(it holds the file lock {self.path.parent.name}/{self.path.name}"
                f"{self._holder(', ')})",
                hint=f"Wait for it or end it; {VARIABLE}=SECONDS waits longer.",
            )
        # Who has just got the lock needs a moment to say so.
        if not self._told and waited >= _PAUSE_SECONDS:
            self._told = True
            holder = self._holder("")
            self.tell(
                f"waiting for another process that {self.doing}{f' ({holder})' if holder else ''}"
            )

    def _holder(self, before: str) -> str:
        """Return who holds the lock, where that is known."""
        try:
            text = self.path.with_suffix(".holder").read_text(encoding="ascii")
            process, since = (int(part) for part in text.split())
            clock = time.strftime("%H:%M:%S", time.localtime(since))
        except (OSError, ValueError, OverflowError):
            return ""
        return f"{before}process {process} since {clock}"


def _acquire(lock: BaseFileLock, wait: _Wait, interrupted: threading.Event) -> bool:
    """Take a file lock; False where the file system has none."""
    from filelock import Timeout  # noqa: PLC0415

    try:
        wait.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                wait.goes_on()
            else:
                return True
            if interrupted.wait(_PAUSE_SECONDS):
                raise InterruptedWorkError
    except (OSError, NotImplementedError):
        return False


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
    if not (seconds >= 0 and math.isfinite(seconds)):
        raise ConfigError(f"{VARIABLE} is {text!r}", hint="Give a number of seconds.")
    return seconds
