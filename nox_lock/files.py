"""Write a file so that it is always whole: the old one or the new one, also after a power cut."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What a file is written in before it moves to its place: a folder beside it, so that both are
# on one file system.
PREFIX = ".nox-lock-"
# Longer than any work takes, also with a pause of the machine in it.
LEFT_SECONDS = 24 * 3600.0


@contextmanager
def temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a private folder in `parent`, gone afterwards; remove those that were left there.

    Raises:
        OSError: when `parent` cannot be written.
    """
    clear_leftovers(parent, prefix)
    with TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def clear_leftovers(parent: Path, prefix: str = PREFIX) -> None:
    """Remove the temporary folders in `parent` that are so old that their process was killed."""
    with suppress(OSError):
        for folder in list(parent.glob(f"{prefix}*")):
            if time.time() - folder.lstat().st_mtime > LEFT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def write_all(texts: Mapping[Path, str], temporary: Path | None = None) -> None:
    """Replace files by texts (UTF-8, newlines as given): all of them, or none.

    All are written beside their places before the first one moves there; only a kill or a power
    cut between two of those moves can leave the one new and the other old. A link is written
    through, and the mode of an existing file is kept. `temporary` is a folder of the same file
    system to write in first, instead of those that the files are in.

    Raises:
        OSError: when a folder cannot be written, or the disk is full.
    """
    with ExitStack() as stack:
        rooms: dict[Path, Path] = {}
        written: dict[Path, Path] = {}
        for path, text in texts.items():
            place = path.resolve()
            place.parent.mkdir(parents=True, exist_ok=True)
            parent = temporary or place.parent
            if parent not in rooms:
                rooms[parent] = stack.enter_context(temporary_folder(parent, PREFIX))
            written[place] = rooms[parent] / f"{len(written)}.new"
            _write(written[place], text.encode(), place)
        _move(written)
    for folder in {place.parent for place in written}:
        _sync_folder(folder)


def _move(written: Mapping[Path, Path]) -> None:
    """Move files to their places: all of them, or none."""
    old: dict[Path, bytes | None] = {}
    try:
        for place, temporary in written.items():
            before = place.read_bytes() if len(written) > 1 and place.exists() else None
            temporary.replace(place)
            old[place] = before
    except BaseException:
        for place, content in old.items():
            with suppress(OSError):
                if content is None:
                    place.unlink()
                else:
                    _write(written[place], content, place)
                    written[place].replace(place)
        raise


def _write(path: Path, content: bytes, like: Path) -> None:
    """Write a file, with the mode of the one it replaces; a new one has what the system gives it.

    To ask for the user's mask would be to change it, for all threads.
    """
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileNotFoundError):
        path.chmod(like.stat().st_mode & 0o777)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable; Windows cannot open a folder, and needs none of it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
