"""The projects that are locked and run: of the corpus, or written by rule and all offline."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import UnavailableError
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_REACHED = re.compile(r"^(-[rc]) *([^\s#]+)")
_LOCK = re.compile(r"^-r +[^\s#]+\.txt$")
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


@dataclass(frozen=True, slots=True)
class Input:
    """An input of the corpus.

    Attributes:
        path: below `corpus/`.
        pins: how many its lock had in November 2026.
        left_out: lines that need a git host or do not build everywhere, by their beginning.
    """

    path: str
    pins: int
    left_out: tuple[str, ...] = ()


INPUTS: Mapping[str, Input] = {
    "vendored": Input("bazelbuild__rules_python/examples/pip_parse_vendored/requirements.in", 5),
    "flask-tests": Input("pallets__flask/requirements/tests.in", 8),
    "flask-typing": Input("pallets__flask/requirements/typing.in", 12),
    "runtime-deps": Input("aio-libs__aiohttp/requirements/runtime-deps.in", 15),
    "flask-docs": Input("pallets__flask/requirements/docs.in", 26),
    "aiohttp-doc": Input("aio-libs__aiohttp/requirements/doc.in", 32),
    "zulip-mypy": Input("zulip__zulip/requirements/mypy.in", 49),
    "aiohttp-test": Input("aio-libs__aiohttp/requirements/test.in", 58),
    "aiohttp-lint": Input("aio-libs__aiohttp/requirements/lint.in", 61),
    "flask-dev": Input("pallets__flask/requirements/dev.in", 68),
    "aiohttp-dev": Input("aio-libs__aiohttp/requirements/dev.in", 102),
    "credentials": Input("openedx__credentials/requirements/all.in", 177, ("git+", "mysqlclient")),
}


def copy_input(each: Input, shared: Path, root: Path) -> str:
    """Copy an input and all it reaches into `root`; return its path there."""
    name, _, path = each.path.partition("/")
    source = shared / "corpus" / name
    if not (source / path).is_file():
        raise UnavailableError(f"there is no corpus with {each.path}")
    _copy(each, source, path, root)
    return path


def flatten(root: Path, path: str) -> list[str]:
    """Return the requirement lines that an input reaches by `-r`.

    Raises UnavailableError for what is not a requirement: a tool without options cannot take it.
    """
    found = []
    for line in (root / path).read_text("utf-8").splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        reached = _REACHED.match(text)
        if reached and reached[1] == "-r":
            found += flatten(root, _join(path, reached[2]))
        elif text.startswith("-"):
            raise UnavailableError(f"it cannot take `{text}`")
        elif text:
            found.append(text)
    return list(dict.fromkeys(found))


def _copy(each: Input, source: Path, path: str, root: Path) -> None:
    target = root / path
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / path, target)
    lines = []
    for text in target.read_text("utf-8").splitlines():
        # The corpus writes so what is the default index.
        if "//index.example/" in text or text.startswith(each.left_out or ("\0",)):
            continue
        line = _LOCK.sub(lambda found: _input_of(source, path, found[0]), text)
        lines.append(line)
        if reached := _REACHED.match(line):
            _copy(each, source, _join(path, reached[2]), root)
    target.write_text("\n".join([*lines, ""]), "utf-8")


def _input_of(source: Path, path: str, line: str) -> str:
    """Return a line `-r base.txt` as `-r base.in` where there is one: locks of old are not here."""
    better = f"{line.removesuffix('.txt')}.in"
    exists = (source / _join(path, better.rsplit(maxsplit=1)[-1])).is_file()
    return better if exists else line


def _join(path: str, reached: str) -> str:
    folder, _, _ = path.rpartition("/")
    return f"{folder}/{reached}" if folder else reached
