"""Read an input and everything it reaches through ``-r`` and ``-c``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nox_lock.errors import Place, RequirementsError
from nox_lock.inputs import syntax
from nox_lock.inputs.entry import (
    URL,
    Entry,
    parse_entry,
    read_input,
    refuse_bad_url,
    refuse_secrets,
)
from nox_lock.inputs.inputs import Dynamic, Include, Inputs, Option, Parts
from nox_lock.inputs.local_projects import is_project_file
from nox_lock.inputs.syntax import MOST_LINES
from nox_lock.inputs.toml_tables import FILE
from nox_lock.project import relative
from nox_lock.text import declare, hide_value, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nox_lock.project import Project

_REMOTE = r"(?:https?|file):"
_INDEXES = ("--index-url", "--extra-index-url", "--find-links")
_DEEPEST = 100  # files that include one another in turn; nobody means more
_TAKE_OUT = "Take one of these lines out."


class Files:
    """The files of a project as inputs see them, each read once.

    Args:
        project: the project.
        made: lock files that are made but not written yet, by path: these are read instead.
        is_unmade: whether a file is a lock file that is yet to be made; asked once of each.
    """

    def __init__(
        self,
        project: Project,
        made: Mapping[str, str] | None = None,
        is_unmade: Callable[[str], bool] = lambda _file: False,
    ) -> None:
        self.project = project
        self.made = made or {}
        self._is_unmade = is_unmade
        self._lines: dict[str, list[tuple[Place, syntax.Line]]] = {}
        self._entries: dict[tuple[Place, bool], Entry] = {}
        self._pending: dict[str, bool] = {}

    def lines(self, file: str, asked: Place | None) -> list[tuple[Place, syntax.Line]]:
        """Return the lines of a file.

        Raises:
            RequirementsError: for one that is missing, unreadable or against the format.
        """
        if file not in self._lines:
            made = self.made.get(file)
            data = read_input(file, self.project, asked) if made is None else made.encode()
            try:
                self._lines[file] = _read_lines(data, file)
            except RequirementsError as error:
                raise self._unquoted(error, file) from None
        return self._lines[file]

    def _unquoted(self, error: RequirementsError, file: str) -> RequirementsError:
        """Return an error that shows no line of a file outside the project: it may be anybody's."""
        if self.project.is_within(file):
            return error
        message = "this line is nothing that a requirements file may hold"
        hint = "It is not shown, since the file is outside the project, or in .git."
        return RequirementsError(message, error.place, hint)

    def entry(self, line: syntax.Line, place: Place, *, constraint: bool) -> Entry:
        """Return the entry that a line is.

        Raises:
            RequirementsError: where it is none.
        """
        key = place, constraint
        if key not in self._entries:
            try:
                self._entries[key] = parse_entry(line, place, self.project, constraint=constraint)
            except RequirementsError as error:
                raise self._unquoted(error, place.file) from None
        return self._entries[key]

    def is_pending(self, file: str) -> bool:
        """Return whether a file is a lock file that is yet to be made."""
        if file in self.made:
            return False
        if file not in self._pending:
            self._pending[file] = self._is_unmade(file)
        return self._pending[file]


def _read_lines(data: bytes, file: str) -> list[tuple[Place, syntax.Line]]:
    found: list[tuple[Place, syntax.Line]] = []
    for number, logical in syntax.logical_lines(syntax.decode(data, file)):
        place = Place(file, number)
        if len(found) > MOST_LINES:
            message = f"this file has more than {MOST_LINES} lines, which nobody means"
            raise RequirementsError(message, place, "Take lines out.")
        refuse_secrets(logical, place)
        found.append((place, syntax.parse_line(number, logical, file)))
    return found


def read_inputs(
    sources: Sequence[str],
    project: Project,
    parts: Parts | None = None,
    files: Files | None = None,
) -> Inputs:
    """Read `sources`, paths relative to the project root, and all they reach.

    Variables in ``-r`` and ``-c`` lines are replaced, as pip does it;
    `parts` is what counts beside the sources, `files` what has been read already.

    Raises:
        RequirementsError: for a file that is missing, unreadable or against the format, a
            loop, a literal password, or ``${NAME}`` inside a requirement.
    """
    parts = parts or Parts()
    reader = _Reader(files or Files(project))
    for source in sources:
        if is_project_file(source):
            reader.read_project(source, extras=parts.extras)
        else:
            reader.read(source, None, constraint=False, trail=())
            reader.native.append(source)
    for group in parts.groups:
        reader.read_project(FILE, with_project=False, groups=(group,))
    for path in parts.constraints:
        reader.read(path, None, constraint=True, trail=())
    urls = [each.url or "" for each in reader.entries]
    for url in (*urls, *(each.value for each in (*reader.options, *reader.remote))):
        if "://" in url:
            declare(url)
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
        native_extras=tuple(reader.native_extras),
        written=reader.written,
        reached=frozenset(reader.reached),
        pending=tuple(reader.pending),
        pythons=tuple(reader.pythons),
    )


