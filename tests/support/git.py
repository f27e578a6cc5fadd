"""Repositories of git, made by somebody whom no setting of this machine touches."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.project import clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONFIG = """\
[user]
name = A
email = a@example.invalid
[init]
defaultBranch = main
[safe]
directory = *
"""


def git_environment(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which git reads the configuration in `home`, and no other.

    It stands in `.gitconfig`, since pre-commit drops git's variables before it runs git.
    """
    (home / ".gitconfig").write_text(CONFIG, encoding="utf-8")
    # A hook may be what runs the tests.
    clean = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
    return clean | {"GIT_CONFIG_NOSYSTEM": "1"}


def git(folder: Path, home: Path, *arguments: str) -> str:
    """Run git to its success, and return what it printed."""
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    command = ["git", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=git_environment(home, clean_environment(home)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def begin(folder: Path, home: Path) -> None:
    """Make a repository of a folder, with all of it in a first commit."""
    git(folder, home, "init", "--quiet")
    git(folder, home, "add", "--all")
    git(folder, home, "commit", "--quiet", "--message", "Begin")


def copy_working_tree(source: Path, target: Path, home: Path) -> None:
    """Make a repository of what stands in a checkout now, committed or not."""
    listed = git(source, home, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (path := source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / name)
    begin(target, home)
