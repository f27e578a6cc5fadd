"""Private folders for work under way; what a killed process left goes with the next one's work.

A folder is its maker's for as long as that holds the file lock in it, and the system lets go of
that when a process ends, however it ends. Where there are no file locks, only what was left long
ago is taken for dead.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filelock import BaseFileLock

# The file in each folder that its maker holds; last to go, so that no half-cleared folder stays.
_ALIVE = "alive"
# Longer than any work may take.
_LEFT_SECONDS = 3600.0
_TRIES = 10


@contextmanager
def open_workshop(parent: Path, prefix: str) -> Iterator[Path]:
    """Give a folder of nobody else's in `parent`, gone afterwards; clear those of the dead.

    Raises:
        OSError: when `parent` cannot be written.
    """
    clear(parent, prefix)
    folder, lock = _make(parent, prefix)
    try:
        yield folder
    finally:
        with suppress(OSError):
            _empty(folder)
        _remove(folder, lock)
        lock.release()


def clear(parent: Path, prefix: str, before: Callable[[Path], None] | None = None) -> None:
    """Remove the folders in `parent` whose makers are dead.

    `before` is called with each of them; one that it raises OSError for stays.
    """
    with suppress(OSError):
        for folder in list(parent.glob(f"{prefix}*")):
            with suppress(OSError):
                _clear(folder, before)


def _make(parent: Path, prefix: str) -> tuple[Path, BaseFileLock]:
    from filelock import FileLock, Timeout  # noqa: PLC0415  (7 ms, only when there is work)

    tries = 0
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = FileLock(folder / _ALIVE)
        tries += 1
        try:
            lock.acquire(timeout=0)
        except Timeout:
            # It was cleared between its making and this; or, always, there are no file locks.
            if tries == _TRIES:
                return folder, lock
        except (OSError, NotImplementedError):
            if folder.exists():
                return folder, lock
        else:
            if (folder / _ALIVE).exists():
                return folder, lock
            lock.release()


def _clear(folder: Path, before: Callable[[Path], None] | None) -> None:
    """Remove a folder if its maker is dead."""
    from filelock import FileLock, Timeout  # noqa: PLC0415

    alive = folder / _ALIVE
    if folder.is_symlink() or not alive.is_file():
        folder.rmdir()  # goes only if it is empty: its maker had no time for more
        return
    lock = FileLock(alive)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    except (OSError, NotImplementedError):
        if time.time() - alive.stat().st_mtime < _LEFT_SECONDS:
            return
    try:
        if before is not None:
            before(folder)
        _empty(folder)
        _remove(folder, lock)
    finally:
        lock.release()


def _remove(folder: Path, lock: BaseFileLock) -> None:
    """Remove an empty folder that is locked, unless it is somebody's once the lock is let go of.

    Whoever made it may only now have come to lock it.
    """
    if sys.platform == "win32":  # deletes no file that is open
        lock.release()
    with suppress(OSError):
        (folder / _ALIVE).unlink()
        folder.rmdir()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name == _ALIVE:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
