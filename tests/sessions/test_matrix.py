"""Whatever became of an environment, after a run it holds its lock, and the log says what was done.

One environment for each backend goes through all states: that is how people's do.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import sys
import zipfile
from typing import TYPE_CHECKING, NamedTuple

import pytest

from support.backend import project_table, publish_backend
from support.git import begin, git
from support.project import interpreters
from support.pythons import HERE, with_pythons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Project, Run

BACKENDS = ("uv", "virtualenv", "venv")
LOCK = "requirements.txt"
BUMPED = "bumped.txt"
PYTHON, BACKEND = "another Python", "another backend"
WANTED = {"app": "1.0", "dep": "1.0", "lib": "1.0"}
TOOL = {"tool": "1.0", "gear": "1.0"}
SEEDS = {"pip", "setuptools", "wheel"}
# What follows `pip` in the log: all of a lock or some of it, and a way back.
SOME = r"install --no-deps --require-hashes -r \S*requirements-hashed\.txt"
AGAIN = SOME.replace("install", "install --force-reinstall")
NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", venv_backend="{backend}")
    def tests(session):
        if session.posargs:
            session.install(*session.posargs)
        code = "import app, dep, lib; print('lib', lib.__version__, 'runs')"
        session.run("python", "-c", code)
"""


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    index, project = prepared.index, prepared.project
    index.publish("app", "1.0", requires=["lib", "dep"])
    index.publish("dep", "1.0")
    index.publish("lib", "1.0")
    index.publish("tool", "1.0", requires=["gear"])
    index.publish("gear", "1.0")
    project.write("noxfile.py", NOXFILE.format(backend="none"))
    project.write("requirements.in", "app\nlib\n")
    project.nox("-s", "lock").ok()
    first = project.read(LOCK)
    index.publish("lib", "2.0")
    project.nox("-s", "lock", "--", "-P", "lib").ok()
    project.write(BUMPED, project.read(LOCK))
    project.write(LOCK, first)
    prepared.freeze()
    return prepared


