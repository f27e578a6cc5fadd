"""What a project file asks for: its dependencies, extras and dependency groups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import dependency_groups
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from nox_lock.errors import ConfigError, NoxLockError, RequirementsError
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from nox_lock.inputs.entry import Inputs

FILE = "pyproject.toml"
HEAD = '[project]\nname = "My.Proj"\nversion = "2.0"\n'
EXTRAS = "[project.optional-dependencies]\n"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for examples, one after the other; a pyproject.toml above is seen by all."""
    return tmp_path_factory.mktemp("scratch")


def read(
    folder: Path,
    text: str,
    *,
    extras: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    file: str = FILE,
) -> Inputs:
    """Read groups alone where there are any, else the project with extras."""
    (folder / FILE).write_text(text, encoding="utf-8")
    files = Files(Project(folder, {}))
    return read_inputs([] if groups else [file], files, extras=extras, groups=groups)


def lines(found: Inputs) -> list[str]:
    """Return what is written out for pip-compile."""
    return [line for each in found.written.values() for line in each]


def asked(found: Inputs) -> list[str]:
    return [entry.text for entry in found.entries]


def refused(folder: Path, text: str, **wanted: tuple[str, ...]) -> str:
    with pytest.raises(NoxLockError) as caught:
        read(folder, text, **wanted)  # type: ignore[arg-type]
    return str(caught.value)


# Lines


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["app", "App[x]>=1", "b==2; python_version<'3'"]),
            st.sampled_from([",\n", ", ", ',\n# "app", "b"\n', ", # [x]\n", "\n  ,\n\n"]),
            st.booleans(),
        )
    ),
    st.sampled_from(["dependencies", '"dependencies"', "project.dependencies"]),
    st.sampled_from(["", '# dependencies = ["app"]\n', 'other = ["app"]\n']),
)
def test_an_entry_is_on_its_line_or_that_of_its_list(
    scratch: Path,
    items: list[tuple[str, str, bool]],
    key: str,
    before: str,
) -> None:
    header, prefix = ("", "project.") if "." in key else ("[project]\n", "")
    text = f"{before}{header}{prefix}name = 'p'\n{key} = ["
    start = text.count("\n") + 1
    expected: dict[str, list[int]] = {}
    for word, gap, double in items:
        expected.setdefault(word, []).append(text.count("\n") + 1)
        text += (json.dumps(word) if double or "'" in word else f"'{word}'") + gap
        for other in ("app", "b"):
            if f'# "{other}"' in gap or f', "{other}"' in gap:  # a comment says it, too
                expected.setdefault(other, []).append(text.count("\n"))
    text += "]\n"
    found = read(scratch, text)
    assert [entry.place.line for entry in found.entries] == [
        max(expected[word]) if len(expected[word]) == 1 else start for word, _, _ in items
    ]
    grouped = text.replace("[project]", "[dependency-groups]").replace(
        "project.", "dependency-groups."
    )
    group = read(scratch, grouped.replace("name = 'p'", "name = []"), groups=("dependencies",))
    assert lines(group) == list(dict.fromkeys(word for word, _, _ in items))
    assert group.entries == found.entries


def test_lines_of_extras_and_groups(tmp_path: Path) -> None:
    text = (
        f'{HEAD}dependencies = ["app"]\n'
        'optional-dependencies.a = ["app", "dep"]\n'
        "[dependency-groups]\n"
        'dev = [\n  # {include-group = "t"}\n  "app",\n  {include-group = "t"},\n]\n'
        't = [ "nope !" ]\n'
    )
    found = read(tmp_path, text, extras=("a",))
    assert [entry.place.line for entry in found.entries] == [4, 5, 5]
    assert refused(tmp_path, text, groups=("dev",)).startswith(f"{FILE}:12: 'nope !'")
    assert refused(tmp_path, text.replace('"t"}', '"u"}'), groups=("dev",)) == (
        f"{FILE}:7: there is no group 'u' in [dependency-groups]\nThere are: dev, t"
    )


# What is refused


