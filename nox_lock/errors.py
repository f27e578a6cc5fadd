"""The one error hierarchy: what is wrong, where, and what mends it.

Deep code only raises. `nox_lock.sessions.api` is the one place that catches and shows.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NamedTuple

_FIXES = {
    "ENOENT": "Make it, or take out what names it.",
    "EACCES": "Let the user who runs nox read and write it.",
    "EPERM": "Let the user who runs nox read and write it.",
    "EROFS": "It lies where nothing can be written: run this elsewhere.",
    "ENOSPC": "Make room on the disk.",
    "EDQUOT": "Make room on the disk.",
    "ENAMETOOLONG": "Give it a shorter name.",
    "EISDIR": "Put a file in the place of this folder.",
    "ENOTDIR": "A part of its path is a file: move that, or it.",
    "ELOOP": "A link leads back to itself: put a file in its place.",
    "EMFILE": "Close what holds many files open, or raise that limit: ulimit -n",
    "ENFILE": "Close what holds many files open, or raise that limit: ulimit -n",
}


class Place(NamedTuple):
    """A file, relative to the project root, and a line of it, from 1; None for all of it."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        """Return it as errors name it."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


class NoxLockError(Exception):
    """Anything nox-lock refuses or fails at, worded for the person who can mend it.

    Attributes:
        message: what is wrong, in one or a few lines; holds no secret and no absolute path.
        place: where it is, or None.
        hint: the command or edit that mends it, or None.
    """

    def __init__(
        self,
        message: str,
        place: Place | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    @property
    def file(self) -> str | None:
        """The file it was seen in, relative to the project root, or None."""
        return self.place and self.place.file

    @property
    def line(self) -> int | None:
        """The line in that file, counted from 1, or None."""
        return self.place and self.place.line

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}\n{self.hint}" if self.hint else text


class ConfigError(NoxLockError):
    """`pyproject.toml`, the environment or the command line asks for what cannot be."""


class RequirementsError(NoxLockError):
    """An input cannot be read: missing, badly encoded, or against pip's file format."""


class LockFileError(NoxLockError):
    """A lock file cannot be read, is no lock file, or could not be written."""


class LocksError(NoxLockError):
    """Some locks could not be made or are not fresh; every one of them is named."""


class BlockedError(LocksError):
    """A lock file was left as it was, because another one of its stack could not be made."""

    def __init__(self, failed: str, path: str) -> None:
        super().__init__(
            f"left as it was: {failed}, of the same stack, could not be made", Place(path)
        )


class ToolchainError(NoxLockError):
    """There is no Python, pip or pip-tools that can do what is needed."""


class CompileError(NoxLockError):
    """pip-tools did not make a lock.

    Attributes:
        kind: which failure it was, such as ``conflict`` or ``build``.
        projects: those it is about, by normalized name.
        edits: what may be changed, each a line.
    """

    def __init__(
        self,
        message: str,
        place: Place | None = None,
        hint: str | None = None,
        *,
        kind: str,
        projects: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, place, hint)
        self.kind = kind
        self.projects = projects
        self.edits: tuple[str, ...] = ()


class SystemRefusedError(NoxLockError):
    """The operating system refused what had to be done with a file."""


class WaitError(NoxLockError):
    """Another process held a file lock for longer than `NOX_LOCK_TIMEOUT`."""


class InterruptedWorkError(NoxLockError):
    """What a thread was at was ended, because the whole run was interrupted."""

    def __init__(self) -> None:
        super().__init__("interrupted")


class InstallError(NoxLockError):
    """pip or uv could not install what is locked; what it said stands above."""


class InstallerBrokenError(InstallError):
    """The environment's own pip does not run: nox was ended while it made the environment."""


class EnvironmentMismatchError(NoxLockError):
    """After installing, the environment still does not hold what the lock says."""


def fix_of(error: OSError) -> str:
    """Return what a person can do about what the operating system refused."""
    name = errno.errorcode.get(error.errno or 0, "")
    return _FIXES.get(name, "See what is special about it, and run this again.")


def as_error(error: OSError | RecursionError, root: Path) -> NoxLockError:
    """Tell of what went wrong deep below, where nobody knows more than the file."""
    if isinstance(error, RecursionError):
        return ConfigError(
            "an input, a lock file or the configuration is nested too deep to be read",
            hint="Look for brackets without end, or files that include one another.",
        )
    message = f"the operating system refused this: {error.strerror or 'it does not say why'}"
    return SystemRefusedError(message, _shown_path(error.filename, root), fix_of(error))


def _shown_path(path: object, root: Path) -> Place | None:
    """Return a file's path as from the project root; of one elsewhere its own name alone.

    Where that stands is a matter of this machine.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    found = Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100  (links stay as they are)
    return Place(found.relative_to(root).as_posix() if found.is_relative_to(root) else found.name)
