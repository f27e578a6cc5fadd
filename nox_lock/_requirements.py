"""Read an input and everything it reaches through ``-r`` and ``-c``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nox_lock import _syntax
from nox_lock._entries import URL, Entry, Where, fault, parse_entry, relative

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_REMOTE = re.compile(r"(?:https?|file):", re.IGNORECASE)
# A user name alone is no secret, but one with an empty password is a token.
_PASSWORD = re.compile(r"//(?!\$\{[A-Z0-9_]+\}:@)[^/@\s:]*:(?!\$\{[A-Z0-9_]+\}@)[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Option:
    """An option line such as ``--extra-index-url URL``; a flag's value is empty."""

    name: str
    value: str
    where: Where


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a lock's inputs ask for.

    Attributes:
        sources: the input files given, relative to the project root, in their order.
        files: every file read, sources first.
        entries: requirements and constraints in the order pip meets them.
        options: option lines in the order pip meets them.
        remote: ``-r`` and ``-c`` lines that name a URL: nobody can judge those offline.
    """

    sources: tuple[str, ...]
    files: tuple[str, ...]
    entries: tuple[Entry, ...]
    options: tuple[Option, ...]
    remote: tuple[Option, ...]

    @property
    def requirements(self) -> tuple[Entry, ...]:
        """The entries that ask for something."""
        return tuple(entry for entry in self.entries if not entry.constraint)

    @property
    def constraints(self) -> tuple[Entry, ...]:
        """The entries that only narrow."""
        return tuple(entry for entry in self.entries if entry.constraint)

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
        return [f"source {source}" for source in self.sources] + sorted(entries) + ordered


def read_inputs(sources: Sequence[str], root: Path, environ: Mapping[str, str]) -> Inputs:
    """Read `sources`, paths relative to `root`, and all they reach.

    `environ` gives the values of ``${NAME}`` in ``-r`` and ``-c`` lines, as pip has them.

    Raises:
        RequirementsError: for a file that is missing, unreadable or against the format, a
            loop, a literal password, or ``${NAME}`` inside a requirement.
    """
    reader = _Reader(root, environ)
    for source in sources:
        reader.read(source, None, constraint=False, trail=())
    return Inputs(
        sources=tuple(sources),
        files=tuple(reader.files),
        entries=tuple(reader.entries),
        options=tuple(reader.options),
        remote=tuple(reader.remote),
    )


class _Reader:
    """Collects what the files hold while it walks through them."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ
        self.files: dict[str, None] = {}
        self.entries: list[Entry] = []
        self.options: list[Option] = []
        self.remote: list[Option] = []

    def read(
        self, file: str, asked: Where | None, *, constraint: bool, trail: tuple[str, ...]
    ) -> None:
        if file in trail:
            chain = " -> ".join((*trail[trail.index(file) :], file))
            raise fault(f"these files include each other: {chain}", asked)
        self.files[file] = None
        text = _syntax.decode(self._bytes(file, asked), file)
        for number, logical in _syntax.logical_lines(text):
            where = Where(file, number)
            _refuse_secrets(logical, where)
            line = _syntax.parse_line(number, logical, file)
            if line.requirement or any(name == "--editable" for name, _ in line.options):
                entry = parse_entry(line, where, self.root, constraint=constraint)
                self.entries.append(entry)
            else:
                self._follow(line, where, (*trail, file))

    def _bytes(self, file: str, asked: Where | None) -> bytes:
        try:
            return (self.root / file).read_bytes()
        except FileNotFoundError as error:
            hint = None if asked else "It is named by `inputs` in pyproject.toml."
            raise fault(f"there is no file {file}", asked, hint) from error
        except OSError as error:
            raise fault(f"cannot read {file}: {error.strerror}", asked) from error

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
        self.read(path, where, constraint=name == "--constraint", trail=trail)

    def _folder(self, name: str, value: str, where: Where) -> str:
        """Return a find-links folder as pip finds it: beside the file, else from the root."""
        beside = (self.root / where.file).parent / value
        if name == "--find-links" and not URL.match(value) and beside.exists():
            return relative(beside, self.root)
        return value


def _refuse_secrets(line: str, where: Where) -> None:
    if _PASSWORD.search(line):
        raise fault(
            "a password stands here in clear, and would go into the lock file",
            where,
            "Write it as ${NAME} and set that variable, or move the index to pip's configuration.",
        )
