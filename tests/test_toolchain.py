"""Locks for a Python other than the one that runs nox, made by that Python.

pip-tools is made ready by real uv, virtualenv and pip, from an index that has real pip-tools.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_lock._cache import Cache
from nox_lock._errors import InterpreterMissingError, ToolchainError
from nox_lock._indexes import IndexSettings
from nox_lock._target import Target, running_target, site_packages
from nox_lock._tool_environment import find_uv
from nox_lock._toolchain import Toolchain, find_toolchain
from support.index import USER, LocalIndex
from support.locks import find_bytes, pins
from support.project import Project, clean_environment, interpreters
from support.repacked import repack, repack_with_dependencies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
NOXFILE = """
import nox_lock

nox_lock.add_sessions()


@nox_lock.session(lock="requirements", python=PYTHONS)
def tests(session):
    session.run("python", "-c", "import idna")
"""


def other_python() -> tuple[str, Path]:
    """Return a supported Python that is not this one, or skip with the reason."""
    supported = ("3.10", "3.11", "3.12", "3.13")
    found = [(v, path) for v, path in interpreters().items() if v in supported and v != HERE]
    if not found:
        pytest.skip("there is no other Python from 3.10 to 3.13 on this machine")
    return found[0]


PASSWORD = "s3cr3t-w0rd"  # noqa: S105  (of an index that dies with the test)
VERSION = metadata.version("pip-tools")
HOUR = 3600


@dataclass(frozen=True)
class Maker:
    """Someone who needs pip-tools for a target, with a cache, an index and an environment."""

    cache: Cache
    indexes: IndexSettings
    environ: dict[str, str]
    told: list[str] = field(default_factory=list)

    def find(
        self, target: Target | None = None, *, private: bool = True, remake: bool = False
    ) -> Toolchain:
        return find_toolchain(
            target or running_target(),
            self.cache,
            self.indexes,
            self.environ,
            self.told.append,
            private=private,
            remake=remake,
        )

    @property
    def home(self) -> Path:
        """Return the folder of what is made for the running Python."""
        assert self.cache.folder is not None
        return self.cache.folder / "tools" / f"{running_target()}-pip-tools-{VERSION}"

    def made(self) -> int:
        """Count how often something was made."""
        return sum(each.startswith("preparing ") for each in self.told)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalIndex]:
    """Return an index with real pip-tools and pip, for those who know the password."""
    folder = tmp_path_factory.mktemp("tools") / "index"
    with LocalIndex(folder, password=PASSWORD) as index:
        repack_with_dependencies(folder, "pip-tools", "pip")
        yield index


def maker(tmp_path: Path, index: LocalIndex, seeds: dict[str, str]) -> Maker:
    settings = IndexSettings({"index-url": index.url_with_credentials}, ())
    return Maker(Cache(tmp_path / "cache"), settings, environment(tmp_path, seeds))


def environment(tmp_path: Path, seeds: dict[str, str], *pythons: Path) -> dict[str, str]:
    """Return an environment whose path has those Pythons first, and no uv."""
    found = clean_environment(tmp_path / "home", **seeds)
    # Beside virtualenv's wheels, so that one download of each is enough.
    found["UV_CACHE_DIR"] = f"{seeds['VIRTUALENV_OVERRIDE_APP_DATA']}-uv"
    for key in [key for key in found if key.upper().endswith("_PROXY")]:
        del found[key]
    folders = [str(each.parent) for each in pythons] + found["PATH"].split(os.pathsep)
    found["PATH"] = os.pathsep.join(each for each in folders if not shutil.which("uv", path=each))
    return found


@pytest.fixture
def by_uv(tmp_path: Path, tools: LocalIndex, seeds: dict[str, str]) -> Maker:
    """Return someone who has uv, as a package."""
    pytest.importorskip("uv")
    return maker(tmp_path, tools, seeds)


@pytest.fixture
def by_virtualenv(
    tmp_path: Path, tools: LocalIndex, seeds: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Maker:
    """Return someone who has no uv: neither the package nor the command."""
    monkeypatch.setitem(sys.modules, "uv", None)
    made = maker(tmp_path, tools, seeds)
    assert find_uv(made.environ) is None
    return made


@pytest.fixture(params=["uv", "virtualenv"])
def either(request: pytest.FixtureRequest) -> Maker:
    found: Maker = request.getfixturevalue(f"by_{request.param}")
    return found


def ask(python: str, *code: str) -> str:
    done = subprocess.run([python, *code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def config(toolchain: Toolchain, by: Maker) -> str:
    """Return the pyvenv.cfg of an environment, which names the tool that made it."""
    assert by.cache.folder is not None
    for path in by.cache.folder.glob("tools/*/env-*/pyvenv.cfg"):
        if toolchain.python.startswith(str(path.parent)):
            return path.read_text("utf-8")
    raise AssertionError(f"{toolchain.python} is not in the cache")


def plain_python() -> tuple[str, Path]:
    """Return a Python that is not this one and needs nothing that this one has not, or skip."""
    found = [(v, p) for v, p in interpreters().items() if v in ("3.11", "3.12", "3.13", "3.14")]
    found = [(v, p) for v, p in found if v != HERE]
    if not found:
        pytest.skip("there is no other Python from 3.11 to 3.14 on this machine")
    return found[-1]


def test_another_python_gets_its_own_pip_tools(
    tmp_path: Path, tools: LocalIndex, seeds: dict[str, str], either: Maker
) -> None:
    """Its interpreter is the target, has this pip-tools, and is found again without any work."""
    version, path = plain_python()
    by = Maker(either.cache, either.indexes, environment(tmp_path, seeds, path))
    toolchain = by.find(Target(version), private=False)
    assert by.told == [f"preparing pip-tools {VERSION} for Python {version}"]
    assert toolchain.pip_tools == VERSION
    assert toolchain.pip == metadata.version("pip")
    who = "import sys; print('%d.%d' % sys.version_info[:2])"
    assert ask(toolchain.python, "-c", who) == version
    assert VERSION in ask(toolchain.python, "-m", "piptools", "compile", "--version")
    assert ask(toolchain.python, "-m", "pip", "--version").startswith(f"pip {toolchain.pip} ")

    tools.clear_requests()
    assert by.find(Target(version)) == toolchain
    assert by.made() == 1
    assert not tools.requests()
    assert by.cache.folder is not None
    assert find_bytes(by.cache.folder, [PASSWORD]) == {}


def test_uv_makes_it_where_it_is(by_uv: Maker) -> None:
    assert "uv =" in config(by_uv.find(), by_uv)


def test_virtualenv_makes_it_where_uv_is_not(by_virtualenv: Maker) -> None:
    assert "virtualenv =" in config(by_virtualenv.find(), by_virtualenv)


def test_the_pip_tools_beside_nox_lock_needs_nothing(by_uv: Maker) -> None:
    """For the Python that runs nox nothing is made, unless a private one is asked for."""
    assert by_uv.find(private=False).python == sys.executable
    assert by_uv.told == []


def wrap_uv(tmp_path: Path, by: Maker, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a uv of our own on the path; in its script, $UV is the real one, if there is any."""
    wrapper = tmp_path / "bin" / "uv"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nUV="{find_uv(by.environ)}"\n{script}\n')
    wrapper.chmod(0o755)
    monkeypatch.setitem(sys.modules, "uv", None)
    by.environ["PATH"] = f"{wrapper.parent}{os.pathsep}{by.environ['PATH']}"


