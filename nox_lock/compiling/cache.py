"""Compiled locks by key, shared by every checkout of the user; and who compiles which key now.

No lock needs it: without a folder, or file locks that work, work is done twice. See docs/cache.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

from nox_lock.files import SECONDS, exclusive, read_timeout, temporary_directory, write_all

VARIABLE = "NOX_LOCK_CACHE_DIR"
UNUSABLE = f"unusable cache folder: {{}} ({VARIABLE} names another); continuing without a cache"
_LAYOUT = "v2"  # part of every path: old processes keep their layout
_UNUSED_SECONDS = 90 * 24 * 3600.0
_PARTS = (f"{_LAYOUT}/locks", f"{_LAYOUT}/busy", f"{_LAYOUT}/work", "pip-tools", "bytecode")


class CacheEntry(NamedTuple):
    """What is kept for a key: the body of a lock resolved on a `day`, or the path of a Python."""

    body: str
    day: str = ""
    notes: tuple[str, ...] = ()


class Cache(NamedTuple):
    """The cache in one folder, None to keep nothing; it waits for others until `timeout`."""

    folder: Path | None
    timeout: float = SECONDS

    def get(self, key: str) -> CacheEntry | None:
        """Return the entry for `key`, or None; one that does not verify is removed."""
        if self.folder is None:
            return None
        path = self.folder / _LAYOUT / "locks" / key[:2] / f"{key}.json"
        try:
            stored = json.loads(path.read_bytes())
            notes = tuple(map(str, stored["notes"]))
            entry = CacheEntry(str(stored["body"]), str(stored["day"]), notes)
            if stored["check"] == make_key(key, entry.body, entry.day, *entry.notes):
                with suppress(OSError):
                    os.utime(path)  # those that are not used for long are removed
                return entry
        except (FileNotFoundError, PermissionError):  # on Windows also while it is written
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass  # as broken as one whose check fails
        with suppress(OSError):
            path.unlink()
        return None

    def put(self, key: str, entry: CacheEntry) -> None:
        """Keep an entry; a cache that cannot be written keeps nothing, and that is no error."""
        if self.folder is None:
            return
        check = make_key(key, entry.body, entry.day, *entry.notes)
        text = json.dumps({**entry._asdict(), "check": check})
        layout, oldest = self.folder / _LAYOUT, time.time() - _UNUSED_SECONDS
        with suppress(OSError):
            write_all({layout / "locks" / key[:2] / f"{key}.json": text}, layout / "work")
            for path in (*layout.glob("locks/*/*.json"), *layout.glob("busy/*")):
                if path.lstat().st_mtime < oldest:
                    path.unlink()

    def hold(
        self, key: str, log: Callable[[str], None], stopped: Callable[[], bool]
    ) -> AbstractContextManager[None]:
        """Be the only process that compiles `key`; see `files.exclusive`."""
        if self.folder is None:
            return nullcontext()
        path = self.folder / _LAYOUT / "busy" / f"{key}.lock"
        return exclusive(path, self.timeout, log, "compiles the same lock", stopped)

    @contextmanager
    def temporary_directory(self) -> Iterator[Path]:
        """Give a private folder for one compile, gone afterwards; an OSError for no place."""
        try:
            parent = self.folder / _LAYOUT / "work" if self.folder else Path(tempfile.gettempdir())
        except FileNotFoundError as error:  # which names the paths
            raise FileNotFoundError(error.errno, "no folder for temporary files") from None
        parent.mkdir(parents=True, exist_ok=True)  # it may have been deleted meanwhile
        with temporary_directory(parent) as folder:
            yield folder.resolve()


def open_cache(environ: Mapping[str, str], warn: Callable[[str], None]) -> Cache:
    """Open the user's cache; where its folder is not the user's own or not writable, warn."""
    timeout = read_timeout(environ)
    try:
        if given := environ.get(VARIABLE):
            folder = Path(given).expanduser().absolute()
        else:
            import platformdirs  # noqa: PLC0415  (2 ms, only when something is not fresh)

            folder = platformdirs.user_cache_path("nox-lock", appauthor=False)
        # Without a known home it would be a folder `~` in the project.
        why = _find_others(folder) if folder.is_absolute() else "cannot be written"
        if not why:
            for place in (folder, *(folder / part for part in _PARTS)):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not os.access(place, os.W_OK | os.X_OK):
                    raise PermissionError
            return Cache(folder, timeout)
    except (OSError, RuntimeError):  # the latter if the user's home is not known
        why = "cannot be written"
    warn(UNUSABLE.format(f"it {why}"))
    return Cache(None, timeout)


def _find_others(folder: Path) -> str:
    """Return how another user could change what is in a folder, or nothing; make it private.

    A compile imports and builds from it. Links of the system (macOS's ``/tmp``) are allowed. Where
    others could write to it, all of it is checked, else its upper levels, which lead to the rest.
    """
    if sys.platform == "win32":  # the user's profile is the user's own, by its access lists
        return ""
    me = os.geteuid()
    for place in (*reversed(folder.parents), folder):
        if place.is_symlink() and place.lstat().st_uid not in {0, me}:
            return "is reached through a link of another user"
    if not folder.exists():
        return ""
    if folder.stat().st_uid != me:
        return "belongs to another user"
    mode = folder.stat().st_mode & 0o777
    if mode & 0o077:
        folder.chmod(0o700)  # first, so that nothing is added after the check
    parts = [f"{part}{below}" for part in (_LAYOUT, *_PARTS) for below in ("", "/*", "/*/*")]
    for pattern in (*parts, "**/*") if mode & 0o022 else parts:
        for path in folder.glob(pattern):
            with suppress(FileNotFoundError):  # just removed, or a link to nothing
                if path.lstat().st_uid not in {0, me} or path.stat().st_uid not in {0, me}:
                    folder.chmod(mode)  # the next check must be as thorough
                    shown = path.relative_to(folder).as_posix()
                    return f"holds what another user has put there ({shown})"
    return ""


def make_key(*facts: str) -> str:
    """Return SHA-256 over `facts`; JSON, so that none runs into the next."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
