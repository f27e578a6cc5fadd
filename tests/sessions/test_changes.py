"""What `nox -s lock` tells: what moved and why; and why a pin is there at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nox_lock.console import Console
from nox_lock.errors import ConfigError
from nox_lock.locking.changes import Outcome
from nox_lock.locking.options import CompileOptions
from nox_lock.locking.run import lock_all
from nox_lock.sessions.commands import make_parser, parse_options
from support.plans import open_folder, plan_folder
from support.project import NOXFILE, Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.prepared import Prepared


@pytest.mark.parametrize("asked", ["--check", "--why=app"])
def test_what_changes_nothing_goes_with_nothing_that_does(asked: str) -> None:
    with pytest.raises(ConfigError, match="does not go with --upgrade"):
        parse_options(make_parser("lock"), [asked, "-U"])


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    for version in ("1.0", "2.0"):
        prepared.index.publish("app", version, requires=["dep"])
        prepared.index.publish("dep", version)
    prepared.project.write("noxfile.py", NOXFILE)
    prepared.index.publish("old", "1.0", requires=["cut<2"])
    for version in ("1.0", "2.0"):
        prepared.index.publish("cut", version)
    prepared.project.write("requirements.in", "app<2\nold\n")
    prepared.project.nox("-s", "lock").ok()
    prepared.index.publish("dep", "3.0")
    prepared.project.write("requirements.in", "app\nold\n")
    prepared.freeze()
    return prepared


@pytest.fixture
def project(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    yield from made.lend(tmp_path)


def test_a_dry_run_tells_and_writes_nothing(project: Project) -> None:
    before = project.snapshot()
    told = project.nox("-s", "lock", "--", "-U", "--dry-run", "--format", "json").ok()
    assert project.snapshot() == before
    assert "compiled in" in told.stderr
    assert "(4 pins), not written" in told.stderr
    assert "pins: 2 upgraded, 2 kept\n" in told.stderr
    (lock,) = json.loads(told.stdout)["locks"]
    assert lock["lockfile"] == "requirements.txt"
    assert [(c["project"], c["kind"], c["from"], c["to"]) for c in lock["changes"]] == [
        ("app", "upgraded", "1.0", "2.0"),
        ("dep", "upgraded", "2.0", "3.0"),
    ]
    project.nox("-s", "lock-check").ok()


def test_a_lock_that_failed_is_in_every_form(project: Project) -> None:
    """Also one that failed before any was made."""
    project.write("requirements.in", "app\nnosuch\n")
    told = project.nox("-s", "lock", "--", "--format", "markdown").failed().stdout
    assert told.startswith("### requirements.txt\n\nNot locked:\n\n    requirements.in:2: ")
    assert "has a project 'nosuch'\n    Check its " in told
    assert "No pin has changed" not in told
    project.write("requirements.in", "app\na=b\n")
    told = project.nox("-s", "lock", "--", "--format", "json").failed().stdout
    assert json.loads(told)["error"]["line"] == 2
    told = project.nox("-s", "lock", "--", "--why", "app", "--format", "json").failed().output
    assert "--why does not go with --format json" in told
    told = project.nox("-s", "lock", "--", "--check", "--format", "json").failed().stdout
    assert json.loads(told)["error"]["line"] == 2


def test_a_project_that_is_in_no_lock_file(project: Project) -> None:
    """Of a new lock file it is known afterwards alone."""
    assert project.index is not None
    project.index.stop()
    before = project.snapshot()
    for option, others in (("-P", ("app",)), ("--why", ("app",))):
        names = [part for name in (*others, "deb") for part in (option, name)]
        run = project.nox("-s", "lock", "--", *names).failed()
        assert "no lock file has 'deb'; did you mean 'dep'?" in run.output
        assert "compiling" not in run.output
        assert run.stdout == ""
    told = project.nox("-s", "lock", "--", "-P", "deb", "--format", "json").failed().stdout
    assert json.loads(told)["error"]["message"].startswith("no lock file has 'deb'")
    assert project.snapshot() == before
    project.index.start()
    project.write("requirements-dev.in", "cut<2\n")
    run = project.nox("-s", "lock", "--", "-P", "cut<2", "-P", "deb").failed()
    assert "no lock file has 'deb'; did you mean 'dep'?" in run.output
    assert "cut==1.0" in project.read("requirements-dev.txt")


def test_a_new_stamp_is_a_change(project: Project) -> None:
    project.write("requirements.in", "app\nold\n--prefer-binary\n")
    project.write("requirements-dev.in", "cut\n")
    run = project.nox("-s", "lock").ok()
    assert "pins: 4 kept\n" in run.stderr  # and a new file is not an unchanged one
    project.write("requirements.in", "app\nold\n")
    assert "pins: 4 kept; 1 lock file unchanged\n" in project.nox("-s", "lock").ok().stderr


def test_what_moved_is_told_with_the_reason(project: Project) -> None:
    told = project.nox("-s", "lock", "--", "-P", "dep", "--format", "markdown").ok()
    assert "~ dep 2.0 -> 3.0 (major), for app (requirements.in:1)" in told.stderr.replace("→", "->")
    assert "| dep | upgraded | 2.0 | 3.0 | for app (requirements.in:1) |" in told.stdout
    assert "dep==3.0" in project.read("requirements.txt")
    again = project.nox("-s", "lock", "--", "--format", "markdown").ok()
    assert again.stdout == "No pin has changed.\n"


def test_why_is_told_offline(project: Project) -> None:
    assert project.index is not None
    project.index.stop()
    told = project.nox("-s", "lock", "--", "--why", "Dep").ok().stdout
    assert told.endswith(": dep==2.0\n    app 1.0, from app (requirements.in:1)\n")
    assert told.startswith("requirements.txt:")
    failed = project.nox("-s", "lock", "--", "--why", "deb").failed()
    assert "no lock file has 'deb'; did you mean 'dep'?" in failed.output


def test_a_long_compile_gives_a_sign_of_life(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real work, with the span cut short: each compile takes longer than that.

    A lock file whose turn has not come is not named.
    """
    monkeypatch.setattr("nox_lock.locking.stacks._SIGN_OF_LIFE", 0.1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    project.write("requirements-dev.in", "cut\n")
    monkeypatch.chdir(project.root)
    lines: list[str] = []
    console = Console(lines.append, lines.append)
    folder = open_folder(project.root, project.environment())
    options = CompileOptions(upgrade=True)
    results = list(lock_all(folder, options, console, plan_folder(project.root)))
    assert [type(result) for _, result in results] == [Outcome, Outcome]
    for path in ("requirements.txt", "requirements-dev.txt"):
        told = [line for line in lines if line.startswith(f"{path}: ")]
        assert told[0].startswith(f"{path}: compiling for")
        assert told[1] == f"{path}: not done yet"
