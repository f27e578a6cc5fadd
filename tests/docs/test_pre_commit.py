"""The hooks for pre-commit, run by real pre-commit in a real repository."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from support.git import copy_working_tree, git, git_environment
from support.locks import hashed_pin, stamp_all
from support.project import Project, clean_environment

if TYPE_CHECKING:
    from support.index import LocalIndex

ROOT = Path(__file__).resolve().parents[2]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
NOXFILE = "import nox_lock\n\nnox_lock.add_sessions()\n"
PRE_COMMIT = (sys.executable, "-m", "pre_commit")
LOCK = (*PRE_COMMIT, "run", "lock", "--hook-stage", "manual")


@dataclass(frozen=True)
class Hooks:
    """The hooks of this checkout, with their environment made.

    Attributes:
        configuration: what names them in `.pre-commit-config.yaml`.
        home: the folder in which pre-commit keeps their environment.
    """

    configuration: str
    home: Path


@dataclass(frozen=True)
class Repository:
    """A git repository with the hooks of this one."""

    project: Project
    hooks: Hooks

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as a user of the local index."""
        home = str(self.hooks.home)
        environment = self.project.environment({"PRE_COMMIT_HOME": home})
        return _run(command, self.project.root, git_environment(self.project.home, environment))

    def commit(self, message: str) -> subprocess.CompletedProcess[str]:
        """Commit all there is; the hooks run."""
        git(self.project.root, self.project.home, "add", "--all")
        return self.run("git", "commit", "--message", message)


def _run(
    command: tuple[str, ...], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory, seeds: dict[str, str]) -> Hooks:
    """Return the hooks as they are here, committed or not; their environment takes long."""
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout: what belongs to this repository is not known")
    folder = tmp_path_factory.mktemp("hooks")
    home, source, first = (folder / name for name in ("home", "source", "first"))
    for path in (home, source, first):
        path.mkdir()
    copy_working_tree(ROOT, source, home)
    revision = git(source, home, "rev-parse", "HEAD").strip()
    ids = "".join(f"      - id: {hook['id']}\n" for hook in HOOKS)
    ids = ids.replace("- id: lock\n", "- id: lock\n        stages: [manual]\n")
    made = Hooks(
        f"repos:\n  - repo: {source.as_uri()}\n    rev: {revision}\n    hooks:\n{ids}",
        folder / "pre-commit",
    )
    (first / ".pre-commit-config.yaml").write_text(made.configuration, encoding="utf-8")
    git(first, home, "init", "--quiet")
    # Most of what is installed is never imported.
    environment = clean_environment(home, PRE_COMMIT_HOME=str(made.home), PIP_COMPILE="0", **seeds)
    environment = git_environment(home, environment)
    done = _run((*PRE_COMMIT, "install-hooks"), first, environment)
    assert done.returncode == 0, done.stdout
    return made


@pytest.fixture
def repository(project: Project, index: LocalIndex, hooks: Hooks) -> Repository:
    """Return a repository with a fresh lock, whose commits run the hook `lock-check`."""
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write(".gitignore", "__pycache__/\n.nox/\n")
    project.write(".pre-commit-config.yaml", hooks.configuration)
    pin = hashed_pin(index.publish("app", "1.0"), "-r requirements.in")
    stamp_all(project.root, {"requirements": pin})
    git(project.root, project.home, "init", "--quiet")
    made = Repository(project, hooks)
    done = made.run(*PRE_COMMIT, "install")
    assert done.returncode == 0, done.stdout
    return made


@pytest.mark.network
def test_a_commit_with_a_stale_lock_is_stopped(repository: Repository, index: LocalIndex) -> None:
    project = repository.project
    first = repository.commit("Begin")
    assert first.returncode == 0, first.stdout
    assert re.search(r"lock-check\.+Passed", first.stdout)

    project.write("README.md", "Nothing that a lock is made from.\n")
    unrelated = repository.commit("Read me")
    assert unrelated.returncode == 0
    assert re.search(r"lock-check\.+\(no files to check\)Skipped", unrelated.stdout)

    project.write("requirements.in", "app\nmore\n")
    refused = repository.commit("More")
    assert refused.returncode != 0
    assert re.search(r"lock-check\.+Failed", refused.stdout)
    assert "more is not in the lock (requirements.in:2)" in refused.stdout
    assert "Run: nox -s lock" in refused.stdout

    index.publish("more", "1.0")
    fixed = repository.run(*LOCK)
    assert fixed.returncode != 0
    assert "files were modified by this hook" in fixed.stdout
    git(project.root, project.home, "add", "--all")
    again = repository.run(*LOCK)
    assert again.returncode == 0, again.stdout
    assert repository.commit("More").returncode == 0


@pytest.mark.network
def test_the_hooks_see_what_is_to_be_committed(repository: Repository) -> None:
    """An input that was edited and not added does not stop a commit; one that was added does."""
    project = repository.project
    assert repository.commit("Begin").returncode == 0
    project.write("requirements.in", "app\nmore\n")
    project.write("pyproject.toml", "[tool.nox-lock]\n")
    git(project.root, project.home, "add", "pyproject.toml")
    partly = repository.run("git", "commit", "--message", "Configure")
    assert partly.returncode == 0, partly.stdout
    assert re.search(r"lock-check\.+Passed", partly.stdout)
    assert project.read("requirements.in") == "app\nmore\n"
    assert "more is not in the lock" in repository.commit("More").stdout


@pytest.mark.network
def test_what_pre_commit_shows_to_no_hook(repository: Repository) -> None:
    """The page on CI says so: files that are deleted, and those that git does not know yet."""
    project = repository.project
    assert repository.commit("Begin").returncode == 0
    git(project.root, project.home, "rm", "--quiet", "requirements.txt")
    deleted = repository.run("git", "commit", "--message", "Delete")
    assert deleted.returncode == 0
    assert re.search(r"lock-check\.+\(no files to check\)Skipped", deleted.stdout)

    project.write("requirements.in", "# mine\napp\n")
    git(project.root, project.home, "add", "--all")
    made = repository.run(*LOCK)
    assert made.returncode == 0, made.stdout
    assert git(project.root, project.home, "status", "--short").splitlines() == [
        "M  requirements.in",
        "?? requirements.txt",
    ]


@pytest.mark.long
@pytest.mark.network
def test_a_noxfile_elsewhere_that_imports_more(project: Project, hooks: Hooks) -> None:
    """The page on CI says what to configure: `additional_dependencies`, and `args`."""
    more = "- id: lock-check\n        additional_dependencies: [iniconfig]\n"
    more += "        args: [--noxfile, sub/noxfile.py]\n"
    configuration = hooks.configuration.replace("- id: lock-check\n", more)
    project.write(".pre-commit-config.yaml", configuration)
    project.write("sub/noxfile.py", f"import iniconfig\n{NOXFILE}")
    project.write("sub/requirements.in", "app\n")
    git(project.root, project.home, "init", "--quiet")
    # As a user of the real index, where the hook's environment comes from.
    made = Repository(Project(project.root, project.home), hooks)
    assert made.run(*PRE_COMMIT, "install").returncode == 0
    refused = made.commit("Begin")
    assert refused.returncode != 0
    assert "requirements.txt: missing" in refused.stdout


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
