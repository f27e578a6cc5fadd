"""What a command prints, as its terminal can show it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from nox_lock.console import RED, Console, Terminal

if TYPE_CHECKING:
    from typing import TextIO


def stream(encoding: str | None = "utf-8", *, tty: bool = False) -> TextIO:
    return cast("TextIO", SimpleNamespace(encoding=encoding, isatty=lambda: tty))


@pytest.mark.parametrize(
    ("encoding", "able"),
    [("utf-8", True), ("UTF-16", True), ("ascii", False), ("cp1252", False), (None, False),
     ("no such thing", False)],
)  # fmt: skip
def test_what_a_terminal_can_show(encoding: str | None, able: bool) -> None:  # noqa: FBT001
    found = Terminal.of(stream(encoding), {}, colour=False)
    assert found == Terminal(unicode=able)


@pytest.mark.parametrize(
    ("environ", "interactive"),
    [({}, True), ({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"CI": "true"}, False)],
)
def test_a_person_watches_a_terminal(environ: dict[str, str], *, interactive: bool) -> None:
    assert Terminal.of(stream(tty=True), environ, colour=True).interactive is interactive
    assert not Terminal.of(stream(), environ, colour=True).interactive


@pytest.mark.parametrize("colour", [True, False])
def test_a_line_has_its_colour_where_there_are_colours(colour: bool) -> None:  # noqa: FBT001
    lines: list[str] = []
    console = Console(lines.append, lines.append, terminal=Terminal(colour=colour))
    console.log("plain", ("red", RED))
    console.warn(("https://me:secret@h.invalid\x1b[2J", RED))
    shown = ["red", r"https://****@h.invalid\x1b[2J"]
    red = [f"\x1b[31m{line}\x1b[0m" for line in shown] if colour else shown
    assert lines == ["plain", *red]


def test_without_a_board_its_states_go_nowhere() -> None:
    lines: list[str] = []
    console = Console(lines.append, lines.append)
    with console.show_board(["requirements.txt"]):
        assert not console.board
        console.update("requirements.txt", "resolving")
    assert lines == []
