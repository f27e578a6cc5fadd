"""On which line a value of a TOML file stands, however the file is written."""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nox_lock._toml_lines import value_lines

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAMES = st.sampled_from(["a", "b-c", "D_1", "with space", "dot.ted", 'quo"te', "é", "#", "[x]"])
BLANKS = st.sampled_from(["", " ", "\n", "\n\n", ' # "v1", [x]\n', "# ] = \"'''\n\n  "])
PLAIN = st.sampled_from(["1", "true", "-1.5e3", "1979-05-27 07:32:00", "07:32:00.999", "inf"])


class Writer:
    """Writes TOML in some spelling of the language, and notes the line of each marked string."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.text = ""
        self.lines: dict[str, int] = {}

    def put(self, text: str) -> None:
        self.text += text

    def choose(self, *texts: str) -> str:
        return self.data.draw(st.sampled_from(texts))

    def key(self, name: str) -> None:
        spelled = [json.dumps(name), '"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"']
        if "'" not in name:
            spelled.append(f"'{name}'")
        if name.isascii() and name.replace("-", "").replace("_", "").isalnum():
            spelled += [name, name]
        self.put(self.choose(*spelled))

    def marked(self) -> None:
        """Write a string of its own, which tells where it stands."""
        word = f"v{len(self.lines)}"
        self.lines[word] = self.text.count("\n") + 1
        self.put(
            self.choose(
                f'"{word}"',
                f"'{word}'",
                f'"\\u0076{word[1:]} # \\" ] \' "',
                f"'{word} # ] \" = '",
                f'"""\n{word}\n # "x" [t]\n"""',
                f"'''{word}\n[t]\n\"'''",
                f'"""{word} \\"\\"\\" ""\\\n  """""',
                f"'''{word}'''''",
            )
        )

    def value(self, depth: int) -> None:
        kind = self.choose("marked", "marked", "plain", *["list", "table"] * (depth > 0))
        if kind == "marked":
            self.marked()
        elif kind == "plain":
            self.put(self.data.draw(PLAIN))
        elif kind == "list":
            self.put("[" + self.data.draw(BLANKS))
            for _ in range(self.data.draw(st.integers(0, 3))):
                self.value(depth - 1)
                self.put(self.data.draw(BLANKS) + "," + self.data.draw(BLANKS))
            self.put("]")
        else:
            names = self.data.draw(st.lists(NAMES, max_size=3, unique=True))
            self.put("{ ")
            for number, name in enumerate(names):
                self.put(", " * (number > 0))
                self.key(name)
                self.put(self.choose("=", " = "))
                self.value(0)
            self.put("}")

    def pairs(self) -> None:
        for name in self.data.draw(st.lists(NAMES, max_size=3, unique=True)):
            self.put(self.data.draw(st.sampled_from(["", "  ", "\n", '# "v0" = [\n'])))
            self.key(name)
            if self.choose("", "dotted"):
                self.put(self.choose(".", " . "))
                self.key(self.data.draw(NAMES))
            self.put(self.choose("=", " = "))
            self.value(2)
            self.put(self.choose("\n", " # [t]\n", "\n\n"))

    def document(self) -> None:
        self.pairs()
        for number in range(self.data.draw(st.integers(0, 3))):
            double = bool(self.choose("", "double"))
            self.put("[[" if double else "[")
            self.key(self.data.draw(NAMES))
            self.put(self.choose(".", " . ") + f"t{number}")
            self.put(("]]" if double else "]") + self.choose("\n", " # x ]\n"))
            self.pairs()


def strings_of(value: Any, path: tuple[str | int, ...] = ()) -> dict[str, tuple[str | int, ...]]:
    if isinstance(value, str):
        return {re.findall(r"\w+|$", value)[0]: path}
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return {k: v for key, each in items for k, v in strings_of(each, (*path, key)).items()}


@given(st.data())
def test_every_string_stands_where_it_was_written(data: st.DataObject) -> None:
    writer = Writer(data)
    writer.document()
    text = writer.text.replace("\n", "\r\n") if writer.choose("", "crlf") else writer.text
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # the same key twice
    found = value_lines(text)
    places = strings_of(document)
    assert {word: found[path] for word, path in places.items()} == writer.lines


@given(st.text(alphabet="ab=[]{}\"'\\#,.\n 1", max_size=30))
@example("a = [")
@example("a = {b")
@example('"""')
def test_no_text_hangs(text: str) -> None:
    with suppress(tomllib.TOMLDecodeError):  # of a key, where the text is none
        value_lines(text)


def test_tables_of_arrays_are_told_apart() -> None:
    text = "[[a]]\nx=1\n[[a.b]]\ny=1\n[[a.b]]\ny=2\n[[a]]\n[a.c]\nz=1\n[[a.b]]\ny=3\n"
    found = value_lines(text)
    assert [found["a", 0, "b", 1, "y"], found["a", 1, "c", "z"], found["a", 1, "b", 0, "y"]] == [
        6,
        9,
        11,
    ]


def test_real_files(shared: Path) -> None:
    """The line of each string of real files holds that string."""
    here = Path(__file__).parents[1] / "pyproject.toml"
    files = [here, *sorted(shared.glob("corpus/**/pyproject.toml"))]
    assert len(files) > 1
    for path in files:
        text = path.read_text(encoding="utf-8")
        found, lines = value_lines(text), text.splitlines()
        for word, place in strings_of(tomllib.loads(text)).items():
            line = lines[found[place] - 1]
            assert '"""' in line or json.dumps(word)[1:-1] in line or word in line, (path, word)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "# x"])
def test_the_last_line(end: str) -> None:
    assert value_lines(f"a = 1\nb = 'x'{end}")["b",] == 2
