"""The layout of a project's locks: in nox-lock's words, and as pip-compile is run by hand."""

from __future__ import annotations

import posixpath
import re
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PYTHONS = ("3.11", "3.12")
# The corpus writes so what is the default index: an input need not name that.
_DEFAULT_INDEX = "//index.example/"
_REACHED = re.compile(r"^(?:-[rc]|--requirement|--constraint)[\s=]*([^\s#]+)", re.MULTILINE)
CONSTRAINT = "--constraint="


@dataclass(frozen=True)
class Lock:
    """A lock as it is made by hand.

    Attributes:
        lockfile: where it stands, with {python}.
        inputs: what pip-compile is given.
        options: its options beside those of the layout; constraints with {python}.
        pythons: the Pythons that it is for.
    """

    lockfile: str
    inputs: tuple[str, ...]
    options: tuple[str, ...] = ()
    pythons: tuple[str, ...] = PYTHONS

    @property
    def settings(self) -> list[str]:
        """Its options without the constraints: what it is compiled with on its own."""
        return [option for option in self.options if not option.startswith(CONSTRAINT)]

    @property
    def constrained(self) -> bool:
        """Whether it is told of another lock on the command line."""
        return len(self.settings) < len(self.options)


@dataclass(frozen=True)
class Layout:
    """A set, and how its project locks it.

    Attributes:
        folder: its name in the corpus.
        config: the `pyproject.toml`.
        locks: the lock files that this must give.
        options: the options of pip-compile for all of them.
        left_out: inputs, or single lines (`FILE: LINE`), that cannot be locked here, and why.
        added: lines that an input gets, since nox-lock has no setting for what the project says
            on pip-compile's command line.
    """

    folder: str
    config: str
    locks: tuple[Lock, ...]
    options: tuple[str, ...] = ("--allow-unsafe", "--strip-extras")
    left_out: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def hashed(self) -> bool:
        """Whether its lock files have hashes."""
        return "--generate-hashes" in self.options

    @property
    def lines(self) -> int:
        """How many lines a person has to write, the two of the noxfile aside."""
        return len(self.config.splitlines()) + sum(map(len, self.added.values()))

    def copy(self, shared: Path, root: Path) -> None:
        """Write the inputs into `root`, without any lock file of old."""
        source = shared / "corpus" / self.folder
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source).as_posix()
            if path.is_file() and name not in self.left_out and not self._is_lock(name, path):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, root / name)
        for path in root.rglob("*.in"):
            lines = path.read_text(encoding="utf-8").splitlines()
            name = path.relative_to(root).as_posix()
            lines = [
                line
                for line in lines
                if _DEFAULT_INDEX not in line and f"{name}: {line}" not in self.left_out
            ]
            lines += self.added.get(name, ())
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        (root / "pyproject.toml").write_text(self.config, encoding="utf-8")

    def _is_lock(self, name: str, path: Path) -> bool:
        return path.suffix in {".txt", ".pip"} and name not in self._constraint_files

    @cached_property
    def _constraint_files(self) -> set[str]:
        """The files that look like locks and are written by a person."""
        added = {
            posixpath.join(posixpath.dirname(file), line.split()[-1])
            for file, lines in self.added.items()
            for line in lines
        }
        return {*added, "requirements/pins.pip"}

    def beneath(self, root: Path) -> dict[Lock, list[Lock]]:
        """Return the locks that each lock has to agree with, lowest first; lower locks first."""
        direct = {lock: self._direct(lock, root) for lock in self.locks}

        def deep(lock: Lock) -> Iterator[Lock]:
            for lower in direct[lock]:
                yield lower
                yield from deep(lower)

        depth = {lock: len(set(deep(lock))) for lock in self.locks}
        return {
            lock: sorted(set(deep(lock)), key=lambda lower: (depth[lower], lower.lockfile))
            for lock in sorted(self.locks, key=lambda lock: depth[lock])
        }

    def _direct(self, lock: Lock, root: Path) -> list[Lock]:
        named = {option.removeprefix(CONSTRAINT) for option in lock.options}
        reached = set().union(*(_reach(root, file) for file in lock.inputs)) - {*lock.inputs}
        return [
            lower
            for lower in self.locks
            if lower.lockfile in named or reached.issuperset(lower.inputs)
        ]


def _reach(root: Path, file: str) -> set[str]:
    """Return the files that an input reaches, itself among them."""
    reached = {file}
    for found in _REACHED.findall((root / file).read_text(encoding="utf-8")):
        reached |= _reach(root, posixpath.normpath(posixpath.join(posixpath.dirname(file), found)))
    return reached
