"""What an answer was read from, so that it need not be found again while that is unchanged.

Whatever a verdict may depend on is read through here. Who wants to keep an answer watches what
is read on the way to it, and later looks whether all of it would be read the same. The watch is
the one thing of this package that is global: else every reader would carry it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


_MOST_BYTES = 16 << 20


class Fact(NamedTuple):
    """Something that was looked at, and a short form of what was seen.

    Attributes:
        kind: how it was looked at, a key of `_LOOKS`.
        name: a path, or the name of a variable.
        more: what else that kind of look needs.
        seen: the short form.
    """

    kind: str
    name: str
    more: str
    seen: str


class Witness:
    """Keeps what is read while it watches; what cannot be kept spoils all of it."""

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str, str], str] = {}
        self.spoilt = False

    @property
    def facts(self) -> list[Fact]:
        """What was seen, each once."""
        return [Fact(*look, seen) for look, seen in self._facts.items()]

    def saw(self, kind: str, name: str, more: str, seen: str) -> None:
        """Take a fact in; one that has changed since it was first seen spoils the rest."""
        self.spoilt |= self._facts.setdefault((kind, name, more), seen) != seen


_watching: Witness | None = None


@contextmanager
def watch() -> Iterator[Witness]:
    """Keep what is read in the meantime."""
    global _watching  # noqa: PLW0603  (see above)
    before, _watching = _watching, Witness()
    try:
        yield _watching
    finally:
        _watching = before


def stands(facts: Iterable[Fact], environ: Mapping[str, str]) -> bool:
    """Tell whether all of that would be seen again; paths are as from the current folder."""
    return all(fact.seen == fingerprint(_look(fact, environ)) for fact in facts)


def _look(fact: Fact, environ: Mapping[str, str]) -> bytes | str | None:
    if fact.kind == "variable":
        return environ.get(fact.name)
    return _LOOKS[fact.kind](Path(fact.name), fact.more)


def read(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        OSError: when it is not there or cannot be read.
    """
    try:
        _refuse_strange(path)
        data = path.read_bytes()
    except OSError:
        _saw("file", path, None)
        raise
    _saw("file", path, data)
    return data


def _refuse_strange(path: Path) -> None:
    """Refuse what has no end, or more than anybody writes: a pipe, a device, a huge file.

    Raises:
        OSError: saying so; or that there is no such file.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, no file", str(path))
    if found.st_size > _MOST_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {_MOST_BYTES >> 20} MB", str(path))


def is_file(path: Path) -> bool:
    """Return whether there is such a file."""
    return _seen("is file", path) == "True"


def exists(path: Path) -> bool:
    """Return whether there is such a file or folder; one that cannot be looked at is not there."""
    return _seen("exists", path) == "True"


def real(path: Path) -> str:
    """Return a path with its links resolved."""
    return _seen("real", path)


def is_within(path: Path, root: Path) -> bool:
    """Return whether a path, with its links resolved, is in a project, and not in its ``.git``."""
    found, top = Path(real(path)), Path(real(root))
    if not found.is_relative_to(top):
        return False
    return all(part.lower() != ".git" for part in found.relative_to(top).parts)


def glob(folder: Path, pattern: str) -> list[Path]:
    """List what fits a pattern below a folder, sorted."""
    return [folder / name for name in _seen("glob", folder, pattern).split("\0") if name]


def is_ci(environ: Mapping[str, str]) -> bool:
    """Return whether a CI service runs this, which sets the variable `CI`."""
    return bool(environ.get("CI"))


def variable(environ: Mapping[str, str], name: str) -> str | None:
    """Return an environment variable, or None."""
    value = environ.get(name)
    if _watching is not None:
        _watching.saw("variable", name, "", fingerprint(value))
    return value


def _seen(kind: str, path: Path, more: str = "") -> str:
    found = str(_LOOKS[kind](path, more))
    _saw(kind, path, found, more)
    return found


def _saw(kind: str, path: Path, seen: bytes | str | None, more: str = "") -> None:
    if _watching is not None:
        try:
            _watching.saw(kind, os.path.relpath(path), more, fingerprint(seen))
        except ValueError:  # another drive, on Windows
            _watching.spoilt = True


def _read_or_none(path: Path) -> bytes | None:
    try:
        _refuse_strange(path)
        return path.read_bytes()
    except OSError:
        return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder of somebody else's
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _listed(folder: Path, pattern: str) -> str:
    return "\0".join(path.relative_to(folder).as_posix() for path in sorted(folder.glob(pattern)))


def fingerprint(seen: bytes | str | None) -> str:
    """Return the short form of what was seen; nothing is unlike empty."""
    if seen is None:
        return "-"
    data = seen.encode(errors="surrogateescape") if isinstance(seen, str) else seen
    return hashlib.sha256(data).hexdigest()


_LOOKS: Mapping[str, Callable[[Path, str], bytes | str | None]] = {
    "file": lambda path, _: _read_or_none(path),
    "is file": lambda path, _: str(_is_file(path)),
    "exists": lambda path, _: str(_exists(path)),
    "real": lambda path, _: os.path.realpath(path),
    "glob": _listed,
}
