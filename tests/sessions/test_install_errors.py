"""An install that fails names the pins it is about, each with its line, and what mends it."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import itertools
import platform
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import pytest

from support.long import long
from support.pythons import HERE
from support.scripted import BROKEN, NOT_FOUND, Answer, RefusingIndex, ScriptedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from support.index import LocalIndex
    from support.prepared import Prepared
    from support.project import Project, Run

    Serving: TypeAlias = Callable[
        [LocalIndex], AbstractContextManager[ScriptedIndex] | AbstractContextManager[RefusingIndex]
    ]

LOCK = "requirements.txt"
BACKENDS = ("uv", "virtualenv")
# In the order in which they are asked for; `lib` is also a folder in every traceback.
PROJECTS = ("app", "lib", "lib-extra")
AGAIN = "Run it again when the package index answers"
ANOTHER = "Lock another version: nox -s lock -- -P lib\n"
NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", venv_backend="{backend}", project={project})
    def tests(session):
        session.run("python", "-c", "import app; print('app', 'runs')")
"""


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    for name in PROJECTS:
        prepared.index.publish(name, "1.0")
    prepared.project.write("requirements.in", "\n".join(PROJECTS))
    prepared.project.write("noxfile.py", NOXFILE.format(backend="uv|virtualenv", project=None))
    prepared.project.nox("-s", "lock").ok()
    prepared.freeze()
    return prepared


