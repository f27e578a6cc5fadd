"""Read a TOML table key by key: each value of its kind, or one error that names the key."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from nox_lock._errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FILE = "pyproject.toml"
_KINDS: Mapping[type, str] = {
    bool: "true or false",
    str: "a string",
    list: "a list of strings",
    dict: "a table",
}
_T = TypeVar("_T")


class Table(NamedTuple):
    """A table of `pyproject.toml`: its values, and its name for messages (``tool.nox-lock``).

    Every getter returns None, or nothing of its kind, for a key that is not there, and raises
    `ConfigError` for a value of another kind.
    """

    name: str
    values: Mapping[str, Any]

    def flag(self, key: str) -> bool | None:
        """Return a boolean."""
        return self._get(key, bool)

    def string(self, key: str) -> str | None:
        """Return a string."""
        return self._get(key, str)

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        found = self._get(key, list) or []
        if not all(isinstance(each, str) for each in found):
            raise self._wrong(key, list)
        return tuple(found)

    def table(self, key: str) -> Table:
        """Return a table within this one."""
        return Table(self._name(key), self._get(key, dict) or {})

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise for a key that is none of `known`, naming the nearest one."""
        for key in sorted(set(self.values) - set(known)):
            raise ConfigError(f"`{self._name(key)}` is unknown{nearest(key, known)}", file=FILE)

    def _name(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def _get(self, key: str, kind: type[_T]) -> _T | None:
        found = self.values.get(key)
        if found is None or isinstance(found, kind):
            return found
        raise self._wrong(key, kind)

    def _wrong(self, key: str, kind: type) -> ConfigError:
        found = self.values[key]
        return ConfigError(f"`{self._name(key)}` must be {_KINDS[kind]}, not {found!r}", file=FILE)


def parse_toml(data: bytes) -> Table:
    """Parse the bytes of `pyproject.toml` and return the table of all it holds.

    Raises:
        ConfigError: for what is no TOML.
    """
    try:
        values = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is no TOML: {error}", file=FILE) from error
    return Table("", values)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the one of `known` that `word` is nearly, or nothing."""
    import difflib  # noqa: PLC0415  (only for an error)

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