@pytest.mark.parametrize(
    ("text", "extras", "expected"),
    [
        ("a =\n", (), f"{FILE}:1: is not TOML: "),
        ('[project]\nname = "p"\nb = \'\n', (), f"{FILE}:3: is not TOML: "),
        ("[project]\nname = [\n\n", (), f"{FILE}:2: is not TOML: "),
        ("x = 1\n", (), f"{FILE}:1: has no [project] table\n"),
        ('build-system.build-backend = "setuptools.build_meta"', (), "has no [project] table"),
        ("project = 1\n", (), f"{FILE}:1: `project` must be a table"),
        ("[[project]]\n", (), f"{FILE}:1: `project` must be a table"),
        ("[project]\nversion = '1'\n", (), f"{FILE}:1: `project.name` is missing"),
        ("[project]\nname = 1\n", (), f"{FILE}:2: `project.name` must be a string, not 1"),
        (f"{HEAD}dynamic = 1\n", (), f"{FILE}:4: `project.dynamic` must be a list"),
        (f"{HEAD}dynamic = 'dependencies'\n", (), "`project.dynamic` must be a list"),
        (f"{HEAD}dependencies = 'app'\n", (), f"{FILE}:4: `project.dependencies` must be a list"),
        (f"{HEAD}dependencies.x = []\n", (), f"{FILE}:1: `project.dependencies` must be a list"),
        (
            f"{HEAD}dependencies = ['app',\n 1979-05-27]\n",
            (),
            f"{FILE}:4: `project.dependencies` must be a list of strings, not 1979-05-27",
        ),
        (f"{HEAD}dependencies = [['app']]\n", (), "must be a list of strings, not ['app']"),
        (f"{HEAD}dependencies = ['']\n", (), f"{FILE}:4: '' is not a requirement"),
        (f"{HEAD}dependencies = ['-e .']\n", (), "'-e .' is not a requirement"),
        (f"{HEAD}dependencies = ['-r x.in']\n", (), "'-r x.in' is not a requirement"),
        (f"{HEAD}dependencies = ['app --hash=sha256:00']\n", (), "is not a requirement"),
        (f"{HEAD}dependencies = ['app # x']\n", (), "is not a requirement"),
        (f'{HEAD}dependencies = ["app\\ndep"]\n', (), "is not a requirement"),
        (f"{HEAD}dependencies = ['./x']\n", (), "is not a requirement"),
        (
            f"{HEAD}dependencies = ['app', \n'dep @ https://u:pw@h.invalid/d.whl']\n",
            (),
            f"{FILE}:5: a password is written here in clear",
        ),
        (
            f"{HEAD}dependencies = ['dep @ https://${{TOKEN}}@h.invalid/d.whl']\n",
            (),
            f"{FILE}:4: 'dep @ https://${{TOKEN}}@h.invalid/d.whl' holds a variable",
        ),
        (f"{HEAD}dependencies = ['x @ file:///nowhere/x']\n", (), "lies outside the project"),
        (
            f"{HEAD}{EXTRAS}docs = []\ntests = []\n",
            ("test",),
            (
                f"{FILE}:4: there is no extra 'test' in [project.optional-dependencies]; "
                "did you mean 'tests'?\nThere are: docs, tests"
            ),
        ),
        (HEAD, ("x",), "It has no extras at all."),
        (f"{HEAD}optional-dependencies = []\n", ("x",), "must be a table"),
        (f"{HEAD}{EXTRAS}x = 'app'\n", ("x",), f"{FILE}:5: `project.optional-dependencies.x` must"),
        (
            f"{HEAD}{EXTRAS}A_b = []\n'a.b' = []\n",
            ("x",),
            f"{FILE}:6: `project.optional-dependencies.\"a.b\"` and 'A_b' are one name",
        ),
        (
            f"{HEAD}{EXTRAS}x = ['app',\n'my-proj[y]']\n",
            ("x",),
            f"{FILE}:6: there is no extra 'y' in",
        ),
        (
            f"{HEAD}dependencies = ['my_proj[a]<2']\n{EXTRAS}a = []\n",
            (),
            f"{FILE}:4: 'my_proj[a]<2' cannot be: it is this project, of version 2.0",
        ),
    ],
)
def test_refused(tmp_path: Path, text: str, extras: tuple[str, ...], expected: str) -> None:
    assert expected in refused(tmp_path, text, extras=extras)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"{FILE}: there is no group 'dev' in [dependency-groups]\nIt has no groups at all."),
        ("dependency-groups = []\n", f"{FILE}:1: `dependency-groups` must be a table"),
        ("[dependency-groups]\ndev = 'app'\n", f"{FILE}:2: `dependency-groups.dev`: "),
        (
            "[dependency-groups]\ndev = ['app', 1]\n",
            f"{FILE}:2: `dependency-groups.dev`: Invalid dependency group item: 1",
        ),
        (
            "[dependency-groups]\ndev = [{include-group = 1}]\n",
            f"{FILE}:2: `dependency-groups.dev`: ",
        ),
        (
            "[dependency-groups]\ndev = [{include-group = 'dev', x = 1}]\n",
            "A group is a list of strings and {inc",
        ),
        ("[dependency-groups]\ndev = [\n{}]\n", f"{FILE}:2: `dependency-groups.dev`: Inv"),
        ("[dependency-groups]\ndev = [['app']]\n", "Invalid dependency group item: ['app']"),
        (
            "[dependency-groups]\ndev = [\n{include-group = 'Dev'}]\n",
            f"{FILE}:2: `dependency-groups.dev`: Cyclic dependency group include",
        ),
        (
            (
                "[dependency-groups]\ndev = [{include-group = 'a'}]\n"
                "a = [{include-group = 'B_b'}]\nb-b = [\n{include-group = 'a'}]\n"
            ),
            f"{FILE}:4: `dependency-groups.b-b`: Cyclic dependency group include",
        ),
        (
            "[dependency-groups]\nDev = []\ndev = []\n",
            f"{FILE}:3: `dependency-groups.dev` and 'Dev' are one name",
        ),
        (
            "[dependency-groups]\ndevs = []\ndocs = []\n",
            "did you mean 'devs'?\nThere are: devs, docs",
        ),
        (
            f"{HEAD}dynamic = ['dependencies']\n[dependency-groups]\ndev = [\n'my-proj']\n",
            f"{FILE}:7: 'my-proj' is this project, whose dependencies only a build can say",
        ),
    ],
)
def test_groups_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refused(tmp_path, text, groups=("dev",))


