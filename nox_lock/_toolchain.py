"""An interpreter for a target with a working pip-tools: the one beside us, or one made for it.

What is made stands in the user's cache, in one folder for each target and pip-tools:

    tools/3.12-pip-tools-7.6.2/ready.json   names the environment that is in use, and its versions
    tools/3.12-pip-tools-7.6.2/env-k2v9x1/  an environment; one that `ready.json` does not name is
                                            half-made, or was replaced
    tools/3.12-pip-tools-7.6.2/making-.../  held by who makes the environment of that name

So what was not made to the end is never used, and what another process compiles with is never
written to or pulled away, even where file locks are not honoured.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata, util
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from nox_lock._errors import ToolchainError
from nox_lock._files import write_atomically
from nox_lock._processes import Processes
from nox_lock._target import running_target, site_packages
from nox_lock._tool_environment import PREFIX, Maker, clear_half_made, python_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from nox_lock._cache import Cache
    from nox_lock._indexes import IndexSettings
    from nox_lock._target import Target

_READY = "ready.json"
# Longer than any compile or making may take: nobody works with what was left so long ago.
_LEFT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Toolchain:
    """An interpreter, and the versions of pip-tools and pip it has."""

    python: str
    pip_tools: str
    pip: str


def running_toolchain() -> Toolchain | None:
    """Return the pip-tools beside nox-lock, or None where there is none that can work."""
    if util.find_spec("piptools") is None or util.find_spec("pip") is None:
        return None
    return Toolchain(sys.executable, metadata.version("pip-tools"), metadata.version("pip"))


def tool_versions() -> tuple[str, str]:
    """Return the versions of pip-tools and pip that shape a lock made from here."""
    return metadata.version("pip-tools"), metadata.version("pip")


def find_toolchain(  # noqa: PLR0913  (each is another thing that a compile has at hand)
    target: Target,
    cache: Cache,
    indexes: IndexSettings,
    environ: Mapping[str, str],
    tell: Callable[[str], None],
    *,
    private: bool = False,
    remake: bool = False,
    processes: Processes | None = None,
) -> Toolchain:
    """Return a toolchain for `target`; `private` passes over the one that runs nox.

    One for another Python is made on first use, once per user, with the same pip-tools and the
    newest pip that works with it. `remake` throws away the kept one, for a caller that saw it
    fail; not one that another process made meanwhile. Threads may call this side by side.

    Raises:
        InterpreterMissingError: when the machine has no such Python.
        ToolchainError: when pip-tools cannot be installed for it, or there is no place for it.
        WaitError: when another process makes it for too long.
    """
    if target == running_target() and not private and (beside := running_toolchain()):
        return beside
    version = metadata.version("pip-tools")
    _refuse_old(target, version)
    home = _home_of(target, version, cache)
    seen = _ready_file(home)
    if not remake and (toolchain := _ready(home, version)):
        return toolchain
    preparing = f"pip-tools {version} for Python {target}"
    with cache.hold(f"tools-{home.name}", tell, f"prepares {preparing}"):
        may_do = not remake or _ready_file(home) != seen
        if may_do and (toolchain := _ready(home, version)):
            return toolchain
        tell(f"preparing {preparing}")
        try:
            maker = Maker(target, version, indexes, environ, processes or Processes())
            return _make(home, maker)
        except OSError as error:
            raise ToolchainError(
                f"{preparing} cannot be kept in the cache folder: {error.strerror}"
            ) from error


def _refuse_old(target: Target, version: str) -> None:
    """Refuse a target that this pip-tools does not run on, before anything is made for it."""
    supported = ", ".join(metadata.metadata("pip-tools").get_all("Requires-Python") or [])
    # The last X.Y: one that needs a late bug fix release of X.Y does run on X.Y.
    if not SpecifierSet(supported).contains(f"{target.version}.99"):
        raise ToolchainError(
            f"Python {target} is older than pip-tools {version} supports ({supported})",
            hint="Take it out of `python = [...]`, or install an older pip-tools beside nox-lock.",
        )


def _home_of(target: Target, version: str, cache: Cache) -> Path:
    """Return the folder in the cache for what is made for a target."""
    if cache.folder is None:
        raise ToolchainError(
            f"Python {target} needs an environment with pip-tools, and the cache folder, "
            "where it would be kept, cannot be used"
        )
    return cache.folder / "tools" / f"{target}-pip-tools-{version}"


def _make(home: Path, maker: Maker) -> Toolchain:
    """Make an environment, and only then name it as the one in use."""
    home.mkdir(parents=True, exist_ok=True)
    old = _read(home)
    (home / _READY).unlink(missing_ok=True)
    clear_half_made(home)
    _sweep(home, old)
    folder, pip = maker.make(home)
    made = _Kept(folder, maker.version, pip)
    if not made.is_whole():
        raise ToolchainError(f"the environment made for Python {maker.target} has no pip-tools")
    told = {"folder": folder.name, "pip_tools": made.pip_tools, "pip": pip}
    write_atomically(home / _READY, json.dumps(told))
    if old is not None:
        _retire(old)
    return made.toolchain()


@dataclass(frozen=True, slots=True)
class _Kept:
    """The environment that a ready file names, and what the file says it has."""

    folder: Path
    pip_tools: str
    pip: str

    def toolchain(self) -> Toolchain:
        return Toolchain(str(python_in(self.folder)), self.pip_tools, self.pip)

    def is_whole(self) -> bool:
        """Tell whether all that a compile starts with is there, without starting it.

        A Python that went away leaves a dangling link, a tidied cache folder leaves gaps.
        """
        parts = (
            "pip/__init__.py",
            "piptools/__init__.py",
            f"pip-{self.pip}.dist-info",
            f"pip_tools-{self.pip_tools}.dist-info",
        )
        try:
            site = site_packages(self.folder)
            return (
                site is not None
                and python_in(self.folder).exists()
                and all((site / part).exists() for part in parts)
            )
        except OSError:  # it may not be looked into
            return False


def _ready(home: Path, version: str) -> Toolchain | None:
    """Return the kept toolchain if it is what was asked for, and whole."""
    kept = _read(home)
    if kept is None or kept.pip_tools != version or not kept.is_whole():
        return None
    return kept.toolchain()


def _ready_file(home: Path) -> bytes:
    """Return the bytes that tell one making from the next; none where there is nothing ready."""
    try:
        return (home / _READY).read_bytes()
    except OSError:
        return b""


def _read(home: Path) -> _Kept | None:
    """Read the ready file; None for none, and for one that cannot be ours."""
    try:
        told = json.loads(_ready_file(home))
        kept = _Kept(home / told["folder"], str(told["pip_tools"]), str(told["pip"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return kept if _is_environment(kept.folder, home) else None


def _is_environment(folder: Path, home: Path) -> bool:
    return folder.parent == home and folder.name.startswith(PREFIX)


def _retire(old: _Kept) -> None:
    """Remove what was replaced; one that may yet run is left, since a compile may be under way."""
    if old.is_whole():
        with suppress(OSError):
            os.utime(old.folder)  # `_sweep` counts from now
    else:
        shutil.rmtree(old.folder, ignore_errors=True)


def _sweep(home: Path, old: _Kept | None) -> None:
    """Remove what killed processes and `_retire` left, once nobody can be at work in it."""
    for path in home.iterdir():
        if old is not None and path == old.folder:
            continue
        with suppress(OSError):
            if time.time() - path.stat().st_mtime < _LEFT_SECONDS:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
