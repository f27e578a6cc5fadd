"""What one lock file is for: a Python and a platform, and how pip is told of them.

Marker variables are those of PEP 508,
https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers
"""

from __future__ import annotations

import platform
import re
import sys
import sysconfig
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from packaging.markers import Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion

from nox_lock.errors import ConfigError
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_PYTHON = re.compile(
    r"(?:python|cpython)?(?P<pypy>pypy-?)?(?P<version>\d{1,3}\.\d{1,3})"
    r"(?:\.(?P<patch>\d{1,3}))?(?P<t>t)?$"
)
_CONFIG_VERSION = re.compile(
    r"^(?:version_info|version|python-version)\s*=\s*(\d+\.\d+)(?:\.(\d+))?", re.MULTILINE
)
# The kernel's release is of a machine, not of a target.
_UNKNOWABLE = r"platform[._](?:release|version)"
_MACHINES = {"amd64": "AMD64", "arm64": "ARM64"}  # as Windows spells them
_OS_NAMES = {"win32": "nt"}
# `sys.platform`, https://docs.python.org/3/library/sys.html#sys.platform
SYSTEM = (
    r"(?:linux|musllinux|darwin|win32|cygwin|aix|android|ios|emscripten|wasi"
    r"|freebsd\d*|openbsd\d*|netbsd\d*|sunos\d)(?:-\w+)?"
)
_SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
# What can be locked for from any machine: each with its machines, the usual one first.
PLATFORMS = {
    "linux": ("x86_64", "aarch64", "i686", "armv7l", "ppc64le", "s390x", "riscv64"),
    "musllinux": ("x86_64", "aarch64", "i686", "armv7l", "ppc64le", "s390x", "riscv64"),
    "darwin": ("arm64", "x86_64"),
    "win32": ("amd64", "arm64", "x86"),
}
# As older files spell these levels of glibc, and the oldest of a machine: PEP 513, 571, 599, 600.
_MANYLINUX = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
_OLDEST_GLIBC = {"x86_64": 5, "i686": 5, "riscv64": 31}
_NEWEST_MUSL = 2


# The patch release that X.Y alone stands for: a new one, whatever that is by now.
_NEWEST_PATCH = "99"


@dataclass(frozen=True, slots=True)
class Target:
    """A Python that a lock file is made for.

    Attributes:
        version: ``X.Y``.
        implementation: ``cpython`` or ``pypy``.
        threaded: a free-threaded build (``3.13t``): other wheels, the same markers.
        patch: the third number of the version, or empty where it is open. Two targets that differ
            in it alone are the same.
    """

    version: str
    implementation: str = "cpython"
    threaded: bool = False
    patch: str = field(default="", compare=False)

    def __str__(self) -> str:
        prefix = "" if self.implementation == "cpython" else self.implementation
        return f"{prefix}{self.version}{'t' if self.threaded else ''}"

    @property
    def sort_key(self) -> tuple[str, tuple[int, ...], bool]:
        """Orders 3.9 before 3.10."""
        return self.implementation, tuple(map(int, self.version.split("."))), self.threaded

    @property
    def newest_patch(self) -> str:
        """The patch release that it is resolved for."""
        return self.patch or _NEWEST_PATCH

    @property
    def full_version(self) -> str:
        """The version with that patch release."""
        return f"{self.version}.{self.newest_patch}"


class Platform(NamedTuple):
    """A platform: `sys.platform`, `platform.machine()` in lower case, and another libc than glibc.

    `str` gives what is written in stamps and configurations, such as ``musllinux-x86_64``.
    """

    system: str
    machine: str
    libc: str = ""

    def __str__(self) -> str:
        return f"{self.libc}{self.system}-{self.machine}"


class Levels(NamedTuple):
    """The oldest systems that wheels for named platforms may be for: of glibc, and of macOS."""

    manylinux: str = "2.28"
    macos: str = "14.0"


def parse_target(text: str) -> Target:
    """Read what people write for a Python: ``3.11``, ``python3.11``, ``pypy3.10``, ``3.13t``.

    Raises:
        ConfigError: for anything that does not name one X.Y.
    """
    if found := _PYTHON.match(text.strip().lower()):
        return Target(
            found["version"],
            "pypy" if found["pypy"] else "cpython",
            threaded=bool(found["t"]),
            patch=found["patch"] or "",
        )
    raise ConfigError(
        f"{quoted(text)} names no Python", hint='Write it as "3.11", "3.13t" or "pypy3.10".'
    )


def pythons_of(said: Iterable[object]) -> Iterator[Target | SpecifierSet]:
    """Yield the targets and the ranges of versions that values of `python=` name.

    A value may be a list of others, None or False for no say, a target (``3.11``,
    ``python3.11``), a range (``>=3.12``, ``3``), or a path, which is known when the session runs.
    https://nox.thea.codes/en/stable/config.html#configuring-a-session-s-virtualenv
    """
    for value in said:
        if isinstance(value, (list, tuple)):
            yield from pythons_of(value)
        elif isinstance(value, str) and (found := _python(value)) is not None:
            yield found


def _python(text: str) -> Target | SpecifierSet | None:
    try:
        # Which patch release a lock is for is up to the configuration.
        return replace(parse_target(text), patch="")
    except ConfigError:
        pass
    try:
        return SpecifierSet(f"=={text}.*" if text.isdecimal() else text)
    except InvalidSpecifier:
        return None


