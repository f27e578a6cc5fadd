"""A virtual environment and what is installed in it, read from its files without running it."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from nox_lock.environments.snapshot import NOTES, libraries
from nox_lock.errors import ToolchainError
from nox_lock.files import write_all
from nox_lock.project import fingerprint
from nox_lock.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nox_lock.project import Project

_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in")
_VERSION = re.compile(
    r"^(?:version_info|version|python-version)\s*=\s*(\d+\.\d+)(?:\.(\d+))?", re.MULTILINE
)
_HOME = re.compile(r"^home\s*=\s*(.+?)\s*$", re.MULTILINE)  # in pyvenv.cfg
_DLL = re.compile(r"python(\d)(\d+)t?\.dll")
_PYTHON = re.compile(r"(?:python|pypy)(\d+\.\d+)t?$")


class Environment(NamedTuple):
    """A virtual environment: its folder, its site-packages, its Python."""

    location: Path
    site: Path
    target: Target

    @property
    def notes(self) -> Path:
        """The folder of our notes about it."""
        return self.location / NOTES

    def read_note(self, name: str) -> str:
        """Return the text of a note; empty if there is none."""
        try:
            return (self.notes / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def write_note(self, name: str, text: str) -> None:
        """Write a note, unless it has that text already."""
        note = self.notes / name
        if self.read_note(name) != text:
            if note.is_dir():
                shutil.rmtree(note)
            write_all({note: text})


class Origin(NamedTuple):
    """Where a distribution was installed from, if not from an index.

    https://packaging.python.org/en/latest/specifications/direct-url-data-structure/

    Attributes:
        url: as recorded, without a revision.
        editable: whether it is a link to a folder.
        revisions: the requested revision and its commit; empty if not from a repository.
        subdirectory: the folder of the project in it; empty for the top.
        sha256: the digest of an archive; empty where none is recorded.
    """

    url: str
    editable: bool = False
    revisions: frozenset[str] = frozenset()
    subdirectory: str = ""
    sha256: str = ""


class Distribution(NamedTuple):
    """An installed distribution: its version and metadata folder, and its origin, if no index."""

    version: str
    metadata: Path
    origin: Origin | None = None

    def is_at(self, url: str) -> bool:
        """Return whether it was installed from a folder with this URL, such as the project's."""
        return self.origin is not None and self.origin.url == url

    def requires(self) -> list[str]:
        """Return the requirements in its metadata, unparsed."""
        from importlib.metadata import PathDistribution  # noqa: PLC0415  (seldom)

        return PathDistribution(self.metadata).requires or []

    def files(self) -> set[str]:
        """Return the files that were installed, relative to site-packages; no byte code."""
        try:
            lines = (self.metadata / "RECORD").read_text(encoding="utf-8").splitlines()
            return {row[0] for row in csv.reader(lines) if row and not row[0].endswith(".pyc")}
        except (OSError, UnicodeDecodeError, csv.Error):
            return set()


class Distributions(NamedTuple):
    """What is installed in an environment, without what conda manages there.

    Attributes:
        installed: by normalized name.
        damaged: what lacks its METADATA, or is there more than once: by name, with its RECORD.
        broken: metadata folders without a RECORD, or renamed by pip: half installed or deleted.
    """

    installed: dict[str, Distribution]
    damaged: dict[str, list[Distribution]]
    broken: list[Path]


def find_environment(location: Path, recreate: str) -> Environment:
    """Return the environment in a folder, or raise an error that says to run `recreate`."""
    target, folders = read_target(location), libraries(location)
    if target is None or not folders:
        message = f"cannot tell which Python is in the environment {location.name}"
        raise ToolchainError(message, hint=f"Run: {recreate}")
    return Environment(location, folders[0] / "site-packages", target)


