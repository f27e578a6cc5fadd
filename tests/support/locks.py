"""What tests read out of lock files, and of all that a run leaves behind."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock.lockfile import lock_file
from nox_lock.target import running_platform
from support.plans import plan_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from nox_lock.target import Target

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


def hashed_pin(wheel: Path, *via: str) -> str:
    """Return the lines of a wheel's pin and of what asks for it, as pip-compile writes them."""
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    asking = f" {via[0]}" if len(via) == 1 else "".join(f"\n    #   {each}" for each in via)
    return f"{name}=={version} \\\n    --hash=sha256:{digest}\n    # via{asking}\n"


def stamp_all(
    root: Path, bodies: Mapping[str, str], used: Mapping[str, Collection[Target]] | None = None
) -> list[str]:
    """Write the lock file of every lock and target as nox-lock would; return their paths.

    `bodies` are their pins, by lock; `used` the Pythons of sessions. A Python need not be on
    this machine, nor a project on any index.
    """
    paths = [each.path for each in plan_folder(root, os.environ, used=used)]
    for path in paths:
        # Anew for each: those it builds on stand now.
        [planned] = [e for e in plan_folder(root, os.environ, used=used) if e.path == path]
        body = bodies[planned.name].strip("\n")
        system, here = planned.system, running_platform()
        stamp = lock_file.Stamp(
            inputs=planned.digest,
            hidden=frozenset(planned.hidden),
            body=lock_file.digest(body),
            platform=f"{system or here.system}-{here.machine}",
        )
        text = lock_file.render(
            body,
            python=planned.target.version,
            command=planned.command or "nox -s lock",
            stamp=stamp,
            options=tuple(planned.options),
        )
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    return paths
