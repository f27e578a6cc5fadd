"""nox-lock's own sessions, which run from locks that nox-lock makes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

import nox_lock

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lock-check", "lint", "typecheck", "docs", "tests"]
nox.options.default_venv_backend = "uv|virtualenv"  # a tenth of the time, where uv is

EXAMPLE = Path("example_project")
EXAMPLE_RUNS = ["tests", "prod", "staging"]
PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = PYPROJECT["tool"]["nox-lock"]["python"]
# Most files of tests stay in one process: what they make once is made once.
PARALLEL = ["--numprocesses=auto", "--dist=worksteal"]
# Real nox from end to end, and the readers: what other versions of our dependencies may break.
TELLING = (
    "docs/test_public.py",
    "robustness/test_deadline.py",
    "sessions/test_backends.py",
    "sessions/test_build_constraints.py",
    "sessions/test_drop_in.py",
    "sessions/test_platforms.py",
    "unit",
)
VERSIONS = ("oldest-nox", "lowest", "newest")
# Of each minor release between the bounds, the newest.
PIPS = ("24.2", "24.3.1", "25.0.1", "25.1.1", "25.2", "25.3", "26.0.1", "26.1.2", "26.2.1")
OF_PIP = (
    "robustness/test_deadline.py",
    "sessions/test_local_projects.py",
    "unit/compiling/test_builds.py",
    "unit/compiling/test_driver.py",
    "unit/compiling/test_failures.py",
    "unit/compiling/test_hashes.py",
)
TOOLS = ("hypothesis", "pypiserver", "pytest", "pytest-xdist", "uv")

nox_lock.add_sessions()


@nox_lock.session(lock="dev", project="editable")
def lint(session: nox.Session) -> None:
    """Check style, format, and which package imports which."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache")


@nox_lock.session(lock="dev", project="editable")
def typecheck(session: nox.Session) -> None:
    """Check types."""
    session.run("mypy")


@nox_lock.session(lock="dev", project="editable")
def tests(session: nox.Session) -> None:
    """Run the tests that every change must pass."""
    session.run("python", "-m", "pytest", *PARALLEL, *session.posargs)


@nox_lock.session(lock="docs", project="editable")
def docs(session: nox.Session) -> None:
    """Build the site of docs/ into docs/_build; what Sphinx warns of is an error."""
    session.run("python", "docs/generate.py")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "docs/_build")


@nox_lock.session(lock="dev", project="editable", default=False)
def pictures(session: nox.Session) -> None:
    """Make the pictures of README and docs, from real runs."""
    session.run("python", "docs/pictures.py")


@nox_lock.session(name="tests-long", lock="dev", project="editable", default=False)
def tests_long(session: nox.Session) -> None:
    """Run the long tier, too: many rounds, and more of the real package index."""
    tier = ("--run-long", "-m", "long or hypothesis")
    session.run("python", "-m", "pytest", *tier, *PARALLEL, *session.posargs)


@nox.session(python=[PYTHONS[0], PYTHONS[-1]], venv_backend="virtualenv", default=False)
@nox.parametrize("versions", VERSIONS, ids=VERSIONS)
def compat(session: nox.Session, versions: str) -> None:
    """Run telling tests on the oldest and newest Python with what pyproject.toml lets in.

    That is the oldest nox beside the newest of the rest, all lower bounds, the newest of all.
    A bound is installed itself (``pip>=24.1`` as ``pip==24.1``), so that one which another
    dependency contradicts is an error. The tools of the tests give way to it.
    """
    bounds = [bound.replace(">=", "==") for bound in PYPROJECT["project"]["dependencies"]]
    oldest = [bound for bound in bounds if bound.startswith("nox==")]
    pins = {"oldest-nox": oldest, "lowest": bounds, "newest": []}[versions]
    newest = ("--upgrade", "--upgrade-strategy=eager")
    session.install(*newest, "-e", ".", *TOOLS, *pins)
    files = [f"tests/{name}" for name in TELLING]
    session.run("python", "-m", "pytest", *PARALLEL, *files, *session.posargs)


@nox.session(venv_backend="virtualenv", default=False)
@nox.parametrize("pip", PIPS, ids=PIPS)
def pips(session: nox.Session, pip: str) -> None:
    """Run the driver in a pip between our bounds, and sessions that install by it."""
    session.install("-e", ".", *TOOLS, f"pip=={pip}")
    wheels = Path(session.create_tmp()).resolve()
    download = ("pip", "download", "--quiet", "--no-deps", "--dest", str(wheels))
    session.run("python", "-m", *download, f"pip=={pip}")
    files = [f"tests/{name}" for name in OF_PIP]
    seed = {"SEED_PIP": pip, "SEED_FOLDER": str(wheels)}
    session.run("python", "-m", "pytest", *PARALLEL, *files, *session.posargs, env=seed)


@nox.session(venv_backend="none", default=False)
def example(session: nox.Session) -> None:
    """Check example_project's locks, make all of them in a copy, run its sessions from them."""
    run = [sys.executable, "-m", "nox", "--no-error-on-missing-interpreters", "--noxfile"]
    session.run(*run, str(EXAMPLE / "noxfile.py"), "-s", "lock-check")
    copy = Path(session.create_tmp()) / EXAMPLE
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".nox", "*-py3.*.txt", "pylock*"))
    noxfile = copy / "noxfile.py"
    text = noxfile.read_text("utf-8")
    listed = text[text.index("[") : text.index("]") + 1]  # PYTHONS = ["3.11", "3.12"]
    pythons = json.loads(listed)
    # Whichever of these Pythons are here.
    session.run(*run, str(noxfile), "-s", "lock", *session.posargs)
    made = {lock.name for lock in (copy / "requirements").glob("*.t[xo]*")}
    committed = sorted((EXAMPLE / "requirements").glob("*.t[xo]*"))  # .txt, .toml
    if made != {lock.name for lock in committed}:
        session.error(f"not all lock files were made: {', '.join(sorted(made))}")
    for lock in committed:  # their pins are of Flask's day
        shutil.copy(lock, copy / "requirements")
    here = ".".join(map(str, sys.version_info[:2]))
    if not any(python == here or _starts(python) for python in pythons):
        session.log(f"none of Python {', '.join(pythons)} is here: with {here}")
        noxfile.write_text(text.replace(listed, f'["{here}"]'), "utf-8")
    # nox looks for Pythons on PATH, where the one that runs need not be.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    session.run(*run, str(noxfile), "-s", "lock", *EXAMPLE_RUNS, env={"PATH": path})


def _starts(python: str) -> bool:
    """Return whether a Python is here; a shim of pyenv on PATH may start none."""
    command = shutil.which(f"python{python}")
    if command is None:
        return False
    return subprocess.run([command, "--version"], capture_output=True, check=False).returncode == 0


@nox.session(venv_backend="virtualenv", default=False)
def audit(session: nox.Session) -> None:
    """Ask the advisory database about all that our locks pin; what cannot be asked is an error."""
    session.install("pip-audit")
    for lock in sorted(Path("requirements").glob("*.txt")):
        options = ("--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off")
        session.run("pip-audit", *options, "-r", str(lock), *session.posargs)


@nox.session(venv_backend="virtualenv", default=False)
def bench(session: nox.Session) -> None:
    """Measure nox-lock beside plain nox and other tools, each in an environment of its own."""
    session.run("python", "benchmarks/bench.py", *session.posargs)
