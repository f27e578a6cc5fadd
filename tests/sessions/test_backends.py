"""Sessions with a lock: each backend, nox's flags, the project itself, and what CI may do."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import backend as build
from support.backend import project_table, publish_backend
from support.locks import fingerprint, hashed_pin, pins
from support.long import long

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.index import LocalIndex
    from support.prepared import Prepared
    from support.project import Project, Run

BACKENDS = ("virtualenv", "venv", "uv")
# Where the backend is of no concern: the quick one, if it is there.
ANY = "uv|virtualenv"
NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", venv_backend="{backend}")
    def tests(session):
        session.run("python", "-c", "import app, lib; print('lib', lib.__version__, 'runs')")
"""
LOCK = "requirements.txt"
INPUT = "requirements.in"
WANTED = {"app": "1.0", "lib": "1.0"}
# What virtualenv and venv put into every environment themselves.
SEEDS = {"pip", "setuptools", "wheel"}


def need(backend: str) -> None:
    if backend == "uv" and importlib.util.find_spec("uv") is None:
        pytest.skip("uv is not installed")


def publish(index: LocalIndex) -> None:
    index.publish("app", "1.0", requires=["lib"])
    index.publish("lib", "1.0")


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    publish(prepared.index)
    prepared.project.write("noxfile.py", NOXFILE.format(backend=ANY))
    prepared.project.write(INPUT, "app\n")
    prepared.project.nox("-s", "lock").ok()
    prepared.index.publish("lib", "2.0")
    prepared.freeze()
    return prepared


@pytest.fixture
def locked(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    """Return a project with a lock; lib 2.0 came out afterwards."""
    yield from made.lend(tmp_path)


@pytest.fixture
def installed(locked: Project) -> Project:
    """Return a project whose session has run once."""
    locked.nox("-s", "tests").ok()
    return locked


def content(project: Project, environment: str = "tests") -> dict[str, str]:
    """Return what an environment holds beside its own seeds."""
    found = project.venv_versions(environment)
    return {name: version for name, version in found.items() if name not in SEEDS}


def python_of(project: Project, environment: str = "tests") -> str:
    folder = project.root / ".nox" / environment
    return str(folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))


def pip(project: Project, *arguments: str) -> None:
    """Change the session's environment by hand."""
    command = [sys.executable, "-m", "pip", "--python", python_of(project), "-q", *arguments]
    subprocess.run(command, env=project.environment(), check=True, capture_output=True)


def installs(run: Run) -> int:
    """Count the installer runs that nox has logged."""
    return run.output.count("pip install")


# Each backend


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_backend_installs_the_lock_once(locked: Project, made: Prepared, backend: str) -> None:
    """The first run installs exactly the lock, with its hashes; the second runs no installer."""
    need(backend)
    locked.write("noxfile.py", NOXFILE.format(backend=backend))
    first = locked.nox("-s", "tests").ok()
    assert "lib 1.0 runs" in first.output
    assert content(locked) == WANTED
    assert installs(first) == 1
    assert ("uv pip install" in first.output) is (backend == "uv")
    assert re.search(r"--no-deps --require-hashes -r \S*requirements-hashed\.txt", first.output)
    assert made.index.downloads("app") > 0

    made.index.stop()
    made.index.clear_requests()
    second = locked.nox("-s", "tests").ok()
    assert "lib 1.0 runs" in second.output
    assert installs(second) == 0
    assert made.index.requests() == []


@pytest.mark.parametrize("backend", [long("virtualenv"), "uv"])
def test_a_lock_without_hashes_installs_too(
    project: Project, index: LocalIndex, backend: str
) -> None:
    """`generate-hashes = false` makes a lock that is installed without asking for hashes."""
    need(backend)
    publish(index)
    project.write("noxfile.py", NOXFILE.format(backend=backend))
    project.write("pyproject.toml", "[tool.nox-lock]\ngenerate-hashes = false\n")
    project.write(INPUT, "app\n")
    run = project.nox("-s", "tests").ok()
    assert "--hash" not in project.read(LOCK)
    assert "--require-hashes" not in run.output
    assert content(project) == WANTED


def test_without_environment_and_install_it_runs_on_what_is_there(locked: Project) -> None:
    """`--no-venv --no-install` is nox's way to say: use what there is; nothing is installed."""
    locked.write(
        "noxfile.py",
        """
        import nox_lock

        @nox_lock.session
        def tests(session):
            session.run("python", "-c", "print('the body', 'runs')", external=True)
        """,
    )
    run = locked.nox("--no-venv", "--no-install", "-s", "tests").ok()
    assert "the body runs" in run.output
    assert installs(run) == 0
    assert not locked.exists(".nox/tests")


