"""The one reader of a project's files and variables."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import posixpath
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


_MOST_BYTES = 16 << 20


class Fact(NamedTuple):
    """Something that was read of a project.

    Attributes:
        kind: how it was read: ``variable``, or a key of `_READERS`.
        name: the path from the project root, or the name of the variable.
        pattern: of a ``glob``.
    """

    kind: str
    name: str
    pattern: str
    digest: str


class Project:
    """A project folder and the environment variables it is used with; records what is read.

    Whatever a plan or a verdict depends on is read through here, once: who asks again gets the
    same answer. Files and folders are given as from the root, with forward slashes. Several
    threads may use one project.
    """

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self._read: dict[tuple[str, str, str], Any] = {}

    def read(self, file: str) -> bytes:
        """Return the bytes of a file; OSError if it is unreadable, or more than anybody writes."""
        found: bytes | OSError = self._once("file", file)
        if isinstance(found, OSError):
            raise OSError(found.errno, found.strerror, found.filename)
        return found

    def is_file(self, file: str) -> bool:
        """Return whether there is such a file; one that cannot be looked up is not there."""
        return bool(self._once("is file", file))

    def exists(self, file: str) -> bool:
        """Return whether there is such a file or folder; as `is_file`."""
        return bool(self._once("exists", file))

    def real(self, file: str) -> str:
        """Return a path with its links resolved, relative to the real root."""
        return str(self._once("real", file))

    def is_within(self, file: str) -> bool:
        """Return whether a path is in the project, and not in ``.git``, its links resolved."""
        real = self.real(file)
        parts = {*real.lower().split("/")}
        return not os.path.isabs(real) and not parts & {"..", ".git"}  # noqa: PTH117

    def glob(self, pattern: str, folder: str = "") -> list[str]:
        """Return the files and folders below `folder` that match a pattern, sorted."""
        names: str = self._once("glob", folder, pattern)
        return [posixpath.join(folder, name) for name in names.split("\0") if name]

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
            self._read.pop((kind, file, ""), None)

    @property
    def facts(self) -> list[Fact]:
        """What was read, each once."""
        return [Fact(*key, fingerprint(found)) for key, found in list(self._read.items())]

    def matches(self, facts: Iterable[Fact]) -> bool:
        """Return whether reading all of that again, from disk, would give the same."""
        return all(each.digest == fingerprint(self._now(*each[:3])) for each in facts)

    def _once(self, kind: str, file: str, pattern: str = "") -> Any:
        key = kind, file.removeprefix("./"), pattern
        if key not in self._read:
            self._read[key] = self._now(*key)
        return self._read[key]

    def _now(self, kind: str, name: str, pattern: str) -> Any:
        if kind == "variable":
            return self.environ.get(name)
        return _READERS[kind](self.root, name, pattern)


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


def _read_file(root: Path, file: str, _: str) -> bytes | OSError:
    path = root / file
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


def _is_file(root: Path, file: str, _: str) -> str:
    with suppress(OSError):  # a name that is too long, a folder of another user
        return "file" * (root / file).is_file()
    return ""


def _exists(root: Path, file: str, _: str) -> str:
    with suppress(OSError):
        return "file or folder" * (root / file).exists()
    return ""


def _real(root: Path, file: str, _: str) -> str:
    path, top = os.path.realpath(root / file), _real_root(root)
    if path.startswith(f"{top}{os.sep}"):
        return path[len(top) + 1 :].replace(os.sep, "/")
    return relative(Path(path), Path(top))


@functools.lru_cache(maxsize=1)
def _real_root(root: Path) -> str:
    return os.path.realpath(root)


def _glob(root: Path, folder: str, pattern: str) -> str:
    top = root / folder
    return "\0".join(path.relative_to(top).as_posix() for path in sorted(top.glob(pattern)))


def _tree(root: Path, folder: str, _: str) -> str:
    found = []
    for top, folders, files in os.walk(root / folder):
        folders[:] = [each for each in folders if each[0] != "." and each != "__pycache__"]
        for path in (os.path.join(top, each) for each in files):  # noqa: PTH118
            with suppress(OSError):
                state = os.stat(path)  # noqa: PTH116
                found.append(f"{path} {state.st_size} {state.st_mtime_ns}")
    return "\0".join(sorted(found))


_READERS: Mapping[str, Callable[[Path, str, str], bytes | str | OSError]] = {
    "file": _read_file,
    "is file": _is_file,
    "exists": _exists,
    "real": _real,
    "glob": _glob,
    "tree": _tree,
}
