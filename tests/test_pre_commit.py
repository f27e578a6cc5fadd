"""The hooks for pre-commit, run by real pre-commit in a real repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from support.project import Project

if TYPE_CHECKING:
    from support.index import LocalIndex

ROOT = Path(__file__).resolve().parents[1]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
NOXFILE = "import nox_lock\n\nnox_lock.add_sessions()\n"


@dataclass(frozen=True)
class Repository:
    """A git repository with the hooks of this one.

    Attributes:
        project: the project in it.
        variables: what git and pre-commit need of the environment.
    """

    project: Project
    variables: dict[str, str]

    def run(self, *command: str, real_index: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command in it; with `real_index` as a user without the local one."""
        project = Project(self.project.root, self.project.home) if real_index else self.project
        return subprocess.run(
            command,
            cwd=project.root,
            env=project.environment(self.variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
        )

    def commit(self, message: str) -> subprocess.CompletedProcess[str]:
        """Commit all there is; the hooks run."""
        self.run("git", "add", "--all")
        return self.run("git", "commit", "--message", message)


@pytest.fixture
def repository(project: Project, index: LocalIndex) -> Repository:
    """Return a repository with a fresh lock and the hook `lock-check` installed."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git, or no repository: pre-commit takes its hooks from one")
    variables = {
        "PRE_COMMIT_HOME": str(project.home / "pre-commit"),
        "GIT_CONFIG_GLOBAL": str(project.home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    (project.home / "gitconfig").write_text(
        "[user]\nname = A\nemail = a@example.invalid\n[init]\ndefaultBranch = main\n"
        "[safe]\ndirectory = *\n",
        encoding="utf-8",
    )
    made = Repository(project, variables)
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write(".gitignore", "__pycache__/\n.nox/\n")
    project.nox("-s", "lock").ok()
    revision = made.run("git", "-C", str(ROOT), "rev-parse", "HEAD").stdout.strip()
    hooks = "".join(f"      - id: {hook['id']}\n        stages: [STAGE]\n" for hook in HOOKS)
    hooks = hooks.replace("STAGE", "pre-commit", 1).replace("STAGE", "manual", 1)
    project.write(
        ".pre-commit-config.yaml",
        f"repos:\n  - repo: {ROOT.as_uri()}\n    rev: {revision}\n    hooks:\n{hooks}",
    )
    made.run("git", "init", "--quiet")
    done = made.run(
        sys.executable, "-m", "pre_commit", "install", "--install-hooks", real_index=True
    )
    assert done.returncode == 0, done.stdout
    return made


@pytest.mark.network
def test_a_commit_with_a_stale_lock_is_stopped(repository: Repository) -> None:
    project = repository.project
    first = repository.commit("Begin")
    assert first.returncode == 0, first.stdout
    assert re.search(r"lock-check\.+Passed", first.stdout)

    project.write("README.md", "Nothing that a lock is made from.\n")
    unrelated = repository.commit("Tell")
    assert unrelated.returncode == 0
    assert re.search(r"lock-check\.+\(no files to check\)Skipped", unrelated.stdout)

    project.write("requirements.in", "app\nmore\n")
    refused = repository.commit("More")
    assert refused.returncode != 0
    assert re.search(r"lock-check\.+Failed", refused.stdout)
    assert "more is not in the lock (requirements.in:2)" in refused.stdout
    assert "Run: nox -s lock" in refused.stdout

    assert project.index is not None
    project.index.publish("more", "1.0")
    command = (sys.executable, "-m", "pre_commit", "run", "lock", "--hook-stage", "manual")
    mended = repository.run(*command)
    assert mended.returncode != 0
    assert "files were modified by this hook" in mended.stdout
    repository.run("git", "add", "--all")
    again = repository.run(*command)
    assert again.returncode == 0, again.stdout
    assert repository.commit("More").returncode == 0


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("requirements.in", True),
        ("requirements-dev.txt", True),
        ("dev-requirements.in", True),
        ("docker/requirements3.12.txt", True),
        ("requirements/dev.in", True),
        ("requirements/static/ci/py3.11/linux.txt", True),
        ("requirements/kit.pip", True),
        ("requirements/constraints.txt", True),
        ("pyproject.toml", True),
        ("sub/setup.cfg", True),
        ("noxfile.py", True),
        ("README.md", False),
        ("src/app.py", False),
        ("docs/requirements.md", False),
        ("LICENSE.txt", False),
    ],
)
def test_which_files_count(hook: dict[str, str], path: str, counts: bool) -> None:  # noqa: FBT001
    """Inputs and lock files under the names they have in the wild."""
    assert bool(re.search(hook["files"], path)) is counts