# nox's flags


def test_reuse_without_install_never_locks(installed: Project, made: Prepared) -> None:
    """`-R` with a stale or missing lock is an error that names the reason, and writes nothing."""
    before = fingerprint(installed.root / LOCK)
    installed.write(INPUT, "app\nlib>=2\n")
    made.index.clear_requests()
    run = installed.nox("-R", "-s", "tests").failed()
    assert "lib>=2 is not met by lib==1.0 (requirements.in:2)" in run.output
    assert "nox -s lock" in run.output
    assert fingerprint(installed.root / LOCK) == before
    (installed.root / LOCK).unlink()
    run = installed.nox("-R", "-s", "tests").failed()
    assert f"there is no lock file ({LOCK})" in run.output
    assert not installed.exists(LOCK)
    assert made.index.requests() == []


def test_reuse_venv_is_the_users_to_say(locked: Project) -> None:
    """`reuse_venv=False` goes through: each run makes the environment, and installs, anew."""
    noxfile = NOXFILE.format(backend=ANY)
    locked.write("noxfile.py", noxfile.replace("venv_backend=", "reuse_venv=False, venv_backend="))
    for _ in range(2):
        run = locked.nox("-s", "tests").ok()
        assert "Creating virtual environment" in run.output
        assert installs(run) == 1


# What the environment holds


def test_a_lock_bumped_by_a_bot_is_installed_as_it_is(installed: Project, made: Prepared) -> None:
    """A pin that another tool moved, within what the inputs allow, is kept and installed."""
    text = installed.read(LOCK)
    moved = hashed_pin(made.index.publish("lib", "2.0"), "app")
    bot = re.sub(r"# nox-lock:.*\n", "", text[: text.index("lib==1.0")]) + moved
    assert "# nox-lock:" in text
    assert pins(bot) == {"app": "1.0", "lib": "2.0"}
    installed.write(LOCK, bot)
    assert "lib 2.0 runs" in installed.nox("-s", "tests", env={"CI": "1"}).ok().output
    assert installed.read(LOCK) == bot


# The project itself


def own_table(version: str) -> str:
    return project_table("my-own", version, dependencies="['app']")


@pytest.fixture
def own(locked: Project, made: Prepared) -> Project:
    """Return the same as a distribution of its own, which a backend of the index builds."""
    publish_backend(made.index)
    locked.write("pyproject.toml", own_table("1.0"))
    locked.write("my_own.py", "WORD = 'first'\n")
    return locked


OWN_NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", venv_backend="{backend}", {more})
    def tests(session):
        session.chdir(session.create_tmp())
        code = "import importlib.metadata as m, my_own; print(my_own.WORD, m.version('my-own'))"
        session.run("python", "-c", code)
