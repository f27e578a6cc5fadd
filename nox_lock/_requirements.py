"""Read an input and everything it reaches through ``-r`` and ``-c``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nox_lock import _syntax
from nox_lock._entries import (
    URL,
    Entry,
    Where,
    fault,
    parse_entry,
    refuse_secrets,
    relative,
)
from nox_lock._pyproject import Ask, is_project_file, read_project
from nox_lock._tables import FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_REMOTE = re.compile(r"(?:https?|file):", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Option:
    """An option line such as ``--extra-index-url URL``; a flag's value is empty."""

    name: str
    value: str
    where: Where


class Include(NamedTuple):
    """A ``-r`` or ``-c`` line that names a local file: the file, as from the project root."""

    file: str
    where: Where
    constraint: bool


class Parts(NamedTuple):
    """What counts beside the sources of a lock.

    Attributes:
        extras: of the project files among the sources.
        groups: dependency groups of `pyproject.toml`.
        constraints: files to read as if a ``-c`` named them.
    """

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()


class Dynamic(NamedTuple):
    """A project file whose dependencies only its build tells: a digest of what may decide them."""

    where: Where
    digest: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a lock's inputs ask for.

    Attributes:
        sources: the input files given, relative to the project root, in their order.
        files: every file read, sources first.
        entries: requirements and constraints in the order pip meets them.
        options: option lines in the order pip meets them.
        remote: ``-r`` and ``-c`` lines that name a URL: nobody can judge those offline.
        includes: ``-r`` and ``-c`` lines that name a local file.
        dynamic: project files that only a build can read to the end.
        extras: the extras of project files, as given.
        native: those of the sources that pip-compile reads itself.
        written: requirement lines that are written out for it, because it knows nothing of
            where they stand, by how its annotations are to name that place.
        reached: all it comprises: real paths of files, and parts of project files as
            `_pyproject.ProjectInput.reached` has them.
        pending: lock files it names that are not made yet.
    """

    sources: tuple[str, ...]
    files: tuple[str, ...]
    entries: tuple[Entry, ...]
    options: tuple[Option, ...]
    remote: tuple[Option, ...]
    includes: tuple[Include, ...] = ()
    dynamic: tuple[Dynamic, ...] = ()
    extras: tuple[str, ...] = ()
    native: tuple[str, ...] = ()
    written: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reached: frozenset[str] = frozenset()
    pending: tuple[str, ...] = ()

    @property
    def requirements(self) -> tuple[Entry, ...]:
        """The entries that ask for something."""
        return tuple(entry for entry in self.entries if not entry.constraint)

    @property
    def constraints(self) -> tuple[Entry, ...]:
        """The entries that only narrow."""
        return tuple(entry for entry in self.entries if entry.constraint)

    @property
    def judgeable(self) -> bool:
        """Whether the files here tell all that is asked for."""
        return not (self.remote or self.dynamic)

    def canonical(self) -> list[str]:
        """One line for each thing that shapes the lock: order, comments and spelling left out.

        Options keep their order, because that of indexes counts. The file of an entry is part
        of it, since the lock's annotations name it.
        """
        entries = {
            f"{'-c' if entry.constraint else '-r'} {entry.where.file}: {entry.text}{entry.metadata}"
            for entry in self.entries
        }
        ordered = [f"{option.name} {option.value}" for option in (*self.options, *self.remote)]
        built = [f"dynamic {each.where.file} {each.digest}" for each in self.dynamic]
        extras = (f"extra {extra}" for extra in self.extras)
        parts = [*self.sources, *extras, *self.written]
        return [f"source {part}" for part in parts] + sorted(entries) + ordered + built


class Files:
    """The files of a project as inputs see them, each read once.

    Args:
        root: the project root.
        made: lock files that are made but not written yet, by path: these are read instead.
        expected: tells of a missing file whether it is a lock file that will be made.
    """

    def __init__(
        self,
        root: Path,
        made: Mapping[str, str] | None = None,
        expected: Callable[[str], bool] = lambda _file: False,
    ) -> None:
        self.root = root
        self.made = made or {}
        self.expected = expected
        self._lines: dict[str, list[tuple[Where, _syntax.Line]]] = {}
        self._entries: dict[tuple[Where, bool], Entry] = {}

    def lines(self, file: str, asked: Where | None) -> list[tuple[Where, _syntax.Line]]:
        """Return the lines of a file.

        Raises:
            RequirementsError: for one that is missing, unreadable or against the format.
        """
        if file not in self._lines:
            text = _syntax.decode(self._bytes(file, asked), file)
            found = []
            for number, logical in _syntax.logical_lines(text):
                where = Where(file, number)
                refuse_secrets(logical, where)
                found.append((where, _syntax.parse_line(number, logical, file)))
            self._lines[file] = found
        return self._lines[file]

    def entry(self, line: _syntax.Line, where: Where, *, constraint: bool) -> Entry:
        """Return the entry that a line is.

        Raises:
            RequirementsError: where it is none.
        """
        key = where, constraint
        if key not in self._entries:
            self._entries[key] = parse_entry(line, where, self.root, constraint=constraint)
        return self._entries[key]

    def is_pending(self, file: str) -> bool:
        """Tell whether a file is a lock file that is not made yet."""
        there = file in self.made or (self.root / file).exists()
        return not there and self.expected(file)

    def real(self, file: str) -> str:
        """Return a file's path with its links resolved, relative to the project root."""
        real = os.path.realpath(self.root / file)
        return relative(Path(real), Path(os.path.realpath(self.root)))

    def _bytes(self, file: str, asked: Where | None) -> bytes:
        if file in self.made:
            return self.made[file].encode()
        try:
            return (self.root / file).read_bytes()
        except FileNotFoundError as error:
            hint = None if asked else "It is named by `inputs` in pyproject.toml."
            raise fault(f"there is no file {file}", asked, hint) from error
        except OSError as error:
            raise fault(f"cannot read {file}: {error.strerror}", asked) from error


