"""A compile that fails says which failure it was, where, and what to do: real runs of it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from importlib import metadata
from socket import gaierror
from ssl import SSLError
from typing import TYPE_CHECKING, NamedTuple

import pytest
from packaging.version import Version

from nox_lock.compiling.demands import Demand, Versions
from nox_lock.compiling.driver.report import describe_answer, failed_indexes
from nox_lock.compiling.failures import Report, describe_failure, read_report
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.inputs.syntax import parse_specifier
from nox_lock.project import Project
from support.compiles import CompileFolder
from support.git import begin
from support.offers import Offer
from support.scripted import (
    BROKEN,
    FORBIDDEN,
    GARBAGE,
    LOGIN,
    NOT_FOUND,
    SILENT,
    UNAUTHORIZED,
    RefusingIndex,
    ScriptedIndex,
)
from support.sdists import build_sdist, project_files, write_archive
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nox_lock.inputs.entry import Inputs

ZEROS = f"sha256:{'0' * 64}"
ONE, ANOTHER = "https://one.example/simple", "https://other.example/simple"


def exits(words: str) -> str:
    return f"raise SystemExit({words!r})"


def folder_of(name: str, code: str) -> dict[str, str]:
    """Return the files of a project in a folder of its own name."""
    return {f"{name}/{file}": text for file, text in project_files(name, code=code).items()}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedIndex]:
    offer, files = Offer(), tmp_path_factory.mktemp("files")
    for version in ("1.0", "1.1"):
        offer.add(build_wheel(files, "app", version, requires=["dep>=1"]))
    for version in ("1.0", "2.0"):
        offer.add(build_wheel(files, "dep", version))
    offer.add(build_wheel(files, "deep", "1.0", requires=["nowhere-to-be-found"]))
    offer.add(build_wheel(files, "asks", "1.0", requires=["odd==1.0"]))
    offer.add(build_wheel(files, "odd", "1.0", requires=["dep (<=0.29.*)"]))
    offer.add(build_wheel(files, "odd", "0.9"))
    offer.add(build_wheel(files, "later", "1.0", requires_python=">=3.99"))
    offer.add(build_wheel(files, "future", "1.0", requires_python=">=3.99"), python=">=3.99")
    offer.add(
        build_sdist(files, "clib", code=exits("libfoo.h was not found: apt install libfoo-dev"))
    )
    offer.add(build_wheel(files, "needs", "1.0", requires=["clib"]))
    offer.add(build_sdist(files, "aged", code="import pkg_resources"))
    noise = "\nfor number in range(60):\n    print('line', number)\n"
    offer.add(build_sdist(files, "noisy", code=f"{noise}raise SystemExit('the end')"))
    needy = {"pyproject.toml": "[build-system]\nrequires = ['no-such-backend']\n", "PKG-INFO": ""}
    offer.add(write_archive(files / "needy-1.0.tar.gz", needy))
    offer.add(build_wheel(files, "torn", "1.0"))
    with ScriptedIndex(
        NOT_FOUND, {**offer.answers(), "torn-1.0-py3-none-any.whl": BROKEN}
    ) as scripted:
        yield scripted


@pytest.fixture
def folder(tmp_path: Path, index: ScriptedIndex) -> CompileFolder:
    return CompileFolder(tmp_path, index.url)


class Case(NamedTuple):
    """What is asked for, and all that has to be said; `{index}` is for its address."""

    input: str
    said: str
    files: dict[str, str] = {}  # noqa: RUF012  (nobody changes it)
    pins: str = ""
    pip: str = "24.1"  # the first that says so


PIP = Version(metadata.version("pip"))
SPELLING = "Check its spelling, and that your pip configuration names the index that has it."
OTHER = "Ask for an older version, or lock for another Python."
NEEDS = "Install what its build needs, or ask for a version with a wheel for this Python."
AGAIN = "Run this again when it can be reached, or keep a copy of it in the project."
STRANGER = "Nothing was locked: another index may offer somebody else's package instead."
METADATA = """\
.* suffix can only be used with `==` or `!=` operators
    dep (<=0.29.*)
         ~~~~~~~^
