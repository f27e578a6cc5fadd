"""Files that are always whole, also after a power cut; and file locks between processes."""

from __future__ import annotations

import math
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from nox_lock.errors import ConfigError, NoxLockError

_PREFIX = ".nox-lock-"
LEFT_SECONDS = 24 * 3600.0  # longer than any work takes, also with a pause of the machine in it
VARIABLE = "NOX_LOCK_TIMEOUT"
SECONDS = 600.0
# Windows does not replace a file that another process reads, which mostly is a moment; in seconds.
_PAUSES = (0.01, 0.05, 0.1, 0.3, 0.5) if os.name == "nt" else ()


@contextmanager
def temporary_directory(parent: Path) -> Iterator[Path]:
    """Create a private folder in `parent`, gone afterwards; stale ones there are removed."""
    clear_leftovers(parent)
    with TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def clear_leftovers(parent: Path) -> None:
    """Remove temporary folders in `parent` that are so old that their process was killed."""
    with suppress(OSError):
        for folder in list(parent.glob(f"{_PREFIX}*")):
            if time.time() - folder.lstat().st_mtime > LEFT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def write_all(texts: Mapping[Path, str], temporary: Path | None = None) -> None:
    """Replace files by texts (UTF-8, newlines as given): all of them, or none; else OSError.

    Only a kill or a power cut between two moves of files can leave some old and some new. A link is
    written through, the mode of an existing file is kept. `temporary` is on the same file system.
    """
    with ExitStack() as stack:
        temporary_in = cache(lambda parent: stack.enter_context(temporary_directory(parent)))
        written: dict[Path, Path] = {}
        for path, text in texts.items():
            place = path.resolve()
            place.parent.mkdir(parents=True, exist_ok=True)
            parent = temporary or place.parent  # one file system, so that a move is atomic
            written[place] = temporary_in(parent) / f"{len(written)}.new"
            _write(written[place], text.encode(), place)
        old: dict[Path, bytes | None] = {}
        try:
            for place, new in written.items():
                before = place.read_bytes() if len(written) > 1 and place.exists() else None
                _replace(new, place)
                old[place] = before
        except BaseException:
            for place, content in old.items():
                with suppress(OSError):
                    if content is None:
                        place.unlink()
                    else:
                        _write(written[place], content, place)
                        _replace(written[place], place)
            raise
    # A new name is made durable; Windows cannot open a folder, and does not need this.
    for folder in {place.parent for place in written} if os.name != "nt" else ():
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _replace(path: Path, place: Path) -> None:
    for seconds in _PAUSES:
        with suppress(PermissionError):
            path.replace(place)
            return
        time.sleep(seconds)
    path.replace(place)


def _write(path: Path, content: bytes, like: Path) -> None:
    """Write a file with the mode of `like`, if that exists; else with that of any new file."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileNotFoundError):
        path.chmod(like.stat().st_mode & 0o777)


@contextmanager
def exclusive(
    path: Path,
    timeout: float,
    log: Callable[[str], None],
    doing: str,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Hold an exclusive file lock, so that no other process is `doing` the same.

    A wait is logged. It ends with NoxLockError after `timeout` seconds, and once `stopped`, since
    Ctrl-C reaches the main thread alone.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  (7 ms, only when there is work)

    # filelock continues with a softer lock; the warning has a path of this machine.
    warnings.filterwarnings("ignore", message="flock not supported")
    lock, holder = FileLock(path), path.with_suffix(".holder")
    other = f"another process that {doing}"
    with suppress(OSError, NotImplementedError):  # a system without them: work may be done twice
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log(f"waiting for {other}{_read(holder)}")
            try:
                lock.acquire(timeout=timeout, cancel_check=stopped)
            except Timeout as error:
                if stopped():
                    raise NoxLockError("interrupted") from error
                raise NoxLockError(
                    f"{other} did not end within {timeout:g} s{_read(holder)}: "
                    f"it holds the file lock {'/'.join(path.parts[-3:])}",
                    hint=f"Wait for it or end it; {VARIABLE}=SECONDS waits longer.",
                ) from error
        holder.write_text(time.strftime(f"process {os.getpid()} since %H:%M:%S"), "utf-8")
    try:
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
    """Return how many seconds to wait, from `NOX_LOCK_TIMEOUT`; ConfigError for no number."""
    text = environ.get(VARIABLE) or str(SECONDS)
    with suppress(ValueError):
        if 0 <= float(text) < math.inf:  # a wait has an end
            return float(text)
    raise ConfigError(f"{VARIABLE} is {text!r}", hint="Give a number of seconds.")
