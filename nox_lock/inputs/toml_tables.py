"""Read a TOML table key by key: each value of its kind, or one error that names key and line."""

from __future__ import annotations

import functools
import re
import sys
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from nox_lock.errors import ConfigError, NoxLockError, Place, fix_of
from nox_lock.text import nearest, quoted

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nox_lock.project import Project

FILE = "pyproject.toml"
# In words, and an example.
_KINDS: Mapping[type, tuple[str, str]] = {
    bool: ("true or false", "{key} = true"),
    str: ("a string", '{key} = "..."'),
    list: ("a list of strings", '{key} = ["..."]'),
    float: ("a number of seconds", "{key} = 600"),
    dict: ("a table", "[{path}]"),
}
_SAVE = "Save it as UTF-8, without a mark of byte order."
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_STRING = r"\"[^\"]*\"|'[^']*'"
_NAMING = re.compile(rf"\s*\[{{1,2}}(?P<table>[^\]]*)\]|(?P<key>(?:[\w.\s-]|{_STRING})+)=")
_T = TypeVar("_T")


class Table(NamedTuple):
    """A table of a project file: its values, and where they are, for messages.

    Every getter returns None, or an empty value, for a key that is missing, and raises an error of
    `kind` for a value of another type.
    """

    values: Mapping[str, Any]
    path: tuple[str, ...] = ()
    text: str = ""
    file: str = FILE
    kind: type[NoxLockError] = ConfigError

    @property
    def name(self) -> str:
        """Its dotted name, as TOML spells it: ``tool.nox-lock``."""
        keys = (key if re.fullmatch(r"[\w-]+", key) else quoted(key) for key in self.path)
        return ".".join(keys).replace("'", '"')

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
            raise self._of_other_kind(key, float, found)
        return float(found)

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        found = self._get(key, list) or []
        for each in found:
            if not isinstance(each, str):
                raise self._of_other_kind(key, list, each)
        return tuple(found)

    def table(self, key: str) -> Table:
        """Return a table within this one."""
        return self._replace(values=self._get(key, dict) or {}, path=(*self.path, key))

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise for a key that is not in `known`, naming the nearest one."""
        for key in sorted(set(self.values) - set(known)):
            hint = f"There are: {', '.join(sorted(known))}"
            raise self.wrong(key, f" is unknown{nearest(key, known)}", hint)

    def place(self, key: str, value: str | None = None) -> Place:
        """Return the place of a key, or of a string in its list; see `find_line`."""
        return Place(self.file, find_line(self.text, (*self.path, key), value))

    def wrong(self, key: str, message: str, hint: str | None = None) -> NoxLockError:
        """Return the error for a key: at its line, or at that of the table it is missing from."""
        name = self._replace(path=(*self.path, key)).name
        return self.kind(f"`{name}`{message}", self.place(key), hint)

    def _get(self, key: str, kind: type[_T]) -> _T | None:
        found = self.values.get(key)
        if found is None or isinstance(found, kind):
            return found
        raise self._of_other_kind(key, kind, found)

    def _of_other_kind(self, key: str, kind: type, found: object) -> NoxLockError:
        shown = quoted(found) if isinstance(found, str) else found
        what, form = _KINDS[kind]
        form = form.format(key=key, path=self._replace(path=(*self.path, key)).name)
        return self.wrong(key, f" must be {what}, not {shown}", f"Write it as: {form}")


def find_line(text: str, path: Iterable[str], value: str | None = None) -> int | None:
    """Return the line, from 1, on which a TOML text has a key, or a string in the list of it.

    The text is searched: where several lines have the string, it is the line of the key; where
    several have the key, that of the table it is in. None where nothing is found.
    """
    keys = _find_keys(text)
    names = list(map(_bare, path))
    while names:
        name = ".".join(names)
        # A table that only its parts name is where the first of them is.
        found = keys.get(name) or next(
            (places[:1] for other, places in keys.items() if other.startswith(f"{name}.")), []
        )
        if len(found) == 1:
            line, strings = found[0]
            lines = strings.get(value, set()) if value is not None else set()
            return next(iter(lines)) if len(lines) == 1 else line
        names.pop()
        value = None
    return None


@functools.lru_cache(maxsize=4)  # several locks read one file
def _find_keys(text: str) -> Mapping[str, list[tuple[int, dict[str, set[int]]]]]:
    """Return the lines of each key and table, each with the lines of the strings up to the next."""
    keys: dict[str, list[tuple[int, dict[str, set[int]]]]] = {}
    strings: dict[str, set[int]] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if found := _NAMING.match(line):
            if found["key"] is None:
                table = name = _bare(found["table"])
            else:
                name = f"{table}.{_bare(found['key'])}".removeprefix(".")
            strings = {}
            keys.setdefault(name, []).append((number, strings))
        for string in re.findall(_STRING, line):
            strings.setdefault(string[1:-1], set()).add(number)
    return keys


def _bare(key: str) -> str:
    return re.sub(r"[\s\"']", "", key)


def parse_toml(data: bytes, file: str = FILE, kind: type[NoxLockError] = ConfigError) -> Table:
    """Parse the bytes of a project file; what is no TOML is an error of `kind`."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        first = data.count(b"\n", 0, error.start) + 1
        raise kind("is no TOML: it is not UTF-8", Place(file, first), _SAVE) from error
    try:
        return Table(_parse(text), text=text, file=file, kind=kind)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deep"
    except ValueError:
        reason = "a number has too many digits"
    if text.startswith(_MARK):
        raise kind("is no TOML: it begins with a mark of byte order", Place(file, 1), _SAVE)
    found = re.search(r"at line (\d+)", reason)
    last = text.rstrip().count("\n") + 1 if "end of document" in reason else None
    line = int(found[1]) if found else last
    raise kind(f"is no TOML: {reason}", Place(file, line), "Correct that line.")


@functools.lru_cache(maxsize=4)  # the configuration and several locks read one file
def _parse(text: str) -> Mapping[str, Any]:
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
