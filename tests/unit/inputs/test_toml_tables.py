"""On which line a key or a string of a TOML file is."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nox_lock.errors import ConfigError
from nox_lock.inputs.toml_tables import Table, parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAMES = st.sampled_from(["a", "b-c", "D_1", "with space", "é", "#"])
BLANKS = st.sampled_from(["", " ", "\n", "\n\n", " # x, [y]\n", '\n  # ] = "x"\n\n  '])
ENDS = st.sampled_from(["\n", "\r\n"])


def find_line(text: str, path: Iterable[str], value: str | None = None) -> int | None:
    *parents, key = path
    return Table({}, tuple(parents), text).place(key, value).line


def spelled(name: str, data: st.DataObject) -> str:
    forms = [json.dumps(name, ensure_ascii=False), f"'{name}'"]
    if name.isascii() and name.replace("-", "").replace("_", "").isalnum():
        forms.append(name)
    return data.draw(st.sampled_from(forms))


@given(st.data())
@settings(deadline=None)
def test_what_is_there_once_is_found_on_its_line(data: st.DataObject) -> None:
    """Tables, keys and the strings of lists, however they are written."""
    text = ""
    lines: list[tuple[tuple[str, ...], str | None, int]] = []
    blanks = st.sampled_from(["", "\n", "# k0 = 1\n"])
    for t in range(data.draw(st.integers(1, 3))):
        table = data.draw(NAMES), f"t{t}"
        dot = data.draw(st.sampled_from([".", " . "]))
        text += data.draw(blanks) + f"[{dot.join(spelled(part, data) for part in table)}]"
        lines.append((table, None, text.count("\n") + 1))
        text += data.draw(st.sampled_from(["\n", " # x ]\n"]))
        for k in range(data.draw(st.integers(0, 3))):
            text += data.draw(blanks)
            key = (*table, f"k{k}")
            lines.append((key, None, text.count("\n") + 1))
            text += spelled(key[-1], data) + data.draw(st.sampled_from(["=[", " = ["]))
            for v in range(data.draw(st.integers(0, 3))):
                text += data.draw(BLANKS)
                lines.append((key, f"v{v}>=1", text.count("\n") + 1))
                quote = data.draw(st.sampled_from(["'", '"']))
                text += f"{quote}v{v}>=1{quote}" + data.draw(BLANKS) + ","
            text += data.draw(BLANKS) + "]" + data.draw(st.sampled_from(["\n", " # [t]\n"]))
    tomllib.loads(text)
    text = text.replace("\n", data.draw(ENDS))
    assert [find_line(text, path, value) for path, value, _ in lines] == [x for *_, x in lines]


@pytest.mark.parametrize(
    ("text", "path", "value", "line"),
    [
        ("[a]\nx = [\n'v',\n'v',\n]\n", "a.x", "v", 2),  # the string twice: its key
        ("[a]\nx = [\n'v', 'v',\n]\n", "a.x", "v", 2),
        ("[a]\nx = [\n'v', # 'v'\n]\n[b]\ny = ['v']\n", "a.x", "v", 2),
        ("[a]\nx = [\n'v', # v\n]\n[b]\ny = ['v']\n", "a.x", "v", 3),
        ('[a]\nx = [\n"v \\"w\\"",\n]\n', "a.x", 'v "w"', 2),  # spelled otherwise
        ("[a]\nx = 1\n", "a.y", None, 1),  # what is missing: the table
        ("\n\n[a.b]\nx = 1\n[a.c]\n", "a", None, None),  # a table that is only implied
        ("\na.b.c = 1\n", "a.b", None, None),
        ("\n[a]\nb = {c = 1}\n", "a.b.c", None, 3),
        ("\n[a]\nx='''\nb = 1\n'''\nb = 2\n", "a.b", None, 2),  # looks like the key twice
        ("[[a]]\nx=1\n[[a]]\nx=2\n", "a.x", None, None),
        ("", "a", None, None),
    ],
)
def test_what_is_there_otherwise(text: str, path: str, value: str | None, line: int | None) -> None:
    assert find_line(text, path.split("."), value) == line


@given(st.text(alphabet="ab=[]{}\"'\\#,.\n 1", max_size=30))
@example("a = [")
@example('"""')
@settings(deadline=None)
def test_any_text_has_lines(text: str) -> None:
    found = find_line(text, ["a", "b"], "b")
    assert found is None or 1 <= found <= text.count("\n") + 1


HOSTILE = [
    "[",
    "[[",
    '"',
    "'",
    "a.",
    "a ",
    "\t",
    "a=",
    "'a",
    '"a"',
    "a = ['v',\n",
    "[a]\n",
    "''\"\"",
]


@pytest.mark.parametrize("part", HOSTILE)
def test_no_text_hangs(part: str) -> None:
    start = time.monotonic()
    text = part * 50_000
    for _ in range(1000):
        find_line(text, ["a"], "v")
    assert time.monotonic() - start < 10


def strings_of(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, dict):
        return [x for key, each in value.items() for x in strings_of(each, (*path, key))]
    return [x for each in value for x in strings_of(each, path)] if isinstance(value, list) else []


def test_real_files(shared: Path) -> None:
    """The line of nearly each string of real files holds that string; else its key or table."""
    here = Path(__file__).parents[3] / "pyproject.toml"
    files = [here, *sorted(shared.glob("corpus/**/pyproject.toml"))]
    assert len(files) > 1
    exact = total = 0
    for path in files:
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for keys, word in strings_of(tomllib.loads(text)):
            line = lines[(find_line(text, keys, word) or 1) - 1]
            total += 1
            exact += word in line
            assert word in line or line.lstrip().startswith("[") or "=" in line, (path, word)
    assert exact > 0.8 * total, (exact, total)


PARTS = 60_000  # tomllib takes minutes for them


@pytest.mark.parametrize(
    "line",
    [
        "{0}x = 1",
        "[{0}x]",
        "[[{0}x]]",
        "y = {{a = 1, {0}x = 1}}",
        "y = [{{{0}x = 1}}]",
        "{0}",
    ],
)
@pytest.mark.parametrize("part", ["x.", "x . ", "'='.", "'a=#'.", '"a\\"b".'])
def test_a_key_of_many_parts_takes_no_time(line: str, part: str) -> None:
    text = f'[project]\nname = "a"\ndescription = """\nb\n"""\n{line.format(part * PARTS)}'
    with pytest.raises(ConfigError) as refused:
        parse_toml(text.encode())
    assert str(refused.value.place) == "pyproject.toml:6"
    assert refused.value.message == "is not TOML: a key has more than 50 parts (at line 6)"


@pytest.mark.parametrize(
    "value",
    [
        f"see {'a.' * 60}",
        '\\"' + "." * 60,
        "." * 1_000_000,
    ],
    ids=["words", "a quote", "many"],
)
@pytest.mark.parametrize("form", ['"{}"', '"""{}"""', '"""\n  {}\n"""', "1 # {}", '["{}"]'])
def test_dots_elsewhere_are_no_key(value: str, form: str) -> None:
    text = f"[a]\nx = {form.format(value)}\n"
    assert parse_toml(text.encode()).values == tomllib.loads(text)
