"""One process after the other, by file locks; where there are none, work may be done twice."""

from __future__ import annotations

import math
import os
import platform
import sys
import time
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from nox_lock._errors import ConfigError, InterruptedWorkError, WaitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from filelock import BaseFileLock

VARIABLE = "NOX_LOCK_TIMEOUT"
SECONDS = 600.0
_NOTE = ".holder"
_SLICE_SECONDS = 0.5


class Holder(NamedTuple):
    """Who holds a file lock, as noted beside it: to be told, nothing depends on it.

    The note is a file of its own, since Windows lets nobody else read a locked one. What a killed
    process leaves is written over by the next that holds the lock.

    Attributes:
        pid: the process.
        machine: the one it runs on; a folder may be shared by several.
        since: when it took the lock, in seconds since the epoch.
    """

    pid: int
    machine: str
    since: float

    def __str__(self) -> str:
        there = "" if self.machine == platform.node() else f" on {self.machine}"
        since = time.strftime("%H:%M:%S", time.localtime(self.since))
        return f"process {self.pid}{there} since {since}"


@contextmanager
def take_turn(
    path: Path,
    timeout: float,
    tell: Callable[[str], None],
    doing: str,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Be the only process that is `doing` something; `path` is the file lock for it.

    `timeout` is in seconds; `tell` hears of a wait. Ctrl-C reaches the main thread alone: another
    one waits no longer once `stopped`.

    Raises:
        WaitError: when another process holds it for longer.
        InterruptedWorkError: when the wait was interrupted.
    """
    from filelock import FileLock  # noqa: PLC0415  (7 ms, only when there is work)

    # It goes on with a softer lock, and would say so with a path of this machine.
    warnings.filterwarnings("ignore", message="flock not supported")
    lock = FileLock(path)
    held = _try(lock, path)
    if held is False:
        tell(f"waiting for another process that {doing}{_told(path)}")
        held = _wait(lock, path, timeout, stopped)
    if held is False and stopped():
        raise InterruptedWorkError
    if held is False:
        raise WaitError(
            f"another process that {doing} did not end within {timeout:g} s{_told(path)}: "
            f"it holds the file lock {'/'.join(path.parts[-3:])}",
            hint=f"Wait for it or end it; {VARIABLE}=SECONDS waits longer.",
        )
    if held is None:
        yield
        return
    note = path.with_suffix(_NOTE)
    try:
        _write(note)
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


def _try(lock: BaseFileLock, path: Path, timeout: float = 0) -> bool | None:
    """Take a file lock; False while another process has it, None where the system has none."""
    from filelock import Timeout  # noqa: PLC0415

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=timeout)
    except Timeout:
        return False
    except (OSError, NotImplementedError):
        return None
    return True


def _wait(
    lock: BaseFileLock, path: Path, timeout: float, stopped: Callable[[], bool]
) -> bool | None:
    """Try again until the time is over; returns what `_try` does."""
    end = time.monotonic() + timeout
    held: bool | None = False
    while held is False and (left := end - time.monotonic()) > 0 and not stopped():
        held = _try(lock, path, min(left, _SLICE_SECONDS))
    return held


def find_holder(path: Path) -> Holder | None:
    """Return who holds the file lock `path`; None where that is not known.

    A note of a process that is no more is of one before: whoever holds it now has yet to write.
    """
    try:
        pid, since, machine = path.with_suffix(_NOTE).read_text(encoding="utf-8").split(" ", 2)
        holder = Holder(int(pid), machine, float(since))
        str(holder)  # not every number is a time
    except (OSError, ValueError, OverflowError):
        return None
    if holder.pid <= 0:
        return None
    return holder if machine != platform.node() or _is_alive(holder.pid) else None


def _told(path: Path) -> str:
    holder = find_holder(path)
    return f" ({holder})" if holder else ""


def _write(note: Path) -> None:
    with suppress(OSError):
        text = f"{os.getpid()} {time.time():.0f} {platform.node()}"
        note.write_text(text, encoding="utf-8")


def _is_alive(pid: int) -> bool:
    """Tell whether a process of this machine runs; True where there is no harmless way to ask."""
    if sys.platform == "win32":  # signal 0 is Ctrl-C there
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:  # another user's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


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