Ask for another version: only its makers can repair this one."""
LIB = """\
build: requirements.in:2: ./lib has to be built to be locked, and its build failed: no luck
See what is wrong with it: python -m pip wheel --no-deps ./lib"""
PINS = "app==1.1\ndep==2.0"
CASES = {
    "a project that no index has": Case(
        "app\nNo.Such_project>=1\n",
        "unknown project: requirements.in:2: no package index has a project 'no-such-project'\n"
        + SPELLING,
    ),
    "a project that no index has, beside pins": Case(
        "app\nNo.Such_project>=1\n",
        "unknown project: requirements.in:2: no package index has a project 'no-such-project'\n"
        + SPELLING,
        pins=PINS,
    ),
    "a project that another asks for": Case(
        "app\ndeep\n",
        "unknown project: requirements.in:2: no package index has a project 'nowhere-to-be-found'"
        f" (required by deep)\n{SPELLING}",
    ),
    "a version that does not exist": Case(
        "app\ndep==99\n",
        "no version: requirements.in:2: no version meets dep==99; there are 1.0, 2.0",
    ),
    "a version that does not exist, beside pins": Case(
        "app\ndep==99\n",
        "no version: requirements.in:2: no version meets dep==99; there are 1.0, 2.0",
        pins=PINS,
    ),
    "another Python, by metadata": Case(
        "app\nlater\n",
        "python: requirements.in:2: later has no version for this Python: 1.0 wants Python >=3.99\n"
        + OTHER,
    ),
    "another Python, by the page": Case(
        "app\nfuture\n",
        "python: requirements.in:2: future has no version for this Python: "
        f"1.0 wants Python >=3.99\n{OTHER}",
    ),
    "a build that says why": Case(
        "app\nneeds\n",
        "build: requirements.in:2: clib has to be built to be locked, and its build failed: "
        f"libfoo.h was not found: apt install libfoo-dev\n{NEEDS}",
    ),
    "a build that says a lot": Case(
        "noisy\n",
        "\n".join(
            [
                (
                    "build: requirements.in:1: noisy has to be built to be locked, "
                    "and its build failed: the end"
                ),
                *(f"  line {number}" for number in range(21, 60)),
                "  the end",
                NEEDS,
            ]
        ),
    ),
    "a build whose needs nobody has": Case(
        "needy\n",
        "build: requirements.in:1: needy has to be built to be locked, and its build failed: "
        "ERROR: No matching distribution found for no-such-backend\n"
        "  Looking in indexes: {host}\n"
        "  ERROR: Could not find a version that satisfies the requirement no-such-backend "
        "(from versions: none)\n"
        f"  ERROR: No matching distribution found for no-such-backend\n{NEEDS}",
    ),
    "a folder": Case("app\n./lib\n", LIB, folder_of("lib", exits("no luck"))),
    "what a folder requires": Case(
        "app\n./lib\n",
        "build: requirements.in:2: clib has to be built to be locked, and its build failed: "
        f"libfoo.h was not found: apt install libfoo-dev\n{NEEDS}",
        folder_of("lib", "def requires():\n    return ['clib']\n"),
    ),
    "an editable folder": Case("app\n-e ./lib\n", LIB, folder_of("lib", exits("no luck"))),
    "a folder whose project file is not TOML": Case(
        "app\n./lib\n",
        "build: requirements.in:2: ./lib has to be built to be locked, and its build failed: "
        "Invalid value (at line 2, column 8)\n"
        "See what is wrong with it: python -m pip wheel --no-deps ./lib",
        {"lib/pyproject.toml": "[project]\nname = \n"},
    ),
    "a folder without a project": Case(
        "app\n./lib\n",
        "other: requirements.in:2: pip-tools failed: Directory './lib' is not installable. "
        "Neither 'setup.py' nor 'pyproject.toml' found.",
        {"lib/notes.txt": ""},
    ),
    "metadata that pip refuses": Case(
        "app\nodd==1.0\n",
        "metadata: requirements.in:2: odd 1.0 cannot be used: pip refuses its metadata: "
        + METADATA,
    ),
    "metadata that pip refuses, further down": Case(
        "app\nasks\n",
        "metadata: requirements.in:2: odd 1.0 (required by asks) cannot be used: "
        f"pip refuses its metadata: {METADATA}",
    ),
    "extras in an egg fragment": Case(
        "app\ngit+https://host.example/x.git@v1#egg=requests[socks]\n",
        "syntax: requirements.in:2: 'egg=requests[socks]' of a URL is more than a project's name\n"
        "Write it as: requests[socks] @ git+https://host.example/x.git@v1",
        pip="26.0",
    ),
    "extras in the egg fragment of an editable": Case(
        "app\n-e git+https://host.example/x.git#egg=requests[socks]&subdirectory=a\n",
        "syntax: requirements.in:2: 'egg=requests[socks]' of a URL is more than a project's name\n"
        "Write it as: -e requests[socks] @ git+https://host.example/x.git#subdirectory=a",
        pip="26.0",
    ),
    "a version in an egg fragment": Case(
        "app\ngit+https://host.example/x.git@v1#egg=requests==1.0\n",
        "syntax: requirements.in:2: 'egg=requests==1.0' of a URL is more than a project's name\n"
        "Write it as: requests @ git+https://host.example/x.git@v1",
        pip="26.0",
    ),
    "a hash of an input that no file has": Case(
        f"dep==1.0\napp==1.0 --hash={ZEROS}\n",
        "hash: requirements.in:2: app: no file that is offered has a hash that is given here\n"
        "Correct the hashes, or take them out of the input.",
        pip="26.3",
    ),
    "another file than is locked": Case(
        "app\n",
        "hash: requirements.in:1: app: the index offers another file than those that the lock file "
        "has hashes of\n"
        "Somebody may have tampered with it: find out. If all is well, or the version was changed "
        "by hand, lock with: -- -P app==VERSION",
        pins=f"app==1.0 \\\n    --hash={ZEROS}",
        pip="26.3",
    ),
    "a file that an index does not give": Case(
        "app\ntorn\n",
        f"index: requirements.in:2: torn {{host}} cannot be read: it answered 500\n{AGAIN}",
    ),
    "a URL that is not there": Case(
        "app\ndep @ {index}dep-1.2-py3-none-any.whl\n",
        "index: requirements.in:2: dep {index}dep-1.2-py3-none-any.whl cannot be read: "
        f"it answered 404\n{AGAIN}",
    ),
    "a repository that cannot be reached": Case(
        "app\nx @ git+{index}x.git@v1\n",
        "build: requirements.in:2: x: its repository cannot be read: repository '{index}x.git/' "
        "not found\nCheck its address and revision, and that you may read it.",
    ),
    "a remote file of constraints": Case(
        "app\n-c {index}limits.txt\n",
        "index: requirements.in:2: --constraint {index}limits.txt cannot be read: it answered 404\n"
        f"{AGAIN}",
    ),
}
# Each is much like another one.
LONG = (
    "a project that no index has, beside pins",
    "a version that does not exist, beside pins",
    "a build whose needs nobody has",
    "another Python, by the page",
    "an editable folder",
    "a folder without a project",
    "metadata that pip refuses",
    "a version in an egg fragment",
    "extras in an egg fragment",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in LONG else name for name in CASES]
)
def test_a_failure(name: str, folder: CompileFolder, index: ScriptedIndex, tmp_path: Path) -> None:
    case = CASES[name]
    if Version(case.pip) > PIP:
        pytest.skip(f"pip {PIP} takes it")
    folder.write({**case.files, "requirements.in": case.input.replace("{index}", index.url)})
    said = folder.fail(order=folder.order(case.pins))
    expected = case.said.replace("{host}", index.url.removesuffix("/simple/"))
    assert said == expected.replace("{index}", index.url)
    assert str(tmp_path) not in said


def test_a_build_that_needs_pkg_resources(folder: CompileFolder) -> None:
    """What it printed is between the two: a traceback, which differs by Python."""
    said = folder.fail({"requirements.in": "app\naged\n"})
    assert said.startswith(
        "build: requirements.in:2: aged has to be built to be locked, and its build failed: "
        "ModuleNotFoundError: No module named 'pkg_resources'\n  "
    )
    assert said.endswith(
        "\nIt needs a setuptools that still has pkg_resources: write setuptools<81 into "
        'builds.txt, and [tool.nox-lock] build-constraints = ["builds.txt"]'
    )


def test_a_project_that_is_an_input(folder: CompileFolder) -> None:
    """Its file is named, and how to see the whole of it."""
    files = project_files("mine", code=exits("no version control here"))
    config = '[tool.nox-lock.locks.mine]\ninputs = ["pyproject.toml"]\n'
    said = folder.fail({**files, "pyproject.toml": files["pyproject.toml"] + config})
    assert said == (
        "build: pyproject.toml: pyproject.toml has to be built to be locked, and its build failed: "
        "no version control here\n"
        "See what is wrong with it: python -m pip wheel --no-deps ."
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dep ==", "syntax: requirements.in:2: Invalid requirement: 'dep =='"),
        pytest.param("--bogus x", "syntax: ", marks=pytest.mark.long),
    ],
)
def test_what_changed_after_it_was_read(line: str, said: str, folder: CompileFolder) -> None:
    """pip reads inputs once more, and says by itself what is wrong."""
    folder.write({"requirements.in": "app\n"})
    found = folder.fail({"requirements.in": f"app\n{line}\n"}, folder.order())
    assert found.startswith(said)
    assert line.partition(" ")[0] in found
    assert "Its format: https://" in found


def test_a_revision_that_a_repository_has_not(folder: CompileFolder, tmp_path: Path) -> None:
    """Where it is on this machine is not said."""
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "setup.py").write_text("", encoding="utf-8")
    begin(repository, folder.home)
    url = f"git+{repository.as_uri()}@no-such-tag"
    said = folder.fail({"requirements.in": f"app\nx @ {url}\n"})
    assert said.startswith("build: requirements.in:2: x: its repository cannot be read: ")
    assert "no-such-tag" in said
    assert str(tmp_path) not in said


@pytest.mark.long
def test_a_repository_where_there_is_no_git(folder: CompileFolder, index: ScriptedIndex) -> None:
    folder.hide_pythons()
    said = folder.fail({"requirements.in": f"app\nx @ git+{index.url}x.git\n"})
    assert "git" in said
    assert "requirements.in:2" in said


def test_an_index_that_has_nothing_any_more(folder: CompileFolder) -> None:
    with ScriptedIndex(NOT_FOUND) as gone:
        folder.environ["PIP_INDEX_URL"] = gone.url
        folder.write({"requirements.in": "app\n"})
        said = folder.fail(order=folder.order(PINS))
    assert said.startswith(
        "unknown project: requirements.in:1: no package index has a project 'app'"
    )


def test_a_remote_file_that_cannot_be_reached(folder: CompileFolder) -> None:
    with RefusingIndex() as refusing:
        said = folder.fail({"requirements.in": f"app\n-r {refusing.url}more.in\n"})
        assert said.startswith(
            f"index: requirements.in:2: --requirement {refusing.url}more.in cannot be read: "
            "it cannot be reached: connection refused\n"
        )


@pytest.mark.long
def test_a_url_that_cannot_be_reached(folder: CompileFolder) -> None:
    with RefusingIndex() as refusing:
        url = f"{refusing.url}dep-1.0-py3-none-any.whl"
        said = folder.fail({"requirements.in": f"app\ndep @ {url}\n"})
        assert said.startswith(
            f"index: requirements.in:2: dep {url} cannot be read: "
            "it cannot be reached: connection refused\n"
        )


def test_indexes_that_fail_where_pip_is_content(folder: CompileFolder) -> None:
    """It takes what the others have. Each is named, with how it failed; and nothing is locked."""
    refused = "it cannot be reached: connection refused"
    faults = {
        UNAUTHORIZED: "it answered 401: it wants a user name and password",
        FORBIDDEN: "it answered 403 to everything",
        BROKEN: "it answered 500",
        GARBAGE: "it answered text/plain, which is no package index",
        LOGIN: "what it answers for app is not a page of the simple API: is it a login page?",
        SILENT: "it did not answer in time",
    }
    with ExitStack() as stack:
        urls = {
            stack.enter_context(ScriptedIndex(answer)).url: why for answer, why in faults.items()
        }
        urls[stack.enter_context(RefusingIndex()).url] = refused
        plain = stack.enter_context(ScriptedIndex(NOT_FOUND)).url
        # By name: TLS to an address is an error of pip 24.2's own.
        tls = plain.replace("http://127.0.0.1", "https://localhost")
        urls[tls] = "TLS failed: its certificate is not trusted"
        urls["https://nowhere.invalid/simple/"] = "its name cannot be resolved"
        urls["http://nowhere.invalid/simple/"] = "it is plain http and not trusted by pip"
        # Those that only have not what is asked for are no failure.
        fine = stack.enter_context(ScriptedIndex(NOT_FOUND)).url
        folder.environ["PIP_EXTRA_INDEX_URL"] = " ".join([*urls, fine])
        folder.environ["PIP_DEFAULT_TIMEOUT"] = "1"
        said = folder.fail({"requirements.in": "app\n"})
        assert not folder.report.kind
        assert said.startswith("index: a package index failed: ")
        assert said.endswith(STRANGER)
        for url, why in urls.items():
            assert f"{url.rstrip('/')}: {why}" in said
        assert fine not in said
        assert "password" in said


# What is shown of what others say

SECRET = "planted-in-what-is-said"  # noqa: S105
TEXTS = (
    f"Looking in indexes: https://user:{SECRET}@h.example/simple",
    f"https://user:p@{SECRET}@h.example/simple",
    f"https://{SECRET}@h.example/simple",
    f"git+https://{SECRET}@h.example/mine.git",
    f"https://h.example/simple?token={SECRET}",
    f"(from https://h.example/mine.whl?X-Amz-Signature={SECRET})",
    f"http://user:{SECRET}@h.example:9/ 'http://{SECRET}@h.example'",
)
KINDS_OF_REPORTS = (
    "hash",
    "egg",
    "repository",
    "build",
    "syntax",
    "download",
    "tool",
    "other",
    "not known yet",
)


@pytest.mark.parametrize("kind", KINDS_OF_REPORTS)
def test_no_secret_and_no_folder_is_shown(kind: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("app\n", encoding="utf-8")
    inputs = read_inputs(["requirements.in"], Files(Project(tmp_path, {})))
    for text in TEXTS:
        said = f"{text} is odd in {tmp_path}/requirements.in"
        report = Report(kind, said, output=[said, said])
        # Addresses are reported without credentials.
        report = report._replace(link="git+https://h.example/x.git")
        error = describe_failure(report, inputs)
        assert error is not None
        assert error.kind in {"index", "hash", "syntax", "build", "tool", "other"}
        assert SECRET not in f"{error}", text
        assert str(tmp_path) not in f"{error}"


def test_a_failure_that_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("app\n", encoding="utf-8")
    inputs = read_inputs(["requirements.in"], Files(Project(tmp_path, {})))
    for kind in KINDS_OF_REPORTS:
        assert str(describe_failure(Report(kind), inputs))
    assert describe_failure(Report(), inputs) is None


@pytest.mark.parametrize(
    ("project", "folder"), [("pyproject.toml", "."), ("libs/a/setup.py", "libs/a")]
)
def test_how_to_see_what_is_wrong_with_a_project(project: str, folder: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("app\n", encoding="utf-8")
    inputs = read_inputs(["requirements.in"], Files(Project(tmp_path, {})))
    error = describe_failure(Report("build", "x", project=project), inputs)
    assert error is not None
    assert error.place == (project, None)
    assert error.hint == f"See what is wrong with it: python -m pip wheel --no-deps {folder}"


def test_a_full_disk_comes_before_all_else(tmp_path: Path) -> None:
    """What failed because of it is beside the point."""
    (tmp_path / "requirements.in").write_text("app\n", encoding="utf-8")
    inputs = read_inputs(["requirements.in"], Files(Project(tmp_path, {})))
    failed = [("https://h.example/simple", "it answered 500")]
    full = Report("disk", "No space left on device", indexes=failed)
    error = describe_failure(full, inputs)
    assert str(error) == "the disk is full: nothing was written"
    error = describe_failure(Report("other", "x", indexes=failed), inputs)
    assert error is not None
    assert error.kind == "index"


@pytest.mark.parametrize(
    ("statuses", "failed"),
    [
        ({"a": 404, "b": 404}, False),
        ({"a": 410}, False),
        ({"a": 403, "b": 404}, False),
        ({"a": 403, "b": 200}, False),
        ({"a": 403, "b": 403}, True),
        ({"a": 404, "b": 500}, True),
        ({"a": 200, "b": 502}, True),
        ({"a": 200, "b": 429}, True),
        ({"a": 404, "b": 401}, True),
        ({"a": 404, "b": 407}, True),
    ],
)
def test_answers_of_an_index(statuses: dict[str, int], *, failed: bool) -> None:
    pages = [answered(ANOTHER, status) for status in statuses.values()]
    # Another one that has everything does not make it good.
    pages += [answered(ONE)] * len(statuses)
    found = failed_indexes(pages)
    assert [address for address, _ in found] == [ANOTHER] * failed


def answered(address: str, status: int = 200) -> tuple[str, int | None, str]:
    return address, status, "" if status == 200 else f"it answered {status}"


NO_PAGE = ANOTHER, 200, "it is no page"


def test_what_is_no_page_of_the_simple_api() -> None:
    """A login page is answered with 200. From the only index it does no harm."""
    failed = [(ANOTHER, "it is no page")]
    assert failed_indexes([NO_PAGE]) == failed
    assert failed_indexes([NO_PAGE, answered(ANOTHER)]) == []
    assert failed_indexes([NO_PAGE, answered(ANOTHER, 404)]) == []
    assert failed_indexes([]) == []
    for status in (200, 404):
        pages = [NO_PAGE, answered(ANOTHER, status), answered(ONE)]
        assert failed_indexes(pages) == failed


def test_what_cannot_be_read_is_a_failure_of_any_index() -> None:
    odd = (ANOTHER, None, "it cannot be read")
    assert failed_indexes([odd, answered(ANOTHER)]) == [(ANOTHER, "it cannot be read")]


def test_every_failing_index_is_named_once_with_its_first_reason(inputs: Inputs) -> None:
    pages = [
        (ONE, None, "it cannot be reached"),
        (ONE, None, "it did not answer in time"),
        answered(ANOTHER, 500),
        answered(ANOTHER, 403),
    ]
    failed = failed_indexes(pages)
    assert failed == [(ONE, "it cannot be reached"), (ANOTHER, "it answered 500")]
    assert failed_indexes(pages[3:]) == [(ANOTHER, "it answered 403 to everything")]
    error = describe_failure(Report(indexes=failed), inputs)
    assert error is not None
    assert error.kind == "index"
    assert error.message == (
        f"a package index failed: {ONE}: it cannot be reached; {ANOTHER}: it answered 500"
    )
    assert "somebody else's package" in (error.hint or "")


def test_of_an_index_in_a_folder_no_path_of_the_machine_is_shown(inputs: Inputs) -> None:
    error = describe_failure(Report(indexes=[("file:///home/someone/simple", "it is odd")]), inputs)
    assert error is not None
    assert error.message == "a package index failed: file://simple: it is odd"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SSLError("x"), "TLS failed: its certificate is not trusted, or it speaks no TLS"),
        (ConnectionRefusedError(), "it cannot be reached: connection refused"),
        (TimeoutError(), "it did not answer in time"),
        (gaierror(), "its name cannot be resolved"),
        (ConnectionResetError(), "its answer broke off"),
        (ConnectionError(), "it cannot be reached"),
        (RuntimeError("it is odd"), "it is odd"),
        (RuntimeError(), "it gave no answer"),
    ],
)
def test_how_a_page_was_not_answered(error: Exception, said: str) -> None:
    assert describe_answer(error) == (None, said)
    around = RuntimeError("something else")
    around.__cause__ = error
    if type(error) is not RuntimeError:
        assert describe_answer(around) == (None, said)


def test_no_secret_of_an_answer_is_shown(inputs: Inputs) -> None:
    problem = f"https://user:{SECRET}@h.example/x?token={SECRET} at /home/someone/x is odd"
    said = str(describe_failure(Report(indexes=[(ONE, problem)]), inputs))
    assert SECRET not in said
    assert "someone" not in said
    assert "odd" in said


@pytest.mark.parametrize(
    "option",
    ["-c {}", "-c https://${{NAME_OF_IT}}:${{TOKEN_OF_IT}}@h.example/limits.txt", "-r {}?x=1"],
)
def test_a_remote_file_that_cannot_be_read_is_named_with_its_line(
    option: str, tmp_path: Path
) -> None:
    """Credentials and query are not reported."""
    url = "https://h.example/limits.txt"
    text = f"app\n{option.format(url)}\n"
    (tmp_path / "requirements.in").write_text(text, encoding="utf-8")
    inputs = read_inputs(["requirements.in"], Files(Project(tmp_path, {})))
    error = describe_failure(Report("download", "it answered 404", link=url), inputs)
    assert error is not None
    assert error.place == ("requirements.in", 2)
    assert f" {url} cannot be read: it answered 404" in error.message


def test_a_remote_file_that_was_redirected_is_the_only_one_there_is(tmp_path: Path) -> None:
    report = Report("download", "it answered 404", link="https://elsewhere.example/x.txt")
    for more, place in (("", ("requirements.in", 2)), ("-r https://h.example/b.txt\n", None)):
        text = f"app\n-c https://h.example/a.txt\n{more}"
        (tmp_path / "requirements.in").write_text(text, encoding="utf-8")
        inputs = read_inputs(["requirements.in"], Files(Project(tmp_path, {})))
        error = describe_failure(report, inputs)
        assert error is not None
        assert error.place == place


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    (tmp_path / "a.in").write_text("top\napp<2\nlib\n-c limits.txt\n", encoding="utf-8")
    (tmp_path / "limits.txt").write_text("lib<3\nlib<2\n", encoding="utf-8")
    return read_inputs(["a.in"], Files(Project(tmp_path, {})))


SAID = {
    "indexes": [["https://one.example/simple", "it answered 500"]],
    "built": [["app", "1.0"]],
    "failure": {
        "kind": "demands",
        "message": "in /home/me/project",
        "name": "app",
        "file": "a.in",
        "line": 2,
        "demands": [
            {"project": "app", "text": "app<2", "specifier": "<2", "file": "a.in", "line": 2},
            {"project": "app", "text": "app", "by": ["mid[x]", "1"], "through": ["mid", "top"]},
            {"project": "lib", "text": "lib<2", "specifier": "<2", "constraint": True},
            {"project": "old", "text": "old==1", "specifier": "==1", "constraint": True},
        ],
        "versions": {"app": {"found": ["1.0"], "refused": {"1.5": "bad metadata"}}},
    },
}


def test_a_report_is_read(tmp_path: Path, inputs: Inputs) -> None:
    """Each demand and failure with the requirement of an input that it comes from."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps(SAID), encoding="utf-8")
    top, app, _, limit = (inputs.entries[number] for number in (0, 1, 2, 4))
    less = parse_specifier("<2")
    assert read_report(path, inputs, lambda text: text.replace("/home/me/", "")) == Report(
        "demands",
        "in project",
        name="app",
        entry=app,
        demands=[
            Demand("app", "app<2", less, entry=app),
            Demand("app", "app", None, "mid[x]", ("1",), top, ("top",)),
            Demand("lib", "lib<2", less, entry=limit),
        ],
        versions={"app": Versions(found=["1.0"], refused={"1.5": "bad metadata"})},
        indexes=[["https://one.example/simple", "it answered 500"]],
        built=[["app", "1.0"]],
    )


@pytest.mark.parametrize("text", ["", "{torn", '{"pages": [', "\x00"])
def test_one_that_is_not_whole_is_none(text: str, tmp_path: Path, inputs: Inputs) -> None:
    path = tmp_path / "report.json"
    assert read_report(path, inputs) is None
    path.write_text(text, encoding="utf-8")
    assert read_report(path, inputs) is None


def test_what_is_of_no_compile_is_passed_over(tmp_path: Path, inputs: Inputs) -> None:
    """Where pip is not supported, the report says what this Python is, instead."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"unsupported": ["pip.x"], "version": "3.11"}), encoding="utf-8")
    assert read_report(path, inputs) == Report(demands=[], unsupported=["pip.x"])