@pytest.mark.skipif(sys.platform == "win32", reason="a uv of our own is a shell script")
def test_a_uv_that_fails_is_passed_over(
    tmp_path: Path, by_virtualenv: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old or broken uv costs time, and no word."""
    log = tmp_path / "log"
    script = f'echo "$1" >> "{log}"; echo "error: too old"; exit 2'
    wrap_uv(tmp_path, by_virtualenv, monkeypatch, script)
    assert "virtualenv =" in config(by_virtualenv.find(), by_virtualenv)
    assert log.read_text() == "venv\n"
    assert len(by_virtualenv.told) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a uv of our own is a shell script")
def test_another_python_than_asked_for_is_not_taken(
    tmp_path: Path, by_uv: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made is asked who it is: here uv, through a wrapper, makes one of this Python."""
    log = tmp_path / "log"
    script = f'for last; do :; done; "$UV" venv -p "{sys.executable}" "$last" && echo > "{log}"'
    wrap_uv(tmp_path, by_uv, monkeypatch, script)
    with pytest.raises(InterpreterMissingError, match=r"3\.99"):
        by_uv.find(Target("3.99"))
    assert log.exists()


def hidden_python(by: Maker) -> tuple[str, Path]:
    """Return a Python that is not on the path, or skip."""
    version, python = plain_python()
    folders = by.environ["PATH"].split(os.pathsep)
    # pyenv's shims lead nowhere, but uv and virtualenv stumble over them.
    kept = [each for each in folders if not shutil.which(f"python{version}", path=each)]
    by.environ["PATH"] = os.pathsep.join(kept)
    return version, python


def test_a_python_that_only_virtualenv_knows(by_uv: Maker) -> None:
    """That uv finds none is not the last word."""
    version, python = hidden_python(by_uv)
    by_uv.environ["VIRTUALENV_TRY_FIRST_WITH"] = str(python)
    assert "virtualenv =" in config(by_uv.find(Target(version)), by_uv)
    assert by_uv.made() == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a uv of our own is a shell script")
def test_a_python_that_only_uv_knows(
    tmp_path: Path, by_uv: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where uv finds the Python but cannot install, virtualenv is told where it is."""
    version, python = hidden_python(by_uv)
    full = ask(str(python), "-c", "import platform; print(platform.python_version())")
    managed = tmp_path / "managed" / f"cpython-{full}-{sys.platform}-{platform.machine()}-gnu"
    managed.mkdir(parents=True)
    for each in python.parent.parent.iterdir():
        (managed / each.name).symlink_to(each)
    # virtualenv would look into uv's folder, too: only the wrapper knows where that is.
    wrap_uv(
        tmp_path,
        by_uv,
        monkeypatch,
        f'export UV_OFFLINE=1 UV_CACHE_DIR="{tmp_path}/uv" UV_PYTHON_INSTALL_DIR="{managed.parent}"'
        '; exec "$UV" "$@"',
    )
    command = [str(find_uv(by_uv.environ)), "python", "find", "--no-project", version]
    if subprocess.run(command, env=by_uv.environ, check=False, capture_output=True).returncode:
        pytest.skip("uv takes no Python of this machine for one of its own")
    assert "virtualenv =" in config(by_uv.find(Target(version)), by_uv)
    assert by_uv.made() == 1


def test_what_narrows_the_choice_is_not_widened_by_uv(by_uv: Maker) -> None:
    """uv knows no `only-binary` of pip's: where it is set, pip installs."""
    allowed = {**by_uv.indexes.allowed, "only-binary": ":all:"}
    by = Maker(by_uv.cache, IndexSettings(allowed, ()), by_uv.environ)
    assert "virtualenv =" in config(by.find(), by)


def test_settings_of_virtualenv_and_uv_do_not_shape_it(either: Maker) -> None:
    """Neither an environment without pip, nor one that sees the packages of another."""
    either.environ.update(
        VIRTUALENV_NO_PIP="1",
        VIRTUALENV_SYSTEM_SITE_PACKAGES="1",
        UV_RESOLUTION="lowest",
        UV_REQUIRE_HASHES="1",
    )
    made = config(either.find(), either)
    assert "include-system-site-packages = false" in made
    assert ("uv =" in made) is (find_uv(either.environ) is not None), "another had to help out"


@pytest.fixture(scope="module")
def kept(
    tmp_path_factory: pytest.TempPathFactory, tools: LocalIndex, seeds: dict[str, str]
) -> Maker:
    """Return someone who has one made; for copies."""
    pytest.importorskip("uv")
    made = maker(tmp_path_factory.mktemp("kept"), tools, seeds)
    made.find()
    return made


@pytest.fixture
def copy(tmp_path: Path, kept: Maker) -> Maker:
    """Return someone with a copy of the kept one."""
    assert kept.cache.folder is not None
    shutil.copytree(kept.cache.folder, tmp_path / "cache", symlinks=True)
    return Maker(Cache(tmp_path / "cache"), kept.indexes, kept.environ)


def ready(by: Maker) -> dict[str, str]:
    told: dict[str, str] = json.loads((by.home / "ready.json").read_bytes())
    return told


def environment_of(by: Maker) -> Path:
    return by.home / ready(by)["folder"]


def site_of(by: Maker) -> Path:
    site = site_packages(environment_of(by))
    assert site is not None
    return site


def python_of(by: Maker) -> Path:
    return environment_of(by) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def without_target(by: Maker) -> None:
    python_of(by).unlink()
    python_of(by).symlink_to(by.home / "python-that-went-away")


def say(by: Maker, **other: str) -> None:
    (by.home / "ready.json").write_text(json.dumps({**ready(by), **other}), "utf-8")


BREAKS: dict[str, Callable[[Maker], object]] = {
    "piptools-gone": lambda by: shutil.rmtree(site_of(by) / "piptools"),
    "pip-gone": lambda by: shutil.rmtree(site_of(by) / "pip"),
    "python-gone": lambda by: python_of(by).unlink(),
    "python-dangling": without_target,
    "environment-gone": lambda by: shutil.rmtree(environment_of(by)),
    "ready-file-torn": lambda by: (by.home / "ready.json").write_bytes(b'{"folder": "env-'),
    "ready-file-empty": lambda by: (by.home / "ready.json").write_bytes(b""),
    "ready-file-of-another": lambda by: (by.home / "ready.json").write_text("[1]"),
    "other-pip-tools": lambda by: say(by, pip_tools="7.0"),
    "other-pip": lambda by: say(by, pip="1.0"),
    "outside": lambda by: say(by, folder="../../outside"),
}


def test_a_copy_is_whole(copy: Maker) -> None:
    """What the tests below break does work before."""
    assert copy.find().python == str(python_of(copy))
    assert copy.told == []


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_one_is_seen(copy: Maker, name: str) -> None:
    """Whatever a person, a cleaner or an update of Python took away: it is not used again."""
    BREAKS[name](copy)
    with pytest.raises(_StoppedError, match="preparing pip-tools"):
        find_toolchain(
            running_target(), copy.cache, copy.indexes, copy.environ, interrupt, private=True
        )


class _StoppedError(Exception):
    pass


def interrupt(what: str) -> None:
    """Stop before anything is made: the tests have no time to wait for it each time."""
    raise _StoppedError(what)


@pytest.mark.parametrize("name", ["piptools-gone", "python-dangling", "ready-file-torn"])
def test_a_broken_one_is_remade(copy: Maker, name: str) -> None:
    """What is seen as broken is made anew, and kept."""
    BREAKS[name](copy)
    toolchain = copy.find()
    assert copy.made() == 1
    assert toolchain.python == str(python_of(copy))
    assert VERSION in ask(toolchain.python, "-m", "piptools", "compile", "--version")
    assert copy.find() == toolchain
    assert copy.made() == 1


def test_a_broken_one_goes_and_one_in_use_stays(copy: Maker) -> None:
    """A remade one may be at work in another process: it goes when that cannot be any more."""
    first = copy.find()
    second = copy.find(remake=True)
    assert second.python != first.python
    assert copy.find() == second
    assert VERSION in ask(first.python, "-m", "piptools", "compile", "--version")

    shutil.rmtree(site_of(copy) / "piptools")
    third = copy.find()
    folders = {path.name for path in copy.home.glob("env-*")}
    assert len(folders) == 2, "the broken one is gone at once"

    for path in copy.home.iterdir():
        os.utime(path, (time.time() - 2 * HOUR,) * 2)
    fourth = copy.find(remake=True)
    left = {path.name for path in copy.home.glob("env-*")}
    assert left == {Path(each.python).parts[-3] for each in (third, fourth)}


def test_a_half_made_one_is_remade(tmp_path: Path, by_uv: Maker) -> None:
    """Killed at any instant: what is there is not used, and goes with the next making."""
    for pause in (0.0, 0.3, 1.0):
        with helper(by_uv, tmp_path) as process:
            deadline = time.monotonic() + 60
            while not list(by_uv.home.glob("env-*/*")) and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(pause)
            process.kill()
    left = list(by_uv.home.glob("env-*"))
    assert left
    toolchain = by_uv.find()
    assert VERSION in ask(toolchain.python, "-m", "piptools", "compile", "--version")

    by_uv.find(remake=True)
    kept = {environment_of(by_uv).name, Path(toolchain.python).parts[-3]}
    assert {path.name for path in by_uv.home.glob("env-*")} == kept


HELPER = """
import sys
from pathlib import Path
from nox_lock._cache import Cache
from nox_lock._indexes import IndexSettings
from nox_lock._target import running_target
from nox_lock._toolchain import find_toolchain

import os
indexes = IndexSettings({"index-url": sys.argv[2]}, ())
cache = Cache(Path(sys.argv[1]))
print(find_toolchain(running_target(), cache, indexes, os.environ, print, private=True).python)
"""


@contextmanager
def helper(by: Maker, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start another process that needs the same."""
    command = [sys.executable, "-c", HELPER, str(by.cache.folder)]
    process = subprocess.Popen(
        [*command, by.indexes.allowed["index-url"]],
        env=by.environ,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_many_at_once_make_it_once(tmp_path: Path, by_uv: Maker) -> None:
    """Processes and threads side by side: one makes it, all get it."""
    with helper(by_uv, tmp_path) as one, helper(by_uv, tmp_path) as two:
        with ThreadPoolExecutor(4) as pool:
            found = {each.python for each in pool.map(lambda _: by_uv.find(), range(4))}
        outputs = [process.communicate(timeout=120)[0] for process in (one, two)]
    assert len(found) == 1
    for output in outputs:
        assert output.splitlines()[-1:] == list(found), output
    prepared = [line for line in "".join(outputs).splitlines() if line.startswith("preparing ")]
    assert by_uv.made() + len(prepared) == 1, (by_uv.told, outputs)
    assert len(list(by_uv.home.glob("env-*"))) == 1


def test_threads_that_see_one_fail_remake_it_once(copy: Maker) -> None:
    """One that was remade while others waited is theirs as well."""
    old, together = copy.find(), threading.Barrier(3)

    def remake(_: int) -> str:
        together.wait()
        return copy.find(remake=True).python

    with ThreadPoolExecutor(3) as pool:
        found = set(pool.map(remake, range(3)))
    assert len(found) == 1
    assert found != {old.python}
    assert copy.made() == 1


def test_a_target_that_is_too_old(by_uv: Maker) -> None:
    """What pip-tools says of itself is told before anything is made."""
    with pytest.raises(ToolchainError) as error:
        by_uv.find(Target("3.8"))
    assert error.value.message.startswith(
        f"Python 3.8 is older than pip-tools {VERSION} supports (>=3."
    )
    assert "older pip-tools beside nox-lock" in (error.value.hint or "")
    assert by_uv.told == []
    assert not list(by_uv.home.parent.glob("*"))


@pytest.mark.parametrize(
    "target",
    [Target("3.99"), Target("3.11", "pypy"), Target("3.99", threaded=True)],
    ids=str,
)
def test_a_python_that_is_not_there(either: Maker, target: Target) -> None:
    """Neither uv nor virtualenv knows it: it is named as people write it, and nothing is left."""
    if target.implementation == "pypy" and shutil.which("pypy3.11"):
        pytest.skip("there is a PyPy 3.11 on this machine")
    with pytest.raises(InterpreterMissingError) as error:
        either.find(target)
    assert error.value.python == str(target)
    assert not list(either.home.parent.glob("*/*"))


def test_an_index_that_wants_another_password(either: Maker) -> None:
    """The index is named as what failed, without what was sent to it, and without our folders."""
    url = either.indexes.allowed["index-url"].replace(PASSWORD, "wr0ng-w0rd")
    by = Maker(either.cache, IndexSettings({"index-url": url}, ()), either.environ)
    with pytest.raises(ToolchainError) as error:
        by.find()
    message = str(error.value)
    assert f"pip-tools {VERSION} cannot be set up for Python {HERE}" in message
    assert "it answered 401" in message
    for secret in ("wr0ng-w0rd", f"{USER}:", str(by.home.parents[2])):
        assert secret not in message
    assert find_bytes(by.home.parents[1], ["wr0ng-w0rd"]) == {}
    assert not list(by.home.glob("*"))


def test_a_pip_that_is_too_new(tmp_path: Path, seeds: dict[str, str]) -> None:
    """pip-tools does not work with the newest pip: it gets the one it works with here."""
    pytest.importorskip("uv")
    with LocalIndex(tmp_path / "newer") as index:
        repack_with_dependencies(index.folder, "pip-tools", "pip")
        moved = {"pip/_internal/metadata/pkg_resources.py": ""}
        repack(index.folder, "pip", version="99.0", changes=moved)
        by = maker(tmp_path, index, seeds)
        toolchain = by.find()
        assert any("/pip-99.0-" in request.path for request in index.requests())
    assert "uv =" in config(toolchain, by)
    assert toolchain.pip == metadata.version("pip")
    assert by.find() == toolchain
    assert by.made() == 1


def test_a_pip_tools_that_does_not_run(
    tmp_path: Path, either: Maker, seeds: dict[str, str]
) -> None:
    """It is never kept, and what Python said of it is told."""
    with LocalIndex(tmp_path / "broken") as index:
        repack_with_dependencies(index.folder, "pip-tools", "pip")
        broken = 'raise ImportError("no gears")\n'
        repack(index.folder, "pip-tools", changes={"piptools/__main__.py": broken})
        by = Maker(either.cache, maker(tmp_path, index, seeds).indexes, either.environ)
        with pytest.raises(ToolchainError, match="does not run there: ImportError: no gears"):
            by.find()
    assert not list(by.home.glob("*"))


def test_a_cache_folder_that_takes_nothing(by_uv: Maker) -> None:
    """Without a place to keep it there is nothing to compile with, and that is said."""
    with pytest.raises(ToolchainError, match="the cache folder, where it would be kept"):
        Maker(Cache(None), by_uv.indexes, by_uv.environ).find()
    by_uv.home.parent.mkdir(parents=True)
    by_uv.home.write_text("in the way")
    with pytest.raises(ToolchainError, match="cannot be kept in the cache folder: "):
        by_uv.find()


@pytest.mark.long
@pytest.mark.network
def test_each_python_has_its_own_lock(tmp_path: Path) -> None:
    """Two Pythons: two lock files, each compiled by its own, each session installs its own."""
    other, path = other_python()
    env = {"PATH": f"{path.parent}{os.pathsep}{os.environ['PATH']}"}
    project = Project(tmp_path / "project", tmp_path / "home", env=env)
    project.write("noxfile.py", NOXFILE.replace("PYTHONS", repr([HERE, other])))
    project.write(
        "requirements.in",
        f'idna==3.6 ; python_version == "{HERE}"\nidna==3.7 ; python_version == "{other}"\n',
    )
    first = project.nox("-s", "lock").ok()
    assert "preparing pip-tools" in first.output
    names = {version: f"requirements-py{version}.txt" for version in (HERE, other)}
    assert pins(project.read(names[HERE])) == {"idna": "3.6"}
    assert pins(project.read(names[other])) == {"idna": "3.7"}
    assert f"pip-compile with Python {other}\n" in project.read(names[other])
    assert not project.exists("requirements.txt")

    again = project.nox("-s", "lock", "lock-check").ok()
    assert "compil" not in again.output
    project.nox("-s", "tests").ok()
    assert project.venv_versions(f"tests-{HERE.replace('.', '-')}")["idna"] == "3.6"
    assert project.venv_versions(f"tests-{other.replace('.', '-')}")["idna"] == "3.7"

    # The environment with pip-tools is kept for the next lock.
    project.write("requirements.in", "idna<3.8\n")
    second = project.nox("-s", "lock").ok()
    assert "preparing" not in second.output
    assert pins(project.read(names[other])) == {"idna": "3.7"}


STARTERS = {
    "#!/bin/sh\necho from /somewhere/else: no such thing\nexit 1\n": "from else: no such thing",
    "no program at all": "it does not start: Exec format error",
    "#!/no/such/interpreter\n": "it does not start: No such file or directory",
    "#!/bin/sh\necho pyenv: python3.47: command not found\nexit 127\n": "",
}


@pytest.mark.skipif(os.name == "nt", reason="programs of Windows are no scripts")
@pytest.mark.parametrize("script", STARTERS, ids=["fails", "no program", "no loader", "pyenv's"])
def test_a_python_that_does_not_start(script: str, tmp_path: Path, by_virtualenv: Maker) -> None:
    """It is said which, and what it said; what stands for a missing one is a missing one."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "python3.47").write_text(script, encoding="utf-8")
    (folder / "python3.47").chmod(0o755)
    by_virtualenv.environ["PATH"] = os.pathsep.join([str(folder), by_virtualenv.environ["PATH"]])
    with pytest.raises(ToolchainError) as raised:
        by_virtualenv.find(Target("3.47"))
    said = str(raised.value)
    if not STARTERS[script]:
        assert isinstance(raised.value, InterpreterMissingError)
        return
    assert "Python 3.47 cannot be used: the `python3.47` on PATH does not run" in said
    assert STARTERS[script] in said
    assert "`which python3.47` tells" in said
    assert str(tmp_path) not in said
    assert "/somewhere" not in said


def test_a_python_that_is_missing(project: Project) -> None:
    """A target without an interpreter is told as such, and nothing is written."""
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("requirements.in", "idna\n")
    project.write("pyproject.toml", '[tool.nox-lock]\npython = ["3.99"]\n')
    before = project.snapshot()
    run = project.nox("-s", "lock", env={"CI": "1"}).failed()
    assert "Python 3.99 is not on this machine" in run.output
    assert project.snapshot() == before


def test_a_session_on_a_python_without_lock(project: Project) -> None:
    """A session on another Python than its lock's is told what to configure."""
    project.write("noxfile.py", NOXFILE.replace(", python=PYTHONS", ""))
    project.write("requirements.in", "idna\n")
    project.write("pyproject.toml", '[tool.nox-lock]\npython = ["3.99"]\n')
    run = project.nox("-s", "tests").failed()
    assert f"this session runs Python {HERE}; the lock 'requirements' is for 3.99" in run.output
    assert f'python = ["3.99", "{HERE}"]' in run.output
