"""Files that are always whole: the old text or the new one, also after a power cut."""

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

_PREFIX = ".nox-lock-"
# Longer than any work takes, also with a pause of the machine in it.
LEFT_SECONDS = 24 * 3600.0


@contextmanager
def temporary_directory(parent: Path) -> Iterator[Path]:
    """Create a private folder in `parent`, gone afterwards; stale ones there are removed.

    Raises:
        OSError: when `parent` cannot be written.
    """
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
    """Replace files by texts (UTF-8, newlines as given): all of them, or none.

    All are written to temporary files before the first one moves to its place; only a kill or a
    power cut between two of those moves can leave some old and some new. A link is written
    through, and the mode of an existing file is kept. `temporary` is a folder of the same file
    system for the temporary files, in place of those that the files are in.

    Raises:
        OSError: when a folder cannot be written, or the disk is full.
    """
    with ExitStack() as stack:
        folders: dict[Path, Path] = {}
        written: dict[Path, Path] = {}
        for path, text in texts.items():
            place = path.resolve()
            place.parent.mkdir(parents=True, exist_ok=True)
            parent = temporary or place.parent  # one file system, so that a move is atomic
            if parent not in folders:
                folders[parent] = stack.enter_context(temporary_directory(parent))
            written[place] = folders[parent] / f"{len(written)}.new"
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
    """Write a file with the mode of `like`, if that exists; else with that of any new file."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileNotFoundError):
        path.chmod(like.stat().st_mode & 0o777)


def _sync_folder(folder: Path) -> None:
    """Make a new name durable; Windows cannot open a folder, and does not need this."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
