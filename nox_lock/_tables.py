"""Read a TOML table key by key: each value of its kind, or one error that names the key."""

from __future__ import annotations

import re
import sys
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from nox_lock._errors import ConfigError, NoxLockError
from nox_lock.text import nearest, quoted

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
_FORMS: Mapping[type, str] = {
    bool: "{key} = true",
    str: '{key} = "..."',
    list: '{key} = ["..."]',
    dict: "[{path}]",
}
_SAVE = "Save it as UTF-8, without a mark of byte order."
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_T = TypeVar("_T")


class Table(NamedTuple):
    """A table of `pyproject.toml`: its values, and its name for messages (``tool.nox-lock``).

    Every getter returns None, or nothing of its kind, for a key that is not there, and raises
    `ConfigError` for a value of another kind.
    """

    name: str
    values: Mapping[str, Any]
    path: tuple[str, ...] = ()
    text: str = ""

    def flag(self, key: str) -> bool | None:
        """Return a boolean."""
        return self._get(key, bool)

    def string(self, key: str) -> str | None:
        """Return a string."""
        return self._get(key, str)

    def seconds(self, key: str) -> float | None:
        """Return a number of seconds, more than none and with an end."""
        found = self.values.get(key)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 < found < inf:
            shown = quoted(found) if isinstance(found, str) else found
            told = f" must be a number of seconds, not {shown}"
            raise self.wrong(key, told, f"Write it as: {key} = 600")
        return float(found)

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        found = self._get(key, list) or []
        if not all(isinstance(each, str) for each in found):
            raise self._of_other_kind(key, list)
        return tuple(found)

    def table(self, key: str) -> Table:
        """Return a table within this one."""
        values = self._get(key, dict) or {}
        return Table(self.key(key), values, (*self.path, key), self.text)

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise for a key that is none of `known`, naming the nearest one."""
        for key in sorted(set(self.values) - set(known)):
            hint = f"There are: {', '.join(sorted(known))}"
            raise self.wrong(key, f" is unknown{nearest(key, known)}", hint)

    def key(self, key: str) -> str:
        """Return the dotted name of a key, as TOML spells it."""
        shown = key if re.fullmatch(r"[\w-]+", key) else quoted(key).replace("'", '"')
        return f"{self.name}.{shown}" if self.name else shown

    def wrong(self, key: str, told: str, hint: str | None = None) -> ConfigError:
        """Return the error for a key: at its line, or at that of the table it is missing from."""
        from nox_lock._toml_lines import value_lines  # noqa: PLC0415  (only for an error)

        lines = value_lines(self.text)
        line = lines.get((*self.path, key), lines.get(self.path))
        return ConfigError(f"`{self.key(key)}`{told}", file=FILE, line=line, hint=hint)

    def _get(self, key: str, kind: type[_T]) -> _T | None:
        found = self.values.get(key)
        if found is None or isinstance(found, kind):
            return found
        raise self._of_other_kind(key, kind)

    def _of_other_kind(self, key: str, kind: type) -> ConfigError:
        found = self.values[key]
        shown = quoted(found) if isinstance(found, str) else found
        form = _FORMS[kind].format(key=key, path=self.key(key))
        return self.wrong(key, f" must be {_KINDS[kind]}, not {shown}", f"Write it as: {form}")


def parse_toml(data: bytes) -> Table:
    """Parse the bytes of `pyproject.toml` and return the table of all it holds.

    Raises:
        ConfigError: for what is no TOML.
    """
    text = decode_toml(data, FILE, ConfigError)
    return Table("", load_toml(text, FILE, ConfigError), text=text)


def decode_toml(data: bytes, file: str, kind: type[NoxLockError]) -> str:
    """Return the text of a TOML file.

    Raises:
        NoxLockError: of that kind, for what is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise kind("is no TOML: it is not UTF-8", file=file, line=line, hint=_SAVE) from error


def load_toml(text: str, file: str, kind: type[NoxLockError]) -> dict[str, Any]:
    """Parse a text as TOML.

    Raises:
        NoxLockError: of that kind, for what is none.
    """
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deep"
    except ValueError:
        reason = "a number has too many digits"
    else:
        return values
    if text.startswith(_MARK):
        raise kind("is no TOML: it begins with a mark of byte order", file=file, line=1, hint=_SAVE)
    found = re.search(r"at line (\d+)", reason)
    last = text.rstrip().count("\n") + 1 if "end of document" in reason else None
    line = int(found[1]) if found else last
    raise kind(f"is no TOML: {reason}", file=file, line=line, hint="Mend what stands there.")
