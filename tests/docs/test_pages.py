"""What a page shows is what happens; what is shown and not run is in `NOT_RUN`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nox_lock.sessions.commands import make_parser, parse_options
from support.locks import hashed_pin, stamp_all
from support.sdists import build_sdist

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.index import LocalIndex
    from support.project import Project

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "README.md", ROOT / "example_project" / "README.md"]
FILES.extend(sorted((ROOT / "docs").rglob("*.md")))
# `toml`, `yaml` and `json` are read in test_readme.py; `text` shows files, and commands of others;
# what is in braces is read by Sphinx.
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
    if session in {"lock", "lock-check"}:
        parser = make_parser(session, check=session == "lock-check")
        assert parse_options(parser, shlex.split(theirs))
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
    """docs/verdicts.md: an upper input that requires more than is locked."""
    app = index.publish("app", "1.0")
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("requirements.in", "app\n")
    project.write("requirements-dev.in", "# dev\napp\n")
    bodies = {
        "requirements": hashed_pin(app, "-r requirements.in"),
        "dev": hashed_pin(app, "-r requirements-dev.in"),
    }
    stamp_all(project.root, bodies)
    project.write("requirements-dev.in", "# dev\napp>=2\n")


def _shown(page: str, kind: str) -> str:
    """Return the first block of a kind that a page shows."""
    found = re.search(rf"```{kind}\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert found
    return found[1]


def _ten_lines(project: Project, index: LocalIndex) -> None:
    """README: the ten lines, and nothing locked."""
    index.publish("flask", "3.1.3", requires=["werkzeug>=3.1.0"])
    index.publish("werkzeug", "3.1.9")
    index.publish("pytest", "9.0")
    project.write("noxfile.py", _shown("README.md", "python"))
    project.write("requirements.in", _shown("README.md", "text"))


def _old_pins(project: Project, index: LocalIndex) -> None:
    """docs/upgrading.md: a lock of an older day."""
    above = "-r requirements.in"
    pins = (
        hashed_pin(index.publish("flask", "2.0.0", requires=["werkzeug>=2.0"]), above),
        hashed_pin(index.publish("idna", "3.3"), "requests"),
        hashed_pin(index.publish("requests", "2.27.1", requires=["idna<4,>=2.5"]), above),
        hashed_pin(index.publish("werkzeug", "2.0.3"), "flask"),
    )
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("requirements.in", "flask==2.0.0\nrequests<2.28.0\n")
    stamp_all(project.root, {"requirements": "".join(pins)})


def _old_pins_new_releases(project: Project, index: LocalIndex) -> None:
    _old_pins(project, index)
    index.publish("werkzeug", "3.1.9")
    index.publish("idna", "3.20")


ADD = "import nox_lock\n\nnox_lock.add_sessions()\n"
ONE = """

@nox_lock.session(lock="requirements")
def tests(session):
    session.run("python", "-c", "pass")
"""
TWO = """

@nox_lock.session(lock=["runtime", "test"])
def tests(session):
    session.run("python", "-c", "pass")
