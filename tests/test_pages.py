"""What a page shows is what happens; what is shown and not run stands in `NOT_RUN`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nox_lock._options import parse_check_options, parse_lock_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.index import LocalIndex
    from support.project import Project

ROOT = Path(__file__).resolve().parents[1]
FILES = [ROOT / "README.md", ROOT / "example_project" / "README.md"]
FILES.extend(sorted((ROOT / "docs").rglob("*.md")))
# `toml`, `yaml` and `json` are read in test_readme.py; `text` shows files, no commands; what
# stands in braces is read by Sphinx.
KINDS = {"console", "json", "python", "text", "toml", "yaml"}
OTHER_SESSIONS = {"bench", "tests", "unlocked"}


class Block(NamedTuple):
    """A fenced block: the page, its number among those of its kind there, and what it shows."""

    page: str
    kind: str
    number: int
    text: str


def _blocks() -> list[Block]:
    found = []
    for file in FILES:
        page, numbers = file.relative_to(ROOT).as_posix(), dict.fromkeys(KINDS, 0)
        text = file.read_text(encoding="utf-8")
        for kind, shown in re.findall(
            r"^```(\S*)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
        ):
            if kind.startswith("{"):
                continue
            assert kind in KINDS, f"{page}: a block of kind {kind!r} is tested by nothing"
            numbers[kind] += 1
            found.append(Block(page, kind, numbers[kind], shown))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_page_says_something(file: Path) -> None:
    """A title alone is a page that was forgotten; Sphinx does not warn of it."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) > 3


BLOCKS = _blocks()
CONSOLES = {(b.page, b.number): b for b in BLOCKS if b.kind == "console"}
COMMANDS = sorted(
    {line for b in CONSOLES.values() for line in re.findall(r"^\$ (.*)", b.text, re.MULTILINE)}
)


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("nox")])
def test_a_command_that_is_shown_is_taken(command: str) -> None:
    """The parsers of `lock` and `lock-check` take every option that a page shows."""
    words = shlex.split(command)
    ours, _, theirs = command.partition(" -- ")
    if "-s" not in words:
        assert words == ["nox"]
        return
    session = shlex.split(ours)[-1]
    if session == "lock":
        assert parse_lock_options(shlex.split(theirs), session)
    elif session == "lock-check":
        assert parse_check_options(shlex.split(theirs), session)
    else:
        assert session in OTHER_SESSIONS


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.kind == "python"], ids=lambda b: f"{b.page}-{b.number}"
)
def test_a_noxfile_that_is_shown_is_loaded(block: Block, project: Project) -> None:
    start = "" if "import nox_lock" in block.text else "import nox_lock\n"
    project.write("requirements.in", "app\n")
    project.write("dev.in", "app\n")
    project.write("noxfile.py", start + block.text)
    name = re.search(r"^def (\w+)", block.text, re.MULTILINE)
    assert name
    assert name[1] in project.nox("--list").ok().output


def _two_locks(project: Project, index: LocalIndex) -> None:
    """docs/verdicts.md: an upper input that asks for more than is locked."""
    index.publish("app", "1.0")
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("requirements.in", "app\n")
    project.write("requirements-dev.in", "# dev\napp\n")
    project.nox("-s", "lock").ok()
    project.write("requirements-dev.in", "# dev\napp>=2\n")


def _time_bomb(project: Project, index: LocalIndex) -> None:
    """README: the ten lines, and nothing locked."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    noxfile = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert noxfile
    index.publish("flask", "2.0.0", requires=["werkzeug>=2.0"])
    index.publish("werkzeug", "3.1.9")
    index.publish("pytest", "9.0")
    project.write("noxfile.py", noxfile[1])
    project.write("requirements.in", "Flask==2.0.0\npytest\n")


def _old_pins(project: Project, index: LocalIndex) -> None:
    """docs/upgrading.md: a lock of an older day."""
    index.publish("flask", "2.0.0", requires=["werkzeug>=2.0"])
    index.publish("werkzeug", "2.0.3")
    index.publish("requests", "2.27.1", requires=["idna<4,>=2.5"])
    index.publish("idna", "3.3")
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("requirements.in", "flask==2.0.0\nrequests<2.28.0\n")
    project.nox("-s", "lock").ok()


def _old_pins_new_releases(project: Project, index: LocalIndex) -> None:
    _old_pins(project, index)
    index.publish("werkzeug", "3.1.9")
    index.publish("idna", "3.20")


SCENES: dict[tuple[str, int], Callable[[Project, LocalIndex], None]] = {
    ("README.md", 1): _time_bomb,
    ("docs/upgrading.md", 1): _old_pins_new_releases,
    ("docs/upgrading.md", 3): _old_pins,
    ("docs/verdicts.md", 1): _two_locks,
}

# Shown, and not run here: of these only the commands are held against the parsers, above. A new
# console has to be given a scene, or to be added with its reason.
_REAL = "releases of the real index"
_OTHER = "needs another Python, platform or tool"
_NO_SCENE = "can be run on a local index, and has no scene yet"
NOT_RUN = {
    **{("README.md", number): "sets this repository up; CI runs it" for number in (2, 3)},
    **{("example_project/README.md", number): _REAL for number in range(1, 12)},
    ("docs/benchmarks.md", 1): "takes minutes to hours",
    ("docs/cache.md", 1): "a race of two processes",
    ("docs/ci.md", 1): _OTHER,
    **{("docs/environments.md", number): _NO_SCENE for number in (1, 2, 3)},
    **{("docs/layers.md", number): _NO_SCENE for number in range(1, 7)},
    ("docs/layouts.md", 1): _NO_SCENE,
    **{("docs/layouts.md", number): _OTHER for number in (2, 3, 4, 5)},
    **{("docs/targets.md", number): _OTHER for number in (1, 2, 3, 4)},
    ("docs/upgrading.md", 2): _REAL,
    ("docs/verdicts.md", 2): _NO_SCENE,
}


def test_no_console_is_left_out_in_silence() -> None:
    assert not SCENES.keys() & NOT_RUN.keys()
    assert CONSOLES.keys() == SCENES.keys() | NOT_RUN.keys()


@pytest.mark.parametrize("place", SCENES, ids=lambda place: f"{place[0]}-{place[1]}")
def test_a_console_shows_what_is_said(
    place: tuple[str, int], project: Project, index: LocalIndex
) -> None:
    """Real nox says each line that is shown, in that order; times, counts and Pythons differ."""
    SCENES[place](project, index)
    for part in re.split(r"^\$ ", CONSOLES[place].text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        words = shlex.split(command)
        if words[0] == "echo":
            path = words[-1]
            project.write(path, project.read(path) + words[1] + "\n")
            continue
        said = iter(_plain(project.nox(*words[1:]).output))
        for line in _plain(shown):
            assert line == "..." or line in said, f"{place}: {command} does not say: {line}"


def _plain(text: str) -> list[str]:
    """Leave out what another day and machine say otherwise."""
    for found, put in (
        (r"\d+\.\d+ s\b", "T s"),
        (r"\(\d+ pins?\)", "(N pins)"),
        (r"\d+ kept", "N kept"),
        (r"\.txt:\d+", ".txt:N"),
        (r"Python 3\.\d+", "Python 3.N"),
    ):
        text = re.sub(found, put, text)
    return [line.rstrip() for line in text.splitlines()]
