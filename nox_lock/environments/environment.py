"""A virtual environment and what is installed in it, read from its files without running it."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from nox_lock.environments.snapshot import NOTES, libraries, read_text
from nox_lock.errors import ToolchainError
from nox_lock.files import write_all
from nox_lock.project import Project, fingerprint
from nox_lock.target import Target

PROJECT = "project"  # the note of what the editable project was built from
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in")
_VERSION = re.compile(r"(?m)^(?:version_info|version|python-version)\s*=\s*(\d+\.\d+)(?:\.(\d+))?")
_HOME = re.compile(r"(?m)^home\s*=\s*(.+?)\s*$")  # in pyvenv.cfg, as the version
_PYTHON = re.compile(r"(?:python|pypy)(\d+\.\d+)t?$")


class Distribution(NamedTuple):
    """An installed distribution: its version, its metadata folder, and its record of PEP 610."""

    version: str
    metadata: Path
    url: str = ""  # that it was installed from, if not from an index, without a revision
    editable: bool = False
    revisions: frozenset[str] = frozenset()  # that which was requested, and its commit
    subdirectory: str = ""
    sha256: str = ""

    def is_of(self, project: Project) -> bool:
        return self.url == project.root.resolve().as_uri()

    def files(self) -> set[str]:
        """Return its files, relative to site-packages, but no byte code; none if pip renamed it."""
        record = "" if self.metadata.name.startswith("~") else read_text(self.metadata / "RECORD")
        with suppress(csv.Error):
            rows = csv.reader(record.splitlines())
            return {row[0] for row in rows if row and not row[0].endswith(".pyc")}
        return set()


class Distributions(NamedTuple):
    """What is installed in an environment, without what conda manages there."""

    installed: dict[str, Distribution]  # by normalized name
    damaged: dict[str, list[Distribution]]  # half installed or deleted, or there twice


class Environment(NamedTuple):
    """A virtual environment: its folders and Python, and the command that creates it again."""

    location: Path
    site: Path
    target: Target
    recreate: str

    @property
    def notes(self) -> Path:
        return self.location / NOTES

    def read_note(self, name: str) -> str:
        """Return the text of a note; empty if there is none."""
        return read_text(self.notes / name)

    def write_note(self, name: str, text: str) -> None:
        """Write a note, unless it has that text already."""
        note = self.notes / name
        if self.read_note(name) != text:
            if note.is_dir():
                shutil.rmtree(note)
            write_all({note: text})

    def is_replaced(self) -> bool:
        """Return whether another X.Y runs in it by now: a link may lead elsewhere than it did."""
        if link := _PYTHON.search(os.path.realpath(self.location / "bin" / "python")):
            return link[1] != self.target.version
        home = _HOME.search(read_text(self.location / "pyvenv.cfg"))
        libraries = Path(home[1]).glob("python3?*.dll") if home else ()  # on Windows, of its base
        found = {each.stem.lower().removesuffix("t") for each in libraries}
        return bool(found) and f"python{self.target.version.replace('.', '')}" not in found

    def distributions(self) -> Distributions:
        found = Distributions({}, {})
        copies: dict[str, list[Distribution]] = {}
        has_conda = (self.location / "conda-meta").is_dir()
        for folder in self.site.glob("*.dist-info"):
            name, _, version = folder.name.removesuffix(".dist-info").partition("-")
            if has_conda and read_text(folder / "INSTALLER").strip() == "conda":
                continue
            distribution = read_distribution(version, folder)
            copies.setdefault(canonicalize_name(name), []).append(distribution)
        for name, each in copies.items():
            files = (one.metadata / file for one in each for file in ("METADATA", "RECORD"))
            # pip renames what it replaces to ``~name`` until that is done.
            if len(each) == 1 and name[:1].isalnum() and all(file.is_file() for file in files):
                found.installed[name] = each[0]
            else:
                found.damaged[name] = each
        return found

    def delete(self, copies: Sequence[Distribution]) -> None:
        """Delete distributions that an installer would trust or fail on."""
        paths = [Path(os.path.normpath(self.site / f)) for each in copies for f in each.files()]
        for path in paths:
            if path.is_relative_to(self.location):
                with suppress(OSError):
                    path.unlink()
        for each in copies:
            renamed = self.site.glob("~*") if each.metadata.name.startswith("~") else ()
            for folder in (each.metadata, *renamed):
                shutil.rmtree(folder, ignore_errors=True)
        folders = {each for path in paths for each in path.parents if self.site in each.parents}
        for folder in sorted(folders, reverse=True):  # a folder comes after those in it
            with suppress(OSError):
                if {each.name for each in folder.iterdir()} <= {"__pycache__"}:  # and byte code
                    shutil.rmtree(folder)

    def has_project(self, installed: Mapping[str, Distribution], project: Project) -> bool:
        """Return whether the project is installed as editable, from its build files as they are."""
        is_there = any(each.editable and each.is_of(project) for each in installed.values())
        return is_there and self.read_note(PROJECT) == project_digest(project)


def find_environment(location: Path, recreate: str) -> Environment:
    """Return the environment in a folder, or raise an error that says to run `recreate`."""
    records = (location / "conda-meta").glob("python-[0-9]*.json")  # conda has no pyvenv.cfg
    config = read_text(location / "pyvenv.cfg")
    config = config or "".join(f"version = {record.name.split('-')[1]}\n" for record in records)
    versions, folders = _VERSION.findall(config), libraries(location)
    if not (versions and folders):
        message = f"cannot tell which Python is in the environment {location.name}"
        raise ToolchainError(message, hint=f"Run: {recreate}")
    version, patch = max(versions, key=lambda each: bool(each[1]))  # one may lack the patch release
    library = folders[0].name
    programs = {each.stem.lower() for each in (location / "Scripts").glob("py*.exe")}
    pypy = library.startswith("pypy") or "pypy" in programs  # as on Windows
    threaded = library.endswith("t") or f"python{version}t" in programs
    target = Target(version, "pypy" if pypy else "cpython", threaded, patch)
    return Environment(location, folders[0] / "site-packages", target, recreate)


def read_distribution(version: str, metadata: Path) -> Distribution:
    """Return a distribution with its origin; without it for an index or a broken record."""
    try:
        record = json.loads((metadata / "direct_url.json").read_bytes())
        vcs = record.get("vcs_info", {})
        revisions = {vcs.get("requested_revision", ""), vcs.get("commit_id", "")} if vcs else set()
        editable = bool(record.get("dir_info", {}).get("editable"))
        sha256 = str(record.get("archive_info", {}).get("hashes", {}).get("sha256", ""))
        url, subdirectory = record["url"], record.get("subdirectory", "")
        split_url(url)  # raises for what is not a URL
        origin = url, editable, frozenset(revisions), subdirectory, sha256
        return Distribution(version, metadata, *origin)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Distribution(version, metadata)


def split_url(url: str) -> tuple[str, str, str]:
    """Return scheme, host and path of a URL, or raise ValueError: ``file:/x`` is ``file:///x``."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.scheme == "file":
        path = "/" + path.lstrip("/")
    return parts.scheme, parts.netloc.rpartition("@")[2], path


def project_digest(project: Project) -> str:
    """Return a digest of the files that an editable project is built from."""
    return fingerprint({n: project.read(n) for n in _PROJECT_FILES if project.is_file(n)})