"""


@pytest.mark.parametrize("backend", ["virtualenv", "uv"])
def test_an_editable_project_is_installed_beside_its_lock(
    own: Project, made: Prepared, backend: str
) -> None:
    """`project="editable"`: edits are seen at once; it is built again only if its build changed."""
    need(backend)
    own.write("noxfile.py", OWN_NOXFILE.format(backend=backend, more='project="editable"'))
    (own.root / LOCK).unlink()  # the cache has it
    told = own.nox("-s", "tests").ok().output
    assert "first 1.0" in told
    assert "what the project itself needs" not in told
    assert content(own) == {**WANTED, "my-own": "1.0"}
    assert made.index.downloads(build.NAME) > 0
    assert "does not hold exactly" not in own.nox("-R", "-s", "tests").ok().output
    own.write("my_own.py", "WORD = 'second'\n")
    made.index.clear_requests()
    run = own.nox("-s", "tests").ok()
    assert "second 1.0" in run.output
    assert installs(run) == 0
    assert made.index.requests() == []

    own.write("pyproject.toml", own_table("1.1").replace("'app'", "'app', 'more>=2'"))
    told = own.nox("-R", "-s", "tests").ok().output
    assert "tests does not hold the project as it is now" in told
    told = own.nox("-s", "tests").ok().output
    assert "second 1.1" in told
    assert f"{LOCK} has not all that the project itself needs" in told
    assert "  my-own 1.1 needs more>=2, which is not installed\n" in told
    assert pins(own.read(LOCK)) == WANTED  # the project is not in its own lock


@pytest.mark.parametrize("backend", [long("virtualenv"), "uv"])
def test_a_project_as_a_wheel_is_what_the_sources_are_now(
    own: Project, made: Prepared, backend: str
) -> None:
    """`project="wheel"`: a build of the present sources, not editable, at each run."""
    need(backend)
    own.write("noxfile.py", OWN_NOXFILE.format(backend=backend, more='project="wheel"'))
    (own.root / LOCK).unlink()  # the cache has it
    assert "first 1.0" in own.nox("-s", "tests").ok().output
    assert content(own) == {**WANTED, "my-own": "1.0"}
    assert made.index.downloads(build.NAME) > 0
    own.write("my_own.py", "WORD = 'second'\n")
    run = own.nox("-s", "tests").ok()
    assert "second 1.0" in run.output
    assert f"-r {LOCK}" not in run.output
    own.write("my_own.py", "WORD = 'third'\n")
    assert "second 1.0" in own.nox("-R", "-s", "tests").ok().output


def test_another_word_for_the_project_is_refused(own: Project) -> None:
    """A misspelt `project=` is an error that says what there is."""
    own.write("noxfile.py", OWN_NOXFILE.format(backend="none", more='project="editabel"'))
    run = own.nox("--no-venv", "--no-install", "-s", "tests").failed()
    assert "'editabel'" in run.output
    assert 'is neither "editable" nor "wheel"' in run.output


@pytest.mark.parametrize("backend", [long("virtualenv"), "uv"])
def test_an_input_that_names_the_project_itself_locks_and_installs(
    own: Project, made: Prepared, backend: str
) -> None:
    """`-e .` in an input: hashes for all that can have them, and the project is installed."""
    need(backend)
    own.write("noxfile.py", OWN_NOXFILE.format(backend=backend, more=""))
    own.write(INPUT, "-e .\n")
    own.nox("-s", "lock").ok()
    text = own.read(LOCK)
    assert pins(text) == WANTED
    assert text.count("--hash=sha256:") == len(WANTED)
    assert str(own.root) not in text
    own.nox("-s", "lock-check").ok()

    first = own.nox("-s", "tests").ok()
    assert "first 1.0" in first.output
    assert f"{LOCK}: installed without a hash: " in first.output
    assert installs(first) == 2  # those with hashes, and the rest
    assert content(own) == {**WANTED, "my-own": "1.0"}
    own.write("my_own.py", "WORD = 'second'\n")
    made.index.clear_requests()
    run = own.nox("-s", "tests").ok()
    assert "second 1.0" in run.output
    assert installs(run) == 0
    assert own.read(LOCK) == text

    # That the project itself can have no hash switches those of the others not off.
    shutil.rmtree(own.root / ".nox")
    shutil.rmtree(own.home / ".cache", ignore_errors=True)  # uv's has the file that was locked
    made.index.publish("lib", "1.0", modules={"lib.py": "raise SystemExit('evil')\n"})
    refused = own.nox("-s", "tests").failed()
    assert "hash" in refused.output.lower()
    assert "lib" not in content(own)


@pytest.mark.long
@pytest.mark.network
def test_the_real_hatchling_builds_the_project(own: Project) -> None:
    """The same with the real index and another build backend."""
    own.index = None
    (own.root / LOCK).unlink()
    own.write(
        "pyproject.toml",
        """
        [build-system]
        requires = ["hatchling"]
        build-backend = "hatchling.build"

        [project]
        name = "my-own"
        version = "1.0"
        dependencies = ["six"]

        [tool.hatch.build]
        include = ["my_own.py"]
        """,
    )
    own.write("noxfile.py", OWN_NOXFILE.format(backend="virtualenv", more=""))
    own.write(INPUT, "-e .\n")
    assert "first 1.0" in own.nox("-s", "tests").ok().output
    assert set(content(own)) == {"my-own", "six"}
    assert own.read(LOCK).count("--hash=sha256:") > 1


# Several locks in one environment


TWO_LOCKS = """
    import pathlib

    import nox
    import nox_lock

    nox_lock.add_sessions()
    USE = ("python", "-c", "import app, extra, lib; print('lib', lib.__version__, 'runs')")


    @nox_lock.session(lock=["requirements", "dev"], venv_backend="uv|virtualenv")
    def tests(session):
        session.run(*USE)


    @nox.session(reuse_venv=True, venv_backend="uv|virtualenv")
    def byhand(session):
        session.chdir(session.create_tmp())  # the lock files are those beside the noxfile
        before = pathlib.Path.cwd()
        nox_lock.install(session, "dev", "requirements")
        assert pathlib.Path.cwd() == before
        session.run(*USE)
