"""Write a file so that it is always whole: the old one or the new one, also after a power cut."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text` (UTF-8, newlines as given) at once, or leave it as it was.

    A link is written through, and the mode of an existing file is kept.

    Raises:
        OSError: when the folder cannot be written, or the disk is full.
    """
    write_all({path: text})


def write_all(texts: Mapping[Path, str]) -> None:
    """Replace several files as `write_atomically` does one: all of them, or none.

    All are written beside their places before the first one moves there; only a kill or a power
    cut between two of those moves can leave the one new and the other old.

    Raises:
        OSError: when a folder cannot be written, or the disk is full.
    """
    written: dict[Path, Path] = {}
    old: dict[Path, bytes | None] = {}
    try:
        for path, text in texts.items():
            place = path.resolve()
            written[place] = _write_beside(place, text)
        for place, temporary in written.items():
            before = place.read_bytes() if len(written) > 1 and place.exists() else None
            temporary.replace(place)
            old[place] = before
    except BaseException:
        for temporary in written.values():
            with suppress(OSError):
                temporary.unlink()
        _put_back(old)
        raise
    for folder in {place.parent for place in written}:
        _sync_folder(folder)


def _write_beside(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    # Made here and by nobody else, with the mode that the system gives a new file: to ask for
    # the user's mask would be to change it, for all threads.
    with temporary.open("xb") as file:
        try:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
            _keep_mode(path, temporary)
        except BaseException:
            file.close()
            with suppress(OSError):
                temporary.unlink()
            raise
    return temporary


def _put_back(old: Mapping[Path, bytes | None]) -> None:
    """Undo the moves made before one that failed."""
    for place, before in old.items():
        with suppress(OSError):
            if before is None:
                place.unlink()
            else:
                _write_beside(place, before.decode()).replace(place)


def _keep_mode(path: Path, temporary: Path) -> None:
    """Give a file the mode of the one that it replaces, if any."""
    with suppress(FileNotFoundError):
        temporary.chmod(path.stat().st_mode & 0o777)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable; Windows cannot open a folder, and needs none of it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
