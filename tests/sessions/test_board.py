"""What `nox -s lock` shows on a terminal while it works, and what stays."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from support.project import Project
from support.scripted import SILENT, ScriptedIndex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.prepared import Prepared

pyte = pytest.importorskip("pyte", reason="pyte is not installed")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals here")
if sys.platform != "win32":
    from support.terminal import Terminal

LOCK = ("-s", "lock")
UPGRADE_ONE = (*LOCK, "--", "-U", "requirements")  # where one row is enough
NOXFILE = "import nox_lock\n\nnox_lock.add_sessions()\n"
# A row: its spinner, a path that may be cut, a state, and the time.
ROW = re.compile(r"^[\S ] (\S+) +(\w[\w .]*?) +(?:\d:\d\d:\d\d|-:--:--)$")
ESCAPE = "\x1b["


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    """Two locks that are there, whose pins have newer releases."""
    index = prepared.index
    for name in ("app", "lib", "tool"):
        index.publish(name, "1.0.0")
    prepared.project.write("noxfile.py", NOXFILE)
    prepared.project.write("requirements.in", "app\nlib\n")
    prepared.project.write("requirements-of-a-long-name.in", "lib\ntool\n")
    prepared.project.nox(*LOCK).ok()
    index.publish("app", "2.0.0")
    index.publish("lib", "1.1.0")
    index.publish("tool", "1.0.1")
    prepared.freeze()
    return prepared


@pytest.fixture
def locked(made: Prepared, tmp_path: Path) -> Project:
    return made.copy(tmp_path)


def rows(lines: list[str]) -> dict[str, str]:
    """Return what a picture shows of the lock files: their states by the beginning of the path."""
    found = (ROW.match(line) for line in lines if not line.startswith("nox > "))
    return {each[1]: each[2] for each in found if each}


def shows(state: str, count: int = 2) -> Callable[[list[str]], bool]:
    """Return whether a picture has so many rows, one with this state: as a function."""
    return lambda lines: len(rows(lines)) == count and state in rows(lines).values()


@pytest.mark.parametrize("columns", [80, 40])
def test_it_shows_what_is_done_and_leaves_lines(locked: Project, columns: int) -> None:
    with Terminal(locked, *LOCK, "--", "-U", columns=columns) as terminal:
        picture = terminal.wait_for(shows("resolving"))
        assert max(map(len, picture)) <= columns
        assert terminal.end() == 0
        assert not rows(terminal.lines)
        assert "compiled in" in terminal.text
        assert "pins: 4 upgraded, 0 kept" in terminal.text or "4 upgraded" in terminal.text
        if columns == 80:
            # The colour of a move is that of its size.
            assert terminal.colours("app 1.0.0 → 2.0.0") == {"red"}
            assert terminal.colours("lib 1.0.0 → 1.1.0") == {"brown"}
            assert terminal.colours("tool 1.0.0 → 1.0.1") == {"green"}


def test_without_colours(locked: Project) -> None:
    with Terminal(locked, *UPGRADE_ONE, env={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for(shows("resolving", 1))
        assert terminal.end() == 0
    assert not re.search(rb"\x1b\[(?:[1-9]\d*;)*(?:3[0-7]|9[0-7])(?:;\d+)*m", terminal.raw)


def test_without_unicode(locked: Project) -> None:
    env = {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    with Terminal(locked, *LOCK, "--", "-U", columns=40, env=env) as terminal:
        terminal.wait_for(lambda lines: any("resolv" in line for line in lines))
        assert terminal.end() == 0
    assert terminal.raw.isascii()
    assert b"1.0.0 -> 2.0.0" in terminal.raw.replace(b"\r\n", b"")


@pytest.mark.parametrize("env", [{"CI": "1"}, {"TERM": "dumb"}], ids=["CI", "dumb"])
def test_where_nothing_can_be_redrawn_there_are_lines(locked: Project, env: dict[str, str]) -> None:
    with Terminal(locked, *UPGRADE_ONE, env=env) as terminal:
        assert terminal.end() == 0
    assert not any(map(rows, terminal.seen))
    assert "compiling for Python" in terminal.text


def test_what_is_no_terminal_gets_the_same_lines_in_colours_if_forced(locked: Project) -> None:
    plain = locked.nox(*UPGRADE_ONE, "--dry-run").ok()
    assert ESCAPE not in plain.output
    assert "compiling for Python" in plain.output
    locked.prefix = ["env", "-u", "NO_COLOR"]
    coloured = locked.nox("--force-color", *UPGRADE_ONE, "--dry-run").ok()
    assert f"{ESCAPE}31m    ~ app 1.0.0 " in coloured.output
    assert "compiling for Python" in coloured.output


def test_ctrl_c_takes_it_away(locked: Project) -> None:
    locked.write("requirements.in", "app\nlib\nother\n")
    with ScriptedIndex(SILENT) as silent:
        env = {"PIP_EXTRA_INDEX_URL": silent.url, "PIP_DEFAULT_TIMEOUT": "60"}
        with Terminal(locked, *LOCK, "--", "requirements", env=env) as terminal:
            terminal.wait_for(shows("resolving", 1))
            silent.wait()
            terminal.interrupt()
            assert terminal.end() == 130
            assert not rows(terminal.lines)
            assert not terminal.screen.cursor.hidden
            assert "Traceback" not in terminal.text


def test_a_failure_and_a_success(locked: Project) -> None:
    locked.write("requirements.in", "app\nlib==9\n")
    with Terminal(locked, *LOCK, "--", "-U") as terminal:
        assert terminal.end() == 1
        assert "no version meets lib==9" in terminal.text
        assert not rows(terminal.lines)


@pytest.mark.parametrize("asked", ["lock", "nox"])
def test_verbose_shows_what_pip_tools_says(locked: Project, asked: str) -> None:
    """In whole blocks, one for each compile, without passwords."""
    options = (*LOCK, "--", "-U", "-v") if asked == "lock" else ("-v", *LOCK, "--", "-U")
    assert locked.index is not None
    secret = locked.index.url.replace("://", "://user:hunter2@")
    run = locked.nox(*options, env={"PIP_INDEX_URL": secret}).ok()
    blocks = re.split(r"(?=requirements\S*\.txt: pip-tools ended with 0:)", run.output)
    assert len(blocks) == 3
    of_a_long_name = next(each for each in blocks[1:] if each.startswith("requirements-of"))
    assert "ROUND 1" in of_a_long_name
    assert "lib" in of_a_long_name.partition("compiled in")[0]
    assert "app" not in of_a_long_name.partition("compiled in")[0]
    assert "hunter2" not in run.output


@pytest.mark.long
@pytest.mark.network
@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize(
    ("folder", "lock"), [("pallets__flask", "docs"), ("aio-libs__aiohttp", "doc")]
)
def test_real_sets(shared: Path, tmp_path: Path, folder: str, lock: str, columns: int) -> None:
    project = Project(tmp_path / "project", tmp_path / "home")
    shutil.copytree(shared / "corpus" / folder, project.root, dirs_exist_ok=True)
    project.write("noxfile.py", NOXFILE)
    (project.root / "pyproject.toml").unlink(missing_ok=True)
    with Terminal(project, *LOCK, "--", lock, "-U", columns=columns) as terminal:
        picture = terminal.wait_for(lambda lines: "resolving" in rows(lines).values(), 120)
        assert max(map(len, picture)) <= columns
        assert terminal.end(600) == 0
        assert not rows(terminal.lines)
        assert str(project.root) not in terminal.text
