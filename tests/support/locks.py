"""What tests read out of lock files, and of all that a run leaves behind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def pins(text: str) -> dict[str, str]:
    """Return the version each project is pinned to, by normalised name."""
    return {canonicalize_name(name): version for name, version in _PIN.findall(text)}


def fingerprint(path: Path) -> tuple[bytes, int, int]:
    """Return a file's bytes, and what changes when it is written anew with the same bytes."""
    stat = path.stat()
    return path.read_bytes(), stat.st_mtime_ns, stat.st_ino


def find_bytes(
    folder: Path, needles: Iterable[str], *, leave_out: Iterable[str] = ()
) -> dict[str, list[str]]:
    """Return which of `needles` stand in which file below `folder`, in name or content.

    `leave_out` names folders, relative to `folder`, that are not looked into.
    """
    wanted = [(needle, needle.encode()) for needle in needles]
    excluded = {folder / each for each in leave_out}
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or excluded.intersection(path.parents):
            continue
        relative = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        here = [needle for needle, data in wanted if data in content or needle in relative]
        if here:
            found[relative] = here
    return found
