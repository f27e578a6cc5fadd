"""Bad input end to end: one clear message, no traceback, and every file as it was."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from support.index import LocalIndex
from support.project import NOXFILE, Project
from support.refused import IMPATIENT, PASSWORD, fill, refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


LOCK = ("-s", "lock")
CHECK = ("-s", "lock-check")
TESTS = ("-s", "tests")
LOCKS_TABLE = "[tool.nox-lock.locks.app]\ninputs = ['requirements.in']\n"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalIndex]:
    """One index for all: nothing here changes it."""
    with LocalIndex(tmp_path_factory.mktemp("served") / "index") as local:
        local.publish("app", "1.0", requires=["dep>=1"])
        local.publish("app", "1.1", requires=["dep>=1"])
        local.publish("dep", "1.0")
        local.publish("dep", "2.0")
        local.publish("old", "1.0", requires=["dep<2"])
        local.publish("new", "1.0", requires=["dep>=2"])
        local.publish("deep", "1.0", requires=["nowhere-to-be-found"])
        local.publish("future", "1.0", requires_python=">=3.99")
        yield local


@pytest.fixture(scope="module")
def lock(index: LocalIndex, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lock file of `app`, really made."""
    folder = tmp_path_factory.mktemp("locked")
    project = Project(folder / "project", folder / "home", index)
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.nox(*LOCK).ok()
    return project.read("requirements.txt")


@dataclass(frozen=True)
class Case:
    """Bad input, and what has to be said of it.

    Attributes:
        name: what is wrong.
        says: what the output must hold: what is wrong, where, what to do.
        files: files written over those of a good project; None for one taken away.
        args: the arguments of nox.
        env: environment variables.
        never: what the output must not hold.
    """

    name: str
    says: tuple[str, ...]
    files: Mapping[str, str | None] = field(default_factory=dict)
    args: tuple[str, ...] = LOCK
    env: Mapping[str, str] = field(default_factory=dict)
    never: tuple[str, ...] = ()


def inputs(text: str, **files: str) -> dict[str, str | None]:
    """Return a `requirements.in`, and more files with __ for a dot."""
    named = {key.replace("__", "."): value for key, value in files.items()}
    return {"requirements.in": text, **named}


def config(text: str) -> dict[str, str | None]:
    return {"pyproject.toml": text}


