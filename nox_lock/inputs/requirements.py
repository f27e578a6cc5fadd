"""Read the inputs of a lock, with all they reach by ``-r`` and ``-c``."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence

from nox_lock.errors import Place, RequirementsError, fix_of
from nox_lock.inputs.entry import URL, Entry, Inputs, Option, is_project_file, parse_entry
from nox_lock.inputs.pyproject import ProjectReader
from nox_lock.inputs.syntax import INDEXES, Line, read_lines, refuse_bad_url, variables
from nox_lock.inputs.toml_tables import FILE
from nox_lock.project import Project, relative
from nox_lock.text import declare, hide_value, quoted, shortened

_REMOTE = r"(?:https?|file):"
_DEEPEST = 100  # files that include one another in turn


class Files:
    """Reads the inputs of a project, each file once."""

    def __init__(
        self,
        project: Project,
        made: Mapping[str, str] | None = None,  # texts of lock files that are not written yet
        is_unmade: Callable[[str], bool] = lambda _file: False,  # a lock file, yet to be made
        *,
        may_lack: bool = False,  # whether a requirements file that is missing counts as empty
    ) -> None:
        self.project = project
        self.made = made or {}
        self.is_pending = functools.cache(lambda file: file not in self.made and is_unmade(file))
        self._may_lack = may_lack
        self._items: dict[tuple[str, bool], list[Entry | Line]] = {}

    def read(self, file: str, asked: Place | None = None) -> bytes:
        """Return the bytes of an input, which a line names, or the configuration."""
        if file in self.made:
            return self.made[file].encode()
        try:
            return self.project.read(file)
        except FileNotFoundError as error:
            hint = "It is named by `inputs` or `groups` in pyproject.toml."
            if asked:
                hint = f"-r and -c are seen from the file they are in: {asked.file}"
            raise RequirementsError(f"there is no file {file}", asked, hint) from error
        except OSError as error:
            message = f"cannot read {file}: {error.strerror}"
            raise RequirementsError(message, asked, fix_of(error)) from error

    def items(self, file: str, asked: Place | None, *, constraint: bool) -> list[Entry | Line]:
        """Return the entries of a requirements file, and its lines that hold options alone."""
        if (file, constraint) in self._items:
            return self._items[file, constraint]
        data = self.read(file, asked)
        try:
            found = self._items[file, constraint] = [
                parse_entry(line, self.project, constraint=constraint)
                if line.requirement or line.editable
                else line
                for line in read_lines(data, file)
            ]
        except RequirementsError as error:
            if self.project.is_within(file):
                raise
            message = "this line cannot be read as one of a requirements file"
            hint = "It is not shown, because the file is outside the project, or in .git."
            raise RequirementsError(message, error.place, hint) from None
        return found

    def add(
        self, file: str, inputs: Inputs, trail: tuple[Place, ...] = (), *, constraint: bool = False
    ) -> None:
        """Add a requirements file, and what it includes; `trail` are the lines that lead to it."""
        asked, above = trail[-1] if trail else None, [each.file for each in trail]
        if file in above or len(above) > _DEEPEST:
            chain = " -> ".join((*above[above.index(file) if file in above else 0 :], file))
            message = f"these files include each other: {shortened(chain)}"
            raise RequirementsError(message, asked, "Take one of these lines out.")
        if (file, constraint) in inputs.done:  # pip reads it once more, and takes the same
            return
        inputs.done.add((file, constraint))
        if self.is_pending(file):
            inputs.pending.add(file)
            return
        if file not in inputs.files:
            inputs.files.append(file)
        inputs.reached.add(self.project.real(file))
        if self._may_lack and not (file in self.made or self.project.exists(file)):
            inputs.missing.add(file)
            return
        for item in self.items(file, asked, constraint=constraint):
            if isinstance(item, Entry):
                inputs.entries.append(item)
                inputs.left_out += [item] * (item.constraint and item.editable)
            else:
                self._follow(item, inputs, trail)

    def _follow(self, line: Line, inputs: Inputs, trail: tuple[Place, ...]) -> None:
        """Take an option line; of one with ``-r`` or ``-c`` pip reads the first of them alone."""
        place = line.place
        for _, text in line.options:
            for variable in variables(text):
                hide_value(variable, self.project.environ.get(variable))
        for wanted in ("--requirement", "--constraint"):
            if values := [value for name, value in line.options if name == wanted]:
                self._include(Option(wanted, values[0], place), inputs, trail)
                return
        for name, value in line.options:
            found = value
            if name in INDEXES:
                refuse_bad_url(value, place)
            elif name == "--trusted-host":
                refuse_bad_url(f"//{value}", place)
            if name == "--find-links" and not URL.match(value):
                # pip looks for a folder beside the file, and else from the root.
                beside = self._beside(place, value)
                found = beside if self.project.exists(beside) else value
            inputs.options.append(Option(name, found, place))

    def _include(self, option: Option, inputs: Inputs, trail: tuple[Place, ...]) -> None:
        target, place = option.value, option.place
        for variable in variables(target):
            if known := self.project.variable(variable):
                target = target.replace(f"${{{variable}}}", known)
        if re.match(_REMOTE, target, re.IGNORECASE):
            inputs.remote.append(option)
            return
        path = self._beside(place, target)
        if not path.isprintable():
            message = f"{quoted(path)} has characters that cannot be printed"
            raise RequirementsError(message, place, "Rename the file.")
        inputs.includes.append(option._replace(value=path))
        self.add(path, inputs, (*trail, place), constraint=option.name == "--constraint")

    def _beside(self, place: Place, path: str) -> str:
        """Return a path that is relative to a file, as from the project root."""
        root = self.project.root
        return relative((root / place.file).parent / path, root)


def read_inputs(
    sources: Sequence[str],
    files: Files,
    *,
    extras: Sequence[str] = (),  # of the project files among them
    groups: Sequence[str] = (),  # of `pyproject.toml`
    constraints: Sequence[str] = (),  # files to read as if a ``-c`` named them
) -> Inputs:
    """Read `sources`, relative to the project root, and all they reach, or RequirementsError."""
    inputs = Inputs()
    for source in sources:
        if is_project_file(source):
            ProjectReader(source, files.read(source), inputs, files.project).read_project(extras)
        else:
            files.add(source, inputs)
            inputs.native.append(source)
    for group in groups:
        ProjectReader(FILE, files.read(FILE), inputs, files.project).read_group(group)
    for path in constraints:
        files.add(path, inputs, constraint=True)
    inputs.made = files.made
    urls = [each.url or "" for each in inputs.entries]
    for url in (*urls, *(each.value for each in (*inputs.options, *inputs.remote))):
        if "://" in url:
            declare(url)
    return inputs