def test_missing_or_unreadable(tmp_path: Path) -> None:
    for file in (FILE, "docs/pyproject.toml", "setup.py", "setup.cfg"):
        with pytest.raises(RequirementsError, match=f"there is no file {file}"):
            read_inputs([file], Files(Project(tmp_path, {})))
    (tmp_path / FILE).write_bytes(b"[project]\nname = '\xff'\n")
    with pytest.raises(ConfigError, match=rf"^{FILE}:2: is not TOML: it is not UTF-8"):
        read_inputs([FILE], Files(Project(tmp_path, {})))
    (tmp_path / "x" / FILE).mkdir(parents=True)
    with pytest.raises(RequirementsError, match=r"^cannot read x/pyproject.toml"):
        read_inputs([f"x/{FILE}"], Files(Project(tmp_path, {})))


# What is read


def test_requirements_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    text = (
        f"{HEAD}dependencies = ['App[B, a] >= 1 , <2', \"dep (>1); python_version > '3'\", "
        "'x @ file:./x', 'y @ https://h.invalid/y-1.0-py3-none-any.whl ; os_name == \"nt\"', "
        "'z@git+ssh://git@h.invalid/z@main']\n"
    )
    found = read(tmp_path, text)
    assert asked(found) == [
        "app[a,b]<2,>=1",
        'dep>1; python_version > "3"',
        "x @ x",
        'y @ https://h.invalid/y-1.0-py3-none-any.whl; os_name == "nt"',
        "z @ git+ssh://git@h.invalid/z@main",
    ]
    assert found.reached == {f"{FILE}#"}
    assert (found.native, found.dynamic, found.written) == ([FILE], {}, {})


def test_extras_by_any_spelling_once(tmp_path: Path) -> None:
    text = f"{HEAD}dependencies = ['app']\n{EXTRAS}B_x = ['dep']\nc = ['lib']\n"
    found = read(tmp_path, text, extras=("b.X", "b-x"))
    assert asked(found) == ["app", "dep"]
    assert found.reached == {f"{FILE}#", f"{FILE}#extra=b-x"}


def test_a_line_twice_is_two_entries(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEAD}dependencies = ['app',\n'app']\n")
    assert [entry.place.line for entry in found.entries] == [4, 4]
    assert found.native == [FILE]
    group = read(tmp_path, "[dependency-groups]\ndev = ['app',\n'app']\n", groups=("dev",))
    assert lines(group) == ["app"]


SELF = f"{HEAD}dependencies = ['app']\n{EXTRAS}a = ['dep']\nb = ['lib; os_name == \"nt\"']\n"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("x = ['my_proj[A,b]', 'old']", ["dep", 'lib; os_name == "nt"', "old"]),
        ("x = ['My.Proj[y]']\ny = ['my-proj[a]>=1']", ["dep"]),
        ("x = ['My.Proj[y]', 'old']\ny = ['My.Proj[x,a]']", ["dep", "old"]),
        ("x = ['My.Proj']", []),
        ("x = ['My.Proj[x]']", []),
        ("x = ['My.Proj[a] @ file:.']", ["dep"]),
        ("x = ['my-proj[a]; python_version<\"3.12\"']", ['dep; python_version < "3.12"']),
        (
            "x = ['my-proj[b]; python_version<\"3.12\"']",
            ['lib; os_name == "nt" and python_version < "3.12"'],
        ),
        (
            'x = [\'my-proj[y]; os_name=="a" or extra=="b"\']\ny = [\'my-proj[a]; extra=="q"\']',
            ['dep; extra == "q" and (os_name == "a" or extra == "b")'],
        ),
        # What comes under a marker first, and then without one, comes without.
        ("x = ['my-proj[a]; os_name==\"a\"', 'my-proj[a]']", ['dep; os_name == "a"', "dep"]),
        ("x = ['my-proj[a]', 'my-proj[a]; os_name==\"a\"']", ["dep"]),
        # A loop under a marker ends.
        (
            "x = ['my-proj[y]; os_name==\"a\"']\ny = ['my-proj[x]; os_name==\"b\"', 'old']",
            ['old; os_name == "a"'],
        ),
    ],
)
def test_an_extra_that_asks_for_its_own_project(
    tmp_path: Path, more: str, expected: list[str]
) -> None:
    found = read(tmp_path, f"{SELF}{more}\n", extras=("x",))
    assert asked(found) == ["app", *expected]
    assert [str(Requirement(line)) for line in lines(found)[1:]] == [
        str(Requirement(text)) for text in expected
    ]
    assert list(found.written) == [f"My.Proj ({FILE})"]
    assert found.native == []


