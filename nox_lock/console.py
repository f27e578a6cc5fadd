"""What a command prints: whole blocks, whichever thread they come from, and a board of the work."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, TextIO

from nox_lock.project import is_ci
from nox_lock.text import redact

if TYPE_CHECKING:
    from rich.progress import TaskID

RED, GREEN, YELLOW = "31", "32", "33"  # https://en.wikipedia.org/wiki/ANSI_escape_code#SGR
# States of a lock file on the board.
RESOLVING, FROM_THE_CACHE, DONE, FAILED = "resolving", "from the cache", "done", "failed"
_STYLES = {DONE: "green", FROM_THE_CACHE: "green", FAILED: "red"}
ColouredLine = tuple[str, str]  # a line and its colour, where the terminal has colours


class Terminal(NamedTuple):
    """What a stream can show: more than ASCII, colours, lines that are drawn again."""

    unicode: bool = False
    colour: bool = False
    interactive: bool = False

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str], *, colour: bool) -> Terminal:
        """Return what a stream can show; it is interactive if a person watches it."""
        unicode = False
        with suppress(UnicodeEncodeError, LookupError):
            unicode = bool("\N{CHECK MARK}\N{BALLOT X}".encode(stream.encoding or "ascii"))
        redrawn = environ.get("TERM") != "dumb" and not is_ci(environ)
        return cls(unicode, colour, interactive=stream.isatty() and redrawn)


class Console:
    """Prints what a command says; threads take turns, so that each block of lines stays whole."""

    def __init__(
        self,
        log: Callable[[str], None],  # prints a line that informs, such as `session.log` of nox
        alert: Callable[[str], None],  # prints one that a person should act on: `session.warn`
        lock_command: str = "nox -s lock",  # what a person runs to lock
        terminal: Terminal | None = None,
        *,
        verbose: bool = False,
    ) -> None:
        self.lock_command = lock_command
        self.terminal = terminal or Terminal()
        self.verbose = verbose
        # Each prints lines, some in colours, with nothing between them.
        self.log = functools.partial(self._print, log)
        self.warn = functools.partial(self._print, alert)
        self.board: _Board | None = None  # shown by `show_board`
        self._turn = threading.RLock()

    def _print(self, write: Callable[[str], None], *lines: str | ColouredLine) -> None:
        with self._turn:
            if self.board:
                self.board.live.stop()
            for line in lines:
                text, colour = (line, "") if isinstance(line, str) else line
                shown = redact(text)
                write(f"\x1b[{colour}m{shown}\x1b[0m" if colour and self.terminal.colour else shown)
            if self.board:
                self.board.start()

    @contextmanager
    def show_board(self, paths: Sequence[str]) -> Iterator[None]:
        """Show a row for each lock file meanwhile, if a person watches the terminal."""
        self.board = _Board(paths, self.terminal) if self.terminal.interactive else None
        try:
            yield
        finally:
            with self._turn:
                if self.board:
                    self.board.live.stop()
                self.board = None

    def update(self, path: str, state: str) -> None:
        """Show the state of a lock file on the board, if there is one; any thread may."""
        if board := self.board:
            board.update(path, state)


class _Board:
    """A row for each lock file on standard error; what is printed goes above it."""

    def __init__(self, paths: Sequence[str], terminal: Terminal) -> None:
        from rich import console, progress  # noqa: PLC0415  (only where something is compiled)
        from rich.table import Column  # noqa: PLC0415

        self._tty = console.Console(file=sys.stderr, no_color=not terminal.colour, highlight=False)
        path_column, state_column = (Column(no_wrap=True, overflow="crop") for _ in range(2))
        self._rows = progress.Progress(
            progress.SpinnerColumn("dots" if terminal.unicode else "line"),
            progress.TextColumn("{task.description}", markup=False, table_column=path_column),
            progress.TextColumn("{task.fields[state]}", table_column=state_column),
            progress.TimeElapsedColumn(),
            console=self._tty,
        )
        width = max(self._tty.width - 25, 8)  # which the other columns and their blanks take
        self._tasks: dict[str, TaskID] = {}
        for path in paths:
            shown = redact(path)[-width:]  # what makes it differ from others is at its end
            self._tasks[path] = self._rows.add_task(shown, start=False, total=1, state="waiting")
        self.start()

    def update(self, path: str, state: str) -> None:
        task = self._tasks[path]
        self._rows.start_task(task)
        shown = f"[{_STYLES.get(state, 'cyan')}]{state}"
        self._rows.update(task, completed=state in _STYLES, state=shown)

    def start(self) -> None:
        from rich.live import Live  # noqa: PLC0415

        # A `Live` that is started again would draw over the lines printed since it stopped.
        rows, tty = self._rows.get_renderable, self._tty
        self.live = Live(get_renderable=rows, console=tty, refresh_per_second=8, transient=True)
        self.live.start()
