"""The reader of requirements files against pip's own, which runs in a process of its own."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from nox_lock.errors import RequirementsError
from nox_lock.inputs import syntax
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.project import Project
from support.oracle import Oracle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_lock.inputs.entry import Entry, Inputs

SOURCE = "requirements.in"

# All that nox-lock refuses and pip does not, each for its reason.
STRICTER = (
    # A secret or a value of this machine would be written into the lock.
    "a password is written here in clear",
    "holds a variable, whose value would be written into the lock",
    "lies outside the project",
    # pip reads on, and leaves out a part of what is written.
    "unexpected '",
    # pip warns of an archive that is not there, and fails when it wants it.
    ".whl, seen from the project root",
    ".gz, seen from the project root",
    # Nobody means this.
    "holds a NUL character",
)
# What pip refuses and a check need not: the compile says so.
LATER = (
    "is not installable",  # a folder that is there and holds no project
    "Editable requirements are not allowed as constraints",
    "is not a valid editable requirement",
    "Could not detect requirement name",
    "InvalidEggFragment",
    # The value of an option.
    "Allowed hash algorithms",
    "Arguments to --hash must be",
    "Arguments to --config-settings must be",
    "--use-feature: invalid choice",
    "--no-binary / --only-binary option requires",
)


CONTROLS = ("--no-binary", "--only-binary", "--all-releases", "--only-final")


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    made = Oracle(tmp_path_factory.mktemp("oracle").resolve())
    yield made
    made.close()


@dataclass(frozen=True)
class Read:
    """What was read, in the form the oracle uses; or the error."""

    entries: list[Any]
    options: list[Any]
    error: str = ""


def ours(root: Path, source: str = SOURCE) -> Read:
    try:
        inputs = read_inputs([source], Files(Project(root, os.environ)))
    except RequirementsError as error:
        return Read([], [], str(error))
    return Read([shown(entry) for entry in inputs.entries], by_line(inputs))


def shown(entry: Entry) -> list[Any]:
    hashes = re.findall(r" --hash=(\S+)", entry.text)
    return [
        entry.place.file,
        entry.place.line,
        entry.constraint,
        entry.editable,
        entry.name,
        sorted(entry.extras),
        None if entry.specifier is None else sorted(str(each) for each in entry.specifier),
        None if entry.marker is None else str(entry.marker),
        entry.url and bare(entry.url),
        sorted(hashes),
    ]


def by_line(inputs: Inputs) -> list[Any]:
    """Return the options of each line, as pip has them when it has read that line."""
    lines: dict[tuple[str, int | None], list[list[str]]] = {}
    for option in inputs.options:
        if option.name in {"--hash", "--config-settings"}:
            continue  # without a requirement they say nothing
        if option.name == "--use-feature":
            continue  # pip keeps those of every file it has read, in one list
        found = lines.setdefault(option.place, [])
        if option.name == "--index-url":  # the last one wins
            found[:] = [each for each in found if each[0] != option.name]
        values = [option.value]
        if option.name in CONTROLS:
            values = [
                each if each == ":all:" else canonicalize_name(each)
                for each in option.value.split(",")
            ]
        if option.name == "--find-links":
            values = [bare(option.value)]
        found += [[option.name, value] for value in values]
    return [
        [file, line, sorted([*each] for each in {(name, value) for name, value in found})]
        for (file, line), found in lines.items()
    ]


def bare(url: str) -> str:
    """Return a URL without an empty fragment, a path in its shortest form and without its name."""
    url = url.removesuffix("#")
    return url if ":" in url else posixpath.normpath(re.sub(r"#.*$", "", url))


def normal(answer: dict[str, Any]) -> Read:
    """Return pip's answer with names and versions in their normal forms."""
    if "error" in answer:
        return Read([], [], answer["error"])
    entries = []
    for entry in answer["entries"]:
        name, extras = entry[4], entry[5]
        entry[4] = name and canonicalize_name(name)
        entry[5] = sorted({canonicalize_name(extra) for extra in extras})
        entry[8] = entry[8] and bare(entry[8])
        entries.append(entry)
    # A file that is included twice is read twice.
    lines = {(file, line): found for file, line, found in answer["options"]}
    options = [
        [
            file,
            line,
            sorted(
                [name, bare(value) if name == "--find-links" else value]
                for name, value in {(name, value) for name, value in found}
            ),
        ]
        for (file, line), found in lines.items()
    ]
    return Read(entries, options)


