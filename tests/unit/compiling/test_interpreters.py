"""Which Python runs a compile, what is asked of it before, and which packages it may import."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from venv import EnvBuilder

import pytest

from nox_lock.compiling import interpreters as module
from nox_lock.compiling.cache import Cache
from nox_lock.compiling.interpreters import (
    DRIVER,
    Interpreter,
    closed_list,
    find_interpreter,
    install_command,
    tool_versions,
)
from nox_lock.errors import ToolchainError
from nox_lock.target import Platform, Target, running_platform, running_target
from support.compiles import CompileFolder
from support.offers import Offer
from support.project import Project, finish, interpreters
from support.pythons import HERE
from support.relocated import relocate
from support.scripted import NOT_FOUND, ScriptedIndex
from support.sdists import build_sdist
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNING = Interpreter(
    os.path.realpath(getattr(sys, "_base_executable", sys.executable)), running_target()
)
FOREIGN = Interpreter(RUNNING.path, running_target(), f"Python {HERE} on {sys.platform}")
DARWIN = Platform("darwin", "arm64")
posix = pytest.mark.skipif(os.name == "nt", reason="programs of Windows are no scripts")


def other_python() -> str:
    """Return a Python of this machine that can run the driver and is not this one, or skip."""
    for version in ("3.12", "3.10", "3.13", "3.11"):
        if version != HERE and version in interpreters():
            return version
    pytest.skip("there is no other Python from 3.10 to 3.13 on this machine")


class Finder:
    """Looks for Pythons among the programs of one folder, with a cache of its own."""

    def __init__(self, folder: Path, bytecode: Path) -> None:
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.cache = Cache(folder / "cache")
        (folder / "cache" / "v2" / "work").mkdir(parents=True)
        (folder / "cache" / "bytecode").symlink_to(bytecode, target_is_directory=True)

    def find(self, target: Target, platform: Platform | None = None) -> Interpreter:
        environ = {**os.environ, "PATH": str(self.programs)}
        return find_interpreter(target, platform, self.cache, environ, threading.Event())

    def kept(self) -> list[Path]:
        """Return the files in which it is kept what Pythons said."""
        return list((self.programs.parent / "cache" / "v2" / "locks").rglob("*.json"))

    def program(self, version: str, script: str, folder: str = "programs") -> Path:
        """Write a program by the name of a Python."""
        path = self.programs.parent / folder / f"python{version}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
        return path


@pytest.fixture
def finder(tmp_path: Path, bytecode: Path) -> Finder:
    return Finder(tmp_path, bytecode)


# Which one


def test_the_running_python_is_not_looked_for(finder: Finder) -> None:
    """Of the environment that nox is in, the Python beneath: a build is to see none of it."""
    assert finder.find(running_target()) == RUNNING
    assert finder.find(running_target(), running_platform()) == RUNNING
    assert finder.find(running_target(), DARWIN) == FOREIGN
    assert not Path(RUNNING.path).is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix


def test_the_targets_own_python_runs_it(finder: Finder) -> None:
    """Whatever leads to it: a link, an environment without pip."""
    version = other_python()
    path = interpreters()[version]
    environment = finder.programs.parent / "environment"
    subprocess.run([path, "-m", "venv", "--without-pip", environment], check=True)
    (finder.programs / f"python{version}").symlink_to(environment / "bin" / "python")
    expected = Interpreter(str(path.resolve()), Target(version))
    assert finder.find(Target(version)) == expected
    assert finder.find(Target(version), running_platform()) == expected
    # For another platform it would build no better than the running one.
    assert finder.find(Target(version), DARWIN) == FOREIGN


def test_a_python_that_is_not_here_is_computed(finder: Finder) -> None:
    assert finder.find(Target("3.99")) == FOREIGN


@pytest.mark.long
@pytest.mark.parametrize("version", ["3.8", "3.9"])
def test_a_python_that_this_pip_does_not_run_on(version: str, finder: Finder) -> None:
    if version not in interpreters():
        pytest.skip(f"Python {version} is not on this machine")
    (finder.programs / f"python{version}").symlink_to(interpreters()[version])
    assert finder.find(Target(version)) == FOREIGN


def test_a_python_that_is_too_old(finder: Finder) -> None:
    for version in ("2.7", "3.7"):
        with pytest.raises(ToolchainError) as raised:
            finder.find(Target(version))
        assert str(raised.value) == (
            f"Python {version} is too old to lock for: 3.8 is the oldest\n"
            "Take it out of `python = [...]`."
        )


@pytest.mark.parametrize(
    "target",
    [Target("3.11", "pypy"), Target("3.14", threaded=True)],
    ids=str,
)
def test_a_python_that_only_itself_knows(
    target: Target, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else knows which wheels it can take: it is refused where it is not here."""
    with pytest.raises(ToolchainError) as raised:
        finder.find(target)
    assert str(raised.value) == (
        f"Python {target} is not here, and only it knows which wheels it can take\n"
        f"Install it and run this again, or take {target} out of `python = [...]`."
    )
    said = f"Python {target} is not on darwin-arm64, and only"
    with pytest.raises(ToolchainError, match=said):
        finder.find(target, DARWIN)
    # Nor does it know it itself, where it runs nox on another platform.
    monkeypatch.setattr("nox_lock.compiling.interpreters.running_target", lambda: target)
    assert finder.find(target).target == target
    with pytest.raises(ToolchainError, match=said):
        finder.find(target, DARWIN)


