"""Make the pictures of README and docs from real runs: `nox -s pictures`.

nox runs on a terminal, in copies of `example_project`, with the real package index;
what that terminal shows is drawn. POSIX alone.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from rich.console import Console
from rich.text import Text

from support.project import Project
from support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = ROOT / "docs" / "pictures"
COLUMNS = 98
PYTHON = "{}.{}".format(*sys.version_info)
# Of pyte, and of rich.
_COLOURS = {"brown": "yellow", "default": "default"}
# The picture is to load nothing from anywhere.
_FOREIGN = re.compile(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", re.DOTALL)


@contextmanager
def example(*, locked: bool) -> Iterator[Project]:
    """Give a copy of example_project, with its lock files or without."""
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder) / "shortener", Path(folder) / "home"
        left_out = shutil.ignore_patterns(
            ".nox", "__pycache__", *(() if locked else ("*.txt", "pylock*"))
        )
        shutil.copytree(ROOT / "example_project", root, ignore=left_out)
        project = Project(root, home)
        # What a user has in the environment gives access to the package index.
        project.env = {**os.environ, "NOX_LOCK_CACHE_DIR": str(home / "cache")}
        for name in ("CI", "NO_COLOR"):
            project.env.pop(name, None)
        yield project


def end(terminal: Terminal, wanted: int) -> None:
    """Wait for the end of nox."""
    if terminal.end(900) != wanted:
        sys.exit("\n".join(terminal.lines))


def screen(terminal: Terminal) -> Text:
    """Return what a terminal shows, with its colours."""
    shown = Text()
    for number, line in enumerate(terminal.screen.display):
        cells = terminal.screen.buffer[number]
        for column, char in enumerate(line.rstrip()):
            cell = cells[column]
            colour = _COLOURS.get(cell.fg, cell.fg)
            style = colour if re.fullmatch(r"[a-z]+", colour) else f"#{colour}"
            shown.append(char, f"bold {style}" if cell.bold else style)
        shown.append("\n")
    shown.rstrip()
    return shown


def draw(name: str, title: str, *parts: Text) -> None:
    """Write a picture of what was shown, one part below the other."""
    with Path(os.devnull).open("w", encoding="utf-8") as sink:
        console = Console(record=True, width=COLUMNS, file=sink, force_terminal=True)
        console.print(Text("\n").join(parts))
        svg = _FOREIGN.sub("", console.export_svg(title=title, unique_id=name))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8", newline="\n")


def prompt(command: str) -> Text:
    """Return a command as it is typed."""
    return Text.assemble(("$ ", "green"), (command, "bold"))


def is_under_way(lines: list[str]) -> bool:
    """Return whether some lock files are done, and some are not."""
    return {"done", "resolving", "waiting"} <= set(" ".join(lines).split())


def picture_of_a_lock() -> None:
    """Show a first lock under way and at its end, then a check that finds an edit."""
    with example(locked=False) as project:
        with Terminal(project, "-s", "lock", columns=COLUMNS) as terminal:
            terminal.wait_for(is_under_way, 300)
            under_way = screen(terminal)
            end(terminal, 0)
            done = screen(terminal)
        project.write("requirements/prod.in", project.read("requirements/prod.in") + "idna<3\n")
        with Terminal(project, "-s", "lock-check", "--", "prod", columns=COLUMNS) as terminal:
            end(terminal, 1)
            refused = screen(terminal)
    typed = prompt("nox -s lock"), prompt("nox -s lock-check -- prod")
    draw("lock", "nox -s lock", typed[0], under_way, Text("..."), done, typed[1], refused)


def picture_of_changes() -> None:
    """Show what is outdated."""
    command = ("lock", "--", "prod", "--python", PYTHON, "-U", "--dry-run")
    with (
        example(locked=True) as project,
        Terminal(project, "-s", *command, columns=COLUMNS) as terminal,
    ):
        end(terminal, 0)
        shown = screen(terminal)
    draw("changes", "what is outdated", prompt(f"nox -s {' '.join(command)}"), shown)


if __name__ == "__main__":
    picture_of_a_lock()
    picture_of_changes()