"""


def _provided(project: Project, index: LocalIndex) -> None:
    """docs/environments.md: a session that ran before."""
    index.publish("app", "1.0")
    project.write("noxfile.py", ADD + ONE)
    project.write("requirements.in", "app\n")
    project.nox("-s", "lock", "tests").ok()


def _incomplete(project: Project, index: LocalIndex) -> None:
    """docs/environments.md: a lock file that lacks what a pin needs."""
    index.publish("app", "1.0", requires=["dep"])
    index.publish("dep", "1.0")
    project.write("noxfile.py", ADD + ONE)
    project.write("requirements.in", "app\n")
    project.nox("-s", "lock").ok()
    text = project.read("requirements.txt")
    project.write("requirements.txt", text[: text.index("dep==")])


def _vanished(project: Project, index: LocalIndex) -> None:
    """docs/environments.md: a pin that the index has no more."""
    index.publish("app", "1.0")
    index.publish("lib", "1.0")
    project.write("noxfile.py", ADD + ONE)
    project.write("requirements.in", "app\nlib\n")
    project.nox("-s", "lock").ok()
    index.unpublish("lib", "1.0")


def _named_lock_file(project: Project, index: LocalIndex) -> None:
    """docs/layers.md: `-c` of one of several lock files."""
    index.publish("app", "1.0")
    project.write("noxfile.py", ADD)
    project.write("pyproject.toml", "[tool.nox-lock]\npython = ['3.11', '3.12']\n")
    project.write("requirements.in", "app\n")
    project.write("docs.in", "-c requirements.txt\napp\n")
    tables = "".join(
        f"[tool.nox-lock.locks.{name}]\ninputs = ['{name}.in']\n"
        for name in ("requirements", "docs")
    )
    project.write("pyproject.toml", project.read("pyproject.toml") + tables)


def _apart(project: Project, index: LocalIndex) -> None:
    """docs/layers.md: the lower lock file moved by itself."""
    index.publish("urllib3", "1.26.19")
    project.write("noxfile.py", ADD)
    project.write("requirements.in", "urllib3\n")
    project.write("requirements-dev.in", "-r requirements.in\n")
    project.nox("-s", "lock").ok()
    index.publish("urllib3", "1.26.20")
    upper = project.read("requirements-dev.txt")
    project.nox("-s", "lock", "--", "requirements", "-P", "urllib3").ok()
    project.write("requirements-dev.txt", upper)


def _disagreeing(project: Project, index: LocalIndex) -> None:
    """docs/layers.md: an upper lock that wants an older release than the lower one has."""
    index.publish("requests", "2.34.2", requires=["urllib3>=1.26,<3"])
    index.publish("elasticsearch", "7.17.12", requires=["urllib3>=1.21.1,<2"])
    index.publish("elasticsearch", "8.19.1", requires=["urllib3>=2"])
    old = ("1.20", "1.21", "1.21.1", "1.25.11", "1.26.20")
    for version in (*old, "2.0.0", "2.5.0", "2.6.2", "2.6.3", "2.7.0", "2.8.0"):
        index.publish("urllib3", version)
    project.write("noxfile.py", ADD)
    project.write("requirements.in", "requests\n")
    project.write("requirements-dev.in", "-r requirements.in\nelasticsearch==7.17.12\n")


def _disagreeing_with_what_is_locked(project: Project, index: LocalIndex) -> None:
    _disagreeing(project, index)
    project.nox("-s", "lock", "--", "requirements").ok()


def _falling(project: Project, index: LocalIndex) -> None:
    """docs/layers.md: a limit below that takes the lock above back to an old release."""
    index.publish("werkzeug", "2.3.8")
    index.publish("werkzeug", "3.1.9")
    index.publish("flask", "2.3.3", requires=["werkzeug>=2.3.7"])
    index.publish("flask", "3.1.3", requires=["werkzeug>=3.1.0"])
    project.write("noxfile.py", ADD)
    project.write("requirements.in", "Werkzeug\n")
    project.write("requirements-dev.in", "-r requirements.in\nflask\n")
    project.nox("-s", "lock").ok()
    project.write("requirements.in", "Werkzeug<3\n")


def _two_that_differ(project: Project, index: LocalIndex) -> None:
    """docs/layers.md: a session with two locks that do not build on each other."""
    index.publish("urllib3", "2.5.0")
    index.publish("urllib3", "2.8.0")
    project.write("noxfile.py", ADD + TWO)
    project.write("requirements/runtime.in", "urllib3\n")
    project.write("requirements/test.in", "urllib3<2.6\n")
    project.nox("-s", "lock").ok()


def _deep(project: Project, index: LocalIndex) -> None:
    """docs/verdicts.md: a lock file that lacks what only a dependency needs."""
    index.publish("app", "1.0", requires=["dep"])
    index.publish("dep", "1.5")
    project.write("noxfile.py", ADD)
    project.write("requirements.in", "app\n")
    project.nox("-s", "lock").ok()
    text = project.read("requirements.txt")
    project.write("requirements.txt", text[: text.index("dep==")])


def _groups(project: Project, index: LocalIndex) -> None:
    """docs/layouts.md: extras and groups of a pyproject.toml."""
    for name in ("click", "pytest", "requests", "ruff"):
        index.publish(name, "1.0")
    project.write("noxfile.py", ADD)
    project.write("pyproject.toml", _shown("docs/layouts.md", "toml"))


def _range(project: Project, index: LocalIndex) -> None:
    """docs/targets.md: a session that says what no lock is for."""
    index.publish("app", "1.0")
    project.write("noxfile.py", ADD + ONE.replace("(lock", "(python='>=3.12', lock"))
    project.write("pyproject.toml", "[tool.nox-lock]\npython = '3.11'\n")
    project.write("requirements.in", "app\n")


def _platforms(project: Project, index: LocalIndex) -> None:
    """docs/targets.md: two Pythons and three platforms, whichever is this one."""
    index.publish("app", "1.0", requires=["dep; sys_platform == 'win32'"])
    index.publish("dep", "1.0")
    project.write("noxfile.py", ADD)
    project.write("pyproject.toml", _shown("docs/targets.md", "toml"))
    project.write("requirements.in", "app\n")


def _built(project: Project, index: LocalIndex) -> None:
    """docs/targets.md: a source distribution that this platform builds for another."""
    build_sdist(index.folder, "tool")
    project.write("noxfile.py", ADD)
    project.write("pyproject.toml", "[tool.nox-lock]\nplatforms = ['linux', 'win32']\n")
    project.write("requirements.in", "tool\n")


def _second_python(project: Project, index: LocalIndex) -> None:
    """docs/targets.md: one Python was locked for, and there are two now."""
    index.publish("app", "1.0")
    project.write("noxfile.py", ADD)
    project.write("pyproject.toml", "[tool.nox-lock]\npython = ['3.11']\n")
    project.write("requirements.in", "app\n")
    project.nox("-s", "lock").ok()
    project.write("pyproject.toml", "[tool.nox-lock]\npython = ['3.11', '3.12']\n")


SCENES: dict[tuple[str, int], Callable[[Project, LocalIndex], None]] = {
    ("README.md", 1): _ten_lines,
    ("docs/upgrading.md", 1): _old_pins_new_releases,
    ("docs/upgrading.md", 3): _old_pins,
    ("docs/verdicts.md", 1): _two_locks,
    ("docs/verdicts.md", 2): _deep,
    ("docs/environments.md", 1): _provided,
    ("docs/environments.md", 2): _incomplete,
    ("docs/environments.md", 3): _vanished,
    ("docs/layers.md", 1): _named_lock_file,
    ("docs/layers.md", 2): _apart,
    ("docs/layers.md", 3): _disagreeing,
    ("docs/layers.md", 4): _disagreeing_with_what_is_locked,
    ("docs/layers.md", 5): _falling,
    ("docs/layers.md", 6): _two_that_differ,
    ("docs/layouts.md", 1): _groups,
    ("docs/targets.md", 1): _range,
    ("docs/targets.md", 2): _platforms,
    ("docs/targets.md", 3): _built,
    ("docs/targets.md", 4): _second_python,
}
# The rest is as much to do, and says less.
SOON = {
    ("README.md", 1),
    ("docs/upgrading.md", 1),
    ("docs/verdicts.md", 1),
    ("docs/layers.md", 4),
    ("docs/targets.md", 3),
}

# Shown, and not run here: of these only the commands are given to the parsers, above. A new
# console needs a scene, or its reason here.
_REAL = "releases of the real index"
_OTHER = "needs another tool"
NOT_RUN = {
    **{("README.md", number): "sets this repository up; CI runs it" for number in (2, 3)},
    **{("example_project/README.md", number): _REAL for number in range(1, 12)},
    ("docs/benchmarks.md", 1): "takes minutes to hours",
    ("docs/cache.md", 1): "a race of two processes",
    ("docs/ci.md", 1): _OTHER,
    **{("docs/layouts.md", number): _OTHER for number in (2, 3, 4, 5)},
    **{("docs/pylock.md", number): "as in tests/sessions/test_pylock.py" for number in (1, 2, 3)},
    ("docs/upgrading.md", 2): _REAL,
}


def test_no_console_is_left_out_in_silence() -> None:
    assert not SCENES.keys() & NOT_RUN.keys()
    assert CONSOLES.keys() == SCENES.keys() | NOT_RUN.keys()


@pytest.mark.parametrize(
    "place",
    [pytest.param(each, marks=() if each in SOON else pytest.mark.long) for each in SCENES],
    ids=lambda place: f"{place[0]}-{place[1]}",
)
def test_a_console_shows_what_is_said(
    place: tuple[str, int], project: Project, index: LocalIndex
) -> None:
    """Real nox says each line that is shown, in that order; times, counts and Pythons differ."""
    project.env["NOX_DEFAULT_VENV_BACKEND"] = "virtualenv"  # what nox has by default
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
        (r"\(\d+ of \d+\)", "(N of M)"),
        (r"Python 3\.\d+", "Python 3.N"),
        (r"on \w+ built", "on HERE built"),
        (r"on \d{4}-\d\d-\d\d;", "on DAY;"),
    ):
        text = re.sub(found, put, text)
    return [line.rstrip() for line in text.splitlines()]
