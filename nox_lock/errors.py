"""The error hierarchy. Code deep down raises; `nox_lock.sessions.api` alone catches and shows."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NamedTuple

_FIXES = {
    "ENOENT": "Create it, or remove the line that refers to it.",
    "EACCES": "Let the user who runs nox read and write it.",
    "EPERM": "Let the user who runs nox read and write it.",
    "EROFS": "It is on a read-only file system: run this elsewhere.",
    "ENOSPC": "Make room on the disk.",
    "EDQUOT": "Make room on the disk.",
    "ENAMETOOLONG": "Give it a shorter name.",
    "EISDIR": "Replace this folder by a file.",
    "ENOTDIR": "A part of its path is a file: move that, or it.",
    "ELOOP": "A link leads back to itself: replace it by a file.",
    "EMFILE": "Too many files are open: close some, or raise the limit (ulimit -n).",
}


class Place(NamedTuple):
    """A file, relative to the project root, and a line of it, from 1; None for all of it."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class NoxLockError(Exception):
    """Anything nox-lock refuses or fails at, worded for the person who can fix it."""

    def __init__(self, message: str, place: Place | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message  # what is wrong, in a few lines, without secrets and absolute paths
        self.place = place
        self.hint = hint  # the command or edit that fixes it, or None

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}\n{self.hint}" if self.hint else text


class ConfigError(NoxLockError):
    """What `pyproject.toml`, the environment or the command line says is wrong."""


class RequirementsError(NoxLockError):
    """An input cannot be read: missing, badly encoded, or against pip's file format."""


class LockFileError(NoxLockError):
    """A lock file cannot be read, is not a lock file, or could not be written."""


class ToolchainError(NoxLockError):
    """No installed Python, pip or pip-tools can do what is needed."""


class CompileError(NoxLockError):
    """pip-tools did not make a lock."""

    def __init__(
        self,
        message: str,
        place: Place | None = None,
        hint: str | None = None,
        *,
        kind: str,  # which failure it was, such as ``conflict`` or ``build``
        projects: tuple[str, ...] = (),  # those it is about, by normalized name
        edits: tuple[str, ...] = (),  # what may be changed, each a line
    ) -> None:
        super().__init__(message, place, hint)
        self.kind = kind
        self.projects = projects
        self.edits = edits


class InstallerBrokenError(NoxLockError):
    """The environment's own pip does not run: nox was ended while it made the environment."""


def fix_of(error: OSError) -> str:
    """Return what a person can do about an error of the operating system."""
    name = errno.errorcode.get(error.errno or 0, "")
    return _FIXES.get(name, "Find out what is special about it, and run this again.")


def as_error(error: OSError | RecursionError, root: Path) -> NoxLockError:
    """Return an error that no caller could say more about as one of ours, without folders."""
    if isinstance(error, RecursionError):
        return ConfigError(
            "an input, a lock file or the configuration is nested too deep to be read",
            hint="Look for brackets without end, or files that include one another.",
        )
    place = None
    if isinstance(error.filename, (str, bytes, os.PathLike)):
        path = Path(os.path.abspath(os.fsdecode(error.filename)))  # noqa: PTH100  (keeps links)
        inside = path.is_relative_to(root)
        place = Place(path.relative_to(root).as_posix() if inside else path.name)
    reason = error.strerror or "no reason given"
    return NoxLockError(f"the operating system refused this: {reason}", place, fix_of(error))


class Reason(NamedTuple):
    """Why a lock file is not fresh, or a warning about one, and the place to look at."""

    message: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.message} ({self.place})" if self.place else self.message
