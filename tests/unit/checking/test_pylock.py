"""A pylock is exactly the union of its lock files, by the standard's own reader."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.pylock import Pylock, PylockValidationError
from packaging.version import Version

from nox_lock.checking.judge import find_obstacles
from nox_lock.checking.pylock import (
    Environment,
    expect,
    find_packages,
    judge_pylock,
    make_file,
    pick,
    tidy,
)
from nox_lock.checking.verdict import FRESH, INVALID, MISSING, STALE
from nox_lock.errors import ConfigError, LockFileError
from nox_lock.inputs.toml_tables import parse_toml
from nox_lock.lockfile import lock_file
from nox_lock.project import Project
from support.pylocks import (
    HOST,
    TIME,
    Release,
    digested,
    make,
    needs_select,
    offered,
    pinned,
    planned,
    selected,
    verdict,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONGEST = 2.0  # seconds, for a million letters
WHEELS = [
    *(f"cp{short}-cp{short}-manylinux_2_17_x86_64" for short in (310, 311, 312)),
    *(f"cp{short}-cp{short}-macosx_11_0_arm64" for short in (310, 311, 312)),
    *(f"cp{short}-cp{short}-win_amd64" for short in (310, 311, 312)),
]
IDNA, IDNA_OLD = Release("idna", "3.7"), Release("idna", "3.6")
COLORAMA, TOMLI = Release("colorama", "0.4.6"), Release("tomli", "2.0", WHEELS)
SPEED = Release("speed", "1.0", WHEELS, ())
EVERY = (IDNA, IDNA_OLD, COLORAMA, TOMLI, SPEED)
SYSTEMS = ("linux", "darwin", "win32")
NINE = {(python, system): "" for python in ("3.10", "3.11", "3.12") for system in SYSTEMS}


def pins_of(python: str, system: str) -> str:
    found = [COLORAMA()] if system == "win32" else []
    found += [IDNA_OLD() if python == "3.10" else IDNA(), SPEED()]
    return "".join([*found, TOMLI()] if python == "3.10" else found)


@pytest.fixture
def nine(tmp_path: Path) -> Path:
    write(tmp_path, {target: pins_of(*target) for target in NINE})
    return tmp_path


@needs_select
def test_each_target_selects_what_its_lock_file_pins(nine: Path) -> None:
    text = make(nine, *EVERY)
    for low in planned(nine).below:
        assert selected(text, low) == pinned(low), low.path
    assert verdict(nine).word == FRESH


def test_the_text(tmp_path: Path) -> None:
    pins = IDNA() + SPEED()
    write(tmp_path, {("3.9", "linux"): pins, ("3.11", "linux"): pins + COLORAMA()})
    sha = {file.last: file.sha256 for release in EVERY for file in release.files}
    rest = f'upload-time = {TIME}, size = 1234, hashes = {{sha256 = "'

    def row(name: str) -> str:
        return f'{{url = "{HOST}/{sha[name][:2]}/{name}", {rest}{sha[name]}"}}}}'

    text = make(tmp_path, *EVERY)
    assert text.startswith(f"""\
# `nox -s lock` makes this of the requirements files, and writes it again.
lock-version = "1.0"
created-by = "nox-lock"
requires-python = ">=3.9"
environments = [
  "implementation_name == 'cpython' and sys_platform == 'linux' and \
platform_machine == 'x86_64' and python_version == '3.9'",
  "implementation_name == 'cpython' and sys_platform == 'linux' and \
platform_machine == 'x86_64' and python_version == '3.11'",
]

[[packages]]
name = "colorama"
version = "0.4.6"
marker = "python_version >= '3.11'"
sdist = {row("colorama-0.4.6.tar.gz")}
wheels = [
  {row("colorama-0.4.6-py3-none-any.whl")},
]