class _Reader:
    """Collects what the files hold while it walks through them."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.project = files.project
        self.read_files: dict[str, None] = {}
        self.entries: list[Entry] = []
        self.options: list[Option] = []
        self.remote: list[Option] = []
        self.includes: list[Include] = []
        self.dynamic: list[Dynamic] = []
        self.native: list[str] = []
        self.native_extras: dict[str, None] = {}
        self.written: dict[str, tuple[str, ...]] = {}
        self.reached: set[str] = set()
        self.pending: dict[str, None] = {}
        self.pythons: list[Option] = []
        self._done: set[tuple[str, bool]] = set()

    def read(
        self, file: str, asked: Place | None, *, constraint: bool, trail: tuple[str, ...]
    ) -> None:
        if file in trail:
            chain = " -> ".join((*trail[trail.index(file) :], file))
            raise RequirementsError(f"these files include each other: {chain}", asked, _TAKE_OUT)
        if len(trail) > _DEEPEST:
            chain = " -> ".join((*trail[:2], "...", file))
            raise RequirementsError(
                f"files include one another without end: {chain}", asked, _TAKE_OUT
            )
        if (file, constraint) in self._done:  # pip reads it once more, and takes the same
            return
        if self.files.is_pending(file):
            self.pending[file] = None
            return
        self.read_files[file] = None
        self.reached.add(self.project.real(file))
        for place, line in self.files.lines(file, asked):
            if line.requirement or any(name == "--editable" for name, _ in line.options):
                self.entries.append(self.files.entry(line, place, constraint=constraint))
            else:
                self._follow(line, place, (*trail, file))
        self._done.add((file, constraint))

    def read_project(
        self,
        file: str,
        *,
        with_project: bool = True,
        extras: tuple[str, ...] = (),
        groups: tuple[str, ...] = (),
    ) -> None:
        from nox_lock.inputs.pyproject import read_project  # noqa: PLC0415  (few have one)

        found = read_project(
            file, self.project, with_project=with_project, extras=extras, groups=groups
        )
        self.read_files[file] = None
        self.entries += found.entries
        self.reached |= found.reached
        if found.requires_python:
            self.pythons.append(found.requires_python)
        if found.dynamic:
            self.dynamic.append(Dynamic(Place(file, 1), found.dynamic))
        for group in groups:
            self.written[f"--group {file}:{group}"] = found.lines
        if found.misread:
            self.written[f"{found.name} ({file})"] = found.lines
        else:
            self.native_extras |= dict.fromkeys(extras)
        if with_project and (found.dynamic or not found.misread):
            self.native.append(file)

    def _follow(self, line: syntax.Line, place: Place, trail: tuple[str, ...]) -> None:
        """Take an option line; of one with ``-r`` or ``-c`` pip reads the first of them alone."""
        for _, text in line.options:
            for variable in syntax.variables(text):
                hide_value(variable, self.project.environ.get(variable))
        for name in ("--requirement", "--constraint"):
            value = next((value for option, value in line.options if option == name), None)
            if value is not None:
                self._include(name, value, place, trail)
                return
        for name, value in line.options:
            if name in _INDEXES:
                refuse_bad_url(value, place)
            elif name == "--trusted-host":
                refuse_bad_url(f"//{value}", place)
            self.options.append(Option(name, self._folder(name, value, place), place))

    def _include(self, name: str, value: str, place: Place, trail: tuple[str, ...]) -> None:
        target = value
        for variable in syntax.variables(value):
            if known := self.project.variable(variable):
                target = target.replace(f"${{{variable}}}", known)
        if re.match(_REMOTE, target, re.IGNORECASE):
            self.remote.append(Option(name, value, place))
            return
        path = self._beside(place, target)
        if not path.isprintable():
            message = f"{quoted(path)} is no path: it holds characters that nobody sees"
            raise RequirementsError(message, place, "Rename the file.")
        constraint = name == "--constraint"
        self.includes.append(Include(path, place, constraint))
        self.read(path, place, constraint=constraint, trail=trail)

    def _folder(self, name: str, value: str, place: Place) -> str:
        """Return a find-links folder as pip finds it: beside the file, else from the root."""
        if name == "--find-links" and not URL.match(value):
            beside = self._beside(place, value)
            return beside if self.project.exists(beside) else value
        return value

    def _beside(self, place: Place, path: str) -> str:
        """Return a path that is relative to a file, as from the project root."""
        root = self.project.root
        return relative((root / place.file).parent / path, root)
