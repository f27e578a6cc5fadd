"""The projects that are locked and run: written by rule, all offline, but for the corpus."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
WANTED = 20  # requirements of an input
PINS = 62  # of its lock, with
FILES = 7  # hashes each: about 500 lines
EMPTY = """
import nox

@nox.session(venv_backend="none")
def empty(session):
    pass
"""
SESSIONS = """
import nox_lock

nox_lock.add_sessions()
"""
# The noxfile idiom: compile again, and see whether git finds a difference.
GIT_DIFF = """
import sys
from pathlib import Path

@nox.session(venv_backend="none")
def check(session):
    for path in sorted(Path("requirements").glob("*.in")):
        session.run(
            sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes",
            "--allow-unsafe", "--strip-extras", f"--output-file={path.with_suffix('.txt')}",
            str(path), external=True,
        )
    session.run("git", "diff", "--exit-code", external=True)
"""


def names(count: int) -> list[str]:
    """Return the names of so many projects."""
    return [f"project-{number}" for number in range(count)]


def write_wheels(folder: Path, count: int) -> None:
    """Write a small wheel of so many projects that depend on nothing."""
    for name in names(count):
        build_wheel(folder, name, "1.0")


def write_web(folder: Path, releases: int = 0) -> None:
    """Write `PINS` projects, all reached from the first `WANTED`, each with `FILES` files.

    And with so many older releases, which are evaluated and never taken.
    """
    every = names(PINS)
    for number, name in enumerate(every):
        below = [every[each] for each in range(WANTED, PINS) if each % WANTED == number]
        for build in range(FILES):  # builds of one version: as many hashes
            modules = {"module.py": f"BUILD = {build}\n"}
            wheel = build_wheel(folder, name, "1.0", requires=below, modules=modules)
            wheel = wheel.rename(wheel.with_name(wheel.name.replace("-py3-", f"-{build}-py3-")))
            for release in range(releases if build == 0 else 0):
                older = wheel.with_name(wheel.name.replace("-1.0-", f"-0.{release}-"))
                older.hardlink_to(wheel)


def write_input(path: Path, wanted: Iterable[str], wheels: str) -> None:
    """Write an input that finds its projects in a folder of wheels and nowhere else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["--no-index", f"--find-links {wheels}", *wanted, ""]
    path.write_text("\n".join(lines), "utf-8")


def multiply(folder: Path, count: int) -> None:
    """Make `set0.in` and `set0.txt` of a folder so many, alike but for their names."""
    for number in range(1, count):
        for suffix in (".in", ".txt"):
            text = (folder / f"set0{suffix}").read_text("utf-8")
            copy = folder / f"set{number}{suffix}"
            copy.write_text(text.replace("/set0.", f"/set{number}."), "utf-8")


def write_uv_project(folder: Path, wanted: Sequence[str], wheels: Path) -> None:
    """Write a project of uv whose dependency group `test` has these dependencies."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "[project]",
        'name = "demo"',
        'version = "1"',
        f'requires-python = ">={PYTHON}"',
        "[dependency-groups]",
        f"test = {json.dumps(list(wanted))}",
        "[tool.uv]",
        "package = false",
        "no-index = true",
        f"find-links = {json.dumps([wheels.as_posix()])}",
        "",
    ]
    (folder / "pyproject.toml").write_text("\n".join(lines), "utf-8")


def write_hatch_project(
    folder: Path, environments: dict[str, Sequence[str]], *, locked: bool = True
) -> None:
    """Write a project of Hatch with these environments, which uv locks and makes."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["[project]", 'name = "demo"', 'version = "1"']
    for name, dependencies in environments.items():
        lines += [
            f"[tool.hatch.envs.{name}]",
            "skip-install = true",
            f"locked = {json.dumps(locked)}",
            'installer = "uv"',
            f"dependencies = {json.dumps(list(dependencies))}",
        ]
    (folder / "pyproject.toml").write_text("\n".join([*lines, ""]), "utf-8")