[[packages]]
name = "idna"
version = "3.7"
sdist = """)
    assert re.search(r'\n\n\[tool.nox-lock\]\nfiles = "[0-9a-f]{32}"\n\Z', text)


RELEASES = [Release("a", version) for version in ("1", "2", "3")]
RELEASES += [Release("b-c", "1.0"), Release("d", "0", WHEELS, ())]


@needs_select
@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["3.9", "3.10", "3.12", "3.13"]), st.sampled_from(SYSTEMS)),
        st.lists(st.sampled_from(RELEASES[1:]), unique_by=lambda each: each.name, max_size=4),
        min_size=1,
        max_size=12,
    )
)
def test_any_union_is_exact(
    tmp_path_factory: pytest.TempPathFactory, chosen: dict[tuple[str, str], list[Release]]
) -> None:
    folder = tmp_path_factory.mktemp("union")
    pythons, systems = ({key[place] for key in chosen} for place in (0, 1))
    every: dict[tuple[str, str], list[Release]] = {
        (python, system): [] for python in pythons for system in systems
    } | chosen
    fit = {
        key: [r for r in found if r.name != "d" or key[0] in {"3.10", "3.12"}]
        for key, found in every.items()
    }
    write(folder, {key: "".join(each() for each in found) for key, found in fit.items()})
    text = make(folder, *RELEASES)
    for low in planned(folder).below:
        assert selected(text, low) == pinned(low), low.path
    assert verdict(folder).word == FRESH


CELLS = [
    (implementation, system, machine, python)
    for implementation in ("cpython", "pypy")
    for system, machine in [("linux", "x86_64"), ("linux", "aarch64"), ("win32", "AMD64")]
    for python in ("3.9", "3.10", "3.11", "3.13")
]


VARIABLES = ("implementation_name", "sys_platform", "platform_machine", "python_version")


def by_python(cell: Environment) -> tuple[Version, Environment]:
    return Version(cell[-1]), cell


@settings(deadline=None)
@given(st.sets(st.sampled_from(CELLS), min_size=1), st.data())
def test_a_marker_holds_for_what_is_chosen_and_nothing_else(
    every: set[Environment], data: st.DataObject
) -> None:
    chosen = data.draw(st.sets(st.sampled_from(sorted(every)), min_size=1))
    marker = pick(list(chosen), sorted(every, key=by_python))
    assert bool(marker) == (chosen != every)
    if marker:
        cells = {each: dict(zip(VARIABLES, each, strict=True)) for each in every}
        assert {each for each in every if Marker(marker).evaluate(cells[each])} == chosen


def first(pattern: str, new: str, text: str) -> str:
    changed = re.sub(pattern, new, text, count=1)
    assert changed != text, pattern
    return changed


ROW = r'(?m)^(  \{url = "(https://files\.example)(/[^"]*)", .*sha256 = "(\w+)"\}\},)$'
MORE = (
    '\n[[packages]]\nname = "x"\nversion = "1"\nmarker = "{}"\n'
    f'wheels = [\n  {{{{url = "{HOST}/x-1-py3-none-any.whl", '
    f'hashes = {{{{sha256 = "{"a" * 64}"}}}}}}}},\n]\n'
    r"\g<0>"
)
STRANGE = {
    "another algorithm with another file": (r'hashes = \{sha256 = "\w+"', r'\g<0>, sha512 = "00"'),
    "another algorithm alone": (r"hashes = \{sha256", "hashes = {md5"),
    "another hash": (r'(sha256 = ")\w{4}', r"\g<1>0000"),
    "a package behind an extra": (
        r"\n\[\[packages\]\]",
        MORE.format("'x' in extras"),
    ),
    "a package for another Python": (
        r"\n\[\[packages\]\]",
        MORE.format("python_version == '3.14'"),
    ),
    "environments dropped": (r"environments = \[[^\]]*\]\n", ""),
    "no environment": (r"environments = \[[^\]]*\]", "environments = []"),
    "an environment taken out": (r"(environments = \[\n).*\n", r"\1"),
    "environments widened": (r" and platform_machine == 'x86_64'", ""),
    "a lower Python": (r">=3.10", ">=3.9"),
    "no lowest Python": (r"requires-python = .*\n", ""),
    "a marker widened": (
        r"marker = \"python_version < '3.11'\"",
        "marker = \"python_version < '3.12'\"",
    ),
    "a marker dropped": (r"marker = .*\n", ""),
    "a file with a name": (r"  \{url", '  {name = "idna-3.7-py3-none-any.whl", url'),
    "the same wheel twice": (ROW, r"\1\n\1"),
    "a wheel taken out": (ROW, ""),
    "an archive in place of the files": (
        r"(?s)sdist = (.*?)\nwheels = \[.*?\n\]\n",
        r"archive = \1\n",
    ),
    "another host": (HOST, "https://other.example"),
    "in clear": (r"\{url = \"https:", '{url = "http:'),
    "a query": (r"\.whl\"", '.whl?x=1"'),
    "a fragment": (r"\.whl\"", '.whl#x=1"'),
    "a login": (r"https://", "https://me@"),
    "a path, too": (r"  \{url", '  {path = "idna-3.7-py3-none-any.whl", url'),
    "a path outside": (r"\{url = \"https://files.example/", '{path = "../../'),
    "a file of another project": (r"/idna-3.7-", "/idnb-3.7-"),
    "a file of another version": (r"/idna-3.7-", "/idna-3.8-"),
    "another version": (r'version = "3.7"', 'version = "3.6"'),
    "an index": (r'(name = "idna"\n)', r'\1index = "https://example.com/simple"\n'),
    "dependencies": (r'(name = "idna"\n)', r'\1dependencies = [{name = "x"}]\n'),
    "a Python of a package": (r'(name = "idna"\n)', r'\1requires-python = ">=3.10"\n'),
    "extras": (r"(requires-python = .*\n)", r'\1extras = ["x"]\n'),
    "groups": (r"(requires-python = .*\n)", r'\1default-groups = ["x"]\n'),
    "another table": (r"\Z", "[tool.other]\nx = 1\n"),
    "another key of ours": (r"\Z", "x = 1\n"),
    "another maker": ('created-by = "nox-lock"', 'created-by = "uv"'),
    "another version of the format": ('"1.0"', '"1.1"'),
    "a number for a text": (r'version = "3.7"', "version = 3.7"),
    "a moment for a text": (r'version = "3.7"', "version = 2024-01-01"),
    "a huge number": (r"size = 1234", f"size = 0x{'f' * 9000}"),
    "no array": (
        r"(?s)\[\[packages\]\].*?\n\n",
        "",
    ),
    "a line twice": (r'(name = "idna"\n)', r"\1\1"),
    "an array that is closed early": (r"(wheels = \[\n)(.*\n)\]", r"\1]\n\2"),
    "a key in an array": (r"(version = .*\n)(marker = .*\n)(sdist = .*\nwheels = .*\n)", r"\2\3\1"),
    "keys behind a table": (r"(created-by = .*\n)((?s:.*))\Z", r"\2\1"),
    "a comment that is not TOML": (r"\n\[\[packages\]\]", "\n# \x00\\g<0>"),
    "a comment in the place of a value": (r'version = "3.7"', 'version = # "3.7"'),
    "a key with lines in it": (r'name = "idna"', '"name = \\"idna\\"\\nx" = "idna"'),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_not_ours_is_never_fresh(nine: Path, name: str) -> None:
    text = make(nine, *EVERY)
    changed = first(*STRANGE[name], text)
    for each in (changed, digested(nine, changed)):
        (nine / "pylock.toml").write_text(each)
        found = verdict(nine)
        assert found.word in {STALE, INVALID}, each
        assert found.reasons[0].place is not None


def written_by_tables(text: str) -> str:
    """Return TOML with a table for each inline table and a space in each time, as tomli_w does."""

    def show(table: dict[str, Any], path: str) -> Iterator[str]:
        for key, value in table.items():
            if isinstance(value, list) and not (value and isinstance(value[0], dict)):
                yield "\n".join(
                    [f"{key} = [", *(f"    {json.dumps(each)}," for each in value), "]"]
                )
            elif not isinstance(value, (dict, list)):
                yield f"{key} = {value if hasattr(value, 'year') else json.dumps(value)}"
        for key, value in table.items():
            whole = f"{path}.{key}" if path else key
            if isinstance(value, dict):
                yield from ("", f"[{whole}]", *show(value, whole))
            elif isinstance(value, list) and value and isinstance(value[0], dict):
                for each in value:
                    yield from ("", f"[[{whole}]]", *show(each, whole))

    return "\n".join(show(dict(parse_toml(text.encode()).values), "")) + "\n"


def written_by_hand(text: str) -> str:
    """Return TOML in other quotes and blanks, arrays on a line, keys in another order."""
    text = re.sub(r"\{((?:url|path) = .*?)((?:, )?hashes = )\{(.*?)\}\}", r"{ \2{\3}, \1 }", text)
    text = re.sub(r"\{ (?:, )?(hashes[^}]*\}), (.*?),? \}", r"{ \1, \2 }", text)
    text = re.sub(r"(\d)T(\d\d:)", r"\1 \2", text)
    text = re.sub(r",\n\]", "\n]", text)
    text = re.sub(r"(?s)\[\n(.*?)\n\]", lambda rows: f"[{' '.join(rows[1].split())}]", text)
    return re.sub(r'(?m)^([\w-]+) = "([^"\'\\\n]*)"$', r"  \1='\2'", text)


@pytest.mark.parametrize("written", [written_by_tables, written_by_hand])
@pytest.mark.parametrize("name", STRANGE)
def test_what_is_not_ours_is_never_fresh_in_another_layout(
    nine: Path, name: str, written: Callable[[str], str]
) -> None:
    changed = first(*STRANGE[name], make(nine, *EVERY))
    for each in (changed, digested(nine, changed)):
        try:
            text = written(each)
            Pylock.from_dict(parse_toml(text.encode()).values)
        except (ConfigError, PylockValidationError, ValueError):  # what no reader takes
            continue
        (nine / "pylock.toml").write_text(text)
        assert verdict(nine).word in {STALE, INVALID}, text


@pytest.mark.parametrize("written", [written_by_tables, written_by_hand])
def test_another_layout_of_sources_and_of_what_is_left_out(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    old = Release("old", "1.0", sdists=(".zip", ".tar.gz"))
    pins = (
        f"a @ git+https://host.example/a@{'0123456789' * 4}#subdirectory=src\n"
        f"b @ https://host.example/b-1.zip#subdirectory=b --hash=sha256:{'a' * 64}\n"
        "d @ file:./d%231\n"
    )
    write(tmp_path, {("3.12", "linux"): pins + old()}, requirements="--find-links w\n")
    text = make(tmp_path, old)
    (tmp_path / "pylock.toml").write_text(written(text))
    assert verdict(tmp_path).word == FRESH, verdict(tmp_path)
    assert not find_obstacles(planned(tmp_path))
    assert lock_file.is_stamped(Project(tmp_path, {}), "pylock.toml")
    assert tidy(written(text), "") == tidy(text, "")
    for wrong, said in {
        "# \xff": "it is not UTF-8",
        "# \x00": "is not TOML",
        "[tool.x]": "nox-lock does not write this: 'x'",
        "x = 1": "nox-lock does not write this: 'x'",
    }.items():
        for before in (text, written(text)):
            (tmp_path / "pylock.toml").write_bytes(f"{before}{wrong}\n".encode("latin-1"))
            found = verdict(tmp_path)
            assert found.word == INVALID
            assert said in found.reasons[0].message


SAME: dict[str, Callable[[str], str]] = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "a comment": lambda text: first(r"\n\[\[packages\]\]", r"\n# mine\n\g<0>", text),
    "without the first line": lambda text: text.partition("\n")[2],
    "packages in another order": lambda text: "\n\n".join(
        [*(parts := text.split("\n\n"))[:1], *reversed(parts[1:-1]), parts[-1]]
    ),
    "files in another order": lambda text: first(r"(?m)^(  \{.*\n)(  \{.*\n)", r"\2\1", text),
    "keys in another order": lambda text: first(r"(name = .*\n)(version = .*\n)", r"\2\1", text),
    "environments in another order": lambda text: first(
        r"(environments = \[\n)(.*\n)(.*\n)", r"\1\3\2", text
    ),
    "a comment in a line": lambda text: first(r"(sdist = .*)", r"\1 # mine", text),
    "a comment with a quote": lambda text: first(r'(marker = "[^"]*")', r'\1  # "', text),
    "blanks at the end": lambda text: first(r"(\[\[packages\]\])", r"\1 \t", text),
    "a comment with quotes": lambda text: first(r"\n\[\[", '\n# "mine"\n\n[[', text),
    "a blank in front": lambda text: first(r'\nname = "idna"', '\n name = "idna"', text),
    "a formatter of tables": written_by_tables,
    "a formatter by hand": written_by_hand,
}


@pytest.mark.parametrize("name", SAME)
def test_what_means_the_same_is_fresh(nine: Path, name: str) -> None:
    text = SAME[name](make(nine, *EVERY))
    Pylock.from_dict(parse_toml(text.encode()).values)
    (nine / "pylock.toml").write_bytes(text.encode())
    assert verdict(nine).word == FRESH, verdict(nine)


def unordered(value: object) -> object:
    if isinstance(value, dict):
        return sorted((key, repr(unordered(each))) for key, each in value.items())
    return sorted(repr(unordered(each)) for each in value) if isinstance(value, list) else value


PIECES = ("", "]", "wheels = [", "# mine", '# "mine"', " # mine", '"', "[[packages]]", "x = 1")
CHANGES = ("move", "swap", "insert", "append", "prepend", "delete")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(CHANGES),
            st.integers(0, 39),
            st.integers(0, 39),
            st.sampled_from(PIECES),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_what_is_fresh_says_the_same_to_any_reader(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int, int, str]]
) -> None:
    """A check mostly reads lines, and no TOML: what it calls fresh must mean the same in TOML."""
    folder = tmp_path_factory.getbasetemp() / "lines"
    if not folder.exists():
        write(folder, {("3.10", "linux"): IDNA_OLD(), ("3.12", "linux"): IDNA() + COLORAMA()})
        make(folder, *EVERY)
    this = planned(folder)
    lines = this.text.split("\n")
    assert len(lines) > len(changes)
    for change, first_place, second_place, piece in changes:
        where, other = first_place % len(lines), second_place % len(lines)
        line = lines[where]
        if change == "move":
            lines.insert(other, lines.pop(where))
        elif change == "swap":
            lines[where], lines[other] = lines[other], line
        elif change == "insert":
            lines.insert(where, piece)
        elif change == "delete":
            del lines[where]
        else:
            lines[where] = f"{line}{piece}" if change == "append" else f"{piece}{line}"
    text = "\n".join(lines)
    if judge_pylock(this._replace(data=text.encode())).fresh:
        found, wanted = (parse_toml(each.encode()).values for each in (text, this.text))
        assert unordered(found) == unordered(wanted)
        Pylock.from_dict(found)


def test_what_nobody_made_is_missing_and_what_bots_changed_is_behind(nine: Path) -> None:
    assert verdict(nine).word == MISSING
    (nine / "pylock.toml").write_bytes(b"")
    assert verdict(nine).word == INVALID
    make(nine, *EVERY)
    file = nine / "requirements-py3.12-linux.txt"
    file.write_text(file.read_text().replace(IDNA(), IDNA_OLD()))
    found = verdict(nine)
    assert found.word == STALE
    assert str(found.reasons[0]) == (
        "pylock.toml is behind: it has not idna==3.6, or not as it is here "
        "(requirements-py3.10-linux.txt:2)"
    )
    file.unlink()
    assert "requirements-py3.12-linux.txt, which is not there" in verdict(nine).reasons[0].message


REFUSED = {
    "no hash": ("idna==3.7\n", "idna==3.7 has no hash"),
    "another hash": (
        f"idna==3.7 --hash=sha512:{'a' * 128}\n",
        "idna==3.7 has no hash, or one that is no sha256",
    ),
    "a branch": ("x @ git+https://host.example/x@main\n", "a login, a query, or no full commit"),
    "a branch here": ("x @ git+file:/tmp/x@main\n", "a login, a query, or no full commit"),
    "a login": (
        f"x @ https://me@host.example/x-1.zip --hash=sha256:{'a' * 64}\n",
        "a login, a query, or no full",
    ),
    "a query": (
        f"x @ https://host.example/x-1.zip?a=b --hash=sha256:{'a' * 64}\n",
        "a login, a query, or no",
    ),
    "no name": ("-e ./x\n", "./x has no name here"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_pins_that_no_pylock_can_have(tmp_path: Path, name: str) -> None:
    pins, said = REFUSED[name]
    write(tmp_path, {("3.12", "linux"): IDNA()})
    make(tmp_path, *EVERY)
    write(tmp_path, {("3.12", "linux"): pins})
    with pytest.raises(LockFileError, match=said) as raised:
        make(tmp_path, *EVERY)
    assert str(raised.value.place) == "requirements-linux.txt:2"
    (tmp_path / "pylock.toml").write_bytes(b"")
    assert verdict(tmp_path).word != FRESH


@pytest.mark.parametrize(
    ("pythons", "systems"), [(("3.13", "3.13t"), ("linux",)), (("3.13",), ("linux", "musllinux"))]
)
def test_targets_that_no_marker_tells_apart(
    tmp_path: Path, pythons: tuple[str, ...], systems: tuple[str, ...]
) -> None:
    both = [(python, system) for python in pythons for system in systems]
    write(tmp_path, dict.fromkeys(both, IDNA()))
    text = make(tmp_path, *EVERY)
    assert text.count("python_version == '3.13'") == 1
    write(tmp_path, {both[0]: IDNA(), both[1]: IDNA_OLD()})
    with pytest.raises(LockFileError, match=r"idna==3\.[67] is pinned otherwise in .*no marker"):
        make(tmp_path, *EVERY)


def test_direct_urls_folders_and_repositories(tmp_path: Path) -> None:
    commit, sha = "0123456789" * 4, "a" * 64
    pins = (
        f"a @ git+https://host.example/a@{commit}#subdirectory=src\n"
        f"b @ https://host.example/b-1.zip#subdirectory=b --hash=sha256:{sha}\n"
        f"c @ file:./wheels/c-1-py3-none-any.whl --hash=sha256:{sha}\n"
        "d @ file:./d%20d\n"
        "-e ./e\n"
    )
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "pyproject.toml").write_text("[project]\nname = 'E'\nversion = '1'\n")
    table = 'pylock = true\nlockfile = "locks/{name}.txt"\n'
    write(tmp_path, {("3.12", ""): ""}, table=table, requirements="-e ./e\n")
    (tmp_path / "locks").mkdir()
    head = (tmp_path / "requirements.txt").read_text()
    (tmp_path / "locks" / "requirements.txt").write_text(head + pins)
    text = make(tmp_path)
    sources = [line for line in text.split("\n") if " = {" in line]
    hashes = f'hashes = {{sha256 = "{sha}"}}'
    where = f'url = "https://host.example/a", commit-id = "{commit}", subdirectory = "src"'
    assert sources == [
        f'vcs = {{type = "git", {where}}}',
        f'archive = {{url = "https://host.example/b-1.zip", subdirectory = "b", {hashes}}}',
        f'archive = {{path = "../wheels/c-1-py3-none-any.whl", {hashes}}}',
        'directory = {path = "../d d"}',
        'directory = {path = "../e", editable = true}',
    ]
    found = verdict(tmp_path)
    assert found.word == FRESH, found
    assert found.notes[0].startswith("uv installs git+https://host.example/a")


def test_a_folder_with_the_sign_of_a_comment_in_its_name(tmp_path: Path) -> None:
    write(tmp_path, {("3.12", "linux"): "d @ file:./d%231\n"})
    text = make(tmp_path)
    assert 'directory = {path = "d#1"}' in text.split("\n")
    assert parse_toml(text.encode()).values["packages"][0]["directory"] == {"path": "d#1"}
    assert verdict(tmp_path).word == FRESH


@pytest.mark.parametrize("start", ["archive = {", 'name = "', '  "', "", "wheels = ["])
@pytest.mark.parametrize(
    "piece", ["x.", "'='.", '\\"', "}#", '"#', '"', " ", "#", '",', "}", "\t\x00"]
)
def test_a_long_line_is_read_at_once(tmp_path: Path, start: str, piece: str) -> None:
    write(tmp_path, {("3.12", "linux"): IDNA()})
    this, began = planned(tmp_path), time.process_time()
    data = f'created-by = "nox-lock"\n{start}{piece * 500_000}\x00'.encode()
    assert judge_pylock(this._replace(data=data)).word == INVALID
    assert time.process_time() - began < LONGEST


def test_a_marker_that_the_target_leaves_open_stays(tmp_path: Path) -> None:
    pins = IDNA() + COLORAMA("python_full_version < '3.11.3'") + TOMLI("python_version > '3'")
    write(tmp_path, {("3.11", "linux"): pins, ("3.12", "linux"): IDNA()})
    text = make(tmp_path, *EVERY)
    assert re.findall("(?m)^marker = .*", text) == [
        "marker = \"python_version < '3.12' and python_full_version < '3.11.3'\"",
        "marker = \"python_version < '3.12'\"",
    ]
    if hasattr(Pylock, "select"):
        low = planned(tmp_path).below[0]
        assert set(selected(text, low, patch="2")) == {"idna", "colorama", "tomli"}
        assert set(selected(text, low, patch="4")) == {"idna", "tomli"}


def test_one_source_distribution_of_several(tmp_path: Path) -> None:
    old = Release("old", "1.0", sdists=(".zip", ".tar.gz", ".tar.bz2"))
    write(tmp_path, {("3.11", "linux"): old()})
    text = make(tmp_path, old)
    assert [line.count("tar.gz") for line in text.split("\n") if line.startswith("sdist")] == [1]
    left_out = {each for each in old.files if each.last.endswith((".zip", ".tar.bz2"))}
    assert sorted(text.partition("left-out = [\n")[2].split("\n")[:2]) == sorted(
        f"  {each.row}," for each in left_out
    )
    assert verdict(tmp_path).word == FRESH


@pytest.mark.parametrize("taken", [r"(?m)^  \{.*py3.*\.whl.*\n", r"(?m)^sdist = .*\n"])
@pytest.mark.parametrize(("forged", "fresh"), [("", False), (".egg", True)])
def test_what_is_left_out_is_what_the_format_has_no_place_for(
    tmp_path: Path, taken: str, forged: str, *, fresh: bool
) -> None:
    """Without its wheel pip would build the source distribution; SECURITY.md names the forgery."""
    old = Release("old", "1.0", ("py2-none-any", "py3-none-any"), (".tar.gz", ".zip"))
    write(tmp_path, {("3.11", "linux"): old()})
    text = make(tmp_path, old)
    row = re.search(taken, text)
    assert row
    line = re.sub(r'(/[^/"]+)"', rf'\1{forged}"', row[0].strip(" ,\n").removeprefix("sdist = "))
    moved = text.replace(row[0], "").replace("left-out = [\n", f"left-out = [\n  {line},\n")
    if "sdist" in taken and forged:  # else it would take the place of the other one
        moved = moved.replace('old-1.0.zip"', 'old-1.0.zip.egg"')
    (tmp_path / "pylock.toml").write_text(digested(tmp_path, moved))
    assert (verdict(tmp_path).word == FRESH) is fresh, verdict(tmp_path)


def test_two_files_of_one_name(tmp_path: Path) -> None:
    """Which of them `pip install -r` takes is known by the index alone."""
    other = make_file(f"{HOST}/more/{IDNA.files[0].last}", "", "", "b" * 64)
    assert other
    pins = IDNA().replace(" \\\n", f" \\\n    --hash=sha256:{other.sha256} \\\n", 1)
    write(tmp_path, {("3.11", "linux"): pins})
    this = planned(tmp_path)
    with pytest.raises(LockFileError, match=r"idna==3\.7 has two files of one name"):
        expect(this, find_packages(this), {**offered(IDNA), other.sha256: other})


def test_indexes_are_those_of_the_inputs(tmp_path: Path) -> None:
    """A file may be elsewhere once they are others: the folder was renamed, a mirror is used."""
    pins = {("3.12", "linux"): IDNA()}
    write(tmp_path, pins, requirements="--extra-index-url https://a.example/x\n--find-links w\n")
    make(tmp_path, IDNA)
    assert verdict(tmp_path).word == FRESH
    for other in ("", "--find-links w\n", "--no-index\n--find-links w\n", "--find-links v\n"):
        write(tmp_path, pins, requirements=other)
        found = verdict(tmp_path)
        assert found.word == STALE
        assert found.reasons[0].message.startswith("its files were changed since")


@pytest.mark.parametrize(
    ("inputs", "address", "fresh"),
    [
        ("--find-links w\n", "w/{}", True),
        ("--find-links ./w/\n", "w/{}", True),
        ("--find-links .\n", "{}", True),
        ("--find-links file:w\n", "w/{}", True),
        ("--find-links file:./w\n", "v/{}", False),
        ("--find-links w\n", "v/{}", False),
        ("--find-links w\n", "w/more/{}", False),
        ("--find-links w\n", "{}", False),
        ("", "w/{}", False),
        ("--find-links ../w\n", "../w/{}", False),
        ("--find-links w\n", "/w/{}", False),
        ("--find-links w\n", "https://w/{}", False),
        ("--find-links ..\n", "../{}", False),
        ("--find-links w\n", "w/../w/{}", True),
    ],
)
def test_folders(tmp_path: Path, inputs: str, address: str, *, fresh: bool) -> None:
    write(tmp_path, {("3.12", "linux"): IDNA()}, requirements=inputs)
    text = re.sub(
        r'url = "[^"]*/([^/"]+)"',
        lambda url: f'path = "{address.format(url[1])}"',
        make(tmp_path, IDNA),
    )
    (tmp_path / "pylock.toml").write_text(digested(tmp_path, text))
    assert (verdict(tmp_path).word == FRESH) is fresh, verdict(tmp_path)


def test_a_patch_release_leaves_markers_open(tmp_path: Path) -> None:
    """For no environment of a pylock names it: pip and uv install from it on any 3.12."""
    pins = IDNA() + COLORAMA("python_full_version < '3.12.1'")
    write(tmp_path, {("3.12", "linux"): pins})
    text = (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace("'3.12'", "'3.12.0'"))
    assert planned(tmp_path).below[0].target.patch == "0"
    assert re.findall("(?m)^marker = .*", make(tmp_path, *EVERY)) == [
        "marker = \"python_full_version < '3.12.1'\""
    ]


def test_a_note_on_several_machines(tmp_path: Path) -> None:
    write(tmp_path, {("3.11", ""): IDNA(), ("3.12", ""): IDNA()})
    stamp = "# nox-lock: v1 inputs=0 hidden=- body=0 platform={}\n"
    for python, platform in (("3.11", "linux-x86_64"), ("3.12", "darwin-arm64")):
        file = tmp_path / f"requirements-py{python}.txt"
        file.write_text(file.read_text().replace("\nidna", f"\n{stamp.format(platform)}idna", 1))
    make(tmp_path, IDNA)
    assert verdict(tmp_path).notes == (
        "its lock files were made on darwin-arm64, linux-x86_64: `platforms` names what it is for",
    )


@pytest.mark.parametrize(
    ("address", "time", "size", "row"),
    [
        ("https://a.example/b/x.whl", TIME, "1", f"upload-time = {TIME}, size = 1, "),
        ("https://a.example:8080/x%2B1.whl", TIME, "", f"upload-time = {TIME}, "),
        ("w/x.whl", "", "12", "size = 12, "),
        ("x.whl", "2010-06-29T19:56:36Z", "", "upload-time = 2010-06-29T19:56:36Z, "),
        ("x.whl", "2010-06-29T19:56:36.5Z", "1.5", "upload-time = 2010-06-29T19:56:36Z, "),
        ("x.whl", "2010-06-29T19:56:36.123456789Z", "-1", "upload-time = 2010-06-29T19:56:36Z, "),
        ("x.whl", "2010-06-29T19:56:36+02:00", "01", ""),
        ("x.whl", "yesterday", "", ""),
    ],
)
def test_what_is_written_of_a_file(address: str, time: str, size: str, row: str) -> None:
    file = make_file(address, time, size, "a" * 64)
    assert file
    key = "url" if "://" in address else "path"
    assert file.row == f'{{{key} = "{address}", {row}hashes = {{sha256 = "{"a" * 64}"}}}}'
    assert parse_toml(f"file = {file.row}".encode()).values["file"][key] == address
    assert file.last == address.rpartition("/")[2]


@pytest.mark.parametrize(
    "address",
    [
        *(
            f"{HOST}/{each}"
            for each in ("x y.whl", "x.whl?a=b", "x.whl#a", "x\\y.whl", "w/", "é.whl")
        ),
        f'{HOST}/x.whl", x = "',
        f'x.whl", hashes = {{sha256 = "{"a" * 64}"}}}}, # ',
        "https://me@a.example/x.whl",
        "https://me:it@a.example/x.whl",
        "https:///x.whl",
        "ftp://a.example/x.whl",
        "file:///w/x.whl",
        "",
    ],
)
def test_what_may_not_be_written_of_a_file(address: str) -> None:
    assert make_file(address, "", "", "a" * 64) is None
    assert make_file("x.whl", "", "", "b" * 63) is None


@pytest.mark.parametrize(
    ("inputs", "hosts", "fresh"),
    [
        ("", ["https://a.example"], True),
        ("", ["https://a.example", "https://b.example"], False),
        (
            "--extra-index-url https://c.example/x\n",
            ["https://a.example", "https://b.example"],
            True,
        ),
        ("--index-url https://c.example/x\n", ["https://a.example", "https://b.example"], False),
        ("--index-url https://a.example/x\n", ["https://a.example", "https://b.example"], True),
        ("--index-url http://a.example/x\n", ["http://a.example"], True),
        ("--index-url http://a.example:8080/x\n", ["http://a.example"], False),
        ("--index-url https://me:${SECRET}@a.example/x\n", ["https://a.example"], True),
        ("--find-links wheels\n", ["https://a.example", "https://b.example"], False),
        ("--index-url ./simple\n", ["https://a.example"], True),
        ("--index-url ./simple\n", ["https://a.example", "https://b.example"], False),
    ],
)
def test_hosts(tmp_path: Path, inputs: str, hosts: list[str], *, fresh: bool) -> None:
    write(tmp_path, {("3.12", "linux"): IDNA() + COLORAMA()}, requirements=inputs)
    text = make(tmp_path, *EVERY)
    for line in sorted(set(re.findall(HOST + r"/\w+/", text))):
        text = text.replace(line, f"{hosts[0]}/files/")
        hosts = hosts[1:] or hosts
    (tmp_path / "pylock.toml").write_text(digested(tmp_path, text))
    assert (verdict(tmp_path).word == FRESH) is fresh, verdict(tmp_path)
