"""What one lock file is for: a Python, and the platform it was made on.

Marker variables are those of PEP 508,
https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers
"""

from __future__ import annotations

import platform
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from packaging.markers import Marker
from packaging.version import InvalidVersion

from nox_lock._errors import ConfigError
from nox_lock._wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PYTHON = re.compile(
    r"(?:python|cpython)?(?P<pypy>pypy-?)?(?P<version>\d{1,3}\.\d{1,3})(?:\.\d+)?(?P<t>t)?$"
)
_CONFIG_VERSION = re.compile(
    r"^(?:version_info|version|python-version)\s*=\s*(\d+\.\d+)", re.MULTILINE
)
# The kernel's release is of a machine, not of a target.
_UNKNOWABLE = r"platform[._](?:release|version)"
_MACHINES = {"amd64": "AMD64", "arm64": "ARM64"}  # as Windows spells them
_OS_NAMES = {"win32": "nt"}
# `sys.platform`, https://docs.python.org/3/library/sys.html#sys.platform
SYSTEM = (
    "linux|darwin|win32|cygwin|aix|android|ios|emscripten|wasi"
    r"|freebsd\d*|openbsd\d*|netbsd\d*|sunos\d"
)
_SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}


class Target(NamedTuple):
    """A Python that a lock file is made for.

    Attributes:
        version: ``X.Y``.
        implementation: ``cpython`` or ``pypy``.
        threaded: a free-threaded build (``3.13t``): other wheels, the same markers.
    """

    version: str
    implementation: str = "cpython"
    threaded: bool = False

    def __str__(self) -> str:
        prefix = "" if self.implementation == "cpython" else self.implementation
        return f"{prefix}{self.version}{'t' if self.threaded else ''}"

    @property
    def sort_key(self) -> tuple[str, tuple[int, ...], bool]:
        """Orders 3.9 before 3.10."""
        return self.implementation, tuple(map(int, self.version.split("."))), self.threaded


class Platform(NamedTuple):
    """Where a lock file was made: `sys.platform` and `platform.machine()`."""

    system: str
    machine: str

    def __str__(self) -> str:
        return f"{self.system}-{self.machine}"


def parse_target(text: str) -> Target:
    """Read what people write for a Python: ``3.11``, ``python3.11``, ``pypy3.10``, ``3.13t``.

    Raises:
        ConfigError: for anything that does not name one X.Y.
    """
    if found := _PYTHON.match(text.strip().lower()):
        return Target(
            found["version"], "pypy" if found["pypy"] else "cpython", threaded=bool(found["t"])
        )
    raise ConfigError(
        f"{quoted(text)} names no Python", hint='Write it as "3.11", "3.13t" or "pypy3.10".'
    )


def running_target() -> Target:
    """Return the target of the interpreter that runs this code."""
    return Target(
        f"{sys.version_info.major}.{sys.version_info.minor}",
        sys.implementation.name,
        threaded="t" in getattr(sys, "abiflags", ""),
    )


def running_platform() -> Platform:
    """Return the platform this code runs on."""
    return Platform(sys.platform, platform.machine().lower())


def parse_platform(text: str) -> Platform:
    """Read a stamp's platform, such as ``linux-x86_64``."""
    system, _, machine = text.partition("-")
    return Platform(system, machine)


def target_of_environment(location: Path) -> Target | None:
    """Tell the target of a virtual environment by its files, without running it.

    Returns None where that cannot be told.
    """
    try:
        config = (location / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        # A conda environment has no pyvenv.cfg, but a record of its own python package.
        records = (location / "conda-meta").glob("python-[0-9]*.json")
        config = "".join(f"version = {record.name.split('-')[1]}" for record in records)
    found = _CONFIG_VERSION.search(config)
    if not found:
        return None
    library = next((entry.name for entry in _library_folders(location)), "")
    implementation = "pypy" if library.startswith("pypy") else "cpython"
    return Target(found[1], implementation, threaded=library.endswith("t"))


def site_packages(location: Path) -> Path | None:
    """Return a virtual environment's site-packages folder, or None when there is none."""
    folder = location / "Lib" / "site-packages"  # Windows
    if folder.is_dir():
        return folder
    return next((folder / "site-packages" for folder in _library_folders(location)), None)


def _library_folders(location: Path) -> Iterator[Path]:
    for pattern in ("python*", "pypy*"):
        yield from sorted((location / "lib").glob(pattern))


def holds(
    marker: Marker | None, target: Target, platform_: Platform, extra: str = ""
) -> bool | None:
    """Tell whether a marker holds for a target: yes, no, or None when X.Y alone cannot say.

    A marker on ``python_full_version`` may hold for the first X.Y.0 and not for the last: it is
    evaluated for both ends. `extra` is the one that is asked for.
    """
    if marker is None:
        return True
    if re.search(_UNKNOWABLE, str(marker)):
        return None
    try:
        first, last = (
            marker.evaluate({**_marker_environment(target, platform_, micro), "extra": extra})
            for micro in ("0", "99")
        )
    except InvalidVersion:  # old packaging, of "linux" >= "5"; newer says no
        return False
    return first if first == last else None


def counts(marker: str, target: Target, platform_: Platform) -> bool:
    """Tell whether a line of a lock file with this marker counts for a target, for all we know."""
    if not marker:
        return True
    try:
        return holds(Marker(marker), target, platform_) is not False
    except (ValueError, RecursionError):  # no marker, or one that compares what cannot be compared
        return True


def _marker_environment(target: Target, platform_: Platform, micro: str) -> dict[str, str]:
    full = f"{target.version}.{micro}"
    names = {"cpython": "CPython", "pypy": "PyPy"}
    return {
        "implementation_name": target.implementation,
        "implementation_version": full,
        "os_name": _OS_NAMES.get(platform_.system, "posix"),
        "platform_machine": _machine(platform_),
        "platform_python_implementation": names.get(target.implementation, target.implementation),
        "platform_system": _SYSTEMS.get(platform_.system, platform_.system),
        "python_full_version": full,
        "python_version": target.version,
        "sys_platform": platform_.system,
        "extra": "",
    }


def _machine(platform_: Platform) -> str:
    if platform_.system == "win32":
        return _MACHINES.get(platform_.machine, platform_.machine)
    return platform_.machine
