"""A session's environment is its lock: exact, whole, and left alone when nothing changed."""

from __future__ import annotations

import hashlib
import importlib.util
import random
import re
import shutil
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from support.locks import hashed_pin, stamp_all
from support.long import long
from support.project import Project, finish, kill
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Run

LOCK = "requirements.txt"
WANTED = {"app": "1.0", "dep": "1.0", "lib": "1.0"}
SEEDS = {"pip", "setuptools", "wheel"}
ANY = "uv|virtualenv"
BACKENDS = ["virtualenv", "uv", long("venv")]
# What does not depend on who installs.
ONE_SOON = ["uv", *map(long, ("virtualenv", "venv"))]
NOXFILE = """
    import nox
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", venv_backend="{backend}"{more})
    def tests(session):
        {body}
"""
RUN = "session.run('python', '-c', 'import app, lib; print(lib.__version__, chr(114) + \"uns\")')"


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    index = prepared.index
    index.publish("app", "1.0", requires=["lib", "dep"])
    index.publish("dep", "1.0")
    for version in ("1.0", "2.0"):
        index.publish("lib", version)
        index.publish("tool", version, requires=["gear"])
    index.publish("gear", "1.0")
    for number, name in enumerate(("binary", "source", "moved", "split")):
        # Each of its own size: byte code is told apart by second and size.
        index.publish(name, "1.0", modules={"shared.py": f"owner = {name!r}  {'#' * number}\n"})
    index.publish("split", "2.0", requires=["moved"])
    prepared.project.write("noxfile.py", NOXFILE.format(backend=ANY, more="", body=RUN))
    prepared.project.write("requirements.in", "app\nlib<2\n")
    prepared.project.nox("-s", "lock").ok()
    prepared.project.write("requirements.in", "app\nlib\n")
    prepared.freeze()
    return prepared


