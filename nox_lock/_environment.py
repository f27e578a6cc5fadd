"""What an environment holds, against what its lock says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from nox_lock import _lockfile
from nox_lock._entries import relative
from nox_lock._errors import EnvironmentMismatchError, LocksError, ToolchainError
from nox_lock._files import write_atomically
from nox_lock._target import counts, running_platform, site_packages, target_of_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nox_lock._pins import Pin
    from nox_lock._planned import Planned
    from nox_lock._target import Target

# Where we keep notes inside an environment: gone with it.
_FOLDER = "nox-lock"
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in")


@dataclass(frozen=True)
class Environment:
    """A virtual environment: its folder, its site-packages, its Python."""

    location: Path
    site: Path
    target: Target


@dataclass(frozen=True)
class Installed:
    """A distribution in an environment: its version, and its metadata's folder."""

    version: str
    metadata: Path

    def direct_url(self) -> tuple[str, bool] | None:
        """Return (URL, editable) of a distribution that came from no index (PEP 610), else None."""
        try:
            told = json.loads((self.metadata / "direct_url.json").read_bytes())
            return told["url"], bool(told.get("dir_info", {}).get("editable"))
        except (OSError, ValueError, KeyError):
            return None


def find_environment(location: Path, remake: str) -> Environment:
    """Look at a virtual environment, without running it; `remake` makes it anew.

    Raises:
        ToolchainError: when its files do not tell which Python it has.
    """
    target, site = target_of_environment(location), site_packages(location)
    if target is None or site is None:
        raise ToolchainError(
            f"cannot tell which Python is in the environment {location.name}",
            hint=f"Run: {remake}",
        )
    return Environment(location, site, target)


def list_installed(site: Path) -> dict[str, Installed]:
    """List the distributions in a site-packages folder, by normalized name, without running it.

    One whose metadata was half deleted is not installed.
    """
    found: dict[str, Installed] = {}
    for folder in site.glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        if (folder / "METADATA").is_file():
            found[canonicalize_name(name)] = Installed(version, folder)
    return found


def find_differences(planned: Planned, site: Path, root: Path) -> list[str]:
    """Say, a line each, which pins of a lock file an environment does not hold."""
    pins = planned.existing.pins if planned.existing else ()
    installed = list_installed(site)
    direct = {name: url for name, each in installed.items() if (url := each.direct_url())}
    differences = []
    for pin in _active(pins, planned.target):
        if pin.version is None:
            if not _holds_direct(pin, direct, root):
                differences.append(f"{pin.shown} is not installed")
            continue
        has = installed.get(pin.name or "")
        if has is None:
            differences.append(f"{pin.shown} is not installed")
        elif not _same_version(has.version, pin.version):
            differences.append(f"{pin.shown} is wanted, {has.version} is installed")
    return differences


def _active(pins: Iterable[Pin], target: Target) -> Iterable[Pin]:
    for pin in pins:
        if counts(pin.marker, target, running_platform()):
            yield pin


def _holds_direct(pin: Pin, direct: Mapping[str, tuple[str, bool]], root: Path) -> bool:
    """Tell whether a pin by URL or path is installed from there."""
    wanted = (pin.url or "").partition("#")[0]
    if pin.editable or wanted.startswith(("./", "../", "file:")) or wanted == ".":
        wanted = (root / wanted.removeprefix("file:")).resolve().as_uri()
    for name, (url, editable) in direct.items():
        if pin.name in {None, name} and editable is pin.editable:
            here = Path(unquote(urlsplit(url).path)).as_uri() if url.startswith("file:") else url
            # A repository is recorded by its bare URL; the revision is in another key.
            if here == wanted or wanted.startswith((f"git+{here}", f"hg+{here}", f"svn+{here}")):
                return True
    return False


