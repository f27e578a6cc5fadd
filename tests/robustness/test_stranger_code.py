"""Changed lock files that ran a stranger's code in a session of CI, and are refused now.

Each installs something in truth: its build, or what comes with it, leaves a file behind.
"""

from __future__ import annotations

import hashlib
import platform
from typing import TYPE_CHECKING

import pytest

from support.sdists import build_sdist, project_files, write_archive
from support.stranger import MARKER, RUNS, lock_once
from support.verdicts import INPUT, LOCK, by_uv, restamped, unstamped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Project

# What a build does with its settings is its own affair.
OBEYS = f"""
_build = build_wheel

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    if (config_settings or {{}}).get("run"):
        {RUNS.strip()}
    return _build(wheel_directory, config_settings, metadata_directory)
"""


def hash_of(path: Path) -> str:
    return f"--hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    """Return a project with a good lock file, really made, and what a stranger has published."""
    folder = prepared.index.folder
    build_sdist(folder, "evil", "6.6.6", code=RUNS)
    tool, inner = project_files("tool"), project_files("tool", code=RUNS)
    tool["backend.py"] += OBEYS
    info = {"PKG-INFO": "Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n"}
    hidden = {f"evil/{name}": text for name, text in inner.items()}
    write_archive(folder / "tool-1.0.tar.gz", tool | info | hidden)
    url = prepared.index.url.replace("/simple/", "/packages/tool-1.0.tar.gz")
    return lock_once(prepared, f"app\ntool @ {url}\n")


def separator(lock: str, evil: str) -> bytes:
    """End a line where pip does and an editor does not."""
    return restamped(lock.replace(f"-r {INPUT}\n", f"-r {INPUT}\u2028{evil}\n", 1).encode())


def encoding(lock: str, evil: str) -> bytes:
    """Declare the encoding in which a comment holds a line."""
    return restamped(f"# coding: utf-7\n# +AAo-{evil.replace('=', '+AD0-')}\n{lock}".encode())


def patch_release(lock: str, evil: str) -> bytes:
    """Pin for the patch release that CI runs on: neither the first nor the last one."""
    marker = f'python_full_version == "{platform.python_version()}"'
    return by_uv(unstamped(f"{lock}{evil.replace(' --', f' ; {marker} --')}\n".encode()))


def folder_of_the_archive(lock: str, _evil: str) -> bytes:
    """Build another folder of the right archive."""
    return restamped(lock.replace(".tar.gz", ".tar.gz#subdirectory=evil", 1).encode())


def file_behind_a_hash(lock: str, _evil: str) -> bytes:
    """Include a file on a line that looks like a hash, as long as one."""
    first = lock.index("    --hash=")
    end = lock.index("\n    # via", first)
    line = f"    --hash=sha256:{'0' * 64} -r {'./' * 10}more.txt"
    return restamped(f"{lock[:end]}\n{line}{lock[end:]}".encode())


def settings_behind_a_hash(lock: str, _evil: str) -> bytes:
    """Hand settings to the build, on a line as long as a hash."""
    tool = lock.index("tool @ ")
    end = lock.index("\n    # via", tool)
    return restamped(f"{lock[:end]} --config-settings=run={'x' * 9}{lock[end:]}".encode())


def odd_pin_of_a_file(lock: str, _evil: str) -> bytes:
    """Include a file with a line that only pip takes for a pin: an archive by its name alone."""
    return restamped(lock.replace("\napp==", "\n-r odd.txt\napp==", 1).encode())


ATTACKS: list[Callable[[str, str], bytes]] = [
    separator, encoding, patch_release, folder_of_the_archive, file_behind_a_hash,
    settings_behind_a_hash, odd_pin_of_a_file,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_code_of_a_stranger_does_not_run(
    attack: Callable[[str, str], bytes], made: Prepared, tmp_path: Path
) -> None:
    project = made.copy(tmp_path)
    archive = made.index.folder / "evil-6.6.6.tar.gz"
    evil = f"evil==6.6.6 {hash_of(archive)}"
    project.write("more.txt", f"{evil}\n")
    project.write("odd.txt", f"{archive.name} {hash_of(archive)}\n")
    (project.root / archive.name).write_bytes(archive.read_bytes())
    good = (project.root / LOCK).read_bytes()
    changed = attack(good.decode(), evil)
    assert changed != good
    (project.root / LOCK).write_bytes(changed)
    before = project.snapshot()
    made.index.clear_requests()
    env = {"CI": "1", "STRANGER": str(project.root)}
    check = project.nox("-s", "lock-check", env=env)
    run = project.nox("-s", "tests", env=env)
    assert not project.exists(MARKER), f"code ran.\n{check.output}\n{run.output}"
    check.failed()
    run.failed()
    assert "it runs" not in run.output
    assert made.index.requests() == []
    assert project.snapshot() == before


def test_the_good_file_is_installed(made: Prepared, tmp_path: Path) -> None:
    """And what a stranger has added does not run by itself."""
    project: Project = made.copy(tmp_path)
    env = {"CI": "1", "STRANGER": str(project.root)}
    run = project.nox("-s", "tests", env=env).ok()
    assert "it runs" in run.output
    assert not project.exists(MARKER)
