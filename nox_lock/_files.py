"""Write a file so that it is always whole: the old one or the new one, also after a power cut."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from nox_lock._workshops import clear, open_workshop

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# What a file is written in before it moves to its place: a folder beside it, so that both are
# on one file system.
_PREFIX = ".nox-lock-"


def write_atomically(path: Path, text: str, workshops: Path | None = None) -> None:
    """Replace `path` by `text` (UTF-8, newlines as given) at once, or leave it as it was.

    A link is written through, and the mode of an existing file is kept. `workshops` is a folder
    of the same file system to write in, instead of the one that `path` is in.

    Raises:
        OSError: when the folder cannot be written, or the disk is full.
    """
    write_all({path: text}, workshops)


def write_all(texts: Mapping[Path, str], workshops: Path | None = None) -> None:
    """Replace several files as `write_atomically` does one: all of them, or none.

    All are written beside their places before the first one moves there; only a kill or a power
    cut between two of those moves can leave the one new and the other old.

    Raises:
        OSError: when a folder cannot be written, or the disk is full.
    """
    with ExitStack() as stack:
        rooms: dict[Path, Path] = {}
        written: dict[Path, Path] = {}
        for path, text in texts.items():
            place = path.resolve()
            place.parent.mkdir(parents=True, exist_ok=True)
            parent = workshops or place.parent
            if parent not in rooms:
                rooms[parent] = stack.enter_context(open_workshop(parent, _PREFIX))
            written[place] = rooms[parent] / f"{len(written)}.new"
            _write(written[place], text.encode(), place)
        _move(written)
    for folder in {place.parent for place in written}:
        _sync_folder(folder)


def clear_leftovers(folders: Iterable[Path]) -> None:
    """Remove what killed processes left beside the files they were about to replace."""
    for folder in set(folders):
        clear(folder, _PREFIX)


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