CASES = [
    Case(
        "a repository that is not there",
        (
            "requirements.in:2: app: its repository cannot be read: ",
            "Check its address and revision, and that you may read it.",
        ),
        inputs("dep\napp @ git+http://127.0.0.1:1/app.git@v1.0\n"),
        never=("pip-resolve", "has to be built"),
    ),
    Case(
        "a version in the name that a URL gives its project",
        (
            "requirements.in:2: 'egg=app==1.0' of a URL is more than a project's name",
            "Write it as: app @ git+https://index.example/app.git@v1.0",
        ),
        inputs("dep\ngit+https://index.example/app.git@v1.0#egg=app==1.0\n"),
    ),
    Case(
        "no inputs found",
        ("no inputs found", "requirements.in", "[tool.nox-lock.locks.NAME]"),
        {"requirements.in": None, "requirements.txt": None},
    ),
    Case(
        "no inputs found, of a check",
        ("no inputs found", "requirements.in"),
        {"requirements.in": None, "requirements.txt": None},
        CHECK,
    ),
    Case(
        "unknown lock name",
        ("no lock 'requirments'", "did you mean 'requirements'", "Locks here: requirements"),
        args=(*LOCK, "--", "requirments"),
    ),
    Case(
        "unknown lock name, of a check",
        ("no lock 'requirments'", "did you mean 'requirements'", "Locks here: requirements"),
        args=(*CHECK, "--", "requirments"),
    ),
    Case(
        "unknown lock name, of a session",
        ("no lock 'requirments'", "did you mean 'requirements'", "Locks here: requirements"),
        {"noxfile.py": NOXFILE.replace('"requirements"', '"requirments"')},
        TESTS,
    ),
    Case("a syntax error", ("requirements.in:3:", "'app =='"), inputs("# a\n\napp ==\n")),
    Case(
        "a syntax error, of a check",
        ("requirements.in:3:", "'app =='"),
        inputs("# a\n\napp ==\n"),
        CHECK,
    ),
    Case(
        "a syntax error in a file that is included",
        ("more.in:2:", "'dep =>1'"),
        inputs("app\n-r more.in\n") | {"more.in": "\ndep =>1\n"},
        (*LOCK, "--", "requirements"),
    ),
    Case(
        "unknown option",
        (
            "requirements.in:2:",
            "--bogus-option",
            "option --bogus-option not recognized",
            "Options allowed",
        ),
        inputs("app\n--bogus-option x\n"),
    ),
    Case(
        "an option of pip that no requirements file may hold",
        ("requirements.in:2:", "not recognized", "--uploaded-prior-to"),
        inputs("app\n--uploaded-prior-to 2026-01-01\n"),
    ),
    Case(
        "a missing -r",
        ("requirements.in:2:", "no file base/missing.txt"),
        inputs("app\n-r base/missing.txt\n"),
    ),
    Case(
        "a missing -c",
        ("requirements.in:2:", "no file missing.txt"),
        inputs("app\n-c missing.txt\n"),
    ),
    Case(
        "a loop",
        ("include each other", "requirements.in -> base/a.txt -> requirements.in", "base/a.txt:1:"),
        inputs("-r base/a.txt\n") | {"base/a.txt": "-r ../requirements.in\n"},
    ),
    Case(
        "a file that includes itself",
        ("requirements.in:1:", "include each other", "requirements.in -> requirements.in"),
        inputs("-r requirements.in\n"),
    ),
    Case(
        "an input in another encoding",
        ("requirements.in:2", "utf-8", "# -*- coding: latin-1 -*-"),
        # Written as bytes by the test.
        inputs("app\n# caf\udce9\n"),
    ),
    Case(
        "an unknown project",
        ("requirements.in:2:", "no package index has a project 'no-such-project'", "spelling"),
        inputs("app\nNo_Such.Project>=1\n"),
    ),
    Case(
        "an unknown project that another asks for",
        ("no package index has a project 'nowhere-to-be-found'", "deep", "requirements.in:2"),
        inputs("app\ndeep\n"),
    ),
    Case(
        "a version that does not exist",
        ("requirements.in:2:", "no version meets dep==99", "1.0", "2.0"),
        inputs("app\ndep==99\n"),
        never=("no package index has",),
    ),
    Case(
        "a version for another Python",
        ("requirements.in:2:", "future", "for this Python", ">=3.99"),
        inputs("app\nfuture\n"),
    ),
    Case(
        "a conflict of two requirements",
        ("old 1.0", "new 1.0", "dep<2", "dep>=2", "requirements.in:2", "requirements.in:3"),
        inputs("app\nold\nnew\n"),
        never=("(constraint)",),
    ),
    Case(
        "a conflict with a constraint",
        ("cannot hold together", "dep<2", "old", "requirements.in:2", "limits.txt:2"),
        inputs("app\nold\n-c limits.txt\n") | {"limits.txt": "# no old ones\ndep>=2\n"},
    ),
    Case(
        "a conflict of two demands for one project",
        ("cannot hold together", "dep<2", "dep>=2", "requirements.in:2", "requirements.in:3"),
        inputs("app\ndep<2\ndep>=2\n"),
    ),
    Case(
        "a conflict of a requirement with what another asks for",
        ("cannot hold together", "dep>=2", "dep<2", "requirements.in:2", "requirements.in:3"),
        inputs("app\nold\ndep>=2\n"),
    ),
    Case(
        "an index that is not a URL",
        ("PIP_INDEX_URL: 'http://[' is neither a URL with a host nor", "pip config debug"),
        inputs("app\nnew\n"),
        env={"PIP_INDEX_URL": "http://["},
    ),
    Case(
        "a local project with broken TOML",
        ("requirements.in:2: ./lib has to be built", "failed: Expected ']'", "pip wheel"),
        inputs("app\n-e ./lib\n") | {"lib/pyproject.toml": "[project\nname = 'lib'\n"},
        never=("pip-tools failed",),
    ),
    Case(
        "a password in an option",
        ("requirements.in:2:", "password", "${NAME}"),
        inputs(f"app\n--extra-index-url http://user:{PASSWORD}@127.0.0.1:9/simple/\n"),
    ),
    Case(
        "a password in a requirement",
        ("requirements.in:2:", "password", "netrc"),
        inputs(f"app\ndep @ http://user:{PASSWORD}@127.0.0.1:9/dep-1.0-py3-none-any.whl\n"),
    ),
    Case(
        "a token in place of a user",
        ("requirements.in:2:", "password", "netrc"),
        inputs(f"app\ndep @ http://{PASSWORD}:@127.0.0.1:9/dep-1.0-py3-none-any.whl\n"),
    ),
    Case(
        "a password on a line with an error",
        ("requirements.in:2:",),
        inputs(f"app\n--extra-index http://user:{PASSWORD}@127.0.0.1:9/simple/ --bogus\n"),
    ),
    Case(
        "a password in a check",
        ("requirements.in:2:", "password", "${NAME}"),
        inputs(f"app\n--index-url=http://user:{PASSWORD}@127.0.0.1:9/simple/\n"),
        CHECK,
    ),
    Case(
        "a variable inside a requirement",
        ("requirements.in:2:", "variable", "written into the lock"),
        inputs("app\ndep @ http://127.0.0.1:9/${TOKEN}/dep-1.0-py3-none-any.whl\n"),
        env={"TOKEN": PASSWORD},
    ),
    Case(
        "a variable inside -e",
        ("requirements.in:2:", "variable", "written into the lock"),
        inputs("app\n-e git+http://${TOKEN}@127.0.0.1:9/dep\n"),
        env={"TOKEN": PASSWORD},
    ),
    Case(
        "unknown key",
        ("pyproject.toml", "`tool.nox-lock.generate-hash`", "did you mean 'generate-hashes'"),
        config("[tool.nox-lock]\ngenerate-hash = true\n"),
    ),
    Case(
        "unknown key of a lock",
        ("pyproject.toml", "`tool.nox-lock.locks.app.input`", "did you mean 'inputs'"),
        config(f"{LOCKS_TABLE}input = 'x.in'\n"),
    ),
    Case(
        "wrong type",
        ("pyproject.toml", "`tool.nox-lock.generate-hashes`", "true or false", "'yes'"),
        config("[tool.nox-lock]\ngenerate-hashes = 'yes'\n"),
    ),
    Case(
        "wrong type in a list",
        ("pyproject.toml", "`tool.nox-lock.python`", "list of strings"),
        config("[tool.nox-lock]\npython = [3.11]\n"),
    ),
    Case(
        "no Python",
        ("pyproject.toml", "`tool.nox-lock.python`", "'latest'", '"3.11"'),
        config("[tool.nox-lock]\npython = ['latest']\n"),
    ),
    Case(
        "bad on-stale",
        ("`tool.nox-lock.on-stale`", "'eror'", "did you mean 'error'", '"auto"'),
        config("[tool.nox-lock]\non-stale = 'eror'\n"),
    ),
    Case(
        "bad NOX_LOCK_ON_STALE",
        ("NOX_LOCK_ON_STALE", "'eror'", "did you mean 'error'", '"auto"'),
        inputs("new\n"),
        TESTS,
        env={"NOX_LOCK_ON_STALE": "eror"},
    ),
    Case(
        "bad NOX_LOCK_TIMEOUT",
        ("NOX_LOCK_TIMEOUT", "'soon'", "number of seconds"),
        inputs("dep\n"),
        env={"NOX_LOCK_TIMEOUT": "soon"},
    ),
    Case("invalid TOML", ("pyproject.toml", "line 2"), config("[tool.nox-lock]\npython =\n")),
    Case("invalid TOML, of a check", ("pyproject.toml", "line 2"), config("[a]\nb =\n"), CHECK),
    Case(
        "two inputs with one name",
        ("requirements-dev.in", "dev-requirements.in", "'dev'", "[tool.nox-lock.locks.NAME]"),
        {"requirements-dev.in": "dep\n", "dev-requirements.in": "dep\n"},
    ),
    Case(
        "a lock file outside the project",
        (
            "pyproject.toml",
            "`tool.nox-lock.locks.app.lockfile`",
            "'../app.txt'",
            "inside the project",
        ),
        config(f"{LOCKS_TABLE}lockfile = '../app.txt'\n"),
    ),
    Case(
        "an input that is configured and not there",
        ("no file other.in", "pyproject.toml"),
        config("[tool.nox-lock.locks.other]\ninputs = ['other.in']\n"),
    ),
    Case(
        "unknown option of lock",
        ("--upgrad", "--help"),
        args=(*LOCK, "--", "--upgrad"),
    ),
    Case(
        "unknown option of lock-check",
        ("--fornat", "--help"),
        args=(*CHECK, "--", "--fornat", "json"),
    ),
    Case(
        "unknown format",
        ("yaml", "json", "--help"),
        args=(*CHECK, "--", "--format", "yaml"),
    ),
    Case(
        "a package that is none to upgrade",
        ("--upgrade-package", "'=='"),
        args=(*LOCK, "--", "-P", "=="),
    ),
    Case(
        "a package with a bad version to upgrade",
        ("--upgrade-package", "'app===1,~=1'"),
        args=(*LOCK, "--", "-P", "app===1,~=1"),
    ),
    Case(
        "bad project",
        ("project='editible'", '"editable"', '"wheel"'),
        {"noxfile.py": NOXFILE.replace('"requirements"', '"requirements", project="editible"')},
        TESTS,
    ),
    Case(
        "an own session before add_sessions",
        ("'lock'", "add_sessions(lock="),
        {
            "noxfile.py": "import nox, nox_lock\n\n@nox.session(venv_backend='none')\n"
            "def lock(session): ...\n\nnox_lock.add_sessions()\n"
        },
    ),
    Case(
        "an existing file of pip freeze",
        ("requirements.txt", "not a lock file", "not overwritten", "lockfile", "--overwrite"),
        inputs("dep\n", requirements__txt="app==1.0\ndep==1.0\n"),
    ),
    Case(
        "an existing file with merge markers",
        ("requirements.txt:2", "merge conflict", "--overwrite"),
        inputs(
            "dep\n",
            requirements__txt="app==1.0\n<<<<<<< HEAD\ndep==1\n=======\ndep==2\n>>>>>>> x\n",
        ),
    ),
    Case(
        "an existing file written by hand",
        ("requirements.txt:1", "'app>=1'", "not a pin", "--overwrite"),
        inputs("dep\n", requirements__txt="app>=1\n# that was all\n"),
    ),
    Case(
        "an existing file that asks for another",
        ("requirements.txt", "not a lock file", "--overwrite"),
        inputs("dep\n", requirements__txt="-r other.txt\n"),
    ),
    Case(
        "an existing file of prose",
        ("requirements.txt:1", "--overwrite"),
        inputs("dep\n", requirements__txt="Dear reader,\n"),
    ),
    Case(
        "an existing file that is no text",
        ("requirements.txt", "not UTF-8"),
        # Written as bytes by the test.
        inputs("dep\n", requirements__txt="\udcff\udcfe\n"),
    ),
]

