"""Locks that others have written or rewritten: bots, pip-compile-multi, the corpus."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock.checking.judge import judge
from support.locks import pins
from support.plans import plan_folder
from support.project import NOXFILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.index import LocalIndex
    from support.prepared import Prepared
    from support.project import Project

LOCK = "requirements.txt"
COMMAND = re.compile(r"^# {4}pip-compile (.*)$", re.MULTILINE)
LEADING = re.compile(r"(?:#.*\n)+")
NOW = "{}.{}".format(*sys.version_info)
NEXT = f"3.{sys.version_info.minor + 1}"


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    """A project with a lock, and a newer release of what it pins."""
    prepared.index.publish("app", "1.0", requires=["dep>=1"])
    prepared.index.publish("dep", "1.5")
    prepared.index.publish("back", "1.0")
    prepared.project.write("noxfile.py", NOXFILE)
    prepared.project.write("requirements.in", f"app\nback ; python_version < '{NEXT}'\n")
    prepared.project.nox("-s", "lock").ok()
    prepared.index.publish("dep", "1.6")
    prepared.freeze()
    return prepared


@pytest.fixture
def locked(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    yield from made.lend(tmp_path)


def regenerate(project: Project, *arguments: str) -> None:
    """Run what a bot runs: pip-compile, with its own choice of arguments."""
    command = [sys.executable, "-m", "piptools", "compile", "-q", "--no-emit-index-url"]
    subprocess.run(
        [*command, *arguments],
        cwd=project.root,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )


def as_recorded(project: Project) -> list[str]:
    """Return the arguments of the command that the lock file names."""
    found = COMMAND.search(project.read(LOCK))
    assert found
    return shlex.split(found[1])


def keep_header(project: Project, before: str) -> None:
    """Put the old leading comments back, as Dependabot does."""
    [old, new] = [LEADING.match(text) for text in (before, project.read(LOCK))]
    assert old
    assert new
    project.write(LOCK, old[0] + project.read(LOCK)[new.end() :])


def adopt(project: Project) -> None:
    """Lock again: no pin moves, and nothing is left to say."""
    before = pins(project.read(LOCK))
    project.nox("-s", "lock").ok()
    assert pins(project.read(LOCK)) == before
    said = project.nox("-s", "lock-check").ok().output
    assert "no stamp" not in said
    assert "changed since" not in said


def test_a_bump_as_renovate_does_it(locked: Project) -> None:
    """It runs the command of the header, which writes a new header: the stamp is gone."""
    regenerate(locked, *as_recorded(locked), "--upgrade-package=dep==1.6")
    assert "# nox-lock:" not in locked.read(LOCK)
    assert pins(locked.read(LOCK))["dep"] == "1.6"
    said = locked.nox("-s", "lock-check").ok().output
    assert f"{LOCK}: fresh" in said
    assert "no stamp: made by pip-compile" in said
    adopt(locked)


def test_a_bump_as_dependabot_does_it(locked: Project) -> None:
    """It guesses a command, and keeps the old leading comments: the stamp is there and wrong."""
    before = locked.read(LOCK)
    guessed = ("--generate-hashes", "--strip-extras", "--allow-unsafe", "-P", "dep==1.6")
    regenerate(locked, *guessed, f"--output-file={LOCK}", "requirements.in")
    keep_header(locked, before)
    assert "# nox-lock:" in locked.read(LOCK)
    said = locked.nox("-s", "lock-check").ok().output
    assert f"{LOCK}: fresh" in said
    assert "changed since it was stamped" in said
    adopt(locked)


def test_a_bump_by_another_python_under_the_old_header(locked: Project) -> None:
    """Dependabot has one Python for all: what another one does not need is not in the lock."""
    before = locked.read(LOCK)
    locked.write("requirements.in", "app\n")
    regenerate(locked, *as_recorded(locked), "--upgrade-package=dep==1.6")
    locked.write("requirements.in", f"app\nback ; python_version < '{NEXT}'\n")
    keep_header(locked, before)
    assert f"with Python {NOW}" in locked.read(LOCK)
    said = locked.nox("-s", "lock-check").failed().output
    assert "back; python_version <" in said
    assert "is not in the lock (requirements.in:2)" in said


def test_half_of_the_inputs(locked: Project) -> None:
    """Dependabot compiles the last input alone, of a lock that has several."""
    locked.write("more.in", "dep\n")
    locked.write(
        "pyproject.toml",
        "[tool.nox-lock.locks.requirements]\ninputs = ['requirements.in', 'more.in']\n",
    )
    locked.nox("-s", "lock").ok()
    regenerate(locked, "--generate-hashes", "-q", f"--output-file={LOCK}", "more.in")
    said = locked.nox("-s", "lock-check").failed().output
    assert "app is not in the lock (requirements.in:1)" in said
    # A bot that respects the header does not do it: it names no pip-compile.
    locked.nox("-s", "lock").ok()
    assert COMMAND.search(locked.read(LOCK)) is None


def test_locks_of_pip_compile_multi(project: Project, index: LocalIndex) -> None:
    """Its lock files include each other: a lock file is whole, and adopted without a move."""
    header = "# SHA1:54b5b77ec8c7a0064ffa93b2fd16cb0130ba177c\n#\n# This file is autogenerated by "
    header += "pip-compile-multi\n# To update, run:\n#\n#    pip-compile-multi\n#\n"
    for version in ("1.0", "2.0"):
        index.publish("app", version, requires=["dep"])
        index.publish("dep", version)
        index.publish("tool", version, requires=["dep"])
    project.write("noxfile.py", NOXFILE.partition("@")[0])
    project.write("requirements/base.in", "app\n")
    project.write("requirements/dev.in", "-r base.in\ntool\n")
    base = "app==1.0\n    # via -r requirements/base.in\ndep==1.0\n    # via app\n"
    project.write("requirements/base.txt", header + base)
    dev = "-r base.txt\ntool==1.0\n    # via -r requirements/dev.in\n"
    project.write("requirements/dev.txt", header + dev)
    said = project.nox("-s", "lock-check").failed().output
    assert said.count("no stamp: made by pip-compile-multi") == 1
    assert "includes base.txt; lock files are whole (requirements/dev.txt:8)" in said
    project.nox("-s", "lock").ok()
    assert pins(project.read("requirements/base.txt")) == {"app": "1.0", "dep": "1.0"}
    both = {"app": "1.0", "dep": "1.0", "tool": "1.0"}
    assert pins(project.read("requirements/dev.txt")) == both
    project.nox("-s", "lock-check").ok()


def test_an_included_lock_file_that_is_not_there(project: Project) -> None:
    header = "# This file is autogenerated by pip-compile-multi\n"
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write(LOCK, f"{header}-r gone.txt\n-r {LOCK}\napp==1.0\n    # via -r requirements.in\n")
    said = project.nox("-s", "lock-check").failed().output
    assert f"includes gone.txt; lock files are whole ({LOCK}:2)" in said


CORPUS = [
    ("aio-libs__aiohttp", "requirements/constraints.txt", "pip-compile", ""),
    ("aio-libs__aiohttp", "requirements/runtime-deps.txt", "pip-compile", ""),
    ("bazelbuild__rules_python", "examples/pip_repository_annotations/requirements.txt",
     "pip-compile", ""),
    ("freedomofpress__securedrop", "securedrop/requirements/python3/requirements.txt", "uv", ""),
    ("nedbat__coveragepy", "requirements/kit.pip", "uv", ""),
    ("nedbat__coveragepy", "requirements/dev.pip", "uv", ""),
    ("openedx__credentials", "older-2020-07/requirements/base.txt", "pip-compile", ""),
    ("openedx__credentials", "older-2020-07/requirements/production.txt", "pip-compile", ""),
    ("openedx__credentials", "older-2021-08/requirements/dev.txt", "pip-compile", ""),
    # Its Makefile cuts Django out of base.txt, which test.in includes.
    ("openedx__credentials", "older-2021-08/requirements/test.txt", "pip-compile",
     "django==2.2.24 is not in the lock (older-2021-08/requirements/base.txt:40)"),
    ("pallets__flask", "requirements/dev.txt", "pip-compile-multi",
     ("includes docs.txt; lock files are whole (requirements/dev.txt:8)\n"
     "includes tests.txt; lock files are whole (requirements/dev.txt:9)\n"
     "includes typing.txt; lock files are whole (requirements/dev.txt:10)")),
    ("pallets__flask", "requirements/docs.txt", "pip-compile-multi", ""),
    ("pallets__flask", "requirements/tests-pallets-dev.txt", "pip-compile-multi", ""),
    ("pallets__flask", "requirements/typing.txt", "pip-compile-multi", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "lock", "maker", "wrong"), CORPUS)
def test_locks_of_the_corpus(
    name: str, lock: str, maker: str, wrong: str, shared: Path, tmp_path: Path
) -> None:
    """A real lock file made by another tool is judged against its real input."""
    root = tmp_path / "project"
    shutil.copytree(shared / "corpus" / name, root, copy_function=shutil.copyfile)
    source = lock.rpartition(".")[0] + ".in"
    python = re.search(r"with [Pp]ython (\S+)", (root / lock).read_text(encoding="utf-8"))
    (root / "pyproject.toml").write_text(
        f"[tool.nox-lock.locks.it]\ninputs = ['{source}']\nlockfile = '{lock}'\n"
        f"python = '{python[1] if python else '3.12'}'\n",
        encoding="utf-8",
    )
    planned = plan_folder(root, names=["it"])[-1]
    verdict = judge(planned)
    assert "\n".join(map(str, verdict.reasons)) == wrong
    assert verdict.notes == (() if wrong else (f"no stamp: made by {maker}",))