def read_inputs(
    sources: Sequence[str],
    root: Path,
    environ: Mapping[str, str],
    parts: Parts | None = None,
    files: Files | None = None,
) -> Inputs:
    """Read `sources`, paths relative to `root`, and all they reach.

    `environ` gives the values of ``${NAME}`` in ``-r`` and ``-c`` lines, as pip has them;
    `parts` is what counts beside the sources, `files` what has been read already.

    Raises:
        RequirementsError: for a file that is missing, unreadable or against the format, a
            loop, a literal password, or ``${NAME}`` inside a requirement.
    """
    parts = parts or Parts()
    reader = _Reader(files or Files(root), environ)
    for source in sources:
        if is_project_file(source):
            reader.read_project(Ask(source, project=True, extras=parts.extras))
        else:
            reader.read(source, None, constraint=False, trail=())
            reader.native.append(source)
    for group in parts.groups:
        reader.read_project(Ask(FILE, project=False, groups=(group,)))
    for path in parts.constraints:
        reader.read(path, None, constraint=True, trail=())
    return Inputs(
        sources=tuple(sources),
        files=tuple(reader.read_files),
        entries=tuple(reader.entries),
        options=tuple(reader.options),
        remote=tuple(reader.remote),
        includes=tuple(reader.includes),
        dynamic=tuple(reader.dynamic),
        extras=parts.extras,
        native=tuple(reader.native),
        written=reader.written,
        reached=frozenset(reader.reached),
        pending=tuple(reader.pending),
    )


class _Reader:
    """Collects what the files hold while it walks through them."""

    def __init__(self, files: Files, environ: Mapping[str, str]) -> None:
        self.files = files
        self.root = files.root
        self.environ = environ
        self.read_files: dict[str, None] = {}
        self.entries: list[Entry] = []
        self.options: list[Option] = []
        self.remote: list[Option] = []
        self.includes: list[Include] = []
        self.dynamic: list[Dynamic] = []
        self.native: list[str] = []
        self.written: dict[str, tuple[str, ...]] = {}
        self.reached: set[str] = set()
        self.pending: dict[str, None] = {}

    def read(
        self, file: str, asked: Where | None, *, constraint: bool, trail: tuple[str, ...]
    ) -> None:
        if file in trail:
            chain = " -> ".join((*trail[trail.index(file) :], file))
            raise fault(f"these files include each other: {chain}", asked)
        if self.files.is_pending(file):
            self.pending[file] = None
            return
        self.read_files[file] = None
        self.reached.add(self.files.real(file))
        for where, line in self.files.lines(file, asked):
            if line.requirement or any(name == "--editable" for name, _ in line.options):
                self.entries.append(self.files.entry(line, where, constraint=constraint))
            else:
                self._follow(line, where, (*trail, file))

    def read_project(self, ask: Ask) -> None:
        found = read_project(ask, self.root)
        self.read_files[ask.file] = None
        self.entries += found.entries
        self.reached |= found.reached
        if found.dynamic:
            self.dynamic.append(Dynamic(Where(ask.file, 1), found.dynamic))
        for group in ask.groups:
            self.written[f"--group {ask.file}:{group}"] = found.lines
        if found.itself and not found.dynamic:
            # pip-compile would pin the project itself, by its path on this machine.
            self.written[f"{found.name} ({ask.file})"] = found.lines
        elif ask.project:
            self.native.append(ask.file)

    def _follow(self, line: _syntax.Line, where: Where, trail: tuple[str, ...]) -> None:
        """Take an option line; of one with ``-r`` or ``-c`` pip reads the first of them alone."""
        for name in ("--requirement", "--constraint"):
            value = next((value for option, value in line.options if option == name), None)
            if value is not None:
                self._include(name, value, where, trail)
                return
        for name, value in line.options:
            self.options.append(Option(name, self._folder(name, value, where), where))

    def _include(self, name: str, value: str, where: Where, trail: tuple[str, ...]) -> None:
        target = value
        for variable in _syntax.variables(value):
            if known := self.environ.get(variable):
                target = target.replace(f"${{{variable}}}", known)
        if _REMOTE.match(target):
            self.remote.append(Option(name, value, where))
            return
        path = relative((self.root / where.file).parent / target, self.root)
        constraint = name == "--constraint"
        self.includes.append(Include(path, where, constraint))
        self.read(path, where, constraint=constraint, trail=trail)

    def _folder(self, name: str, value: str, where: Where) -> str:
        """Return a find-links folder as pip finds it: beside the file, else from the root."""
        beside = (self.root / where.file).parent / value
        if name == "--find-links" and not URL.match(value) and beside.exists():
            return relative(beside, self.root)
        return value