# The probe

BROKEN = {
    "a script that fails": "#!/bin/sh\nexit 1\n",
    "no program at all": "no program at all",
    "no such loader": "#!/no/such/interpreter\n",
    "a dead shim of pyenv": "#!/bin/sh\necho 'pyenv: python: command not found' >&2\nexit 127\n",
    "one that says nothing": "#!/bin/sh\nexit 0\n",
    "another Python": '#!/bin/sh\nexec {other} "$@"\n',
}


@posix
@pytest.mark.parametrize("name", BROKEN)
def test_a_program_that_is_not_the_targets_python(name: str, finder: Finder) -> None:
    """It is passed over without a word, and not asked again."""
    other = str(interpreters()[other_python()]) if "{other}" in BROKEN[name] else ""
    finder.program("3.47", BROKEN[name].replace("{other}", shlex.quote(other)))
    assert finder.find(Target("3.47")) == FOREIGN
    assert len(finder.kept()) == 1


@posix
def test_a_program_that_hangs(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, with what it has started; and asked again the next time."""
    monkeypatch.setattr(module, "_PROBE_SECONDS", 1.0)
    noted = finder.programs.parent / "pid"
    script = (
        f"#!/bin/sh\n{shutil.which('sleep')} 600 &\necho $! > {shlex.quote(str(noted))}\nwait\n"
    )
    finder.program("3.47", script)
    assert finder.find(Target("3.47")) == FOREIGN
    assert finder.kept() == []
    pid, until = int(noted.read_text(encoding="utf-8")), time.monotonic() + 10
    with suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.kill(pid, 0)
            time.sleep(0.02)
        pytest.fail("what it has started still runs")


@posix
def test_a_shim_of_pyenv_that_starts_nothing_at_the_moment(finder: Finder) -> None:
    """The Pythons that it leads to are found all the same."""
    version = other_python()
    shim = finder.program(version, BROKEN["a dead shim of pyenv"], "pyenv/shims")
    folder = finder.programs.parent / "pyenv" / "versions" / f"{version}.1" / "bin"
    folder.mkdir(parents=True)
    (folder / f"python{version}").symlink_to(interpreters()[version])
    finder.programs = shim.parent
    assert finder.find(Target(version)).path == str(interpreters()[version].resolve())


@posix
def test_what_a_python_said_is_remembered(finder: Finder, tmp_path: Path) -> None:
    """For as long as it is the same file; and it is asked again where that cannot be kept."""
    version = other_python()
    python, log, answer = map(
        shlex.quote, (str(interpreters()[version]), f"{tmp_path}/log", f"{tmp_path}/answer")
    )
    script = f"""#!/bin/sh
        PATH=/usr/bin:/bin
        echo asked >> {log}
        for order; do :; done
        report="${{order%order.json}}report.json"
        test -f {answer} || {{ {python} "$@"; cp "$report" {answer}; }}
        cp {answer} "$report"
        """
    program = finder.program(version, script)

    def asked() -> int:
        assert finder.find(Target(version)).target == Target(version)
        return (tmp_path / "log").read_text(encoding="utf-8").count("asked")

    assert [asked(), asked()] == [1, 1]
    texts = "".join(kept.read_text(encoding="utf-8") for kept in finder.kept())
    assert f"python{version}" in texts
    assert '"/' not in texts  # no absolute path
    os.utime(program, (1, 1))
    assert [asked(), asked()] == [2, 2]
    for kept in finder.kept():
        kept.write_text("{torn", encoding="utf-8")
    assert [asked(), asked()] == [3, 3]
    shutil.rmtree(tmp_path / "cache" / "v2" / "locks")
    (tmp_path / "cache" / "v2" / "locks").write_text("in the way", encoding="utf-8")
    assert [asked(), asked()] == [4, 5]


@pytest.mark.long
def test_a_python_that_lacks_what_a_compile_needs(finder: Finder, tmp_path: Path) -> None:
    version = other_python()
    program = relocate(version, tmp_path / "python", without="_ssl")
    (finder.programs / program.name).symlink_to(program)
    assert finder.find(Target(version)) == FOREIGN


# What it may import


def test_the_closed_list_is_of_a_few_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each with its own folder; none of the folder that nox runs in."""
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "zipp.py").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = closed_list()
    assert {"pip", "piptools", "build", "click", "packaging", "pyproject_hooks"} <= set(found)
    for name, folder in found.items():
        assert folder != str(tmp_path)
        assert Path(folder, name).is_dir() or Path(folder, f"{name}.py").is_file()


