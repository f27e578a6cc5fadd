"""Compiled locks by key, shared by every checkout of the user; and who compiles which key now.

An entry is never trusted: what does not verify is dropped. Nothing here is needed for a right
lock; without a cache folder, or with file locks that do not work, work is only done twice.
docs/cache.md tells of the layout.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock.file_locks import SECONDS, exclusive, read_timeout
from nox_lock.files import temporary_folder, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

VARIABLE = "NOX_LOCK_CACHE_DIR"
# Part of every path: another layout gets another folder, and old processes keep theirs.
_LAYOUT = "v2"
_DAY_SECONDS = 24 * 3600.0
_UNUSED_DAYS = 90
_AGEING = ("locks/*/*.json", "busy/*")
_PARTS = (
    f"{_LAYOUT}/locks",
    f"{_LAYOUT}/busy",
    f"{_LAYOUT}/work",
    "pip-tools",
    "pythons",
    "bytecode",
)


# Of these the parts that are looked through each time, to see whose they are.
_SMALL = ("locks", "pythons")


@dataclass(frozen=True, slots=True)
class Entry:
    """A compiled lock: its body, the day (ISO 8601) it was resolved, and what is to be known."""

    body: str
    day: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache in one folder; a folder of None remembers nothing.

    Attributes:
        folder: where it is.
        timeout: seconds to wait for another process.
        interrupted: set by who wants such a wait to end.
    """

    folder: Path | None
    timeout: float = SECONDS
    interrupted: threading.Event = field(default_factory=threading.Event)

    def get(self, key: str) -> Entry | None:
        """Return the entry for `key`, or None; one that does not verify is removed."""
        if self.folder is None:
            return None
        path = self._path(key)
        try:
            stored = json.loads(path.read_bytes())
            notes = tuple(map(str, stored["notes"]))
            entry = Entry(str(stored["body"]), str(stored["day"]), notes)
            if stored["check"] == _check(key, entry):
                _touch(path)
                return entry
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass  # as broken as one whose check fails
        with suppress(OSError):
            path.unlink()
        return None

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry; a cache that cannot be written keeps nothing, and that is no error."""
        if self.folder is None:
            return
        text = json.dumps({**asdict(entry), "check": _check(key, entry)})
        with suppress(OSError):
            write_all({self._path(key): text}, self.folder / _LAYOUT / "work")
            self._drop_unused(self.folder / _LAYOUT)

    @contextmanager
    def hold(
        self, key: str, log: Callable[[str], None], doing: str = "compiles the same lock"
    ) -> Iterator[None]:
        """Hold the exclusive file lock of `key`; `log` is called with a line on a wait.

        Raises:
            NoxLockError: when another process holds it for longer than `timeout` seconds.
        """
        if self.folder is None:
            yield
            return
        path = self.folder / _LAYOUT / "busy" / f"{key}.lock"
        with exclusive(path, self.timeout, log, doing, self.interrupted.is_set):
            yield

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        """Give a private folder for one compile, gone afterwards.

        Raises:
            OSError: when there is no place for one.
        """
        if self.folder is None:
            parent = _temporary_folder()
        else:
            parent = self.folder / _LAYOUT / "work"
            parent.mkdir(parents=True, exist_ok=True)  # it may have been deleted meanwhile
        with temporary_folder(parent, "nox-lock-compile-") as folder:
            yield folder.resolve()

    def _drop_unused(self, layout: Path) -> None:
        """Remove what nobody has used for long; looks once a day."""
        looked = layout / "looked"
        if not _is_older(looked, 1):
            return
        looked.touch()
        for path in (path for part in _AGEING for path in layout.glob(part)):
            if _is_older(path, _UNUSED_DAYS):
                with suppress(OSError):
                    path.unlink()

    def _path(self, key: str) -> Path:
        assert self.folder is not None  # noqa: S101  (the callers have asked)
        return self.folder / _LAYOUT / "locks" / key[:2] / f"{key}.json"


def open_cache(environ: Mapping[str, str], warn: Callable[[str], None]) -> Cache:
    """Open the user's cache, in `NOX_LOCK_CACHE_DIR` or the platform's folder for caches.

    One that cannot be made or written, or is not the user's own, is done without, with a warning.

    Raises:
        ConfigError: for a `NOX_LOCK_TIMEOUT` that is no number of seconds.
    """
    timeout = read_timeout(environ)
    why = "cannot be written"
    try:
        folder = _cache_folder(environ.get(VARIABLE))
        if not (stranger := _belongs_to_others(folder) or _is_planted(folder)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            places = [folder / part for part in _PARTS]
            for place in places:
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            if all(os.access(place, os.W_OK | os.X_OK) for place in places):
                return Cache(folder, timeout)
        why = stranger or why
    except (OSError, RuntimeError):  # the latter where nobody knows the user's home
        pass  # as one that cannot be written
    warn(unusable(f"it {why}"))
    return Cache(None, timeout)


def _belongs_to_others(folder: Path) -> str:
    """Say what gives others a hand in a folder; empty for nothing.

    What is compiled with stands there. A link of the system's, such as macOS's ``/tmp``, is none.
    """
    if sys.platform == "win32":  # the user's profile is the user's own, by its access lists
        return ""
    me = os.geteuid()
    for place in (*reversed(folder.parents), folder):
        if place.is_symlink() and place.lstat().st_uid not in {0, me}:
            return "is reached through a link of another user"
    if folder.exists() and folder.stat().st_uid != me:
        return "belongs to another user"
    return ""


def _is_planted(folder: Path) -> str:
    """Say what another user has put into a folder that is there; close it if there is nothing.

    What is compiled with is beneath it. Where others could write in it all is looked at, else what
    is small: nobody else can get deeper than a part without owning one.
    """
    if sys.platform == "win32" or not folder.exists():
        return ""
    mode = folder.stat().st_mode & 0o777
    if mode & 0o077:
        folder.chmod(0o700)  # first, so that nothing comes after the look
    strange = next(filter(_is_of_others, _inside(folder, deep=bool(mode & 0o022))), None)
    if strange is None:
        return ""
    folder.chmod(mode)  # the next look must be as thorough
    return f"holds what another user has put there ({strange.relative_to(folder).as_posix()})"


def _inside(folder: Path, *, deep: bool) -> Iterator[Path]:
    parts = [folder / part for part in (*_PARTS, _LAYOUT)]
    yield from (part for part in parts if part.is_symlink() or part.exists())
    for top in [folder] if deep else parts:
        for place, folders, files in os.walk(top):
            yield from (Path(place, name) for name in (*folders, *files))
            if not deep and top.name not in _SMALL:
                break


def _is_of_others(path: Path) -> bool:
    """Return whether somebody else owns what a path leads to, or a link there."""
    trusted = {0, os.geteuid()} if sys.platform != "win32" else set()
    try:
        return path.lstat().st_uid not in trusted or path.stat().st_uid not in trusted
    except FileNotFoundError:  # just removed, or a link to nothing
        return False


def _cache_folder(given: str | None) -> Path:
    """Return the folder that was given, else the platform's.

    Raises:
        RuntimeError: where it is in a home, and nobody knows that.
    """
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs  # noqa: PLC0415  (2 ms, only when something is not fresh)

    folder = platformdirs.user_cache_path("nox-lock", appauthor=False)
    if not folder.is_absolute():
        # Else it would be a folder `~` in the project.
        raise RuntimeError
    return folder


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        message = "no folder for temporary files can be written"  # without their absolute paths
        raise FileNotFoundError(error.errno, message) from None


def unusable(why: str) -> str:
    """Return what to say of a cache that is done without."""
    return f"the cache folder cannot be used: {why} ({VARIABLE} names another). Going on without"


def _touch(path: Path) -> None:
    """Note that an entry is used; a day's precision is enough, and costs no write in most runs."""
    if _is_older(path, 1):
        with suppress(OSError):
            os.utime(path)


def _is_older(path: Path, days: int) -> bool:
    """Tell whether nothing has touched a file for so many days; one that is not there is old."""
    try:
        return time.time() - path.stat().st_mtime > days * _DAY_SECONDS
    except OSError:
        return True


def make_key(*facts: str) -> str:
    """Return SHA-256 over `facts`, each with its length, so that none runs into the next."""
    total = hashlib.sha256()
    for fact in facts:
        data = fact.encode()
        total.update(f"{len(data)}:".encode())
        total.update(data)
    return total.hexdigest()


def _check(key: str, entry: Entry) -> str:
    return make_key(key, entry.body, entry.day, *entry.notes)
