"""The workflow for bots on the page on CI: what its shell commands do to a branch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.git import begin, git, git_environment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ci.md"
LOCKS = {"requirements.txt": "app==2\n", "requirements/dev-py3.11.txt": "dev==2\n"}
OTHERS = {
    "noxfile.py": "import evil\n",
    ".github/workflows/tests.yml": "evil\n",
    "requirements.in": "evil\n",
    "requirements/dev.in": "evil\n",
}

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("bash") is None, reason="the runner's shell is bash"
)


def workflow() -> dict[str, Any]:
    """Return the workflow as GitHub reads it."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    [found] = [block for block in map(yaml.safe_load, blocks) if block.get("name") == "autofix"]
    assert isinstance(found, dict)
    return found


def step(job: str, word: str) -> str:
    """Return the commands of the step that says this word."""
    steps = workflow()["jobs"][job]["steps"]
    [commands] = [each["run"] for each in steps if word in each.get("run", "")]
    assert isinstance(commands, str)
    return commands


def run(commands: str, folder: Path, home: Path) -> None:
    """Run commands as GitHub does."""
    environment = git_environment(home, os.environ) | {"HOME": str(home), "RUNNER_TEMP": str(home)}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", commands]
    subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, check=True)


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files with their folders."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def branch(tmp_path: Path, home: Path) -> Path:
    """Return a bare repository, the folder used in place of GitHub."""
    first, bare = tmp_path / "first", tmp_path / "bare"
    write(first, dict.fromkeys([*LOCKS, *OTHERS], "old\n"))
    begin(first, home)
    git(tmp_path, home, "clone", "--quiet", "--bare", str(first), str(bare))
    return bare


def checkout(branch: Path, name: str, home: Path) -> Path:
    """Return a fresh clone."""
    folder = branch.parent / name
    git(branch.parent, home, "clone", "--quiet", str(branch), str(folder))
    return folder


def put_back(branch: Path, patch: Path, home: Path) -> list[str]:
    """Run the second job, and return the files that its commit changed."""
    (home / "locks").mkdir()
    shutil.copy(patch, home / "locks" / "locks.patch")
    before = git(branch, home, "rev-parse", "main").strip()
    run(step("commit", "git push"), checkout(branch, "second", home), home)
    return git(branch, home, "diff", "--name-only", before, "main").split()


def test_lock_files_come_back(branch: Path, home: Path) -> None:
    made = checkout(branch, "lock", home)
    write(made, LOCKS | OTHERS)
    run(step("lock", "git diff"), made, home)
    assert put_back(branch, made / "locks.patch", home) == sorted(LOCKS)
    for name, text in LOCKS.items():
        assert git(branch, home, "show", f"main:{name}") == text


def test_nothing_else_comes_back(branch: Path, home: Path) -> None:
    """Whatever the first job was made to hand on: it runs code that nobody has read."""
    made = checkout(branch, "lock", home)
    write(made, LOCKS | OTHERS)
    (made / "locks.patch").write_text(git(made, home, "diff", "--binary"), encoding="utf-8")
    assert put_back(branch, made / "locks.patch", home) == sorted(LOCKS)


def test_without_a_change_there_is_no_commit(branch: Path, home: Path) -> None:
    made = checkout(branch, "lock", home)
    run(step("lock", "git diff"), made, home)
    assert put_back(branch, made / "locks.patch", home) == []


def test_who_may_write() -> None:
    """The job that runs code cannot write, and leaves no token; the one that writes runs none."""
    jobs = workflow()["jobs"]
    assert workflow()["permissions"] == {}
    assert jobs["lock"]["permissions"] == {"contents": "read"}
    [taken] = [each for each in jobs["lock"]["steps"] if "checkout" in each.get("uses", "")]
    assert taken["with"]["persist-credentials"] is False
    said = " ".join(each.get("run", "") for each in jobs["commit"]["steps"])
    assert not re.search(r"nox|pip|python", said)
    [handed] = [each for each in jobs["commit"]["steps"] if "artifact" in each.get("uses", "")]
    assert handed["with"]["path"].startswith("${{ runner.temp }}/")
