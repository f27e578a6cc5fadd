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
_STRING = r"\"[^\"]*\"|'[^']*'"
_NAMING = re.compile(rf"\s*\[{{1,2}}(?P<table>[^\]]*)\]|(?P<key>(?:[\w.\s-]|{_STRING})+)=")
# The name of a key is compared without these.
_SPELLING = str.maketrans("", "", " \t\"'")
_T = TypeVar("_T")
# `tomllib` takes time that grows with the square of the parts of a key. Dots in strings and
# comments separate none; neither needs to end where the text is broken.
_MANY_DOTS = re.compile(r"^(?:[^\n.]*\.){50}", re.MULTILINE)
_LONG_KEY = re.compile(r"(?:^|[{,\[])(?:[^\n.=,{\[]*\.){50}", re.MULTILINE)
_NO_KEY = re.compile(
    r'''"""(?:\\.|[^\\])*?(?:"""|\Z)|\'{3}.*?(?:\'{3}|\Z)'''
    r"""|"(?:\\.|[^"\\\n])*"?|'[^'\n]*'?|\#[^\n]*""",
    re.DOTALL,
)


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
        keys = _find_keys(self.text)
        names = [each.translate(_SPELLING) for each in (*self.path, *([key] if key else []))]
        while names:
            name = ".".join(names)
            # A table that only its parts name is where the first of them is.
            parts = (places[:1] for other, places in keys.items() if other.startswith(f"{name}."))
            found = keys.get(name) or next(parts, [])
            if len(found) == 1:
                line, strings = found[0]
                lines = strings.get(value, set()) if value is not None else set()
                return Place(self.file, next(iter(lines)) if len(lines) == 1 else line)
            names.pop()
            value = None
        return Place(self.file)

    def wrong(self, key: str, message: str, hint: str | None = None) -> ConfigError:
        """Return the error for a key: at its line, or at that of the table it is missing from."""
        return ConfigError(f"`{self.dotted(key)}`{message}", self.place(key), hint)

    def _of_other_kind(self, key: str, kind: type, found: object) -> ConfigError:
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
    if _MANY_DOTS.search(text):
        keys = _NO_KEY.sub(lambda found: "x" + "\n" * found[0].count("\n"), text)
        if long := _LONG_KEY.search(keys):
            line = keys.count("\n", 0, long.start()) + 1
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