"""


def test_locks_that_agree_share_an_environment(project: Project, index: LocalIndex) -> None:
    """Two locks with the same pins of what both have go into one environment, once."""
    publish(index)
    index.publish("extra", "1.0", requires=["lib"])
    project.write("noxfile.py", TWO_LOCKS)
    project.write(INPUT, "app\n")
    project.write("requirements-dev.in", "extra\n")
    project.nox("-s", "lock").ok()
    for session in ("tests", "byhand"):
        assert "lib 1.0 runs" in project.nox("-s", session).ok().output
        assert content(project, session) == {**WANTED, "extra": "1.0"}
        assert installs(project.nox("-s", session).ok()) == 0


ADDED = """
    import nox
    import nox_lock

    nox_lock.add_sessions()
    RUN = ("python", "-c", "import app, tool; print('both', 'run')")


    @nox_lock.session(lock="requirements", venv_backend="uv|virtualenv")
    def tests(session):
        session.install("tool")
        nox_lock.install(session, "dev")
        session.run(*RUN)


    @nox.session(reuse_venv=True, venv_backend="uv|virtualenv")
    def byhand(session):
        nox_lock.install(session, "requirements")
        session.install("tool")
        nox_lock.install(session, "dev")
        session.run(*RUN)
"""


def test_locks_of_one_session_add_up(project: Project, index: LocalIndex) -> None:
    """Also with what the body installs in between; what the second lock has no more goes."""
    publish(index)
    for name in ("extra", "more", "tool"):
        index.publish(name, "1.0", requires=["lib"] if name == "extra" else [])
    project.env["UV_DEFAULT_INDEX"] = index.url
    project.write("noxfile.py", ADDED)
    project.write(INPUT, "app\n")
    project.write("requirements-dev.in", "extra\nmore\n")
    project.nox("-s", "lock").ok()
    both = {**WANTED, "extra": "1.0", "tool": "1.0"}
    for session in ("tests", "byhand"):
        assert "both run" in project.nox("-s", session).ok().output
        assert content(project, session) == both | {"more": "1.0"}
        again = project.nox("-s", session).ok().output
        assert again.count("pip install") == 1  # that of the body
        assert "uninstall" not in again
    # From here on the first of the two makes the lock anew: each once.
    project.write("requirements-dev.in", "extra\n")
    for session in ("byhand", "tests"):
        assert "both run" in project.nox("-s", session).ok().output
        assert content(project, session) == both
        assert "uninstall" not in project.nox("-s", session).ok().output
    index.publish("lib", "2.0")
    project.write("requirements-dev.in", "extra\nlib>1\n")
    for session in ("tests", "byhand"):
        run = project.nox("-s", session).failed()
        assert "1.0 in requirements.txt, 2.0 in requirements-dev.txt" in run.output


def test_locks_that_do_not_agree_are_refused(project: Project, index: LocalIndex) -> None:
    """Two locks with other pins are an error that names project, versions and files."""
    publish(index)
    index.publish("lib", "2.0")
    index.publish("extra", "1.0", requires=["lib"])
    project.write("noxfile.py", TWO_LOCKS)
    project.write(INPUT, "app\nlib<2\n")
    project.write("requirements-dev.in", "extra\n")
    project.nox("-s", "lock").ok()
    for session in ("tests", "byhand"):
        run = project.nox("-s", session).failed()
        assert "do not agree" in run.output
        (line,) = [line for line in run.output.splitlines() if "  lib: " in line]
        assert "1.0 in requirements.txt" in line
        assert "2.0 in requirements-dev.txt" in line
        assert installs(run) == 0


# What a session may do with a stale lock


@pytest.fixture
def stale(locked: Project) -> Project:
    """Return a project whose lock does not meet its input's second line."""
    locked.write(INPUT, "app\nlib>=2\n")
    return locked


REASON = "lib>=2 is not met by lib==1.0 (requirements.in:2)"


def test_a_stale_lock_is_made_anew_on_the_desk(stale: Project) -> None:
    """Without CI a session says why the lock is stale, locks, says what moved, and runs on it."""
    run = stale.nox("-s", "tests", env={"PYTHONIOENCODING": "utf-8"}).ok()
    assert f"✗ {LOCK}: stale" in run.output
    assert REASON in run.output
    assert f"{LOCK}: compiled" in run.output
    assert "    ~ lib 1.0 → 2.0 (major), lib>=2 (requirements.in:2)\n" in run.output
    assert "lib 2.0 runs" in run.output