def _same_version(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one.replace("_", "-") == other.replace("_", "-")


def refuse_disagreement(planned: Sequence[Planned]) -> None:
    """Check that lock files which go into one environment pin the same versions.

    Raises:
        LocksError: naming each project they differ in.
    """
    versions: dict[str, dict[str, str]] = {}
    for each in planned:
        for pin in each.existing.pins if each.existing else ():
            versions.setdefault(pin.name or pin.shown, {})[each.path] = pin.version or pin.shown
    differing = [
        f"  {name}: " + ", ".join(f"{version} in {path}" for path, version in found.items())
        for name, found in sorted(versions.items())
        if len(set(found.values())) > 1
    ]
    if differing:
        raise LocksError(
            "\n".join(["these lock files do not agree:", *differing]),
            hint="Bring their inputs together, for instance by one `-c` file for both.",
        )


def installer_arguments(planned: Planned, location: Path, root: Path) -> list[list[str]]:
    """Return the arguments of the installer runs that install a lock file.

    Mostly one. pip takes no hash for a folder or a repository and refuses the whole file for it:
    then the lines with hashes go first, by a copy inside the environment, the others after.
    """
    lock = planned.existing
    if lock is None:
        return []
    bare = [pin for pin in lock.pins if not pin.hashes]
    if not lock.hashed or not bare:
        hashes = ["--require-hashes"] if lock.hashed else []
        return [["--no-deps", *hashes, "-r", planned.path]]
    options = [option.text for option in lock.options]
    hashed = [
        f"{pin.shown}{f' ; {pin.marker}' if pin.marker else ''} "
        + " ".join(f"--hash={value}" for value in pin.hashes)
        for pin in lock.pins
        if pin.hashes
    ]
    rest = [f"{'-e ' if pin.editable else ''}{_line(pin)}" for pin in bare]
    runs = []
    for name, lines, flags in (("hashed", hashed, ["--require-hashes"]), ("rest", rest, [])):
        path = location / _FOLDER / f"{planned.name}-{name}.txt"
        write_atomically(path, "\n".join([*options, *lines, ""]))
        runs.append(["--no-deps", *flags, "-r", relative(path, root)])
    return runs


def _line(pin: Pin) -> str:
    demand = f"{pin.name} @ {pin.url}" if pin.name and pin.url and not pin.editable else pin.shown
    return f"{demand} ; {pin.marker}" if pin.marker else demand


def make_equal(
    planned: Planned, venv: Environment, root: Path, run: Callable[[list[str]], None], remake: str
) -> None:
    """Make an environment hold what a lock file says, by `run`, the installer of its backend.

    `remake` is the command that makes the environment anew.

    Raises:
        EnvironmentMismatchError: naming what differs still.
    """
    runs = installer_arguments(planned, venv.location, root)
    # An installer that trusts half-deleted metadata is told not to.
    differences: list[str] = []
    force: list[str]
    for force in ([], ["--force-reinstall"]):
        for arguments in runs:
            run([*force, *arguments])
        differences = find_differences(planned, venv.site, root)
        if not differences:
            return
    shown = "\n".join(f"  {each}" for each in differences)
    raise EnvironmentMismatchError(
        f"after installing, the environment is not what {planned.path} says:\n{shown}",
        hint=f"Run: {remake}",
    )


def project_is_installed(venv: Environment, root: Path) -> bool:
    """Tell whether the project is there, editable, from the build files as they are now."""
    url = root.resolve().as_uri()
    there = any(each.direct_url() == (url, True) for each in list_installed(venv.site).values())
    try:
        recorded = (venv.location / _FOLDER / "project").read_text(encoding="utf-8")
    except OSError:
        return False
    return there and recorded == _project_digest(root)


def record_project(venv: Environment, root: Path) -> None:
    """Keep in the environment what the editable project was built from."""
    write_atomically(venv.location / _FOLDER / "project", _project_digest(root))


def _project_digest(root: Path) -> str:
    files = (root / name for name in _PROJECT_FILES)
    return _lockfile.digest(
        "\0".join(f"{f.name}\0{f.read_text('utf-8')}" for f in files if f.is_file())
    )