# These need a compile that fails. For each change one of the same kind is run without nox, and all
# that it says is compared: in test_failures.py and test_demands.py of tests/unit/compiling.
LONG = (
    "a repository that is not there",
    "an unknown project",
    "an unknown project that another asks for",
    "a version that does not exist",
    "a version for another Python",
    "a conflict of two requirements",
    "a conflict with a constraint",
    "a conflict of a requirement with what another asks for",
)


@pytest.fixture
def good(project: Project, lock: str) -> Project:
    """A project with a lock file that is fresh."""
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write("requirements.txt", lock)
    project.env.update(IMPATIENT)
    return project


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.long] * (case.name in LONG))
        for case in CASES
    ],
)
def test_it_is_refused_in_words(case: Case, good: Project) -> None:
    fill(good, case.files)
    run = refused(good, *case.args, env=case.env)
    missing = [words for words in case.says if words not in run.output]
    assert not missing, run.output
    assert not [words for words in case.never if words in run.output], run.output


def test_the_good_project_is_good(good: Project) -> None:
    before = good.snapshot()
    assert "up to date" in good.nox(*LOCK).ok().output
    good.nox(*CHECK).ok()
    assert good.snapshot() == before


OVERWRITTEN = [
    "an existing file with merge markers",
    "an existing file that asks for another",
    "an existing file that is no text",
]