def once(read: list[Any]) -> list[Any]:
    """Return what pip reads without what it reads again, of a file that is included twice."""
    return [each for number, each in enumerate(read) if each not in read[:number]]


def compare(oracle: Oracle, source: str = SOURCE, root: Path | None = None) -> None:
    """See that nox-lock reads what pip reads, or that both refuse."""
    answer = oracle.ask(source, root)
    read = ours(root or oracle.root, source)
    if any(words in read.error for words in STRICTER):
        return
    wanted = normal(answer)
    if any(words in wanted.error for words in LATER):
        return
    assert bool(read.error) == bool(wanted.error), (read.error, wanted.error)
    assert read.entries == once(wanted.entries)
    assert read.options == once(wanted.options)
    if not read.error:
        text = syntax.decode((root or oracle.root).joinpath(source).read_bytes(), source)
        assert [[*each] for each in syntax.logical_lines(text)] == answer["lines"]


# Generated files

names = st.sampled_from(["app", "Foo_Bar", "zope.interface", "a1", "x"])
versions = st.sampled_from(["1", "1.0", "2.0.*", "1.0rc1", "1!2", "1.0+local", "bad version"])
operators = st.sampled_from(["==", ">=", "<=", "~=", "!=", "<", ">", "===", "=", ""])
spaces = st.sampled_from(["", "", "", " ", "  ", "\t"])
markers = st.sampled_from(
    [
        'python_version < "3.12"',
        "sys_platform=='win32'",
        "python_full_version >= '3.8' and os_name == \"posix\" or extra == 'x'",
        "bad marker",
        "",
    ]
)
comments = st.sampled_from(["", "", "", "# note", "#", " # -r x.in", "\t# a \\", "#not"])
links = st.sampled_from(
    [
        "http://127.0.0.1:9/simple/",
        "http://127.0.0.1:9/app-1.0-py3-none-any.whl",
        "https://host.invalid/a.tar.gz#egg=app",
        "git+https://host.invalid/a.git@main#egg=app",
        "git+ssh://git@host.invalid/a.git",
        "./lib",
        "lib",
        "file:./lib",
        "./missing",
        "https://${USER_NAME}@host.invalid/simple",
    ]
)
hashes = st.sampled_from(["--hash=sha256:" + "ab" * 32, "--hash sha384:" + "12" * 48])


@st.composite
def requirements(draw: st.DrawFn) -> str:
    extras = draw(st.sampled_from(["", "", "[a]", "[A_b,c]", "[ a , b ]", "[", "[]"]))
    clauses = draw(st.lists(st.tuples(operators, spaces, versions), max_size=2))
    demand = ",".join(f"{draw(spaces)}{op}{gap}{version}" for op, gap, version in clauses)
    marker = draw(st.one_of(st.just(""), markers.map(lambda text: f";{text}")))
    options = " ".join(draw(st.lists(hashes, max_size=2)))
    return f"{draw(names)}{draw(spaces)}{extras}{demand}{draw(spaces)}{marker} {options}"


@st.composite
def direct(draw: st.DrawFn) -> str:
    link = draw(links)
    start = draw(st.sampled_from(["", "-e ", "--editable=", "app @ ", "app[a]@ ", "-e app @ "]))
    marker = draw(st.sampled_from(["", "", '; python_version > "3"', ' ; os_name == "x"']))
    return f"{start}{link}{marker}"


FLAGS = [
    *("-i", "--index-url", "--pypi-url", "--extra-index-url", "--extra-index", "-f"),
    *("--find-links", "--trusted-host", "--no-binary", "--only-binary", "--bogus"),
]


@st.composite
def option_lines(draw: st.DrawFn) -> str:
    value = draw(st.one_of(links, names))
    flag = draw(st.sampled_from(FLAGS))
    joint = draw(st.sampled_from([" ", "=", "  ", ""])) if flag.startswith("--") else " "
    bare = draw(st.sampled_from(["--pre", "--no-index", "--prefer-binary", "--require-hashes"]))
    more = draw(st.sampled_from(["", "", f" {bare}"]))
    line: str = draw(st.sampled_from([f"{flag}{joint}{value}{more}", bare, f"{flag}"]))
    return line