def test_what_pip_compile_reads_right_is_left_to_it(tmp_path: Path) -> None:
    """It drops a marker of an extra's requirement, but none of the project's own."""
    found = read(tmp_path, SELF, extras=("a",))
    assert (found.native, found.written) == (["--extra=a", FILE], {})
    found = read(tmp_path, SELF, extras=("b",))
    assert (found.native, list(found.written)) == ([], [f"My.Proj ({FILE})"])
    marked = f"{HEAD}dependencies = [\"app; python_version > '3'\"]\n"
    assert not read(tmp_path, marked).written


def test_extras_under_a_marker_are_no_part_of_a_layer(tmp_path: Path) -> None:
    found = read(tmp_path, f"{SELF}x = ['my-proj[a]; os_name==\"a\"']\n", extras=("x",))
    assert found.reached == {f"{FILE}#", f"{FILE}#extra=x"}


def test_a_group_that_asks_for_its_own_project(tmp_path: Path) -> None:
    """It asks for all that the project depends on, as `pip install --group` has it."""
    groups = "[dependency-groups]\ndev = ['my-proj[a]', 'old']\n"
    found = read(tmp_path, f"{SELF}{groups}", groups=("dev",))
    assert asked(found) == ["app", "dep", "old"]
    assert found.reached == {f"{FILE}#", f"{FILE}#extra=a", f"{FILE}#group=dev"}
    assert list(found.written) == [f"--group {FILE}:dev"]
    # A marker of its extra is kept: the lines of a group are written out, and only once.
    found = read(tmp_path, f"{SELF}{groups.replace('[a]', '[b]')}", groups=("dev",))
    assert found.written == {f"--group {FILE}:dev": ["app", 'lib; os_name == "nt"', "old"]}
    marked = (
        groups.replace("[a]", '[a]; os_name == "a"')
        .replace("'my", "'''my")
        .replace('"a"\'', "\"a\"'''")
    )
    found = read(tmp_path, f"{SELF}{marked}", groups=("dev",))
    assert asked(found) == ['app; os_name == "a"', 'dep; os_name == "a"', "old"]


# Dependency groups, against the library of the specification

GROUP = st.lists(
    st.one_of(
        st.sampled_from(["app", "Dep>=1", "lib; os_name=='nt'"]),
        st.sampled_from(["a", "b", "C_c", "c.c", "d"]).map(lambda name: {"include-group": name}),
    ),
    max_size=4,
)


@given(st.dictionaries(st.sampled_from(["A", "b", "c-c"]), GROUP, min_size=1))
def test_groups_as_the_library_reads_them(
    scratch: Path, groups: dict[str, list[str | dict[str, str]]]
) -> None:
    text = "[dependency-groups]\n"
    for name, items in groups.items():
        spelled = (
            json.dumps(each)
            if isinstance(each, str)
            else f'{{include-group = "{each["include-group"]}"}}'
            for each in items
        )
        text += f"{name} = [{', '.join(spelled)}]\n"
    name = next(iter(groups))
    try:
        expected = dependency_groups.resolve(groups, name)
    except (LookupError, ValueError) as error:
        words = "Cyclic" if "yclic" in type(error).__name__ else "there is no group"
        assert words in refused(scratch, text, groups=(name,))
        return
    found = read(scratch, text, groups=(name,))
    # The library repeats a group that is included twice.
    assert [str(Requirement(line)) for line in lines(found)] == list(dict.fromkeys(expected))


def test_a_diamond_of_groups_is_read_once(tmp_path: Path) -> None:
    text = (
        "[dependency-groups]\nbase = ['app']\na = [{include-group = 'base'}]\n"
        "b = [{include-group = 'BASE'}, 'dep']\n"
        "dev = [{include-group = 'a'}, {include-group = 'b'}, 'lib']\n"
    )
    found = read(tmp_path, text, groups=("dev",))
    assert asked(found) == ["app", "dep", "lib"]
    assert found.reached == {f"{FILE}#group={name}" for name in ("dev", "a", "b", "base")}
