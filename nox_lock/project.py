"""The one reader of a project's files and variables."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

_MOST_BYTES = 16 << 20
_T = TypeVar("_T")
_READERS: dict[str, Callable[[Any, str], Any]] = {}  # by the kind of what they read


def _recorded(read: Callable[[Project, str], _T | OSError]) -> Callable[[Project, str], _T]:
    """Make a method read something of a project once, and record it; raise what it could not."""
    kind = read.__name__
    _READERS[kind] = read

    @functools.wraps(read)
    def read_once(project: Project, name: str) -> _T:
        key = kind, name.removeprefix("./")
        if key not in project.found:
            project.found[key] = read(project, key[1])
        found: _T | OSError = project.found[key]
        if isinstance(found, OSError):
            raise OSError(found.errno, found.strerror, found.filename)
        return found

    return read_once


class Project:
    """A project folder and its environment variables: each thing is read once, and recorded.

    Paths are as from the root, with forward slashes. Several threads may use one project.
    """

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self.found: dict[tuple[str, str], Any] = {}  # by the kind of reader, and name
        self._real_root = os.path.realpath(root)

    @_recorded
    def read(self, file: str) -> bytes | OSError:
        """Return the bytes of a file; OSError if it is unreadable, or more than anybody writes."""
        path = self.root / file
        try:
            found = path.stat()
            if stat.S_ISDIR(found.st_mode):
                return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if not stat.S_ISREG(found.st_mode):
                return OSError(errno.EINVAL, "it is a pipe or a device, no file", str(path))
            if found.st_size > _MOST_BYTES:
                return OSError(errno.EFBIG, f"it has more than {_MOST_BYTES >> 20} MB", str(path))
            return path.read_bytes()
        except OSError as error:
            return error.with_traceback(None)

    @_recorded
    def is_file(self, file: str) -> bool:
        """Return whether there is such a file; one that cannot be looked up is not there."""
        return os.path.isfile(self.root / file)  # noqa: PTH113  (Path raises for some)

    @_recorded
    def exists(self, file: str) -> bool:
        """Return whether there is such a file or folder; as `is_file`."""
        return os.path.exists(self.root / file)  # noqa: PTH110

    @_recorded
    def real(self, file: str) -> str:
        """Return a path with its links resolved, relative to the real root."""
        path = os.path.realpath(self.root / file)
        if path.startswith(f"{self._real_root}{os.sep}"):
            return path[len(self._real_root) + 1 :].replace(os.sep, "/")
        return relative(Path(path), Path(self._real_root))

    def is_within(self, file: str) -> bool:
        """Return whether a path is in the project, and not in ``.git``, its links resolved."""
        real = self.real(file)
        return not os.path.isabs(real) and not {*real.lower().split("/")} & {"..", ".git"}  # noqa: PTH117

    @_recorded
    def glob(self, pattern: str) -> list[str]:
        """Return the files and folders that match a pattern, sorted."""
        return [path.relative_to(self.root).as_posix() for path in sorted(self.root.glob(pattern))]

    @_recorded
    def tree(self, folder: str) -> str:
        """Return the state of all files below a folder, but for hidden ones and byte code."""
        found = []
        for top, folders, files in os.walk(self.root / folder):
            folders[:] = [each for each in folders if each[0] != "." and each != "__pycache__"]
            for path in (os.path.join(top, each) for each in files):  # noqa: PTH118
                with suppress(OSError):
                    state = os.stat(path)  # noqa: PTH116
                    found.append(f"{path} {state.st_size} {state.st_mtime_ns}")
        return "\0".join(sorted(found))

    @_recorded
    def variable(self, name: str) -> str | None:
        """Return an environment variable, or None."""
        return self.environ.get(name)

    def forget(self, file: str) -> None:
        """Read a file from disk when it is next asked for: another process may have written it."""
        for kind in _READERS:
            self.found.pop((kind, file.removeprefix("./")), None)

    @property
    def facts(self) -> list[tuple[str, ...]]:
        """What was read, each once: how, under which name, and its digest."""
        return [(*key, fingerprint(found)) for key, found in list(self.found.items())]

    def matches(self, facts: Iterable[Sequence[str]]) -> bool:
        """Return whether reading all of that again, from disk, would give the same."""
        return all(end == fingerprint(_READERS[kind](self, name)) for kind, name, end in facts)


def is_ci(environ: Mapping[str, str]) -> bool:
    """Return whether a CI service runs this, which sets the variable `CI`."""
    return bool(environ.get("CI"))


def relative(path: Path, root: Path) -> str:
    """Return `path` relative to `root`, with forward slashes; ``../`` where it lies outside."""
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive, on Windows
        return path.as_posix()


def local_path(path: str) -> str:
    """Return the path of a ``file:`` URL as the system has it: without the slash before a drive."""
    return re.sub(r"^/(?=[A-Za-z]:)", "", path) if os.name == "nt" else path


def fingerprint(found: object) -> str:
    """Return a digest of bytes or plain data that were read; nothing differs from empty."""
    if found is None or isinstance(found, OSError):
        return "-"
    data = found if isinstance(found, bytes) else repr(found).encode()
    return hashlib.sha256(data).hexdigest()