class Machine:
    """A project, the environment of its session, and what somebody does to both."""

    def __init__(self, project: Project, backend: str) -> None:
        self.project = project
        self.backend = backend
        self.lock = project.read(LOCK)
        self.environment = "tests"

    @property
    def venv(self) -> Path:
        return self.project.root / ".nox" / self.environment

    def spell(self, options: Sequence[str]) -> list[str]:
        """Return options with the names of this machine."""
        other = "venv" if self.backend == "uv" else "uv"
        return [other_python() if o == PYTHON else other if o == BACKEND else o for o in options]

    @property
    def site(self) -> Path:
        return next(self.venv.rglob("site-packages"))

    def content(self) -> dict[str, str]:
        """Return what the environment says of itself, but for its seeds."""
        found = self.project.venv_versions(self.environment)
        return {name: version for name, version in found.items() if name not in SEEDS}

    def run(self, *options: str, posargs: Sequence[str] = ()) -> Run:
        assert self.project.index is not None
        # For what a body installs by itself: nox tells uv nothing of pip's indexes.
        env = {"UV_DEFAULT_INDEX": self.project.index.url}
        return self.project.nox(*options, "-s", "tests", "--", *posargs, env=env)

    def settle(self) -> None:
        """Bring all back to a session that ran from its lock."""
        self.environment = "tests"
        self.project.write(LOCK, self.lock)
        self.project.write("noxfile.py", NOXFILE.format(backend=self.backend))
        (self.project.root / "pyproject.toml").unlink(missing_ok=True)
        if not self.venv.exists() or self.content() != WANTED:
            shutil.rmtree(self.venv, ignore_errors=True)
            self.run().ok()
            assert self.content() == WANTED

    # What somebody does

    def nothing(self) -> None: ...

    def throw_away(self) -> None:
        shutil.rmtree(self.venv)

    def bump(self) -> None:
        self.project.write(LOCK, self.project.read(BUMPED))

    def add(self, name: str = "tool", version: str = "1.0") -> None:
        """Install a wheel, as by hand: all an installer does is to unpack it."""
        assert self.project.index is not None
        [wheel] = self.project.index.folder.glob(f"{name}-{version}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.site)

    def remove(self, name: str = "dep") -> None:
        [record] = self.site.glob(f"{name}-*.dist-info/RECORD")
        for line in record.read_text(encoding="utf-8").splitlines():
            (self.site / line.rsplit(",", 2)[0]).unlink(missing_ok=True)
        shutil.rmtree(record.parent, ignore_errors=True)
        shutil.rmtree(self.site / "__pycache__", ignore_errors=True)

    def change(self) -> None:
        self.remove("lib")
        self.add("lib", "2.0")

    def halve(self, gone: str = "METADATA") -> None:
        (self.site / "lib-1.0.dist-info" / gone).unlink()

    def lose_record(self) -> None:
        self.halve("RECORD")

    def leave_over(self) -> None:
        """Leave what pip leaves of a distribution when it is ended while it replaces it."""
        for name in ("lib-1.0.dist-info", "lib.py"):
            (self.site / name).rename(self.site / f"~{name[1:]}")

    def swap_python(self) -> None:
        """Lead the environment's links to another X.Y, as an upgrade of `current` does."""
        other = interpreters()[other_python()]
        for each in self.python.parent.glob("python*"):
            each.unlink()
        self.python.symlink_to(shutil.which(f"python{other_python()}") or other)

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    def leave_out(self) -> None:
        """Take a pin out of the lock that another one needs, and what was installed for it."""
        text = self.project.read(LOCK)
        self.project.write(LOCK, text[: text.index("dep==")] + text[text.index("lib==") :])
        self.remove()

    def lock_for_another(self) -> None:
        """Lock for two Pythons: by a bot, which leaves no stamp."""
        other = other_python()
        self.project.env.update(with_pythons([other]))
        table = f"[tool.nox-lock]\npython = ['{HERE}', '{other}']\n"
        self.project.write("pyproject.toml", table)
        lines = [line for line in self.lock.splitlines() if not line.startswith("# nox-lock")]
        text = "\n".join([*lines, ""])
        for version in (HERE, other):
            path = f"requirements-py{version}.txt"
            named = text.replace(f"Python {HERE}", f"Python {version}")
            self.project.write(path, named.replace(f"output-file={LOCK}", f"output-file={path}"))
        self.environment = f"tests-{other.replace('.', '-')}"


def other_python() -> str:
    """Return a Python that is not the one of the environment."""
    others = [version for version in interpreters() if version in {"3.10", "3.12", "3.13", "3.11"}]
    others.remove(HERE)
    if not others or sys.platform == "win32":
        pytest.skip("no other Python here")
    return others[0]


class State(NamedTuple):
    """What becomes of an environment, and what the next run makes of it.

    Attributes:
        before: what somebody does to it.
        options: of nox, in the run that is looked at.
        posargs: what the body installs.
        runs: what else the installer is run for.
        says: what else stands in the log.
        holds: what the environment holds afterwards.
        fails: whether the run fails, as does the one after it.
        again: options of the run after it.
        settled: whether that one has nothing to do; else it brings back what is locked.
    """

    before: Callable[[Machine], None] = Machine.nothing
    options: tuple[str, ...] = ()
    posargs: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    holds: Mapping[str, str] = WANTED
    fails: bool = False
    again: tuple[str, ...] = ()
    settled: bool = True


EQUAL = rf"tests holds exactly what is locked in {LOCK}"
DIFFERS = rf"tests does not hold exactly what is locked in {LOCK}"
CREATES = "Creating virtual environment"
RUNS = r"lib 1\.0 runs"
LACKS = rf"{LOCK} lacks what its own pins need:\n.*app 1\.0 needs dep, which is not installed"
UNINSTALL = r"uninstall .*tool"
BUMPED_HOLDS = WANTED | {"lib": "2.0"}
WITHOUT_DEP = {"app": "1.0", "lib": "1.0"}

STATES = {
    "equal": State(options=("-v",), says=(EQUAL, RUNS)),
    "bumped": State(Machine.bump, runs=(SOME,), says=(r"lib 2\.0 runs",), holds=BUMPED_HOLDS),
    "added": State(Machine.add, says=(RUNS,), runs=(UNINSTALL,)),
    "removed": State(Machine.remove, runs=(SOME,), says=(RUNS,)),
    "changed": State(Machine.change, runs=(SOME,), says=(RUNS,)),
    "half deleted": State(Machine.halve, runs=(SOME,), says=(RUNS,)),
    "without RECORD": State(Machine.lose_record, runs=(SOME,), says=(RUNS,)),
    "left over": State(Machine.leave_over, runs=(SOME,), says=(RUNS,)),
    "-R": State(options=("-R",), says=(RUNS,)),
    "-R, added": State(
        Machine.add, ("-R",), says=(DIFFERS, RUNS), holds=WANTED | {"tool": "1.0"}, settled=False
    ),
    "--no-install, changed": State(
        Machine.change, ("--no-install",), says=(DIFFERS,), holds=BUMPED_HOLDS, settled=False
    ),
    "--install-only, changed": State(Machine.change, ("--install-only",), runs=(SOME,)),
    "-r, removed": State(Machine.remove, ("-r",), runs=(SOME,), says=(RUNS,)),
    "--reuse-venv=yes": State(options=("--reuse-venv=yes",), says=(RUNS,)),
    "body installs": State(posargs=("tool",), says=(RUNS,), holds=WANTED | TOOL),
    "--reuse-venv=never": State(
        Machine.add, ("--reuse-venv=never",), runs=(SOME,), says=(CREATES, RUNS)
    ),
    "other Python": State(
        Machine.swap_python,
        runs=(SOME,),
        says=("tests was created with another Python: creating it again", CREATES, RUNS),
    ),
    "-fb": State(options=("-fb", BACKEND), runs=(SOME,), says=(CREATES, RUNS), settled=False),
    "-fb, kept": State(options=("-fb", BACKEND), says=(RUNS,)),
    "-P": State(
        Machine.lock_for_another,
        ("-P", PYTHON),
        runs=(SOME,),
        says=(RUNS,),
        again=("-P", PYTHON),
    ),
    "incomplete": State(
        Machine.leave_out,
        says=(LACKS, "Lock again, from the pins it has: nox -s lock"),
        holds=WITHOUT_DEP,
        fails=True,
    ),
    "fresh": State(Machine.throw_away, runs=(SOME,), says=(CREATES, RUNS)),
}
# nox makes what uv made anew for others, and has uv take what others made.
ONLY = {"-fb": {"uv"}, "-fb, kept": {"virtualenv", "venv"}}
SOON = {
    "uv": {"added", "changed", "left over", "body installs", "other Python", "incomplete"},
    "virtualenv": {"added", "changed", "half deleted", "-R, added"},
    "venv": set(),
}


@pytest.fixture(scope="module")
def machines(
    made: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Machine]]:
    """Return what returns the environment of a backend, made at its first use."""

    @functools.cache
    def machine(backend: str) -> Machine:
        return Machine(made.copy(tmp_path_factory.mktemp(backend)), backend)

    yield machine
    for backend in BACKENDS:
        machine(backend).project.close()