ERRORS: tuple[tuple[str, dict[str, str]], ...] = (
    ("", {"CI": "1"}),
    ('on-stale = "auto"', {"CI": "true"}),
    ('on-stale = "error"', {}),
    ("", {"NOX_LOCK_ON_STALE": "error"}),
    ('on-stale = "lock"', {"NOX_LOCK_ON_STALE": "error"}),
    ('on-stale = "lock"', {"NOX_LOCK_ON_STALE": "auto", "CI": "1"}),
)


def test_a_stale_lock_is_an_error_where_it_is_to_be_one(stale: Project) -> None:
    """In CI, or where on-stale says so: the reason, what to run, exit code 1, nothing written."""
    for said, variables in ERRORS:
        stale.write("pyproject.toml", f"[tool.nox-lock]\n{said}\n")
        before = stale.snapshot()
        run = stale.nox("-s", "tests", env=variables).failed()
        assert run.returncode == 1
        assert REASON in run.output, (said, variables)
        assert "Run: nox -s lock" in run.output
        assert installs(run) == 0
        assert stale.snapshot() == before


def test_ci_locks_where_it_is_told_to(stale: Project) -> None:
    """`on-stale = "lock"`, in the project or the environment, holds in CI, too."""
    before = stale.read(LOCK)
    ways = {'on-stale = "lock"': {"CI": "1"}, "": {"CI": "1", "NOX_LOCK_ON_STALE": "lock"}}
    for said, variables in ways.items():
        stale.write("pyproject.toml", f"[tool.nox-lock]\n{said}\n")
        stale.write(LOCK, before)
        assert "lib 2.0 runs" in stale.nox("-s", "tests", env=variables).ok().output
        stale.nox("-s", "lock-check").ok()


def test_a_fresh_lock_is_no_concern_of_ci(locked: Project) -> None:
    """In CI a fresh lock is installed, and a missing one is an error."""
    assert "lib 1.0 runs" in locked.nox("-s", "tests", env={"CI": "1"}).ok().output
    (locked.root / LOCK).unlink()
    run = locked.nox("-s", "tests", env={"CI": "1"}).failed()
    assert f"there is no lock file ({LOCK})" in run.output
    assert "Run: nox -s lock" in run.output


def test_a_broken_lock_is_never_made_anew_by_a_session(locked: Project) -> None:
    """A lock file with a merge conflict is an error with its line, on the desk, too."""
    locked.write(LOCK, locked.read(LOCK) + "<<<<<<< HEAD\n")
    before = locked.snapshot()
    number = locked.read(LOCK).count("\n")
    for variables in ({}, {"NOX_LOCK_ON_STALE": "lock"}):
        run = locked.nox("-s", "tests", env=variables).failed()
        assert f"({LOCK}:{number})" in run.output
        assert "merge conflict" in run.output
        assert "Run: nox -s lock -- --overwrite" in run.output
    assert locked.snapshot() == before


def test_a_misspelt_way_with_stale_locks_is_refused(stale: Project) -> None:
    """An unknown NOX_LOCK_ON_STALE is named, with the ones there are."""
    run = stale.nox("-s", "tests", env={"NOX_LOCK_ON_STALE": "eror"}).failed()
    assert "NOX_LOCK_ON_STALE is 'eror'; did you mean 'error'?" in run.output


def test_what_to_run_is_called_by_its_name_in_this_noxfile(stale: Project) -> None:
    """Where the locking session has another name, messages say that one."""
    noxfile = NOXFILE.format(backend=ANY)
    named = noxfile.replace("add_sessions()", 'add_sessions(lock="freeze", check="thaw")')
    stale.write("noxfile.py", named)
    for session in ("tests", "thaw"):
        run = stale.nox("-s", session, env={"CI": "1"}).failed()
        assert REASON in run.output
        assert "Run: nox -s freeze" in run.output
        assert "nox -s lock" not in run.output
    stale.nox("-s", "freeze").ok()
    stale.nox("-s", "thaw").ok()


def test_pip_of_the_user_may_require_what_it_likes(locked: Project, tmp_path: Path) -> None:
    """A user's pip settings hold for the session's own installs, as in nox; the lock wins."""
    limits = tmp_path / "limits.txt"
    limits.write_text("unrelated<2\n", encoding="utf-8")
    variables = {"PIP_CONSTRAINT": str(limits), "PIP_CONFIG_FILE": os.devnull}
    assert "lib 1.0 runs" in locked.nox("-s", "tests", env=variables).ok().output
    assert content(locked) == WANTED
