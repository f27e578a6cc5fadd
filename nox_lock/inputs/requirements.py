"""What the inputs of a lock require: `Inputs`, read with all they reach by ``-r`` and ``-c``."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence

from nox_lock.errors import Place, RequirementsError, fix_of
from nox_lock.inputs.entry import URL, Entry, Option, is_project_file, parse_entry, refuse_bad_url
from nox_lock.inputs.pyproject import read_group, read_project
from nox_lock.inputs.syntax import Line, read_lines, variables
from nox_lock.project import Project, relative
from nox_lock.text import declare, hide_value, quoted, shortened

_REMOTE = r"(?:https?|file):"
_INDEXES = ("--index-url", "--extra-index-url", "--find-links")
_DEEPEST = 100  # files that include one another in turn


class Inputs:
    """What a lock's inputs require; not to be changed once `read_inputs` has returned it.

    Attributes:
        sources: the input files given, relative to the project root, in their order.
        extras: the extras of project files, as given.
        files: every file read, sources first.
        made: lock files among these that are made but not written yet, by path; see `Files`.
        entries: requirements and constraints in the order pip meets them.
        remote: ``-r`` and ``-c`` lines that name a URL, which cannot be checked offline.
        includes: ``-r`` and ``-c`` lines that name a local file, which is as from the project root.
        dynamic: of each project file that only a build can read to the end, a digest of all that
            may decide its dependencies.
        native: what pip-compile is given to read by itself: sources, and options for them.
        written: requirement lines that are written out for it, because it reads them otherwise
            or not at all, by how its annotations are to name their place.
        reached: all that is read: real paths of files; of a project file ``FILE#`` for its own
            dependencies, ``FILE#extra=NAME`` and ``FILE#group=NAME``.
        pending: lock files it names that are not there, or broken.
        missing: files that are not there; see `Files`.
        pythons: the ``requires-python`` of project files.
    """

    # By hand: a dataclass of so many fields takes a hundredth of a check.
    def __init__(self, sources: tuple[str, ...] = (), extras: tuple[str, ...] = ()) -> None:
        self.sources = sources
        self.extras = extras
        self.files: list[str] = []
        self.made: Mapping[str, str] = {}
        self.entries: list[Entry] = []
        self.options: list[Option] = []
        self.remote: list[Option] = []
        self.includes: list[Option] = []
        self.dynamic: dict[str, str] = {}
        self.native: list[str] = []
        self.written: dict[str, list[str]] = {}
        self.reached: set[str] = set()
        self.pending: list[str] = []
        self.missing: list[str] = []
        self.pythons: list[Option] = []

    @property
    def requirements(self) -> list[Entry]:
        """The entries that require something."""
        return [entry for entry in self.entries if not entry.constraint]

    @property
    def constraints(self) -> list[Entry]:
        """The entries that only narrow versions."""
        return [entry for entry in self.entries if entry.constraint]

    @property
    def left_out(self) -> list[Entry]:
        """The editables among the constraints: pip refuses them, and no folder has two versions."""
        return [entry for entry in self.entries if entry.constraint and entry.editable]

    @property
    def judgeable(self) -> bool:
        """Whether all that is required is in files here, and needs no build."""
        return not (self.remote or self.dynamic)

    def canonical(self) -> list[str]:
        """One line for each thing that shapes the lock: order, comments and spelling left out.

        Options keep their order, because that of indexes counts. The file of an entry is part
        of it, since the lock's annotations name it.
        """
        entries = {
            f"{'-c' if entry.constraint else '-r'} {entry.place.file}: {entry.text}{entry.metadata}"
            for entry in self.entries
        }
        ordered = [f"{option.name} {option.value}" for option in (*self.options, *self.remote)]
        built = [f"dynamic {file} {digest}" for file, digest in self.dynamic.items()]
        extras = (f"extra {extra}" for extra in self.extras)
        parts = [*self.sources, *extras, *self.written]
        return [f"source {part}" for part in parts] + sorted(entries) + ordered + built


class Files:
    """The files of a project as inputs see them, each read once.

    Args:
        made: lock files that are made but not written yet, by path: these are read instead.
        is_unmade: whether a file is a lock file that is yet to be made; asked once of each.
        may_lack: whether requirements files may be missing: they count as empty then.
    """

    def __init__(
        self,
        project: Project,
        made: Mapping[str, str] | None = None,
        is_unmade: Callable[[str], bool] = lambda _file: False,
        *,
        may_lack: bool = False,
    ) -> None:
        self.project = project
        self.made = made or {}
        self.is_pending = functools.cache(lambda file: file not in self.made and is_unmade(file))
        self._may_lack = may_lack
        self.missing: set[str] = set()
        self._items: dict[tuple[str, bool], list[Entry | Line]] = {}

    def read(self, file: str, asked: Place | None = None) -> bytes:
        """Return the bytes of an input, which a line names, or the configuration."""
        if file in self.made:
            return self.made[file].encode()
        try:
            return self.project.read(file)
        except FileNotFoundError as error:
            if self._may_lack:
                self.missing.add(file)
                return b""
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


def read_inputs(
    sources: Sequence[str],
    files: Files,
    *,
    extras: tuple[str, ...] = (),
    groups: Sequence[str] = (),
    constraints: Sequence[str] = (),
) -> Inputs:
    """Read `sources`, paths relative to the project root, and all they reach.

    Variables in ``-r`` and ``-c`` lines are replaced, as pip does it. `extras` are of the project
    files among the sources, `groups` dependency groups of `pyproject.toml`, `constraints` files
    to read as if a ``-c`` named them.

    Raises:
        RequirementsError: for a file that is missing, unreadable or against the format, a
            loop, a literal password, or ``${NAME}`` inside a requirement.
    """
    inputs = Inputs(tuple(sources), extras)
    reader = _Reader(inputs, files)
    for source in sources:
        if is_project_file(source):
            read_project(source, extras, inputs, files)
        else:
            reader.read(source)
            inputs.native.append(source)
    for group in groups:
        read_group(group, inputs, files)
    for path in constraints:
        reader.read(path, constraint=True)
    inputs.made = files.made
    inputs.missing += [file for file in inputs.files if file in files.missing]
    urls = [each.url or "" for each in inputs.entries]
    for url in (*urls, *(each.value for each in (*inputs.options, *inputs.remote))):
        if "://" in url:
            declare(url)
    return inputs


class _Reader:
    """Adds requirements files to `Inputs`, with the files they include."""

    def __init__(self, inputs: Inputs, files: Files) -> None:
        self.inputs = inputs
        self.files = files
        self.project = files.project
        self._done: set[tuple[str, bool]] = set()

    def read(
        self,
        file: str,
        asked: Place | None = None,
        *,
        constraint: bool = False,
        trail: tuple[str, ...] = (),
    ) -> None:
        """Read a file that `asked` includes; `trail` are the files that lead to it."""
        if file in trail or len(trail) > _DEEPEST:
            chain = " -> ".join((*trail[trail.index(file) if file in trail else 0 :], file))
            message = f"these files include each other: {shortened(chain)}"
            raise RequirementsError(message, asked, "Take one of these lines out.")
        if (file, constraint) in self._done:  # pip reads it once more, and takes the same
            return
        if self.files.is_pending(file):
            if file not in self.inputs.pending:
                self.inputs.pending.append(file)
            return
        if (file, not constraint) not in self._done:
            self.inputs.files.append(file)
        self.inputs.reached.add(self.project.real(file))
        for item in self.files.items(file, asked, constraint=constraint):
            if isinstance(item, Entry):
                self.inputs.entries.append(item)
            else:
                self._follow(item, (*trail, file))
        self._done.add((file, constraint))

    def _follow(self, line: Line, trail: tuple[str, ...]) -> None:
        """Take an option line; of one with ``-r`` or ``-c`` pip reads the first of them alone."""
        for _, text in line.options:
            for variable in variables(text):
                hide_value(variable, self.project.environ.get(variable))
        for wanted in ("--requirement", "--constraint"):
            if values := [value for name, value in line.options if name == wanted]:
                self._include(wanted, values[0], line.place, trail)
                return
        for name, value in line.options:
            found = value
            if name in _INDEXES:
                refuse_bad_url(value, line.place)
            elif name == "--trusted-host":
                refuse_bad_url(f"//{value}", line.place)
            if name == "--find-links" and not URL.match(value):
                # pip looks for a folder beside the file, and else from the root.
                beside = self._beside(line.place, value)
                found = beside if self.project.exists(beside) else value
            self.inputs.options.append(Option(name, found, line.place))

    def _include(self, name: str, value: str, place: Place, trail: tuple[str, ...]) -> None:
        target = value
        for variable in variables(value):
            if known := self.project.variable(variable):
                target = target.replace(f"${{{variable}}}", known)
        if re.match(_REMOTE, target, re.IGNORECASE):
            self.inputs.remote.append(Option(name, value, place))
            return
        path = self._beside(place, target)
        if not path.isprintable():
            message = f"{quoted(path)} has characters that cannot be printed"
            raise RequirementsError(message, place, "Rename the file.")
        self.inputs.includes.append(Option(name, path, place))
        self.read(path, place, constraint=name == "--constraint", trail=trail)

    def _beside(self, place: Place, path: str) -> str:
        """Return a path that is relative to a file, as from the project root."""
        root = self.project.root
        return relative((root / place.file).parent / path, root)