def running_target() -> Target:
    """Return the target of the interpreter that runs this code."""
    return Target(
        f"{sys.version_info.major}.{sys.version_info.minor}",
        sys.implementation.name,
        threaded="t" in getattr(sys, "abiflags", ""),
    )


def running_platform() -> Platform:
    """Return the platform this code runs on."""
    musl = sys.platform == "linux" and "musl" in str(sysconfig.get_config_var("SOABI"))
    return Platform(sys.platform, platform.machine().lower(), "musl" * musl)


def parse_platform(text: str) -> Platform:
    """Read a stamp's platform, such as ``linux-x86_64``."""
    system, _, machine = text.partition("-")
    libc = "musl" if system == "musllinux" else ""
    return Platform(system.removeprefix(libc), machine, libc)


def find_platform(name: str) -> Platform | None:
    """Return the platform that a name of the configuration stands for, or None.

    It is one of `PLATFORMS`, or one with its machine, such as ``linux-aarch64``.
    """
    named = parse_platform(name)
    machines = PLATFORMS.get(f"{named.libc}{named.system}", ())
    if not named.machine and machines:
        return named._replace(machine=machines[0])
    return named if named.machine in machines else None


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
    versions = _CONFIG_VERSION.findall(config)  # one of them may lack the patch release
    if not versions:
        return None
    library = next((entry.name for entry in _library_folders(location)), "")
    implementation = "pypy" if library.startswith("pypy") else "cpython"
    threaded = library.endswith("t")
    version, patch = max(versions, key=lambda each: bool(each[1]))
    return Target(version, implementation, threaded=threaded, patch=patch)


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
    """Return whether a marker holds for a target, or None when X.Y alone cannot say.

    A marker on ``python_full_version`` may hold for some patch releases of X.Y: where that is open,
    it is evaluated for both ends, and for those around each number in it. `extra` is the one that
    is asked for.
    """
    if marker is None:
        return True
    if re.search(_UNKNOWABLE, str(marker)):
        return None
    if target.implementation != "cpython" and "implementation_version" in str(marker):
        return None  # PyPy counts for itself
    try:
        found = {
            marker.evaluate({**marker_environment(target, platform_, patch), "extra": extra})
            for patch in patch_releases(str(marker), target)
        }
    except InvalidVersion:  # old packaging, of "linux" >= "5"; newer says no
        return False
    return found.pop() if len(found) == 1 else None


def patch_releases(markers: str, target: Target) -> set[str]:
    """Return the patch releases of a target in which markers may hold or not, each kind once."""
    if target.patch:
        return {target.patch}
    found = {"0", _NEWEST_PATCH}
    if "full_version" in markers or "implementation_version" in markers:
        numbers = {int(number) for number in re.findall(r"\.(\d{1,3})\b", markers)}
        near = {number + step for number in numbers for step in (-1, 0, 1) if number + step >= 0}
        found |= set(map(str, near if len(near) < int(_NEWEST_PATCH) else range(100)))
    return found


def counts(marker: str, target: Target, platform_: Platform) -> bool:
    """Tell whether a line of a lock file with this marker counts for a target, for all we know."""
    if not marker:
        return True
    try:
        return holds(Marker(marker), target, platform_) is not False
    except (ValueError, RecursionError):  # no marker, or one that compares what cannot be compared
        return True


def marker_environment(target: Target, platform_: Platform, patch: str = "") -> dict[str, str]:
    """Return the marker variables of a target that its definition decides, with their values.

    https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers
    """
    full = f"{target.version}.{patch}" if patch else target.full_version
    names = {"cpython": "CPython", "pypy": "PyPy"}
    machines = _MACHINES if platform_.system == "win32" else {}
    return {
        "implementation_name": target.implementation,
        "implementation_version": full,
        "os_name": _OS_NAMES.get(platform_.system, "posix"),
        "platform_machine": machines.get(platform_.machine, platform_.machine),
        "platform_python_implementation": names.get(target.implementation, target.implementation),
        "platform_system": _SYSTEMS.get(platform_.system, platform_.system),
        "python_full_version": full,
        "python_version": target.version,
        "sys_platform": platform_.system,
        "extra": "",
    }


def platform_tags(platform_: Platform, levels: Levels) -> list[str]:
    """Return the platforms of the wheels that a named platform takes, the best first.

    https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
    pip adds the older ones of macOS by itself, of glibc it does not.
    """
    machine = platform_.machine
    if platform_.system == "win32":
        return ["win32" if machine == "x86" else f"win_{machine}"]
    if platform_.system == "darwin":
        return [f"macosx_{levels.macos.replace('.', '_')}_{machine}"]
    if platform_.libc:
        tags = [f"musllinux_1_{minor}_{machine}" for minor in range(_NEWEST_MUSL, -1, -1)]
        return [*tags, f"linux_{machine}"]
    tags = []
    newest = int(levels.manylinux.partition(".")[2])
    for minor in range(newest, _OLDEST_GLIBC.get(machine, 17) - 1, -1):
        tags.append(f"manylinux_2_{minor}_{machine}")
        if minor in _MANYLINUX:
            tags.append(f"{_MANYLINUX[minor]}_{machine}")
    return [*tags, f"linux_{machine}"]
