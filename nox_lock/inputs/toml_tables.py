"""Read a TOML table key by key: each value of its kind, or one error that names key and line."""

from __future__ import annotations

import codecs
import functools
import re
import sys
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, NamedTuple, TypeVar

from nox_lock.errors import ConfigError, NoxLockError, Place, fix_of
from nox_lock.project import Project
from nox_lock.text import nearest, quoted

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
    float: ("a number of seconds", "{key} = 600"),
    dict: ("a table", "[{path}]"),
}
_SAVE = "Save it as UTF-8, without a mark of byte order."
_STRING = r"\"[^\"]*\"|'[^']*'"
_NAMING = re.compile(rf"\s*\[{{1,2}}(?P<table>[^\]]*)\]|(?P<key>(?:[\w.\s-]|{_STRING})+)=")
# The name of a key is compared without these.
_SPELLING = str.maketrans("", "", " \t\"'")
_T = TypeVar("_T")
# The configuration and several locks read one file.
_parse = functools.lru_cache(maxsize=4)(tomllib.loads)


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
        found = self.get(key, list) or []
        for each in found:
            if not isinstance(each, str):
                raise self._of_other_kind(key, list, each)
        return tuple(found)

    def table(self, key: str) -> Table:
        """Return a table within this one."""
        return self._replace(values=self.get(key, dict) or {}, path=(*self.path, key))

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise for a key that is not in `known`, naming the nearest one."""
        for key in sorted(set(self.values) - set(known)):
            hint = f"There are: {', '.join(sorted(known))}"
            raise self.wrong(key, f" is unknown{nearest(key, known)}", hint)

    def place(self, key: str | None = None, value: str | None = None) -> Place:
        """Return the place of the table, of a key in it, or of a string in the list of that.

        The text is searched: where several lines have the string, it is the line of the key; where
        several have the key, that of the table it is in. It has no line where nothing is found.
        """
        keys = _find_keys(self.text)
        names = [each.translate(_SPELLING) for each in (*self.path, *([key] if key else []))]
        while names:
            name = ".".join(names)
            # A table that only its parts name is where the first of them is.
            found = keys.get(name) or next(
                (places[:1] for other, places in keys.items() if other.startswith(f"{name}.")), []
            )
            if len(found) == 1:
                line, strings = found[0]
                lines = strings.get(value, set()) if value is not None else set()
                return Place(self.file, next(iter(lines)) if len(lines) == 1 else line)
            names.pop()
            value = None
        return Place(self.file)

    def wrong(self, key: str, message: str, hint: str | None = None) -> NoxLockError:
        """Return the error for a key: at its line, or at that of the table it is missing from."""
        return self.kind(f"`{self.dotted(key)}`{message}", self.place(key), hint)

    def _of_other_kind(self, key: str, kind: type, found: object) -> NoxLockError:
        shown = quoted(found) if isinstance(found, str) else found
        what, form = _KINDS[kind]
        form = form.format(key=key, path=self.dotted(key))
        return self.wrong(key, f" must be {what}, not {shown}", f"Write it as: {form}")


@functools.lru_cache(maxsize=4)  # several locks read one file
def _find_keys(text: str) -> Mapping[str, list[tuple[int, dict[str, set[int]]]]]:
    """Return the lines of each key and table, each with the lines of the strings up to the next."""
    keys: dict[str, list[tuple[int, dict[str, set[int]]]]] = {}
    strings: dict[str, set[int]] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if found := _NAMING.match(line):
            if found["key"] is None:
                table = name = found["table"].translate(_SPELLING)
            else:
                name = f"{table}.{found['key'].translate(_SPELLING)}".removeprefix(".")
            strings = {}
            keys.setdefault(name, []).append((number, strings))
        for string in re.findall(_STRING, line):
            strings.setdefault(string[1:-1], set()).add(number)
    return keys


def parse_toml(data: bytes, file: str = FILE, kind: type[NoxLockError] = ConfigError) -> Table:
    """Parse the bytes of a project file; what is no TOML is an error of `kind`."""
    try:
        text = data.decode()
        return Table(_parse(text), text=text, file=file, kind=kind)
    except UnicodeDecodeError as error:
        first = data.count(b"\n", 0, error.start) + 1
        raise kind("is no TOML: it is not UTF-8", Place(file, first), _SAVE) from error
    except (ValueError, RecursionError) as error:  # also for too many digits
        if data.startswith(codecs.BOM_UTF8):
            place = Place(file, 1)
            raise kind("is no TOML: it begins with a mark of byte order", place, _SAVE) from error
        found = re.search(r"at line (\d+)", str(error))
        last = data.rstrip().count(b"\n") + 1 if "end of document" in str(error) else None
        place = Place(file, int(found[1]) if found else last)
        raise kind(f"is no TOML: {error}", place, "Correct that line.") from error


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
