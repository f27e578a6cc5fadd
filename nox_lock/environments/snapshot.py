"""Skip verification while nothing changed.

A snapshot is saved in an environment that was found to match its lock files: all that was read of
the project, what the noxfile says, and what is installed. While that is so, nothing else is read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from nox_lock.files import write_all
from nox_lock.project import Project, fingerprint

NOTES = "nox-lock"  # the folder for our notes inside an environment: deleted with it
CONSTRAINTS = "constraints.txt"
CREATED = "created"  # the note of the folder it was created in, and of its `python=`
_NAME = "snapshot"
_INTERPRETERS = ("bin/python", "Scripts/python.exe")
_PASSING = (_NAME, CREATED, "install.log", "busy.lock", "busy.holder")  # not part of the state


class Snapshot(NamedTuple):
    """An environment as it is now, to be compared with the one that was saved."""

    location: Path
    request: str  # what the session requires, in any fixed form
    state: str | None  # that of `read_state`; None matches nothing, and is not saved

    def match(self, project: Project) -> str | None:
        """Return the lock files it matched when saved, if nothing changed since, else None."""
        # A broken note is none; RuntimeError is that of one nested too deep.
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError):
            saved = json.loads((self.location / NOTES / _NAME).read_bytes())
            same = saved["state"] == self.state and saved["request"] == fingerprint(self.request)
            if self.state and same and project.matches(saved["facts"]):
                return str(saved["locks"])
        return None

    def save(self, facts: Sequence[Sequence[str]], locks: str) -> None:
        """Save that the environment matches `locks`; without write access, save nothing."""
        request = fingerprint(self.request)
        saved = {"request": request, "state": self.state, "facts": facts, "locks": locks}
        with suppress(OSError):
            if self.state:
                write_all({self.location / NOTES / _NAME: json.dumps(saved, indent=0)})


def read_state(location: Path) -> str | None:
    """Return a digest of an environment's Python and metadata folders; None if unreadable."""
    found = [sys.platform]
    try:
        found.append((location / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace"))
        found += (os.path.realpath(location / name) for name in _INTERPRETERS)
        for library in libraries(location):
            with os.scandir(library / "site-packages") as entries:
                # The time of a folder changes with each file that is added to it or removed.
                metadata = (each for each in entries if each.name.endswith(".dist-info"))
                found += sorted(f"{each.name} {each.stat().st_mtime_ns}" for each in metadata)
        for note in sorted((location / NOTES).iterdir()):
            if note.name not in _PASSING:
                found += note.name, note.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    return fingerprint("\0".join(found))


def libraries(location: Path) -> list[Path]:
    """Return the folders in an environment that have its site-packages."""
    if (location / "Lib" / "site-packages").is_dir():  # Windows
        return [location / "Lib"]
    folders = (location / "lib").glob("py*")
    return sorted(each for each in folders if each.name.startswith(("python", "pypy")))


def read_text(path: Path) -> str:
    """Return the text of a file; empty for one that cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
