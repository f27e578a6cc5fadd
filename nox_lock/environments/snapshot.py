"""Whether an environment has to be looked at at all.

Once one was found to hold exactly its lock, what that was told by is kept in it: all that was
read of the project, what the noxfile said, and a listing of what is installed. While all of that
is as it was, so is the answer, and neither inputs nor lock files have to be understood again.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from nox_lock.files import write_all
from nox_lock.project import Fact, fingerprint, stands

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nox_lock.project import Witness

# Where we keep notes inside an environment: gone with it.
NOTES = "nox-lock"
CONSTRAINTS = "constraints.txt"
_NAME = "seal"
_INTERPRETERS = ("bin/python", "Scripts/python.exe")
# Notes that are no part of what an environment holds.
_PASSING = (_NAME, "install.log", "busy.lock", "busy.holder")


class Seal(NamedTuple):
    """What is kept of an environment that holds its lock, and what it is held against.

    Attributes:
        location: the folder of the environment.
        asked: what the session asks for, in any fixed form.
        held: what the environment held when this was made; None where that cannot be told.
    """

    location: Path
    asked: str
    held: str | None

    def told(self, environ: Mapping[str, str]) -> str | None:
        """Return what was told of the environment when it was kept, if all is as it was then."""
        if self.held is None:
            return None
        try:
            kept = json.loads((self.location / NOTES / _NAME).read_bytes())
            facts = [Fact(*each) for each in kept["facts"]]
            same = kept["held"] == self.held and kept["asked"] == fingerprint(self.asked)
            return str(kept["told"]) if same and stands(facts, environ) else None
        # A broken note is none; RuntimeError is that of one nested too deep.
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError):
            return None

    def keep(self, witness: Witness, told: str) -> None:
        """Keep that the environment holds its lock; where nothing can be written, keep nothing."""
        if witness.spoilt or self.held is None:
            return
        asked = fingerprint(self.asked)
        kept = {"asked": asked, "held": self.held, "facts": witness.facts, "told": told}
        with suppress(OSError):
            write_all({self.location / NOTES / _NAME: json.dumps(kept, indent=0)})

    @property
    def constraints(self) -> str:
        """Where the pins stand as a plain constraints file, a ``file:`` URL."""
        return (self.location / NOTES / CONSTRAINTS).as_uri()

    def is_unchanged(self) -> bool:
        """Tell whether the environment still holds what it held."""
        return self.held is not None and listing(self.location) == self.held


def look(location: Path, asked: str) -> Seal:
    """Look at an environment, and at what it is to hold, for what a session asks."""
    return Seal(location, asked, listing(location))


def listing(location: Path) -> str | None:
    """Return a short form of what an environment is and holds; None where that cannot be told.

    The time of a folder changes with what is put into it or taken out: one look at each tells
    of metadata that was half deleted, or written anew.
    """
    found = [sys.platform]
    try:
        found.append((location / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace"))
        found += (os.path.realpath(location / name) for name in _INTERPRETERS)
        for library in _libraries(location):
            with os.scandir(library / "site-packages") as entries:
                metadata = (each for each in entries if each.name.endswith(".dist-info"))
                found += sorted(f"{each.name} {each.stat().st_mtime_ns}" for each in metadata)
        for note in sorted((location / NOTES).iterdir()):
            if note.name not in _PASSING:
                found += note.name, note.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    return fingerprint("\0".join(found))


def _libraries(location: Path) -> list[Path]:
    if os.name == "nt":
        return [location / "Lib"]
    folders = (location / "lib").iterdir()
    return sorted(each for each in folders if each.name.startswith(("python", "pypy")))