includes = st.sampled_from(
    [
        "-r more.in",
        "-rmore.in",
        "--requirement=more.in",
        "-c sub/c.txt",
        "--constraint sub/c.txt",
        "-r missing.in",
        "-r ../requirements.in",
        '-r "more.in"',
        "-r sub/../more.in",
        "-c more.in",
    ]
)
noise = st.text("ab=<>;#\\ -\"'[](){}$@:/.,\t\f\v\x1c\x85\u2028\r", max_size=12)
ends = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\\\n", " \\\n", "\n\n", "\f"])
lines = st.one_of(requirements(), requirements(), direct(), option_lines(), includes, noise)


@st.composite
def texts(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.tuples(spaces, lines, spaces, comments, ends), max_size=5))
    return "".join("".join(part) for part in parts)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, str]:
    return {
        SOURCE: draw(texts()),
        "more.in": draw(texts()),
        "sub/c.txt": draw(texts()),
        "lib/pyproject.toml": "",
    }


def files(text: str, **more: str) -> dict[str, str]:
    return {SOURCE: text, "more.in": "", "sub/c.txt": "", "lib/pyproject.toml": "", **more}


HABITS = settings(database=None, deadline=None, suppress_health_check=[*HealthCheck])


@settings(HABITS, derandomize=True)
@given(trees())
@example(files("app \\\n# a comment\n>=1\n"))
@example(files("app>=1 \\\n"))
@example(files("app # yes\n#no\napp#no\n"))
@example(files("-e lib --pre\napp --pre -i http://127.0.0.1:9/\n"))
def test_it_reads_what_pip_reads(oracle: Oracle, tree: dict[str, str]) -> None:
    oracle.fill(tree)
    compare(oracle)


@pytest.mark.long
@settings(HABITS, max_examples=10_000)
@given(trees())
def test_it_reads_what_pip_reads_at_length(oracle: Oracle, tree: dict[str, str]) -> None:
    oracle.fill(tree)
    compare(oracle)


LINES = [
    "app",
    "app ==1.0",
    "app (>=1.0)",
    "app>=1,<2 ; python_version >= '3.8'",
    "app[b,a]==1.0",
    "app@ http://127.0.0.1:9/app-1.0.tar.gz",
    "app @ git+https://host.invalid/app.git@v1#subdirectory=x ; os_name == 'posix'",
    "git+https://host.invalid/app.git@v1#egg=app",
    "git+https://host.invalid/app.git@v1#egg=app&subdirectory=x",
    "git+https://host.invalid/app.git#egg=app[a,b]",
    "git+ssh://git@host.invalid/app.git",
    "http://127.0.0.1:9/app-1.0-py3-none-any.whl",
    "http://127.0.0.1:9/app-1.0-py3-none-any.whl ; os_name == 'posix'",
    "http://127.0.0.1:9/app-1.0-py3-none-any.whl#sha256=ab",
    "./lib",
    "./lib[a,b]",
    "./lib[a] ; os_name == 'posix'",
    "lib/",
    "lib",
    "./lib/../lib",
    "file:lib",
    "file:./lib#egg=app",
    "-e ./lib",
    "-e lib",
    "-e ./lib[a]",
    "-e lib[a,b]",
    "-e .",
    ".",
    "-e file:./lib",
    "-e git+https://host.invalid/app.git#egg=app",
    "-e git+https://host.invalid/app.git@v1#egg=app&subdirectory=x",
    "-e app @ git+https://host.invalid/app.git",
    '-e "app @ git+https://host.invalid/app.git"',
    "--editable ./lib",
    "--editable=./lib",
    "-e./lib",
    "./missing",
    "dist/app-1.0-py3-none-any.whl",
    "./dist/app-1.0-py3-none-any.whl",
    "app @ file:dist/app-1.0-py3-none-any.whl",
    "app @ ./dist/app-1.0-py3-none-any.whl",
    "app-1.0-py3-none-any.whl",
    "app --hash=sha256:" + "ab" * 32,
    "app==1 --hash=sha256:" + "ab" * 32 + " --hash=sha512:" + "cd" * 64,
    "app==1 --hash=md5:" + "ab" * 16,
    "app==1 --hash=nonsense",
    "app --config-settings k=v",
    "app --config-settings nonsense",
    "app --global-option=x",
    "-i http://127.0.0.1:9/simple",
    "--index-url=http://127.0.0.1:9/simple",
    "-ihttp://127.0.0.1:9/simple",
    "--index http://127.0.0.1:9/simple",
    "-i http://127.0.0.1:9/a -i http://127.0.0.1:9/b",
    "--extra-index-url http://127.0.0.1:9/a --extra-index-url http://127.0.0.1:9/b",
    "-i 'http://127.0.0.1:9/with space'",
    "-i 'http://127.0.0.1:9/unclosed",
    "--extra-index-url",
    "--pre=yes",
    "--use-feature fast-deps",
    "--use-feature nonsense",
    "--only-binary :all:",
    "--only-binary=app,Foo_Bar",
    "--no-binary -x",
    "--all-releases app",
    "--only-final :all:",
    "--trusted-host host.invalid",
    "--hash=sha256:" + "ab" * 32,
    "-f links",
    "-f ./lib",
    "-f http://127.0.0.1:9/links",
    "-r more.in",
    "-r more.in more",
    "-r more.in --pre",
    "-r more.in -c sub/c.txt",
    "-c sub/c.txt -r more.in",
    "-c more.in",
    "-r ${UNSET_NAME}.in",
    "-r ${UNSET_NAME}more.in",
    "-r ${SET_NAME}.in",
    "-c ${SET_NAME}.in",
    "--extra-index-url https://${SET_NAME}@host.invalid/",
    "-r",
    "- r more.in",
    "app -r more.in",
    "app;",
    "app ; ",
    "app==",
    "==1.0",
    "app 1.0",
    "app=1.0",
    "app>=1.0,",
    "app>=1.0 <2",
    "app~=1",
    "app==1.*",
    "app===weird-version!",
    "app[a",
    "app[]",
    "app @",
    "-x",
    "--",
    "app -- more",
    "app --",
    "-e",
    "\N{NO-BREAK SPACE}app",
    "app\N{NO-BREAK SPACE}>=1",
    "äpp",
    "app\x00",
    "import os",
]


