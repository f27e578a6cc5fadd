"""The output of `nox -s lock-check`: for people, for GitHub Actions, for programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.locks import stamp_all
from support.project import NOXFILE, Project, Run

if TYPE_CHECKING:
    from pathlib import Path


LOCK, DEV = "requirements.txt", "requirements-dev.txt"


@pytest.fixture
def stale(project: Project) -> Project:
    """Return a project with a lock file that is fresh, one that is stale, and one missing."""
    project.write("noxfile.py", NOXFILE)
    bodies = {}
    for lock, source in (("requirements", "requirements.in"), ("dev", "requirements-dev.in")):
        project.write(source, "app\n")
        bodies[lock] = f"app==1.0 \\\n    --hash=sha256:{'0' * 64}\n    # via -r {source}"
    stamp_all(project.root, bodies)
    project.write(
        "requirements-dev.in", "# More.\napp>=2\n--extra-index-url http://index.invalid/simple\n"
    )
    project.write("requirements-new.in", "app\n")
    return project


def check(project: Project, *options: str, **env: str) -> Run:
    return project.nox("-s", "lock-check", *options, env=env)


def test_text_is_one_line_a_lock_file_with_its_reasons_below(stale: Project) -> None:
    lines = check(stale, PYTHONIOENCODING="utf-8").failed().stderr.splitlines()
    said = [line.removeprefix("nox > ") for line in lines]
    python = re.search(r"Python (\S+)", said[1])
    assert python is not None
    assert said[1:-1] == [
        f"✓ {LOCK}: fresh, Python {python[1]}",
        f"✗ {DEV}: stale, Python {python[1]}",
        "    app>=2 is not met by app==1.0 (requirements-dev.in:2)",
        (
            "    --extra-index-url http://index.invalid/simple is not in the lock "
            "(requirements-dev.in:3)"
        ),
        (
            "    warning: --extra-index-url http://index.invalid/simple is not encrypted: "
            "anybody on the way can change it (requirements-dev.in:3)"
        ),
        f"✗ requirements-new.txt: missing, Python {python[1]}",
        "    there is no lock file (requirements-new.txt)",
        "lock files: 1 missing, 1 stale, 1 fresh",
        "Run: nox -s lock",
    ]


def test_text_is_ascii_where_nothing_else_can_be_shown(stale: Project) -> None:
    said = check(stale, PYTHONIOENCODING="ascii").failed().stderr
    assert said.isascii()
    assert f"+ {LOCK}: fresh" in said
    assert f"x {DEV}: stale" in said


def test_colours_are_those_of_nox(stale: Project) -> None:
    coloured = {**stale.environment(), "FORCE_COLOR": "1"}
    del coloured["NO_COLOR"]
    said = subprocess.run(
        [sys.executable, "-m", "nox", "-s", "lock-check"],
        cwd=stale.root,
        env=coloured,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    ).stderr
    [fresh] = [line for line in said.splitlines() if f"{LOCK}: fresh" in line]
    [wrong] = [line for line in said.splitlines() if f"{DEV}: stale" in line]
    assert "\x1b[34m" in fresh  # information, in blue
    assert "\x1b[33m" in wrong  # a warning, in yellow
    assert "\x1b[" not in check(stale, NO_COLOR="1").failed().stderr


def test_github_gets_annotations_on_the_lines_of_the_inputs(stale: Project) -> None:
    """Chosen by itself; from the top of the checkout, of which the project is a part."""
    summary = stale.root.parent / "summary.md"
    summary.write_text("# Before\n", encoding="utf-8")
    run = check(
        stale,
        GITHUB_ACTIONS="true",
        GITHUB_WORKSPACE=str(stale.root.parent),
        GITHUB_STEP_SUMMARY=str(summary),
    ).failed()
    folder = stale.root.name
    title = f"title=nox-lock%3A {folder}/{DEV} is stale"
    line = "--extra-index-url http://index.invalid/simple"
    place = f"file={folder}/requirements-dev.in"
    assert run.stdout.splitlines() == [
        f"::error {title},{place},line=2::app>=2 is not met by app==1.0",
        f"::error {title},{place},line=3::{line} is not in the lock",
        (
            f"::warning title=nox-lock%3A {folder}/{DEV},{place},line=3::--extra-index-url "
            "http://index.invalid/simple is not encrypted: anybody on the way can change it"
        ),
        (
            f"::error title=nox-lock%3A {folder}/requirements-new.txt is missing,"
            f"file={folder}/requirements-new.in,line=1::requirements-new.txt: "
            "there is no lock file"
        ),
    ]
    # People read the log, too.
    assert f"{DEV}: stale" in run.stderr
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("# Before\n| | lock file |")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 5
    assert f"<code>{folder}/{DEV}</code>" in rows[3]
    assert "app&gt;=2 is not met by app==1.0 (requirements-dev.in:2)<br>" in rows[3]
    assert f"Run in <code>{folder}</code>: <code>nox -s lock</code>" in text


def test_github_gets_an_annotation_on_a_mistake_in_an_input(stale: Project) -> None:
    stale.write("requirements-dev.in", "app\na=b\n")
    run = check(stale, GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(stale.root.parent)).failed()
    place = f"file={stale.root.name}/requirements-dev.in,line=2"
    assert run.stdout.startswith(f"::error title=nox-lock,{place}::")
    assert len(run.stdout.splitlines()) == 1


def test_another_form_is_chosen_by_hand(stale: Project) -> None:
    run = check(stale, "--", "--format=text", GITHUB_ACTIONS="true").failed()
    assert run.stdout == ""
    run = check(stale, "--", "--format=json", GITHUB_ACTIONS="true").failed()
    assert len(json.loads(run.stdout)["locks"]) == 3
    run = check(stale, "--", "--format=github").failed()
    assert run.stdout.startswith("::error ")


def test_a_summary_that_cannot_be_written_is_no_verdict(stale: Project) -> None:
    run = check(stale, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(stale.root)).failed()
    assert "the summary of the job cannot be written" in run.stderr
    assert "lock files: 1 missing, 1 stale, 1 fresh" in run.stderr


def test_json_of_what_kept_all_from_being_judged(stale: Project) -> None:
    stale.write("requirements-dev.in", "app\n\n???\n")
    run = check(stale, "--", "--format=json").failed()
    report = json.loads(run.stdout)
    assert report["version"] == 1
    assert report["locks"] == []
    assert report["error"]["file"] == "requirements-dev.in"
    assert report["error"]["line"] == 3
    assert "???" in report["error"]["message"]


TWO_LOCKS = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock=["requirements", "dev"], python={python})
    def tests(session):
        pass


    @nox_lock.session(lock="dev", python=["3.9"])
    def alone(session):
        pass
"""


