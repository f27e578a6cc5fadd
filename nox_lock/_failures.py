"""What pip-tools itself said of a compile that failed, kept for who wants to read it all."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock._cache import VARIABLE, make_key
from nox_lock._index_log import mask
from nox_lock._wording import presentable, without_folders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_lock._cache import Cache
    from nox_lock._planned import Planned

_LONGEST = 1 << 18
_NAME_LENGTH = 60
# With a password that holds an @, too: of a file that stays, rather more is taken out.
_LOGIN = re.compile(r"(\w+://)[^/\s'\"]*@")


def keep_failure(
    said: str, planned: Planned, root: Path, cache: Cache, environ: Mapping[str, str]
) -> str:
    """Keep what was said, over that of the last failure; return how a person finds it, or nothing.

    The name is that of the lock file, with a digest, since all projects of a user share a cache.
    """
    plain = re.sub(r"[^\w.-]+", "-", f"{planned.name}-{planned.target}", flags=re.ASCII)
    name = f"{plain[:_NAME_LENGTH]}-{make_key(str(root), planned.path)[:8]}.log"
    kept = cache.keep_failure(name, readable(said)) if said else None
    return _shown(kept, environ) if kept else ""


def readable(said: str) -> str:
    """Return text without secrets, folders of this machine and control characters; the end of it.

    What is too long is cut between lines, so that no half of an address stays.
    """
    lines: list[str] = []
    room = _LONGEST
    for line in reversed(said.splitlines()):
        room -= len(line) + 1
        if room < 0:
            lines.append("(what stood above was too long to be kept)")
            break
        masked = mask(_LOGIN.sub(r"\1****@", line))
        lines.append(presentable(without_folders(masked)))
    return "\n".join([*reversed(lines), ""])


def _shown(path: Path, environ: Mapping[str, str]) -> str:
    """Return a path in the cache folder as a person writes it, without what is this machine's."""
    if environ.get(VARIABLE):
        variable = f"%{VARIABLE}%" if os.name == "nt" else f"${VARIABLE}"
        return f"{variable}/{'/'.join(path.parts[-3:])}"
    with suppress(RuntimeError):  # nobody knows the user's home
        if path.is_relative_to(Path.home()):
            return f"~/{path.relative_to(Path.home()).as_posix()}"
    return f"{'/'.join(path.parts[-3:])}, in the cache folder"
