"""Read a TOML table key by key: each value of its kind, or one error that names key and line."""

from __future__ import annotations

import codecs
import functools
import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from nox_lock.errors import ConfigError, Place, fix_of
from nox_lock.project import Project
from nox_lock.text import quoted

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


FILE = "pyproject.toml"
# In words, and an example.
_KINDS: Mapping[type, tuple[str, str]] = {
    bool: ("true or false", "{key} = true"),
    str: ("a string", '{key} = "..."'),
    list: ("a list of strings", '{key} = ["..."]'),
    dict: ("a table", "[{path}]"),
}
_SAVE = "Save it as UTF-8, without a mark of byte order."
# A line that names a table, or a key.
_STRING = r"\"[^\"\n]*\"|'[^'\n]*'"
_NAMING = rf"(?m)^(?:[ \t]*\[{{1,2}}([^\]\n]*)\]|((?:[\w. \t-]|{_STRING})+)=)"
# The name of a key is compared without these.
_SPELLING = str.maketrans("", "", " \t\"'")
_T = TypeVar("_T")
# `tomllib` takes time that grows with the square of the parts of a key.
_PART = r"""(?:[\w-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')[ \t]*\.[ \t]*"""
_LONG_KEY = re.compile(rf"[\n{{,\[][ \t]*(?:{_PART}){{50}}")


class Table(NamedTuple):
    """A table of a project file: a key that is missing is empty, one of another type an error."""

    values: Mapping[str, Any]
    path: tuple[str, ...] = ()
    text: str = ""
    file: str = FILE

    def dotted(self, *key: str) -> str:
        """Return the name of the table, or of a key in it, as TOML spells it: ``tool.nox-lock``."""
        keys = (each if re.fullmatch(r"[\w-]+", each) else quoted(each) for each in self.path + key)
        return ".".join(keys).replace("'", '"')

    def get(self, key: str, kind: type[_T]) -> _T | None:
        """Return a boolean, a string, or what else the type is."""
        found = self.values.get(key)
        if found is None or isinstance(found, kind):
            return found
        raise self._of_other_kind(key, kind, found)

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        found = self.get(key, list) or []
        for each in found:
            if not isinstance(each, str):
                raise self._of_other_kind(key, list, each)
        return tuple(found)

    def table(self, key: str) -> Table:
        """Return a table within this one."""
        return self._replace(values=self.get(key, dict) or {}, path=(*self.path, key))

    def place(self, key: str | None = None, value: str | None = None) -> Place:
        """Return the place of the table, of a key in it, or of a string in the list of that."""
        # The text is searched: what it has not, or twice, is where its key or its table is.
        keys, names = _find_keys(self.text), [*self.path, *([key] if key else [])]
        while (found := keys.get(".".join(names).translate(_SPELLING))) is None:
            names.pop()
        line, text = found
        before, *others = text.split(f'"{value}"'.replace("'", '"'))
        if value is not None and len(others) == 1:
            line += before.count("\n")
        return Place(self.file, line or None)

    def wrong(self, key: str, message: str, hint: str | None = None) -> ConfigError:
        """Return the error for a key: at its line, or at that of the table it is missing from."""
        return ConfigError(f"`{self.dotted(key)}`{message}", self.place(key), hint)

    def _of_other_kind(self, key: str, kind: type, found: object) -> ConfigError:
        shown = quoted(found) if isinstance(found, str) else found
        what, form = _KINDS[kind]
        form = form.format(key=key, path=self.dotted(key))
        return self.wrong(key, f" must be {what}, not {shown}", f"Write it as: {form}")


@functools.lru_cache(maxsize=4)  # several locks read one file
def _find_keys(text: str) -> Mapping[str, tuple[int, str] | None]:
    """Return the line of each key and table, with its text, cut to be quick; None for one twice."""
    first, *parts = re.split(_NAMING, text)
    keys: dict[str, tuple[int, str] | None] = {}
    line, table = first.count("\n") + 1, ""
    for header, key, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        table = table if header is None else header
        name = (table if key is None else f"{table}.{key}").translate(_SPELLING).removeprefix(".")
        keys[name] = None if name in keys else (line, body[:100_000].replace("'", '"'))
        line += body.count("\n")
    keys[""] = (0, "")  # the place of what is not there at all
    return keys


def parse_toml(data: bytes, file: str = FILE) -> Table:
    """Parse the bytes of a project file; ConfigError for what is not TOML."""
    line: int | None
    try:
        text = data.decode()
        return Table(_parse(text), text=text, file=file)
    except UnicodeDecodeError as error:
        line, fault, hint = data.count(b"\n", 0, error.start) + 1, "it is not UTF-8", _SAVE
    except (ValueError, RecursionError) as error:  # also for too many digits
        found = re.search(r"at line (\d+)", str(error))
        last = data.rstrip().count(b"\n") + 1 if "end of document" in str(error) else None
        line, fault, hint = int(found[1]) if found else last, str(error), "Correct that line."
        if data.startswith(codecs.BOM_UTF8):
            line, fault, hint = 1, "it begins with a mark of byte order", _SAVE
    raise ConfigError(f"is not TOML: {fault}", Place(file, line), hint)


@functools.lru_cache(maxsize=4)  # the configuration and several locks read one file
def _parse(text: str) -> dict[str, Any]:
    if long := _LONG_KEY.search(f"\n{text}"):
        line = text.count("\n", 0, long.start()) + 1
        raise ValueError(f"a key has more than 50 parts (at line {line})")
    return tomllib.loads(text)


def find_table(key: str, lock: str, project: Project) -> Table:
    """Return the table that has a key for a lock, to name its line: its own, else that of all."""
    table = read_document(project).table("tool").table("nox-lock")
    own = table.table("locks").table(lock)
    return own if key in own.values or key not in table.values else table


def read_document(project: Project) -> Table:
    """Return the table of all that the `pyproject.toml` of a project holds; empty without one."""
    try:
        return parse_toml(project.read(FILE))
    except OSError as error:
        # A link that leads nowhere was meant to lead somewhere.
        if isinstance(error, FileNotFoundError) and not (project.root / FILE).is_symlink():
            return Table({})
        message = f"cannot be read: {error.strerror}"
        raise ConfigError(message, Place(FILE), fix_of(error)) from error