def changes(told: Run) -> list[str]:
    """Return the installer runs that nox has logged."""
    return re.findall(r"nox > (?:uv|python (?:-I )?-m) pip (.*)", told.output)


@pytest.mark.parametrize(
    ("backend", "state"),
    [
        pytest.param(backend, state, marks=() if state in SOON[backend] else pytest.mark.long)
        for backend in BACKENDS
        for state in STATES
        if backend in ONLY.get(state, BACKENDS)
    ],
)
def test_matrix(machines: Callable[[str], Machine], backend: str, state: str) -> None:
    if backend == "uv" and importlib.util.find_spec("uv") is None:
        pytest.skip("uv is not installed")
    row, machine = STATES[state], machines(backend)
    machine.settle()
    row.before(machine)
    told = machine.run(*machine.spell(row.options), posargs=row.posargs)
    assert (told.returncode != 0) is row.fails, told.output
    expected = [*row.runs, *(f"install {each}" for each in row.posargs)]
    done = changes(told)
    assert len(done) == len(expected), told.output
    for words, command in zip(expected, done, strict=True):
        assert re.match(words, command)
    for words in row.says:
        assert re.search(words, told.output), told.output
    assert machine.content() == row.holds

    # What was done once is not done again; what failed fails again.
    again = machine.run(*machine.spell(row.again), posargs=row.posargs)
    assert (again.returncode != 0) is row.fails, again.output
    assert machine.content() == (row.holds if row.settled else WANTED)
    if row.settled:
        assert changes(again) == [f"install {each}" for each in row.posargs]