@pytest.mark.parametrize("text", LINES)
@pytest.mark.parametrize("way", ["{}", "# first\n\n  {}  # note\nlast", "-r more.in"])
def test_a_line_is_read_as_pip_reads_it(
    text: str, way: str, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The oracle was started before, and does not see it: it is put in for it.
    monkeypatch.setenv("SET_NAME", "more")
    both = way.format(text)
    more = "dep\n" if way != "-r more.in" or "more" in text else f"\n{text}\n"
    tree = files(both, **{"more.in": more, "dist/app-1.0-py3-none-any.whl": ""})
    oracle.fill({name: content.replace("${SET_NAME}", "more") for name, content in tree.items()})
    answer = oracle.ask()
    oracle.fill(tree)
    read, wanted = ours(oracle.root), normal(answer)
    if any(words in read.error for words in STRICTER):
        return
    if any(words in wanted.error for words in LATER):
        return
    assert bool(read.error) == bool(wanted.error), (read.error, wanted.error)
    assert read.entries == wanted.entries
    if "${SET_NAME}@" not in text:  # kept as written
        assert read.options == wanted.options


ENCODED = {
    "plain": b"app\n",
    "UTF-8": "app # caf\u00e9\n".encode(),
    "UTF-8 with a mark": "app\n".encode("utf-8-sig"),
    "UTF-16": "app # caf\u00e9\n".encode("utf-16"),
    "UTF-16 BE": b"\xfe\xff" + "app\n".encode("utf-16-be"),
    "UTF-32": "app\n".encode("utf-32"),
    "UTF-32 BE": b"\x00\x00\xfe\xff" + "app\n".encode("utf-32-be"),
    "declared": "# -*- coding: latin-1 -*-\napp # caf\u00e9\n".encode("latin-1"),
    "declared in the second line": "#\n# coding=latin-1\napp # caf\u00e9\n".encode("latin-1"),
    "declared in the third line": "#\n#\n# coding=latin-1\napp # caf\u00e9\n".encode("latin-1"),
    "declared, and unknown": b"# coding: nonsense\napp\n",
    "declared, not in a comment": "app # coding: latin-1 \u00e9\n".encode("latin-1"),
    "Latin-1": "app # caf\u00e9\n".encode("latin-1"),
    "cut off": "app # caf\u00e9".encode()[:-1],
    "empty": b"",
    "only a mark": b"\xef\xbb\xbf",
}


@pytest.mark.parametrize("name", ENCODED)
def test_bytes_are_decoded_as_pip_does(name: str, oracle: Oracle) -> None:
    oracle.fill({SOURCE: ENCODED[name]})
    compare(oracle)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("app\ndep ==\n", 2),
        ("app\n\n# x\ndep \\\n  ==\n", 4),
        ("app\n--bogus\n", 2),
        ("app\n-r missing.in\n", 2),
        ("app\n./missing\n", 2),
        ("app\n-r more.in\n", 2),
        ("app\ndep ; bad\n", 2),
        ("app\ndep===1,~=1\n", 2),
        ("app\n-i 'x\n", 2),
        ("app\n-i http://user:secret@127.0.0.1:9/\n", 2),
        ("app\ndep @ http://127.0.0.1:9/${TOKEN}/dep.whl\n", 2),
        ("app\n-e git+http://${TOKEN}@127.0.0.1:9/dep#egg=dep\n", 2),
        ("app\n-e http://user:secret@127.0.0.1:9/#egg=dep --bogus\n", 2),
    ],
)
def test_an_error_names_the_line(text: str, line: int, oracle: Oracle) -> None:
    # `more.in` includes itself: the error is where that happens.
    oracle.fill(files(text, **{"more.in": "\n-r more.in\n"}))
    with pytest.raises(RequirementsError) as caught:
        read_inputs([SOURCE], Files(Project(oracle.root, {"TOKEN": "hunter2"})))
    error = caught.value
    if "more.in" in text:
        assert error.place == ("more.in", 2)
    else:
        assert error.place == (SOURCE, line)
    assert "secret" not in str(error)
    assert "hunter2" not in str(error)


