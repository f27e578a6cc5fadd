"""Find on which lines of a TOML file its values stand, which a TOML parser does not tell."""

from __future__ import annotations

import functools
import re
import sys
from typing import TYPE_CHECKING

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping

    Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[\w-]+")
_PLAIN = re.compile(r"[^,\]}\n#]+")  # a number, a date, true: up to what ends a value
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_HEADER_END = re.compile(r"[ \t]*\]+")


@functools.lru_cache(maxsize=4)  # several locks read one file
def value_lines(text: str) -> Mapping[Path, int]:
    """Return the line, from 1, of each value of a valid TOML text, by its keys and indexes.

    Of a list or table it is where that begins; tables have the line of their header, or of the
    first key that names them.
    """
    # As tomllib reads it; it is no TOML else.
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    """Walks once through a text that a parser has found to be valid."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.lines: dict[Path, int] = {}

    def scan(self) -> Mapping[Path, int]:
        table: Path = ()
        counts: dict[Path, int] = {}
        self._take(_BLANK)
        while self.at < len(self.text):
            if self._skip("[["):
                table = self._header(counts)
                counts[table] = counts.get(table, -1) + 1
                self._name(table)
                table = (*table, counts[table])
                self._name(table)
            elif self._skip("["):
                table = self._header(counts)
                self._name(table)
            else:
                self._pair(table)
            self._take(_BLANK)
        return self.lines

    def _header(self, counts: Mapping[Path, int]) -> Path:
        """Read a header's keys; a part that is an array of tables means the last one of it."""
        *outer, last = self._keys()
        path: Path = ()
        for key in outer:
            path = (*path, key)
            path = (*path, counts[path]) if path in counts else path
            self._name(path)
        self._take(_HEADER_END)
        return (*path, last)

    def _pair(self, table: Path) -> None:
        path = table
        for key in self._keys():
            path = (*path, key)
            self._name(path)
        self._take(_BLANK)
        self._skip("=")
        self._take(_BLANK)
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._take(_BLANK)
            if quoted := self._take(_TEXT):
                keys.append(str(tomllib.loads(f"x = {quoted}")["x"]))
            else:
                keys.append(self._take(_BARE_KEY))
            if not self._take(_DOT):
                return keys

    def _value(self, path: Path) -> None:
        self._name(path)
        if self._skip("["):
            index = 0
            while not self._closes("]"):
                self._value((*path, index))
                index += 1
        elif self._skip("{"):
            while not self._closes("}"):
                self._pair(path)
        elif not (self._take(_TEXT) or self._take(_PLAIN)):
            self.at = len(self.text)  # no value: it is no TOML after all, and nothing to wait for

    def _closes(self, bracket: str) -> bool:
        self._take(_BLANK)
        if self._skip(","):
            self._take(_BLANK)
        return self._skip(bracket) or self.at >= len(self.text)

    def _name(self, path: Path) -> None:
        self.lines.setdefault(path, self.line)

    def _skip(self, mark: str) -> bool:
        found = self.text.startswith(mark, self.at)
        self.at += len(mark) if found else 0
        return found

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        taken = found[0] if found else ""
        self.at += len(taken)
        self.line += taken.count("\n")
        return taken