@pytest.fixture(scope="module")
def machines(made: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Project]:
    """Return what returns a project whose session ran, of a backend, made at its first use.

    Each test takes two of three projects away again.
    """

    @functools.cache
    def machine(backend: str) -> Project:
        project = made.copy(tmp_path_factory.mktemp(backend))
        project.env |= {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"}
        project.env |= {"UV_HTTP_RETRIES": "0", "PIP_RETRIES": "0"}
        project.write("noxfile.py", NOXFILE.format(backend=backend, project=None))
        project.nox("-s", "tests").ok()
        return project

    return machine


@pytest.fixture
def installed(machines: Callable[[str], Project], backend: str) -> Project:
    if backend == "uv" and importlib.util.find_spec("uv") is None:
        pytest.skip("uv is not installed")
    return machines(backend)


def pages(index: LocalIndex, *, mark: str = "") -> dict[str, Answer]:
    """Return the pages of the real index; `mark` stands in the link of `lib`."""
    found = {}
    for name in PROJECTS:
        [wheel] = index.folder.glob(f"{name.replace('-', '_')}-1.0-*.whl")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        link = f'href="{index.url}../packages/{wheel.name}#sha256={digest}"'
        here = mark if name == "lib" else ""
        body = f"<!DOCTYPE html><html><body><a {link}{here}>{wheel.name}</a></body></html>"
        found[name] = Answer(body=body.encode())
    return found


def place(project: Project, name: str) -> str:
    """Return how a pin is told, with its line."""
    lines = project.read(LOCK).splitlines()
    number = next(n for n, line in enumerate(lines, 1) if line.startswith(f"{name}=="))
    return f"{name}==1.0 ({LOCK}:{number})"


def run_without(project: Project, env: Mapping[str, str]) -> Run:
    """Run the session in an environment that lacks two of its three projects, and has another."""
    [app] = (project.root / ".nox" / "tests").rglob("app-1.0.dist-info")
    for name in ("lib", "lib_extra"):
        shutil.rmtree(app.with_name(f"{name}-1.0.dist-info"), ignore_errors=True)
    extra = app.with_name("extra-1.0.dist-info")
    extra.mkdir(exist_ok=True)
    (extra / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    (extra / "RECORD").write_text("extra-1.0.dist-info/METADATA,,\nextra-1.0.dist-info/RECORD,,\n")
    return project.nox("-s", "tests", env=env)


def told(run: Run) -> list[str]:
    """Return the pins that a failed run tells of."""
    return re.findall(r"nox >   (\S+==\S+ \(.*\))", run.output)


def without(index: LocalIndex, name: str, answer: Answer) -> ScriptedIndex:
    there = pages(index)
    del there[name]
    return ScriptedIndex(answer, there)


@contextmanager
def file_gone(index: LocalIndex) -> Iterator[ScriptedIndex]:
    with ScriptedIndex(NOT_FOUND, pages(index)) as scripted:
        wheel = next(index.folder.glob("lib-1.0-*.whl"))
        content = wheel.read_bytes()
        wheel.unlink()
        yield scripted
        wheel.write_bytes(content)


@contextmanager
def file_replaced(index: LocalIndex) -> Iterator[ScriptedIndex]:
    wheel = next(index.folder.glob("lib-1.0-*.whl"))
    content = wheel.read_bytes()
    index.publish("lib", "1.0", modules={"lib.py": "raise SystemExit('evil')\n"})
    # Where hashes stand in the links, pip and uv pass over other files without a look.
    bare = {
        name: Answer(body=re.sub(rb"#sha256=\w+", b"", answer.body))
        for name, answer in pages(index).items()
    }
    with ScriptedIndex(NOT_FOUND, bare) as scripted:
        yield scripted
    wheel.write_bytes(content)


FAILURES: dict[str, tuple[Serving, str]] = {
    "another file": (file_replaced, "The index has another file than the one that was locked"),
    "no such file": (file_gone, ANOTHER),
    "no such project": (lambda index: without(index, "lib", NOT_FOUND), ANOTHER),
    "a broken page": (lambda index: without(index, "lib", BROKEN), AGAIN),
    "nobody there": (lambda _: RefusingIndex(), AGAIN),
}
LONG = {("virtualenv", "no such project"), ("virtualenv", "a broken page")}


@pytest.mark.parametrize(
    ("backend", "failure"),
    [long(*case) if case in LONG else case for case in itertools.product(BACKENDS, FAILURES)],
)
def test_only_the_pin_that_failed_is_named(
    installed: Project, made: Prepared, failure: str
) -> None:
    """With its line and the fix; all that is installed stays."""
    serving, says = FAILURES[failure]
    with serving(made.index) as scripted:
        run = run_without(installed, {"PIP_INDEX_URL": scripted.url}).failed()
    assert "evil" not in run.output
    assert told(run) == [place(installed, "lib")]
    assert says in run.output
    assert {"app", "extra"} <= installed.venv_versions("tests").keys()
    assert not [*(installed.root / ".nox" / "tests").rglob("install.log")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_later_patch_release_is_needed(installed: Project, made: Prepared) -> None:
    """The lock is for the newest X.Y, whichever that is; the session runs on an older one."""
    mark = f' data-requires-python="&gt;={HERE}.90"'
    with ScriptedIndex(NOT_FOUND, pages(made.index, mark=mark)) as scripted:
        run = run_without(installed, {"PIP_INDEX_URL": scripted.url, "COLUMNS": "40"}).failed()
    assert told(run) == [place(installed, "lib")]
    has = platform.python_version()
    assert f'or lock for this one: [tool.nox-lock] python = ["{has}"]' in run.output


def test_a_file_that_was_replaced_is_locked_anew_where_that_is_asked(
    made: Prepared, tmp_path: Path
) -> None:
    """What the error tells to run puts the new hash into the lock."""
    project = made.copy(tmp_path)
    [before] = made.index.folder.glob("lib-1.0-*.whl")
    kept = before.read_bytes()
    wheel = made.index.publish("lib", "1.0", modules={"lib.py": "# another\n"})
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert digest not in project.read(LOCK)
    try:
        project.nox("-s", "lock", "--", "-P", "lib").ok()
    finally:
        before.write_bytes(kept)  # the index is that of all tests here
    assert digest in project.read(LOCK)


@pytest.mark.parametrize(
    ("backend", "reason"),
    [("uv", "eats data"), ("virtualenv", "eats data"), ("uv", ""), long("virtualenv", "")],
)
def test_a_pin_that_was_yanked_is_told(installed: Project, made: Prepared, reason: str) -> None:
    """It is installed, as it is pinned, and with its line the user hears of it."""
    with ScriptedIndex(NOT_FOUND, pages(made.index, mark=f' data-yanked="{reason}"')) as scripted:
        run = run_without(installed, {"PIP_INDEX_URL": scripted.url}).ok()
    shown, _, line = place(installed, "lib").partition(" ")
    assert f"nox > {shown} was yanked: {reason or '<none given>'} {line}\n" in run.output
    assert run.output.count("was yanked") == 1
    versions = installed.venv_versions("tests")
    assert {name: versions.get(name) for name in PROJECTS} == dict.fromkeys(PROJECTS, "1.0")
    assert "extra" not in versions


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_index_is_needed_where_all_is_there(installed: Project) -> None:
    installed.nox("-s", "tests").ok()
    with RefusingIndex() as refusing:
        run = installed.nox("-s", "tests", env={"PIP_INDEX_URL": refusing.url}).ok()
    assert "app runs" in run.output


@pytest.mark.parametrize(
    ("backend", "name", "value"),
    [
        ("virtualenv", "PIP_NO_INDEX", "1"),
        ("uv", "PIP_NO_INDEX", "1"),
        ("uv", "UV_OFFLINE", "1"),
        ("uv", "UV_EXCLUDE_NEWER", "2000-01-01"),
    ],
)
def test_a_setting_that_hides_releases_is_named(installed: Project, name: str, value: str) -> None:
    """Not the index, which has them."""
    run = run_without(installed, {name: value}).failed()
    assert f"Unset what may hide it, and run this again: {name}" in run.output
    assert "no longer has it" not in run.output


@pytest.mark.parametrize("backend", ["uv"])
@pytest.mark.parametrize(
    ("where", "setting"),
    [
        ("project", 'exclude-newer = "2000-01-01"'),
        ("user", 'exclude-newer = "2000-01-01"'),
        ("project", "no-index = true"),
        ("project", "offline = true"),
    ],
)
def test_what_uv_is_configured_with_is_named(
    installed: Project, where: str, setting: str, tmp_path: Path
) -> None:
    """Of the project's own table, or of a file that the user points uv to; in a narrow terminal."""
    env = {"COLUMNS": "40"}
    if where == "project":
        installed.write("pyproject.toml", f"[tool.uv]\n{setting}\n")
    else:
        (tmp_path / "uv.toml").write_text(f"{setting}\n", encoding="utf-8")
        env["UV_CONFIG_FILE"] = str(tmp_path / "uv.toml")
    run = run_without(installed, env).failed()
    (installed.root / "pyproject.toml").unlink(missing_ok=True)
    variable = f"UV_{setting.partition(' ')[0].upper().replace('-', '_')}"
    shown = f"{variable}, or the same in uv's configuration"
    assert f"Unset what may hide it, and run this again: {shown}\n" in run.output
    assert "no longer has it" not in run.output


@pytest.mark.parametrize("backend", ["virtualenv"])
@pytest.mark.parametrize("name", ["TARGET", "PREFIX", "ROOT", "USER", "DRY_RUN"])
def test_a_setting_with_which_nothing_is_installed_is_refused(
    installed: Project, name: str
) -> None:
    """Before anything is removed or installed."""
    value = "1" if name in {"USER", "DRY_RUN"} else "elsewhere"
    run = run_without(installed, {f"PIP_{name}": value}).failed()
    assert f"PIP_{name}: pip would install nothing into this environment" in run.output
    assert "Unset it: `pip config debug`" in run.output
    assert not installed.exists("elsewhere")
    assert any((installed.root / ".nox").rglob("extra-1.0.dist-info"))


@pytest.mark.parametrize("backend", ["uv", long("virtualenv")])
def test_a_project_that_cannot_be_built(installed: Project) -> None:
    """Nothing that is locked is to blame."""
    noxfile = installed.read("noxfile.py")
    installed.write("noxfile.py", noxfile.replace("project=None", "project='wheel'"))
    installed.write(
        "pyproject.toml",
        '[build-system]\nrequires = []\nbuild-backend = "absent"\n[project]\nname = "mine"\n',
    )
    run = installed.nox("-s", "tests").failed()
    installed.write("noxfile.py", noxfile)
    (installed.root / "pyproject.toml").unlink()
    assert "the project itself could not be installed" in run.output
    assert told(run) == []