def test_the_driver_needs_no_package_that_is_not_listed() -> None:
    """Nor the site-packages of the Python that runs it, nor a user's."""
    allowed = {*sys.stdlib_module_names, *closed_list(), "driver", "typing_extensions", "tomli"}
    for path in DRIVER.glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]) and not words[1].startswith("."):
                assert words[1].partition(".")[0] in allowed, f"{path.name}: {line}"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedIndex]:
    """Return an index with a project that depends on the Python that builds it."""
    offer, files = Offer(), tmp_path_factory.mktemp("files")
    for version in ("3.10", "3.11", "3.12", "3.13", "3.14"):
        offer.add(build_wheel(files, "dep", version))
    code = "def requires():\n    return ['dep=={}.{}'.format(*sys.version_info)]\n"
    offer.add(build_sdist(files, "app", code=code))
    with ScriptedIndex(NOT_FOUND, offer.answers()) as scripted:
        yield scripted


def test_a_python_without_pip_and_with_nothing_to_write_to(
    tmp_path: Path, index: ScriptedIndex, bytecode: Path
) -> None:
    """It builds what it locks; not a file is added to it."""
    version = other_python()
    program = relocate(version, tmp_path / "python")
    folder = CompileFolder(tmp_path, index.url, PATH=str(program.parent))
    folder.share_bytecode(bytecode)
    folder.write({"pyproject.toml": f'[tool.nox-lock]\npython = "{version}"\n'})
    folder.write({"requirements.in": "app\n"})
    before = sorted((tmp_path / "python").rglob("*"))
    compiled = folder.run()
    assert folder.order().python.path == str(program.resolve())
    assert [pin.shown for pin in compiled.lock.pins] == ["app==1.0", f"dep=={version}"]
    assert compiled.notes == ()
    assert sorted((tmp_path / "python").rglob("*")) == before


def link_packages(target: Path, *left_out: str) -> None:
    """Link what is installed beside the tests into another site-packages."""
    target.mkdir(parents=True, exist_ok=True)
    source = Path(str(metadata.distribution("pip").locate_file("")))
    for each in source.iterdir():
        if not each.name.startswith(left_out or " "):
            (target / each.name).symlink_to(each)


def lock_with(python: Path, project: Project, index: ScriptedIndex, **variables: str) -> str:
    """Lock with the nox of another installation, and return the lock file."""
    project.index = None
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("requirements.in", "app\n")
    environment = project.environment({"PIP_INDEX_URL": index.url, **variables})
    command = [str(python), "-m", "nox", "-s", "lock"]
    process = subprocess.Popen(
        command,
        cwd=project.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    finish(process)[0].ok()
    return project.read("requirements.txt")


@posix
@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="the tests run in no environment")
def test_a_user_install_by_nox(tmp_path: Path, index: ScriptedIndex) -> None:
    """pip and all else are in the user's own site-packages, which the driver never sees whole."""
    base = tmp_path / "base"
    link_packages(base / "lib" / f"python{HERE}" / "site-packages")
    project = Project(tmp_path / "project", tmp_path / "home")
    made = lock_with(Path(RUNNING.path), project, index, PYTHONUSERBASE=str(base))
    assert f"dep=={HERE}" in made


@posix
def test_a_pipx_install_by_nox(tmp_path: Path, index: ScriptedIndex) -> None:
    """pip is in a folder that several environments share by a .pth file."""
    home, shared = tmp_path / "venvs" / "nox", tmp_path / "shared"
    EnvBuilder(symlinks=True).create(home)
    site = home / "lib" / f"python{HERE}" / "site-packages"
    link_packages(site, "pip-", "pip")
    link_packages(shared)
    for name in ("piptools", "pip_tools"):
        for each in shared.glob(f"{name}*"):
            (site / each.name).symlink_to(each.readlink())
            each.unlink()
    (site / "pipx_shared.pth").write_text(f"{shared}\n", encoding="utf-8")
    project = Project(tmp_path / "project", tmp_path / "home")
    assert f"dep=={HERE}" in lock_with(home / "bin" / "python", project, index)


# What installs the tools


def test_the_command_that_fits_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "nox"))
    (tmp_path / "nox").mkdir()
    pip, pip_tools = '"pip>=24.1,<=26.3"', '"pip-tools>=7.6.2,<7.7"'
    assert install_command() == f"python -m pip install --upgrade {pip} {pip_tools}"
    (tmp_path / "nox" / "uv-receipt.toml").write_text("", encoding="utf-8")
    assert install_command() == f"uv tool install nox --with {pip} --with {pip_tools}"
    (tmp_path / "nox" / "pipx_metadata.json").write_text("", encoding="utf-8")
    assert install_command() == f"pipx runpip nox install --upgrade {pip} {pip_tools}"


def test_a_tool_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert tool_versions() == (metadata.version("pip-tools"), metadata.version("pip"))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ToolchainError) as raised:
        tool_versions()
    assert raised.value.message == "pip-tools is not installed beside nox-lock"
    assert (raised.value.hint or "").startswith("Run: ")