@pytest.mark.parametrize("python", ['["3.11", "3.12"]', '">=3.11"', "None"])
def test_locks_of_one_session_that_do_not_agree(tmp_path: Path, home: Path, python: str) -> None:
    """Each is fresh, and only the session needs both: only for Pythons that it runs on."""
    project = Project(tmp_path / "project", home)
    project.write("noxfile.py", TWO_LOCKS.format(python=python))
    project.write("pyproject.toml", '[tool.nox-lock]\npython = ["3.9", "3.11", "3.12"]\n')
    for stem in ("requirements", "requirements-dev"):
        project.write(f"{stem}.in", "lib\n")
        for version in ("3.9", "3.11", "3.12"):
            project.write(f"{stem}-py{version}.txt", "lib==1.0\n")

    def run(*options: str) -> Run:
        return project.nox("-s", "lock-check", *options)

    project.write("requirements-dev-py3.9.txt", "lib==2.0\n")
    if python != "None":
        run().ok()
    project.write("requirements-dev-py3.9.txt", "lib==1.0\n")
    run().ok()
    project.write("requirements-dev-py3.12.txt", "lib==2.0\n")
    done = run().failed()
    assert "these lock files of one session do not agree:" in done.stderr
    line = "  lib: 1.0 in requirements-py3.12.txt, 2.0 in requirements-dev-py3.12.txt\n"
    assert line in done.stderr
    assert "by one `-c` file for both" in done.stderr
    error = json.loads(run("--", "--format=json").failed().stdout)["error"]
    assert line.strip() in error["message"]
    run("--", "dev").ok()
    run("--", "--python", "3.11").ok()
