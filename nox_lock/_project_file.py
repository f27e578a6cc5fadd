"""A project file as its text says it: tables and lists of their kind, each with its place."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from nox_lock import _witness
from nox_lock._errors import RequirementsError
from nox_lock._syntax import Where, fault
from nox_lock._tables import decode_toml, load_toml
from nox_lock._toml_lines import value_lines
from nox_lock.text import mend_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class ProjectFile:
    """A `pyproject.toml`; empty for another file that a build reads.

    Raises:
        RequirementsError: for a file that is missing or no TOML.
    """

    def __init__(self, file: str, root: Path) -> None:
        self.file = file
        self.root = root
        self.text, self.document = self._load()
        self._lines: Mapping[tuple[str | int, ...], int] | None = None

    def table(self, value: object, *path: str) -> Mapping[str, Any]:
        """Return a value if it is a table; as those below, refuse what is of another kind."""
        if not isinstance(value, dict):
            told = f"`{shown(path)}` must be a table"
            raise fault(told, self.where(*path), f"Write it as: [{shown(path)}]")
        return value

    def list_of(self, value: object, path: tuple[str, ...]) -> list[Any]:
        """Return a value if it is a list."""
        if not isinstance(value, list):
            told = f"`{shown(path)}` must be a list"
            raise fault(told, self.where(*path), f'Write it as: {path[-1]} = ["..."]')
        return value

    def by_name(self, value: object, path: tuple[str, ...]) -> dict[str, tuple[str, object]]:
        """Return the lists of a table by their normalized names, each with its name as written."""
        found: dict[str, tuple[str, object]] = {}
        for key, each in self.table(value, *path).items():
            name = canonicalize_name(key)
            if name in found:
                raise fault(
                    f"`{shown(path)}` has {found[name][0]!r} and {key!r}, which are one name",
                    self.where(*path, key),
                    "Rename one of them.",
                )
            found[name] = key, each
        return found

    def where(self, *path: str | int) -> Where:
        """Return the place of a value, or of the nearest around it that there is."""
        if self._lines is None:
            self._lines = value_lines(self.text)
        while path and path not in self._lines:
            path = path[:-1]
        return Where(self.file, self._lines.get(path, 1))

    def _load(self) -> tuple[str, Mapping[str, Any]]:
        try:
            data = _witness.read(self.root / self.file)
        except FileNotFoundError as error:
            hint = "It is named by `inputs` or `groups` in pyproject.toml."
            raise fault(f"there is no file {self.file}", None, hint) from error
        except OSError as error:
            told = f"cannot read {self.file}: {error.strerror}"
            raise fault(told, None, mend_of(error)) from error
        if not self.file.endswith(".toml"):
            return "", {}
        text = decode_toml(data, self.file, RequirementsError)
        return text, _parse(text, self.file)


@functools.lru_cache(maxsize=4)  # several locks read one file
def _parse(text: str, file: str) -> Mapping[str, Any]:
    return load_toml(text, file, RequirementsError)


def shown(path: tuple[str | int, ...]) -> str:
    """Return the dotted name of a key."""
    return ".".join(map(str, path))