def read_target(location: Path) -> Target | None:
    """Return the target of a virtual environment, or None if its files do not show it."""
    try:
        config = (location / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        # A conda environment has no pyvenv.cfg, but a record of its own python package.
        records = (location / "conda-meta").glob("python-[0-9]*.json")
        config = "".join(f"version = {record.name.split('-')[1]}" for record in records)
    versions = _VERSION.findall(config)  # one of them may lack the patch release
    if not versions:
        return None
    version, patch = max(versions, key=lambda each: bool(each[1]))
    library = next((folder.name for folder in libraries(location)), "")
    # On Windows the programs say it.
    programs = {each.stem.lower() for each in (location / "Scripts").glob("py*.exe")}
    pypy = library.startswith("pypy") or "pypy" in programs
    threaded = library.endswith("t") or f"python{version}t" in programs
    return Target(version, "pypy" if pypy else "cpython", threaded, patch)


def current_version(location: Path) -> str | None:
    """Return the X.Y of the Python that runs in an environment now, or None if no file shows it.

    A link such as ``current`` may lead to another Python than the one in pyvenv.cfg by now. On
    Windows a DLL beside the base Python is named after it.
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


def list_distributions(venv: Environment) -> Distributions:
    """List what is installed in an environment."""
    found = Distributions({}, {}, [])
    copies: dict[str, list[Distribution]] = {}
    has_conda = (venv.location / "conda-meta").is_dir()
    for folder in venv.site.glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        if has_conda and _is_managed_by_conda(folder):
            continue
        if name[:1].isalnum():
            distribution = Distribution(version, folder, read_origin(folder))
            copies.setdefault(canonicalize_name(name), []).append(distribution)
        else:
            found.broken.append(folder)
    for name, each in copies.items():
        # Installers write it last.
        recorded = [one for one in each if (one.metadata / "RECORD").is_file()]
        found.broken.extend(one.metadata for one in each if one not in recorded)
        if len(each) == len(recorded) == 1 and (each[0].metadata / "METADATA").is_file():
            found.installed[name] = each[0]
        elif recorded:
            found.damaged[name] = recorded
    return found


def _is_managed_by_conda(metadata: Path) -> bool:
    try:
        return (metadata / "INSTALLER").read_text(encoding="utf-8").strip() == "conda"
    except OSError:
        return False


def read_origin(metadata: Path) -> Origin | None:
    """Return where a distribution was installed from; None for an index or a broken record."""
    try:
        record = json.loads((metadata / "direct_url.json").read_bytes())
        vcs = record.get("vcs_info", {})
        revisions = {vcs.get("requested_revision", ""), vcs.get("commit_id", "")} if vcs else set()
        split_url(record["url"])  # raises for what is not a URL
        return Origin(
            record["url"],
            bool(record.get("dir_info", {}).get("editable")),
            frozenset(revisions),
            record.get("subdirectory", ""),
            str(record.get("archive_info", {}).get("hashes", {}).get("sha256", "")),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def split_url(url: str) -> tuple[str, str, str]:
    """Return scheme, host and path of a URL, or raise ValueError: ``file:/x`` is ``file:///x``."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.scheme == "file":
        path = "/" + path.lstrip("/")
    return parts.scheme, parts.netloc.rpartition("@")[2], path


def remove_broken(folders: Iterable[Path]) -> None:
    """Delete broken metadata: installers would trust it, or fail on it."""
    for metadata in folders:
        renamed = metadata.parent.glob("~*") if metadata.name.startswith("~") else ()
        for folder in (metadata, *renamed):
            shutil.rmtree(folder, ignore_errors=True)


def delete_files(venv: Environment, files: Iterable[str]) -> None:
    """Delete installed files, and the folders that have nothing but byte code then."""
    paths = [Path(os.path.normpath(venv.site / file)) for file in files]
    for path in paths:
        if path.is_relative_to(venv.location):
            with suppress(OSError):
                path.unlink()
    folders = {folder for path in paths for folder in path.parents if venv.site in folder.parents}
    for folder in sorted(folders, reverse=True):  # a folder comes after those in it
        with suppress(OSError):
            if {each.name for each in folder.iterdir()} <= {"__pycache__"}:
                shutil.rmtree(folder)


def project_is_installed(
    venv: Environment, installed: Mapping[str, Distribution], project: Project
) -> bool:
    """Return whether the project is installed as editable, from its build files as they are now."""
    url = project.root.resolve().as_uri()
    origins = (each.origin for each in installed.values())
    if not any(each and each.editable and each.url == url for each in origins):
        return False
    return venv.read_note("project") == _project_digest(project)


def record_project(venv: Environment, project: Project) -> None:
    """Note what the editable project was built from."""
    venv.write_note("project", _project_digest(project))


def _project_digest(project: Project) -> str:
    there = filter(project.is_file, _PROJECT_FILES)
    return fingerprint(b"\0".join(b"%b\0%b" % (n.encode(), project.read(n)) for n in there))
