"""What the inputs of a lock ask for, once read."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_lock.errors import Place
    from nox_lock.inputs.entry import Entry


class Option(NamedTuple):
    """An option line such as ``--extra-index-url URL``; a flag's value is empty."""

    name: str
    value: str
    place: Place


class Include(NamedTuple):
    """A ``-r`` or ``-c`` line that names a local file: the file, as from the project root."""

    file: str
    place: Place
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

    place: Place
    digest: str


class Inputs(NamedTuple):
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
        native_extras: the extras that it is told of.
        written: requirement lines that are written out for it, because it knows nothing of
            where they stand, by how its annotations are to name that place.
        reached: all it comprises: real paths of files, and parts of project files as
            `pyproject.ProjectInput.reached` has them.
        pending: lock files it names that are not there, or broken.
        pythons: what project files say of the Pythons that they are for.
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
    native_extras: tuple[str, ...] = ()
    written: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    reached: frozenset[str] = frozenset()
    pending: tuple[str, ...] = ()
    pythons: tuple[Option, ...] = ()

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
            f"{'-c' if entry.constraint else '-r'} {entry.place.file}: {entry.text}{entry.metadata}"
            for entry in self.entries
        }
        ordered = [f"{option.name} {option.value}" for option in (*self.options, *self.remote)]
        built = [f"dynamic {each.place.file} {each.digest}" for each in self.dynamic]
        extras = (f"extra {extra}" for extra in self.extras)
        parts = [*self.sources, *extras, *self.written]
        return [f"source {part}" for part in parts] + sorted(entries) + ordered + built
