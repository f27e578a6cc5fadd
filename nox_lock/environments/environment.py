"""What a virtual environment is, and what it holds: by its files, without running it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock import project as project_files
from nox_lock.environments.origin import read_origin
from nox_lock.environments.snapshot import NOTES
from nox_lock.errors import ToolchainError
from nox_lock.files import write_all
from nox_lock.project import fingerprint
from nox_lock.target import Target, site_packages, target_of_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nox_lock.environments.origin import Origin

_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in")
_CONDA = "conda-meta"
_HOME = re.compile(r"^home\s*=\s*(.+?)\s*$", re.MULTILINE)
_DLL = re.compile(r"python(\d)(\d+)t?\.dll")
_PYTHON = re.compile(r"(?:python|pypy)(\d+\.\d+)t?$")


class Environment(NamedTuple):
    """A virtual environment: its folder, its site-packages, its Python."""

    location: Path
    site: Path
    target: Target

    @property
    def notes(self) -> Path:
        """The folder for what is kept about it."""
        return self.location / NOTES


class Installed(NamedTuple):
    """A distribution in an environment: its version, and its metadata's folder."""

    version: str
    metadata: Path

    def origin(self) -> Origin | None:
        """Return where it came from, if from no index."""
        return read_origin(self.metadata)

    def requires(self) -> list[str]:
        """Return the requirements in its metadata, as they stand there."""
        from importlib.metadata import PathDistribution  # noqa: PLC0415  (seldom)

        return PathDistribution(self.metadata).requires or []


def find_environment(location: Path, remake: str) -> Environment:
    """Look at a virtual environment; `remake` makes it anew.

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


def has_other_python(venv: Environment) -> bool:
    """Tell whether the Python beneath an environment is none of the X.Y it was made with.

    A link such as ``current`` may lead elsewhere now; pyvenv.cfg does not know.
    """
    return _version_beneath(venv.location) not in {None, venv.target.version}


def _version_beneath(location: Path) -> str | None:
    """Return the X.Y that an environment's Python is now, or None where no file tells.

    On POSIX that is where its link leads; on Windows a DLL beside the Python that it starts.
    """
    if found := _PYTHON.search(os.path.realpath(location / "bin" / "python")):
        return found[1]
    if not (location / "Scripts").is_dir():
        return None
    try:
        home = _HOME.search((location / "pyvenv.cfg").read_text(encoding="utf-8"))
        names = [path.name for path in Path(home[1] if home else "").glob("python3*.dll")]
    except (OSError, UnicodeDecodeError):
        return None
    versions = {f"{dll[1]}.{dll[2]}" for name in names if (dll := _DLL.fullmatch(name.lower()))}
    return versions.pop() if len(versions) == 1 else None


class Stock(NamedTuple):
    """What there is in an environment, but for what conda brought: that is conda's affair.

    Attributes:
        whole: distributions, by normalized name.
        halves: metadata folders of what was half installed, half deleted, or set aside by pip.
    """

    whole: dict[str, Installed]
    halves: list[Path]


def take_stock(venv: Environment) -> Stock:
    """Look at the distributions of an environment."""
    stock = Stock({}, [])
    by_conda = (venv.location / _CONDA).is_dir()
    for folder in venv.site.glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        if by_conda and _is_of_conda(folder):
            continue
        if name[:1].isalnum() and _is_whole(folder):
            stock.whole[canonicalize_name(name)] = Installed(version, folder)
        else:
            stock.halves.append(folder)
    return stock


def list_installed(venv: Environment) -> dict[str, Installed]:
    """List the distributions of an environment, by normalized name."""
    return take_stock(venv).whole


def discard(halves: Iterable[Path]) -> None:
    """Take away what is half there: an installer would trust it, or choke on it."""
    for metadata in halves:
        set_aside = metadata.parent.glob("~*") if metadata.name.startswith("~") else ()
        for folder in (metadata, *set_aside):
            shutil.rmtree(folder, ignore_errors=True)


def _is_whole(metadata: Path) -> bool:
    """Tell whether an installer got to its end: RECORD is what it writes last."""
    return (metadata / "METADATA").is_file() and (metadata / "RECORD").is_file()


def _is_of_conda(metadata: Path) -> bool:
    """Tell by the file of PEP 376 who installed a distribution."""
    try:
        return (metadata / "INSTALLER").read_text(encoding="utf-8").strip() == "conda"
    except OSError:
        return False


def list_origins(installed: Mapping[str, Installed]) -> dict[str, Origin]:
    """Return what came from no index, by name."""
    return {name: told for name, each in installed.items() if (told := each.origin())}


def find_project(origins: Mapping[str, Origin], root: Path) -> dict[str, bool]:
    """Return the name of the project in `root` where it is installed, and whether editable."""
    url = root.resolve().as_uri()
    return {name: each.editable for name, each in origins.items() if each.url == url}


def project_is_installed(venv: Environment, installed: Mapping[str, Installed], root: Path) -> bool:
    """Tell whether the project is there, editable, from the build files as they are now."""
    there = True in find_project(list_origins(installed), root).values()
    return there and read_note(venv, "project") == _project_digest(root)


def record_project(venv: Environment, root: Path) -> None:
    """Keep in the environment what the editable project was built from."""
    write_note(venv, "project", _project_digest(root))


def _project_digest(root: Path) -> str:
    files = (root / name for name in _PROJECT_FILES)
    there = filter(project_files.is_file, files)
    return fingerprint(
        b"\0".join(b"%b\0%b" % (file.name.encode(), project_files.read(file)) for file in there)
    )


def read_note(venv: Environment, name: str) -> str:
    """Return what was kept in an environment under a name; empty for nothing."""
    try:
        return (venv.notes / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def write_note(venv: Environment, name: str, text: str) -> None:
    """Keep a text in an environment, unless it is kept already.

    Raises:
        OSError: when the environment cannot be written.
    """
    note = venv.notes / name
    if read_note(venv, name) != text:
        if note.is_dir():
            shutil.rmtree(note)
        write_all({note: text})