def sources(corpus: Path) -> list[Path]:
    return sorted([*corpus.rglob("*.in"), *corpus.rglob("*.txt")])


def test_the_corpus_is_read_as_pip_reads_it(shared: Path, tmp_path: Path, oracle: Oracle) -> None:
    """Copies, so that no file outside of a set is reached; pip is asked for each file."""
    read = refused = remote = 0
    for folder in sorted((shared / "corpus").iterdir()):
        if not folder.is_dir():
            continue
        root = shutil.copytree(folder, tmp_path / folder.name).resolve()
        for path in sources(root):
            if path.name == "SOURCE.txt":
                continue
            if re.search(r"^-[rc] https?:", path.read_text(encoding="utf-8"), re.MULTILINE):
                remote += 1
                continue
            relative = path.relative_to(root).as_posix()
            answer = oracle.ask(relative, root)
            if "session" in answer.get("error", "") or "NoneType" in answer.get("error", ""):
                remote += 1  # it includes one that names a URL
                continue
            compare(oracle, relative, root)
            refused += bool(ours(root, relative).error)
            read += 1
    assert read > 100
    assert refused < 10
    assert remote < 20


def test_an_archive_that_is_not_there_is_refused(oracle: Oracle) -> None:
    """Pip warns, and fails when it wants it."""
    oracle.fill(files("missing/app-1.0-py3-none-any.whl\n"))
    assert "there is no missing/app" in ours(oracle.root).error


@pytest.mark.parametrize("line", ["{}/lib", "-e {}/lib", "app @ file://{}/lib", "file://{}/lib"])
def test_a_path_of_this_machine_is_refused(line: str, oracle: Oracle, tmp_path: Path) -> None:
    """It would be in the lock file, wherever the project is."""
    (tmp_path / "lib").mkdir()
    oracle.fill(files(f"app\n{line.format(tmp_path)}\n"))
    error = ours(oracle.root).error
    assert error.startswith(f"{SOURCE}:2: ")
    assert "outside the project" in error


def test_a_url_is_not_followed(oracle: Oracle) -> None:
    oracle.fill(files("-r https://host.invalid/base.txt\n-c http://${HOST}/limits.txt\napp\n"))
    inputs = read_inputs([SOURCE], Files(Project(oracle.root, {"HOST": "host.invalid"})))
    assert [(each.name, each.value, each.place.line) for each in inputs.remote] == [
        ("--requirement", "https://host.invalid/base.txt", 1),
        ("--constraint", "http://${HOST}/limits.txt", 2),
    ]
    assert [entry.name for entry in inputs.entries] == ["app"]


def test_each_difference_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "inputs.md").read_text(encoding="utf-8")
    assert [words for words in (*STRICTER, *LATER) if f"`{words}`" not in page] == []


def test_the_oracle_sees_what_is_wrong(oracle: Oracle) -> None:
    oracle.fill(files("app==\n"))
    assert "Invalid requirement" in oracle.ask()["error"]
    oracle.fill(files("-r more.in\n", **{"more.in": "\nFoo_Bar[b,a]>=1 # x\n"}))
    assert oracle.ask()["entries"] == [
        ["more.in", 2, False, False, "Foo_Bar", ["a", "b"], [">=1"], None, None, []]
    ]
