"""One process after the other, by file locks; where there are none, work may be done twice."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nox_lock._errors import ConfigError, WaitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from filelock import BaseFileLock

VARIABLE = "NOX_LOCK_TIMEOUT"
SECONDS = 600.0


@contextmanager
def take_turn(
    path: Path, timeout: float, tell: Callable[[str], None], doing: str
) -> Iterator[None]:
    """Be the only process that is `doing` something; `path` is the file lock for it.

    `timeout` is in seconds; `tell` hears of a wait.

    Raises:
        WaitError: when another process holds it for longer.
    """
    from filelock import FileLock  # noqa: PLC0415  (7 ms, only when there is work)

    lock = FileLock(path)
    held = _acquire(lock, path, timeout, tell, doing)
    try:
        yield
    finally:
        if held:
            lock.release()


def _acquire(
    lock: BaseFileLock, path: Path, timeout: float, tell: Callable[[str], None], doing: str
) -> bool:
    """Take a file lock; False where the file system has none."""
    from filelock import Timeout  # noqa: PLC0415

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            tell(f"waiting for another process that {doing}")
            lock.acquire(timeout=timeout)
    except Timeout as error:
        raise WaitError(
            f"another process that {doing} did not end within {timeout:g} s "
            f"(it holds the file lock {path.parent.name}/{path.name})",
            hint=f"Wait for it or end it; {VARIABLE}=SECONDS waits longer.",
        ) from error
    except (OSError, NotImplementedError):
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
