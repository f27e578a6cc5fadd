"""Arguments behind ``--`` reach each session of a nox call: ours leave what others know."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from support.project import Project, Run

if TYPE_CHECKING:
    from pathlib import Path

NOXFILE = """
    import nox
    import nox_lock

    nox_lock.add_sessions()
    nox.options.sessions = ["lock-check", "plain"]
    nox.options.default_venv_backend = "none"


    @nox.session
    def plain(session):
        print("plain got", *session.posargs)


    @nox.session(requires=["lock-check"])
    def tests(session):
        print("tests got", *session.posargs)


    @nox.session
    def notifies(session):
        session.notify("lock-check", posargs=["--bogus"] if session.posargs == ["own"] else None)
"""


@pytest.fixture
def adopted(tmp_path: Path, home: Path) -> Project:
    project = Project(tmp_path / "project", home)
    project.write("noxfile.py", NOXFILE)
    for stem in ("requirements", "requirements-dev"):
        project.write(f"{stem}.in", "app\n")
        project.write(f"{stem}.txt", "app==1.0\n")
    return project


def run(project: Project, *arguments: str) -> Run:
    return project.nox(*arguments)


@pytest.mark.parametrize(
    ("arguments", "others"),
    [
        ("-s lock-check plain -- -k foo", "plain"),
        ("-s lock-check plain -- tests/unit", "plain"),
        ("-s lock-check plain -- --help", "plain"),
        ("-s lock-check plain -- --format xml", "plain"),
        ("-s plain lock-check -- -k foo", "plain"),
        ("-s tests -- -k foo", "tests"),
        ("-s notifies -- -k foo", "notifies"),
        ("-- -k foo", "plain"),
    ],
)
def test_arguments_for_other_sessions_are_left_to_them(
    adopted: Project, arguments: str, others: str
) -> None:
    """Both lock files are checked, and one line says who gets the arguments."""
    done = run(adopted, *arguments.split()).ok()
    behind = arguments.partition("-- ")[2]
    assert f"left to {others}: {behind}\n" in done.stderr
    assert done.stderr.count("left to ") == 1
    assert done.stderr.count(": fresh, ") == 2
    assert "notifies" in others or f"{others} got {behind}\n" in done.stdout


def test_arguments_that_ours_knows_are_used_beside_others_too(adopted: Project) -> None:
    done = run(adopted, "-s", "lock-check", "plain", "--", "dev").ok()
    assert "left to" not in done.stderr
    assert "requirements.txt" not in done.stderr
    assert "requirements-dev.txt: fresh" in done.stderr


@pytest.mark.parametrize(
    ("argument", "used_by", "left_by"),
    [("--why=app", "lock", "lock-check"), ("--format=github", "lock-check", "lock")],
)
def test_of_ours_each_leaves_what_only_the_other_knows(
    adopted: Project, argument: str, used_by: str, left_by: str
) -> None:
    for order in ([used_by, left_by], [left_by, used_by]):
        done = run(adopted, "-s", *order, "--", argument).ok()
        assert f"left to {used_by}: {argument}\n" in done.stderr
        assert done.stderr.count("left to ") == 1
        assert done.stderr.count(": fresh, ") == 2
        assert ("requirements.txt:1: app==1.0" in done.stdout) == (used_by == "lock")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("-s lock-check -- --bogus", "unrecognized arguments: --bogus"),
        ("-s lock-check -- nosuch", "there is no lock 'nosuch'"),
        ("-s lock lock-check -- --bogus", "unrecognized arguments: --bogus"),
        ("-s lock lock-check -- nosuch", "there is no lock 'nosuch'"),
        ("-s lock -- --bogus", "unrecognized arguments: --bogus"),
        ("-s notifies -- own", "unrecognized arguments: --bogus"),
    ],
)
def test_arguments_for_ours_alone_must_be_known(
    adopted: Project, arguments: str, error: str
) -> None:
    done = run(adopted, *arguments.split()).failed()
    assert error in done.stderr
    assert "left to" not in done.stderr


@pytest.mark.parametrize("package", ["six", "six<1.17", "python-dateutil"])
def test_an_option_of_lock_before_the_dashes_is_refused(adopted: Project, package: str) -> None:
    """nox takes it for a Python, and would run a session `lock-six` that locks as usual."""
    before = adopted.snapshot()
    done = run(adopted, "-s", "lock", "-P", package).failed()
    quoted = package if "<" not in package else f"'{package}'"
    assert f"Run: nox -s lock -- -P {quoted}\n" in done.stderr
    assert "names no Python" in done.stderr
    assert adopted.snapshot() == before


def test_a_python_for_other_sessions_does_not_matter_to_ours(adopted: Project) -> None:
    for python in ("3.12", "pypy3.10", "3", sys.executable):
        done = run(adopted, "-s", "lock-check", "-P", python).ok()
        assert "requirements.txt: fresh" in done.stderr