@pytest.mark.parametrize(
    ("backend", "options", "refused"),
    [
        ("none", (), True),
        ("none", ("--install-only",), True),
        ("virtualenv", ("--no-venv",), True),
        ("virtualenv", ("-fb", "none", "-r"), True),
        ("virtualenv", ("--no-venv", "--no-install"), False),
        ("none", ("-R",), False),
    ],
)
def test_no_environment(
    made: Prepared,
    tmp_path: Path,
    backend: str,
    options: tuple[str, ...],
    refused: bool,  # noqa: FBT001
) -> None:
    """There is nothing to install into: an error, unless nothing is to be installed."""
    project = made.copy(tmp_path)
    body = NOXFILE.format(backend=backend).replace("import app, dep, lib", "import re as lib")
    project.write("noxfile.py", body)
    before = project.snapshot()
    told = project.nox(*options, "-s", "tests")
    if refused:
        said = "the session tests has no virtual environment to install into"
        assert f"nox > {said}\n" in told.failed().output
        assert "Leave out --no-venv" in told.output
        assert "runs\n" not in told.stdout
    else:
        assert "runs\n" in told.ok().stdout
    assert changes(told) == []
    assert project.snapshot() == before
    assert not project.exists(".nox/tests")
    project.close()


CONDA = """\
#!/bin/sh
# What `conda create --yes --prefix LOCATION pip python` leaves, as far as pip and nox-lock see it.
set -e
"{python}" -m venv "$4"
mkdir "$4/conda-meta"
: > "$4/conda-meta/python-{version}.0-h1_0.json"
for name in numpy-2.0 dep-1.0; do
    info="$4/lib/python{version}/site-packages/$name.dist-info"
    mkdir "$info"
    echo conda > "$info/INSTALLER"
    printf 'Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n' "${{name%-*}}" "${{name#*-}}" \
        > "$info/METADATA"
    : > "$info/RECORD"
done
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_conda(made: Prepared, tmp_path: Path) -> None:
    """The pip inside installs; what conda brought is left alone, but where the lock has it, too."""
    machine = Machine(made.copy(tmp_path), "conda")
    script = machine.project.home / "bin" / "conda"
    script.parent.mkdir()
    script.write_text(CONDA.format(python=sys.executable, version=HERE), encoding="utf-8")
    script.chmod(0o755)
    machine.project.env["PATH"] = os.pathsep.join([str(script.parent), os.environ["PATH"]])
    machine.project.write("noxfile.py", NOXFILE.format(backend="conda"))
    first = machine.run().ok()
    assert "nox > python -I -m pip install --no-deps --require-hashes" in first.output
    held = WANTED | {"numpy": "2.0"}
    assert machine.content() == held
    for what, command in ((machine.add, UNINSTALL), (machine.remove, SOME), (machine.change, SOME)):
        what()
        told = machine.run().ok()
        [done] = changes(told)
        assert re.match(command, done)
        assert machine.content() == held
    assert changes(machine.run().ok()) == []
    machine.project.close()


@pytest.mark.parametrize("backend", ["uv", pytest.param("virtualenv", marks=pytest.mark.long)])
def test_a_repository_at_another_commit(made: Prepared, tmp_path: Path, backend: str) -> None:
    """It has the same URL, name and version; still it is not what is locked."""
    if backend == "uv" and importlib.util.find_spec("uv") is None:
        pytest.skip("uv is not installed")
    project = made.copy(tmp_path)
    publish_backend(made.index)
    library = tmp_path / "library"
    library.mkdir()
    (library / "pyproject.toml").write_text(project_table("library"), encoding="utf-8")
    commits = []
    for word in ("first", "second"):
        (library / "library.py").write_text(f"WORD = {word!r}\n", encoding="utf-8")
        begin(library, project.home)
        commits.append(git(library, project.home, "rev-parse", "HEAD").strip())
    project.write("pyproject.toml", "[tool.nox-lock]\ngenerate-hashes = false\n")
    noxfile = NOXFILE.format(backend=backend).partition("        if session")[0]
    body = "        session.run('python', '-c', 'import library; print(library.WORD)')\n"
    project.write("noxfile.py", noxfile + body)
    for commit, word in zip(commits, ("first", "second"), strict=True):
        url = f"git+{library.as_uri()}@{commit}"
        project.write("requirements.in", f"library @ {url}\n")
        header = "# This file is autogenerated by pip-compile with Python"
        project.write(LOCK, f"{header} {HERE}\nlibrary @ {url}\n")
        told = project.nox("-s", "tests").ok()
        assert f"{word}\n" in told.stdout
        assert changes(told)
        assert changes(project.nox("-s", "tests").ok()) == []
    project.close()
