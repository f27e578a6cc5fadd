"""What a lock file is for: a Python and a platform, with their markers and wheel tags."""

from __future__ import annotations

import functools
import platform
import re
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from typing import NamedTuple

from packaging.markers import Marker

from nox_lock.errors import ConfigError
from nox_lock.text import quoted

_PYTHON = re.compile(
    r"(?:python|cpython)?(?P<pypy>pypy-?)?(?P<version>\d{1,3}\.\d{1,3})"
    r"(?:\.(?P<patch>\d{1,3}))?(?P<t>t)?$"
)
_UNKNOWABLE = r"platform[._](?:release|version)"  # of the kernel of a machine, not of a target
# `sys.platform`, https://docs.python.org/3/library/sys.html#sys.platform
SYSTEM = (
    r"(?:linux|musllinux|darwin|win32|cygwin|aix|android|ios|emscripten|wasi"
    r"|freebsd\d*|openbsd\d*|netbsd\d*|sunos\d)(?:-\w+)?"
)
_SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}  # `platform.system()`
_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy"}
_LINUX_MACHINES = ("x86_64", "aarch64", "i686", "armv7l", "ppc64le", "s390x", "riscv64")
# What can be locked for from any machine: each with its machines, the usual one first.
PLATFORMS = {
    "linux": _LINUX_MACHINES,
    "musllinux": _LINUX_MACHINES,
    "darwin": ("arm64", "x86_64"),
    "win32": ("amd64", "arm64", "x86"),
}
# Older names of these levels of glibc, and the oldest of a machine: PEP 513, 571, 599, 600.
_MANYLINUX = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
_OLDEST_GLIBC = {"x86_64": 5, "i686": 5, "riscv64": 31}
_NEWEST_MUSL = 2
NEWEST_PATCH = "99"  # X.Y alone means its newest patch release, whatever that is by now
_PATCHES = range(int(NEWEST_PATCH) + 1)
_MOST_TURNS = 10  # numbers in a marker that anybody means


class Target(NamedTuple):
    """A Python that a lock file is made for; two that differ in `patch` alone are the same."""

    version: str
    implementation: str = "cpython"  # or ``pypy``
    threaded: bool = False  # a free-threaded build (``3.13t``): other wheels, the same markers
    patch: str = ""  # the third number of the version; empty where it is open

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Target) and self[:3] == other[:3]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:3])

    def __str__(self) -> str:
        prefix = "" if self.implementation == "cpython" else self.implementation
        return f"{prefix}{self.version}{'t' if self.threaded else ''}"

    @property
    def full_version(self) -> str:
        """The version with the patch release that it is resolved for."""
        return f"{self.version}.{self.patch or NEWEST_PATCH}"


class Platform(NamedTuple):
    """A platform, as stamps and configurations name it by `str`: ``musllinux-x86_64``."""

    system: str  # `sys.platform`
    machine: str  # `platform.machine()` in lower case
    libc: str = ""  # other than glibc

    def __str__(self) -> str:
        return f"{self.libc}{self.system}-{self.machine}"


class Levels(NamedTuple):
    """The oldest glibc and macOS that wheels for named platforms may need."""

    manylinux: str = "2.28"
    macos: str = "14.0"


def parse_target(text: str) -> Target:
    """Parse the name of an X.Y: ``3.11``, ``python3.11``, ``pypy3.10``, ``3.13t``; or raise."""
    if found := _PYTHON.match(text.strip().lower()):
        implementation = "pypy" if found["pypy"] else "cpython"
        return Target(found["version"], implementation, bool(found["t"]), found["patch"] or "")
    raise ConfigError(f"{quoted(text)} names no Python", hint='Give "3.11", "3.13t" or "pypy3.10".')


