"""The one reader of a project's files and variables."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


_MOST_BYTES = 16 << 20


class Project:
    """A project folder and the environment variables it is used with; records what is read.

    Whatever a plan or a verdict depends on is read through here, once: who asks again gets the
    same answer. Files and folders are given as from the root, with forward slashes. Several
    threads may use one project.
    """

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self._read: dict[tuple[str, str], Any] = {}

    def read(self, file: str) -> bytes:
        """Return the bytes of a file; OSError if it is unreadable, or more than anybody writes."""
        found: bytes | OSError = self._once("file", file)
        if isinstance(found, OSError):
            raise OSError(found.errno, found.strerror, found.filename)
        return found

    def is_file(self, file: str) -> bool:
        """Return whether there is such a file; one that cannot be looked up is not there."""
        return bool(self._once("entry", file) == "file")

    def exists(self, file: str) -> bool:
        """Return whether there is such a file or folder; as `is_file`."""
        return bool(self._once("entry", file))

    def real(self, file: str) -> str:
        """Return a path with its links resolved, relative to the real root."""
        return str(self._once("real", file))

    def is_within(self, file: str) -> bool:
        """Return whether a path is in the project, and not in ``.git``, its links resolved."""
        real = self.real(file)
        parts = {*real.lower().split("/")}
        return not os.path.isabs(real) and not parts & {"..", ".git"}  # noqa: PTH117

    def glob(self, pattern: str) -> list[str]:
        """Return the files and folders that match a pattern, sorted."""
        names: str = self._once("glob", pattern)
        return names.split("\0") if names else []

    def tree(self, folder: str) -> str:
        """Return the state of all files below a folder, but for hidden ones and byte code."""
        return str(self._once("tree", folder))

    def variable(self, name: str) -> str | None:
        """Return an environment variable, or None."""
        found: str | None = self._once("variable", name)
        return found

    def forget(self, file: str) -> None:
        """Read a file from disk when it is next asked for: another process may have written it."""
        for kind in _READERS:
            self._read.pop((kind, file), None)

    @property
    def facts(self) -> list[tuple[str, ...]]:
        """What was read, each once: how, under which name, and its digest."""
        return [(*key, fingerprint(found)) for key, found in list(self._read.items())]

    def matches(self, facts: Iterable[Sequence[str]]) -> bool:
        """Return whether reading all of that again, from disk, would give the same."""
        return all(end == fingerprint(_READERS[kind](self, name)) for kind, name, end in facts)

    def _once(self, kind: str, file: str) -> Any:
        key = kind, file.removeprefix("./")
        if key not in self._read:
            self._read[key] = _READERS[kind](self, key[1])
        return self._read[key]


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


def fingerprint(found: bytes | str | OSError | None) -> str:
    """Return a digest of what was read; nothing differs from empty."""
    if found is None or isinstance(found, OSError):
        return "-"
    data = found.encode(errors="surrogateescape") if isinstance(found, str) else found
    return hashlib.sha256(data).hexdigest()


def _read_file(project: Project, file: str) -> bytes | OSError:
    path = project.root / file
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


def _entry(project: Project, file: str) -> str:
    with suppress(OSError, ValueError):  # a name that is too long, a folder of another user
        return "file" if stat.S_ISREG((project.root / file).stat().st_mode) else "other"
    return ""


def _real(project: Project, file: str) -> str:
    path, top = os.path.realpath(project.root / file), _real_root(project.root)
    if path.startswith(f"{top}{os.sep}"):
        return path[len(top) + 1 :].replace(os.sep, "/")
    return relative(Path(path), Path(top))


@functools.lru_cache(maxsize=1)
def _real_root(root: Path) -> str:
    return os.path.realpath(root)


def _glob(project: Project, pattern: str) -> str:
    found = sorted(project.root.glob(pattern))
    return "\0".join(path.relative_to(project.root).as_posix() for path in found)


def _tree(project: Project, folder: str) -> str:
    found = []
    for top, folders, files in os.walk(project.root / folder):
        folders[:] = [each for each in folders if each[0] != "." and each != "__pycache__"]
        for path in (os.path.join(top, each) for each in files):  # noqa: PTH118
            with suppress(OSError):
                state = os.stat(path)  # noqa: PTH116
                found.append(f"{path} {state.st_size} {state.st_mtime_ns}")
    return "\0".join(sorted(found))


_READERS: Mapping[str, Callable[[Project, str], bytes | str | OSError | None]] = {
    "variable": lambda project, name: project.environ.get(name),
    "file": _read_file,
    "entry": _entry,
    "real": _real,
    "glob": _glob,
    "tree": _tree,
}
