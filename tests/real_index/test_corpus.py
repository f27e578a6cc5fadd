"""Real inputs against the real package index: what nox-lock writes is what pip-compile writes."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.long import long
from support.project import Project

if TYPE_CHECKING:
    from pathlib import Path

# For each change: markers and a pin of pip; a name in another spelling and a limit.
SMALL = [
    long("pypa__manylinux/requirements-base-tools.in"),
    "pypa__manylinux/requirements.in",
    long("pallets__flask/requirements/tests.in"),
    "freedomofpress__securedrop/securedrop/requirements/python3/translation-requirements.in",
]
LARGE = [
    "aio-libs__aiohttp/requirements/doc.in",
    "aio-libs__aiohttp/requirements/lint.in",
    "aio-libs__aiohttp/requirements/runtime-deps.in",
    "aio-libs__aiohttp/requirements/test-common-base.in",
    "bazelbuild__rules_python/examples/bzlmod_build_file_generation/requirements.in",
    "bazelbuild__rules_python/examples/wheel/requirements_server.in",
    "bazelbuild__rules_python/tools/publish/requirements.in",
    "freedomofpress__securedrop/admin/requirements-testinfra.in",
    "nedbat__coveragepy/requirements/tox.in",
    "pallets__flask/requirements/docs.in",
    "pypa__manylinux/requirements-tools.in",
    "zulip__zulip/requirements/docs.in",
]
_STAMP = re.compile(r"^# nox-lock: .*\n", re.MULTILINE)
_COMMAND = re.compile(r"^# {4}pip-compile (.*)$", re.MULTILINE)


def copy_set(shared: Path, source: str, root: Path) -> str:
    """Copy the set an input belongs to, without its lock files; return the input's path in it."""
    name, _, path = source.partition("/")
    shutil.copytree(
        shared / "corpus" / name, root, dirs_exist_ok=True, copy_function=shutil.copyfile
    )
    (root / path).with_suffix(".txt").unlink(missing_ok=True)
    return path


def compare_with_pip_compile(shared: Path, tmp_path: Path, source: str, *, hashes: bool) -> None:
    """Lock an input by `nox -s lock`, and by the command its header prints; compare the files."""
    home = tmp_path / "home"
    home.mkdir()
    root = tmp_path / "ours"
    path = copy_set(shared, source, root)
    project = Project(root, home)
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    lockfile = path.removesuffix(".in") + ".txt"
    table = f'[tool.nox-lock.locks.it]\ninputs = ["{path}"]\nlockfile = "{lockfile}"\n'
    project.write("pyproject.toml", f"{table}generate-hashes = {str(hashes).lower()}\n")
    project.nox("-s", "lock", "--", "it", "--no-cache", timeout=900).ok()
    ours = project.read(lockfile)

    theirs = tmp_path / "theirs"
    copy_set(shared, source, theirs)
    printed = _COMMAND.search(ours)
    assert printed
    subprocess.run(
        [sys.executable, "-m", "piptools", "compile", "--no-config", *shlex.split(printed[1])],
        cwd=theirs,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    # Not only the same versions and hashes: the same file, but for our one line.
    assert _STAMP.sub("", ours) == (theirs / lockfile).read_text(encoding="utf-8")
    project.nox("-s", "lock-check", "--", "it").ok()
    assert "up to date" in project.nox("-s", "lock", "--", "it").ok().output


@pytest.mark.network
@pytest.mark.parametrize("source", SMALL)
def test_equals_pip_compile(shared: Path, tmp_path: Path, source: str) -> None:
    """A hashed lock of a real input is the file that pip-compile's printed command makes."""
    compare_with_pip_compile(shared, tmp_path, source, hashes=True)


@pytest.mark.long
@pytest.mark.network
@pytest.mark.parametrize("source", LARGE)
def test_equals_pip_compile_large(shared: Path, tmp_path: Path, source: str) -> None:
    """The same for larger inputs, without hashes: hashing would download gigabytes."""
    compare_with_pip_compile(shared, tmp_path, source, hashes=False)