def running_target() -> Target:
    """Return the target of the interpreter that runs this code."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    threaded = re.search(r"\dt", EXTENSION_SUFFIXES[0])  # Windows has no `sys.abiflags`
    return Target(version, sys.implementation.name, threaded is not None)


def running_platform() -> Platform:
    """Return the platform this code runs on."""
    # Importing `sysconfig`, which knows it, too, takes milliseconds.
    musl = sys.platform == "linux" and "musl" in EXTENSION_SUFFIXES[0]
    return Platform(sys.platform, platform.machine().lower(), "musl" * musl)


def parse_platform(text: str) -> Platform:
    """Parse the platform of a stamp, such as ``linux-x86_64``."""
    system, _, machine = text.partition("-")
    libc = "musl" if system == "musllinux" else ""
    return Platform(system.removeprefix(libc), machine, libc)


def find_platform(name: str) -> Platform | None:
    """Return the platform of a name: one of `PLATFORMS`, or with its machine; None for others."""
    system, _, machine = name.partition("-")
    fitting = (each for each in PLATFORMS.get(system, ()) if machine in {"", each})
    return next((parse_platform(f"{system}-{each}") for each in fitting), None)


def holds(
    marker: Marker | None, target: Target, platform_: Platform, extra: str = ""
) -> bool | None:
    """Return whether a marker holds for a target with `extra`; None if for some patches alone."""
    if marker is None:
        return True
    found = {*_evaluate(marker, target, platform_, extra).values()}
    return found.pop() if len(found) == 1 else None


def _evaluate(marker: Marker, target: Target, platform_: Platform, extra: str) -> dict[int, bool]:
    """Return whether a marker holds from which patch release on; nothing where X.Y cannot say."""
    text, turns = str(marker), {int(target.patch or 0)}
    # PyPy has versions of its own.
    unknown = target.implementation != "cpython" and "implementation_version" in text
    if unknown or re.search(_UNKNOWABLE, text):
        return {}
    if not target.patch and re.search("(?:full|implementation)_version", text):
        numbers = {int(number) for number in re.findall(r"\.(\d{1,3})\b", text)}
        if len(numbers) > _MOST_TURNS:
            return {}
        # The answer may change at each number, and behind that.
        turns |= {n for number in numbers for n in (number, number + 1) if n in _PATCHES}
    found = {}
    for turn in sorted(turns):
        known = marker_environment(target._replace(patch=str(turn)), platform_)
        found[turn] = marker.evaluate({**known, "extra": extra})
    return found


def counts(marker: str, target: Target, platform_: Platform) -> bool:
    """Return whether a pin with this marker may be installed for a target."""
    return not marker or bool(find_patches(marker, target, target.patch, platform_))


@functools.lru_cache(maxsize=32768)  # one marker is on many pins; targets are equal in any patch
def find_patches(marker: str, target: Target, patch: str, platform_: Platform) -> frozenset[int]:
    """Return the patch releases of a target for which a pin with this marker may be installed."""
    every = frozenset([int(patch)] if patch else _PATCHES)
    try:
        found = _evaluate(Marker(marker), target, platform_, "") if marker else {}
    except (ValueError, RecursionError):  # no marker, or one that compares what cannot be compared
        return every
    if set(found.values()) <= {True}:
        return every
    return every - {n for n in every if not found[max(turn for turn in found if turn <= n)]}


def marker_environment(target: Target, platform_: Platform) -> dict[str, str]:
    """Return the marker variables that the definition of a target decides."""
    # https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers
    full = target.full_version
    system, machine, _ = platform_
    if system == "win32" and machine != "x86":
        machine = machine.upper()  # as `platform.machine()` spells it there
    implementation = _IMPLEMENTATIONS.get(target.implementation, target.implementation)
    return {
        "implementation_name": target.implementation,
        "implementation_version": full,
        "os_name": "nt" if system == "win32" else "posix",
        "platform_machine": machine,
        "platform_python_implementation": implementation,
        "platform_system": _SYSTEMS.get(system, system),
        "python_full_version": full,
        "python_version": target.version,
        "sys_platform": system,
    }


def platform_tags(platform_: Platform, levels: Levels) -> list[str]:
    """Return the platform tags of the wheels that a named platform takes, the best first."""
    # https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
    machine = platform_.machine
    if platform_.system == "win32":
        return ["win32" if machine == "x86" else f"win_{machine}"]
    if platform_.system == "darwin":
        # pip adds the older ones itself, which it does not do for glibc.
        return [f"macosx_{levels.macos.replace('.', '_')}_{machine}"]
    if platform_.libc:
        names = [f"musllinux_1_{minor}" for minor in range(_NEWEST_MUSL, -1, -1)]
    else:
        newest, oldest = int(levels.manylinux.partition(".")[2]), _OLDEST_GLIBC.get(machine, 17)
        both = ((f"manylinux_2_{n}", _MANYLINUX.get(n)) for n in range(newest, oldest - 1, -1))
        names = [name for pair in both for name in pair if name]
    return [f"{name}_{machine}" for name in (*names, "linux")]