@pytest.mark.parametrize("name", OVERWRITTEN)
def test_what_was_refused_is_written_over_when_told(name: str, good: Project) -> None:
    [case] = [case for case in CASES if case.name == name]
    fill(good, case.files)
    good.nox(*LOCK, "--", "--overwrite").ok()
    assert "\ndep==" in good.read("requirements.txt")
    assert "\napp==" not in good.read("requirements.txt")
    good.nox(*CHECK).ok()


def test_pins_of_a_file_that_is_no_lock_are_kept(good: Project) -> None:
    fill(good, inputs("dep\n", requirements__txt="dep==1.0\napp>=1\n"))
    good.nox(*LOCK, "--", "--overwrite").ok()
    assert "\ndep==1.0" in good.read("requirements.txt")


def test_a_file_that_holds_only_comments_may_be_written(good: Project) -> None:
    fill(good, inputs("dep\n", requirements__txt="\n# to come\n"))
    good.nox(*LOCK).ok()
    assert "\ndep==2.0" in good.read("requirements.txt")


def test_an_own_session_after_add_sessions(good: Project) -> None:
    own = "\n@nox.session(venv_backend='none')\ndef lock(session):\n    session.log('all mine')\n"
    good.write("noxfile.py", f"import nox\n{NOXFILE}{own}")
    for args in (CHECK, TESTS):
        run = refused(good, *args)
        assert "'lock'" in run.output
        assert "add_sessions(lock=" in run.output
    # nox runs the last session of a name; that one is not ours to refuse.
    assert "all mine" in good.nox(*LOCK).ok().output


@pytest.mark.parametrize("args", [LOCK, CHECK, TESTS], ids=["lock", "lock-check", "tests"])
def test_an_error_is_told_once(args: tuple[str, ...], good: Project) -> None:
    fill(good, inputs("app ==\n"))
    run = refused(good, *args)
    told = [line for line in run.output.splitlines() if "requirements.in:1" in line]
    assert len(told) == 1, run.output


def test_cases_are_told_apart() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert all(dataclasses.asdict(case)["says"] for case in CASES)
    assert {*OVERWRITTEN, *LONG} <= set(names)