@pytest.fixture
def project(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    yield from made.lend(tmp_path)


def use(project: Project, backend: str = ANY, body: str = RUN, more: str = "") -> None:
    """Write the noxfile."""
    if backend == "uv" and importlib.util.find_spec("uv") is None:
        pytest.skip("uv is not installed")
    project.write("noxfile.py", NOXFILE.format(backend=backend, more=more, body=body))


def run(project: Project, *options: str) -> Run:
    assert project.index is not None
    # For what a body installs by itself: nox tells uv nothing of pip's indexes.
    return project.nox(*options, "-s", "tests", env={"UV_DEFAULT_INDEX": project.index.url})


def content(project: Project) -> dict[str, str]:
    """Return what the environment says of itself, but for its seeds."""
    found = project.venv_versions("tests")
    return {name: version for name, version in found.items() if name not in SEEDS}


def by_hand(project: Project, *arguments: str) -> None:
    python = project.root / ".nox" / "tests" / "bin" / "python"
    if sys.platform == "win32":
        python = project.root / ".nox" / "tests" / "Scripts" / "python.exe"
    command = [sys.executable, "-m", "pip", "--python", str(python), "-q", *arguments]
    if uv := shutil.which("uv"):  # in a tenth of the time
        arguments = tuple(each for each in arguments if each != "-y")
        command = [uv, "pip", *arguments, "--python", str(python), "-q"]
    assert project.index is not None
    environment = project.environment({"UV_DEFAULT_INDEX": project.index.url})
    subprocess.run(command, env=environment, check=True, capture_output=True)


def changes(told: Run) -> list[str]:
    """Return the installer runs that nox has logged."""
    return re.findall(r"pip (?:install|uninstall) .*", told.output)


@pytest.mark.parametrize("backend", ONE_SOON)
def test_what_the_body_installs_stays_while_it_does(project: Project, backend: str) -> None:
    """It is no extra the next time, nor later: nothing tells whether the body needs it still."""
    both = WANTED | {"tool": "2.0", "gear": "1.0"}
    use(project, backend, "session.install('tool')")
    run(project).ok()
    use(project, backend)
    run(project).ok()
    assert content(project) == both  # as last time
    by_hand(project, "uninstall", "-y", "gear")
    run(project).ok()
    assert content(project) == WANTED | {"tool": "2.0"}


SHARED = "session.run('python', '-c', 'import shared; print(shared.owner, chr(46))')"


def lock_alone(project: Project, name: str) -> None:
    """Write the input and the lock of one project, without a compile."""
    assert project.index is not None
    [wheel] = project.index.folder.glob(f"{name}-1.0-*.whl")
    project.write("requirements.in", f"{name}\n")
    stamp_all(project.root, {"requirements": hashed_pin(wheel, "-r requirements.in")})


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_project_gives_way_to_one_with_the_same_files(project: Project, backend: str) -> None:
    """As `psycopg2-binary` does to `psycopg2`, and not before the new one could be fetched."""
    assert project.index is not None
    use(project, backend, SHARED)
    project.env |= {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"}
    project.env |= {"UV_HTTP_RETRIES": "0", "PIP_RETRIES": "0"}
    for name in ("binary", "source"):
        lock_alone(project, name)
        if name == "source":
            before = listing(project)
            project.index.stop()
            assert "not all that is locked could be installed" in run(project).failed().output
            project.index.start()
            assert listing(project) == before
        assert f"{name} ." in run(project).ok().output
        assert content(project) == {name: "1.0"}


def listing(project: Project) -> list[str]:
    """Return the files of the environment, but for byte code and our notes."""
    files = (path.relative_to(project.root) for path in project.root.glob(".nox/tests/**/*"))
    return sorted(str(path) for path in files if not {"__pycache__", "nox-lock"} & {*path.parts})


@pytest.mark.parametrize("backend", ONE_SOON[:2])
def test_what_was_removed_takes_no_file_along(project: Project, backend: str) -> None:
    """What stays is whole, though what went had a file of the same name."""
    lock_alone(project, "source")
    use(project, backend, SHARED)
    run(project).ok()
    by_hand(project, "install", "--no-deps", "binary")
    told = run(project).ok()
    assert "source ." in told.output
    assert len(changes(told)) == 3  # source is fetched, both go, source is installed again
    assert changes(run(project).ok()) == []


@pytest.mark.parametrize("backend", ["virtualenv", long("uv")])
def test_an_old_version_takes_no_file_along(project: Project, backend: str) -> None:
    """It had a file that another project has from now on, which pip installs before it."""
    use(project, backend, SHARED)
    for pin, owner in (("split<2", "split"), ("split", "moved")):
        project.write("requirements.in", f"{pin}\n")
        project.nox("-s", "lock", "--", "-P", "split").ok()
        assert f"{owner} ." in run(project).ok().output
    assert changes(run(project).ok()) == []


@pytest.mark.parametrize("backend", ["virtualenv", "uv"])
def test_metadata_that_is_there_twice_or_was_lost(project: Project, backend: str) -> None:
    """Also of what is not locked: its files go, too."""
    use(project, backend)
    run(project).ok()
    by_hand(project, "install", "tool==1.0", "binary")
    [site] = (project.root / ".nox" / "tests").rglob("site-packages")
    for name, version in (("lib", "0.9"), ("dep", "2.0"), ("tool", "2.0")):
        copy = site / f"{name}-{version}.dist-info"
        shutil.copytree(site / f"{name}-1.0.dist-info", copy)
        (site / f"{name}_{version[0]}.py").touch()
        with (copy / "RECORD").open("a", encoding="utf-8") as record:
            record.write(f"{name}_{version[0]}.py,,\n{copy.name}/RECORD,,\n")
    (site / "dep-1.0.dist-info" / "RECORD").unlink()
    (site / "binary-1.0.dist-info" / "METADATA").unlink()
    assert "1.0 runs" in run(project).ok().output
    assert content(project) == WANTED
    left = {path.name for path in site.glob("*.*")}
    assert not left & {"lib_0.py", "dep_2.py", "tool_2.py", "tool.py", "shared.py", "gear.py"}
    assert not [*site.glob("*-0.9*"), *site.glob("*-2.0*")]
    assert changes(run(project).ok()) == []


def test_a_body_that_deletes_the_folder_it_is_in(project: Project) -> None:
    """What it installed is recorded all the same."""
    gone = "import os, tempfile; path = tempfile.mkdtemp(); os.chdir(path); os.rmdir(path)"
    use(project, body=f"session.install('gear'); {gone}")
    for _ in range(2):
        done = run(project).ok()
        assert "cannot be recorded" not in done.output
        assert "uninstall" not in done.output


def test_what_cannot_be_recorded_is_said(project: Project) -> None:
    """No error takes the place of the body's own."""
    lose = "import shutil; shutil.rmtree('.nox/tests/nox-lock')"
    lose += "; open('.nox/tests/nox-lock', 'w').close()"
    use(project, body=f"session.install('gear'); {lose}; session.error('mine')")
    done = run(project).failed()
    assert "what this session installed cannot be recorded: the operating system" in done.output
    assert "mine" in done.output


def test_under_r_it_says_what_differs_and_not_that_the_body_did_it(project: Project) -> None:
    use(project, body="pass")
    run(project).ok()
    by_hand(project, "uninstall", "-y", "dep")
    for _ in range(2):
        told = run(project, "-R").ok()
        assert f"does not hold exactly what is locked in {LOCK}" in told.output
        assert "  dep==1.0 is not installed (requirements.txt:" in told.output
        assert "changed by this session" not in told.output


def test_what_is_half_installed_and_not_locked_goes(project: Project) -> None:
    use(project)
    run(project).ok()
    by_hand(project, "install", "gear")
    notes = project.root / ".nox" / "tests" / "nox-lock"
    (notes / "unfinished").write_text("gear", encoding="utf-8")
    run(project).ok()
    assert content(project) == WANTED


def test_what_a_failing_body_left_is_recorded_too(project: Project) -> None:
    use(project, body="session.install('tool'); session.error('no')")
    run(project).failed()
    assert "uninstall" not in run(project).failed().output
    assert content(project) == WANTED | {"tool": "2.0", "gear": "1.0"}


def test_a_plain_session_has_no_record(project: Project) -> None:
    use(project)
    noxfile = project.read("noxfile.py").partition("@nox_lock.session")[0] + (
        "@nox.session(venv_backend='uv|virtualenv', reuse_venv=True)\ndef tests(session):\n"
        "    nox_lock.install(session, 'requirements')\n    session.install('tool')\n"
    )
    project.write("noxfile.py", noxfile)
    assert "uninstall" not in run(project).ok().output
    second = run(project).ok()
    assert "uninstall" in second.output
    assert content(project) == WANTED | {"tool": "2.0", "gear": "1.0"}


@pytest.mark.parametrize("backend", ONE_SOON)
def test_a_pin_that_the_body_changed(project: Project, backend: str) -> None:
    """It is told with both versions, and repaired by the next run."""
    use(project, backend, "session.install('lib==2.0')")
    said = run(project).ok().output
    assert "changed by this session itself" in said
    assert re.search(rf"lib==1\.0 is locked, 2\.0 is installed \({LOCK}:\d+\)", said)
    assert content(project) == WANTED | {"lib": "2.0"}
    use(project, backend)
    assert "1.0 runs" in run(project).ok().output
    assert content(project) == WANTED


@pytest.mark.parametrize("backend", ["virtualenv", "uv"])
def test_constrained_to_the_lock(project: Project, backend: str) -> None:
    use(project, backend, "session.install('--upgrade', 'lib', 'tool')", more=", constrain=True")
    run(project).ok()
    assert content(project) == WANTED | {"tool": "2.0", "gear": "1.0"}
    use(project, backend, "session.install('--upgrade', 'lib')")
    run(project).ok()
    assert content(project)["lib"] == "2.0"


def test_a_lock_that_lacks_what_a_pin_needs(project: Project) -> None:
    """No file tells it; what is installed does. `nox -s lock`, as is told, makes it whole."""
    use(project)
    text = project.read(LOCK)
    start = text.index("dep==1.0")
    end = text.index("lib==1.0")
    project.write(LOCK, text[:start] + text[end:])
    assert f"{LOCK} lacks what its own pins need" in run(project).failed().output
    project.nox("-s", "lock").ok()
    assert "1.0 runs" in run(project).ok().output
    assert content(project) == WANTED


def test_what_the_body_installs_meets_no_need_of_a_pin(project: Project) -> None:
    """A new environment would not have it yet."""
    text = project.read(LOCK)
    app, dep, lib = (text.index(f"{name}==1.0") for name in ("app", "dep", "lib"))
    use(project, body="session.install('dep')")
    project.write("requirements.in", "lib\n")
    project.write(LOCK, text[:app] + text[lib:])
    run(project).ok()
    assert content(project) == {"dep": "1.0", "lib": "1.0"}
    project.write("requirements.in", "app\nlib\n")
    project.write(LOCK, text[:dep] + text[lib:])
    assert f"{LOCK} lacks what its own pins need" in run(project).failed().output


def test_what_was_left_out_as_unsafe_is_not_missed(project: Project, made: Prepared) -> None:
    made.index.publish("builder", "1.0", requires=["distribute"])
    made.index.publish("distribute", "1.0")
    use(project, body="pass")
    project.write("requirements.in", "builder\n")
    project.write("pyproject.toml", "[tool.nox-lock]\nallow-unsafe = false\n")
    project.nox("-s", "lock").ok()
    assert "# distribute" in project.read(LOCK)
    run(project).ok()
    assert content(project) == {"builder": "1.0"}


def test_extras_need_what_they_bring(project: Project, made: Prepared) -> None:
    """Of an extra that was stripped from the lock, the input tells."""
    made.index.publish("rich", "1.0", extras={"fast": ["gear"], "slow": ["absent"]})
    use(project, body="pass")
    project.write("requirements.in", "rich[fast]\n")
    project.nox("-s", "lock").ok()
    run(project).ok()
    assert content(project) == {"rich": "1.0", "gear": "1.0"}
    text = project.read(LOCK)
    project.write(LOCK, text[: text.index("gear==")] + text[text.index("rich==") :])
    assert "rich 1.0 needs gear" in run(project).failed().output


def test_a_lock_made_elsewhere_that_lacks_something(project: Project) -> None:
    use(project)
    text = project.read(LOCK)
    text = re.sub(r"platform=\S+", "platform=sunos5-sparc", text)
    text = text[: text.index("dep==1.0")] + text[text.index("lib==1.0") :]
    project.write(LOCK, text)
    said = run(project).failed().output
    assert "app 1.0 needs dep" in said
    assert f'platforms = ["sunos5", "{sys.platform}"]' in said


@pytest.mark.parametrize("backend", ONE_SOON[:2])
def test_one_pin_of_sixty_moved(project: Project, made: Prepared, backend: str) -> None:
    """By the index's own log, that one alone is asked for and fetched; nothing else is touched."""
    names = ["lib", *(f"other-{number}" for number in range(59))]
    hashes = {
        f"{name}=={version}": hashlib.sha256(made.index.publish(name, version).read_bytes())
        for name in names
        for version in ("1.0", "2.0")
    }

    def write_lock(bumped: str = "") -> None:
        header = "# This file is autogenerated by pip-compile with Python {}.{}\n"
        pins = (f"{name}=={'2.0' if name == bumped else '1.0'}" for name in names)
        lines = (f"{pin} \\\n    --hash=sha256:{hashes[pin].hexdigest()}\n" for pin in pins)
        project.write(LOCK, header.format(*sys.version_info) + "".join(lines))

    def touched() -> dict[str, tuple[int, int]]:
        files = (project.root / ".nox" / "tests").rglob("*.py")
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}

    use(project, backend, "pass")
    project.write("requirements.in", "\n".join(names))
    write_lock()
    run(project).ok()
    assert len(content(project)) == 60
    before = touched()
    write_lock("lib")
    made.index.clear_requests()
    told = run(project).ok()
    assert content(project) == dict.fromkeys(names, "1.0") | {"lib": "2.0"}
    assert len(changes(told)) == 1
    asked = {request.path.split("?")[0] for request in made.index.requests()}
    assert {re.split(r"[/-]", path)[2] for path in asked} == {"lib"}, asked
    assert made.index.downloads("lib") == 1
    after = touched()
    assert {name for name in before | after if before.get(name) != after.get(name)} == {"lib.py"}


def test_what_is_half_deleted_is_mended_alone(project: Project, made: Prepared) -> None:
    use(project)
    project.env |= {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"}
    run(project).ok()
    (metadata,) = (project.root / ".nox" / "tests").rglob("lib-1.0.dist-info/METADATA")
    metadata.unlink()
    made.index.clear_requests()
    run(project).ok()
    assert made.index.pages("lib") > 0
    assert made.index.pages("app") == 0


@pytest.mark.parametrize("backend", ONE_SOON[:2])
def test_what_was_being_installed_is_not_trusted(project: Project, backend: str) -> None:
    """An installer that is ended may have taken old files away, and left the metadata."""
    use(project, backend)
    run(project).ok()
    [code] = (project.root / ".nox" / "tests").rglob("lib.py")
    code.unlink()
    notes = project.root / ".nox" / "tests" / "nox-lock"
    (notes / "unfinished").write_text("lib", encoding="utf-8")
    told = run(project).ok()
    assert "1.0 runs" in told.output
    assert code.exists()
    assert changes(run(project).ok()) == []
    (record,) = (project.root / ".nox" / "tests").rglob("dep-1.0.dist-info/RECORD")
    record.unlink()
    run(project).ok()
    assert content(project) == WANTED
    assert record.exists()


def test_two_runs_into_one_environment_take_turns(project: Project) -> None:
    use(project)
    run(project).ok()
    by_hand(project, "uninstall", "-y", "dep", "lib")
    both = finish(*(project.start_nox("-R" if n else "-r", "-s", "tests") for n in (0, 0)))
    for each in both:
        each.ok()
    assert content(project) == WANTED


def test_an_environment_that_cannot_be_written(project: Project) -> None:
    """Where a file stands in the way, or the disk is full, there is no traceback."""
    use(project)
    run(project).ok()
    by_hand(project, "uninstall", "-y", "dep")
    notes = project.root / ".nox" / "tests" / "nox-lock"
    shutil.rmtree(notes)
    notes.touch()
    said = run(project).failed().output
    assert ".nox/tests/nox-lock: the operating system refused this: " in said


def test_an_environment_whose_pip_is_broken_is_made_anew(project: Project) -> None:
    """Ended while nox made it, or made by two at once: nox takes it for whole from then on."""
    use(project, "virtualenv")
    project.env["VIRTUALENV_SYMLINK_APP_DATA"] = "0"  # its own pip is broken, not that of all
    run(project).ok()
    by_hand(project, "uninstall", "-y", "dep", "lib")
    [command] = (project.root / ".nox" / "tests").rglob("pip/_internal/commands/install.py")
    command.unlink()
    told = run(project).ok()
    assert "pip does not run in this environment: creating it again" in told.output
    assert content(project) == WANTED
    assert "creating it again" not in run(project).ok().output


def kill_some(project: Project, backend: str, rounds: int) -> None:
    """Kill installs at random moments; each next run ends exact."""
    use(project, backend)
    run(project).ok()
    seed = random.randrange(10**6)  # noqa: S311  (to be told, not to be guessed)
    chance = random.Random(seed)  # noqa: S311
    for number in range(rounds):
        by_hand(project, "install", "tool")
        by_hand(project, "uninstall", "-y", "dep", "lib")
        process = project.start_nox("-s", "tests")
        time.sleep(chance.uniform(0.15, 1.5))
        kill(process)
        process.communicate()
        told = run(project)
        assert told.returncode == 0, f"seed {seed}, round {number}: {told.output}"
        assert content(project) == WANTED, f"seed {seed}, round {number}"


@pytest.mark.parametrize("backend", ["virtualenv", long("uv")])
def test_a_killed_install_is_mended(project: Project, backend: str) -> None:
    kill_some(project, backend, 2)


@pytest.mark.long
@pytest.mark.parametrize("backend", ["virtualenv", "uv", "venv"])
def test_many_killed_installs_are_mended(project: Project, backend: str) -> None:
    kill_some(project, backend, 20)


CHANGED = """
    import nox

    install = nox.Session.run_install

    def install_later(*arguments, **options):
        with open("requirements.txt", "a") as file:
            file.write("--no-index\\ntool\\n")
        return install(*arguments, **options)

    nox.Session.run_install = install_later
"""


@pytest.mark.parametrize("backend", BACKENDS[:2])
def test_what_was_checked_is_installed(made: Prepared, backend: str, tmp_path: Path) -> None:
    """Also if the lock file is another one by then: by `git switch`, or by another session.

    pip reads options in words, and a path may have a blank.
    """
    with closing(made.copy(tmp_path / "with a blank")) as project:
        build_wheel(project.root / "wheels", "handmade", "1.0")
        project.write("requirements.in", "--find-links ./wheels\napp\nlib<2\nhandmade\n")
        use(project, backend)
        project.nox("-s", "lock").ok()
        project.alone = True  # its noxfile changes nox
        project.write("noxfile.py", textwrap.dedent(CHANGED) + project.read("noxfile.py"))
        run(project).ok()
        assert content(project) == {**WANTED, "handmade": "1.0"}
