"""A live board on a terminal: a row for each lock file, with what is done for it and how long.

https://rich.readthedocs.io/en/stable/live.html
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nox_lock._progress import AT_REST, DONE, ENDED, FAILED, FROM_THE_CACHE, WAITING, Progress
from nox_lock.text import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_A_SECOND = 8  # how often it is drawn
_STYLES = {DONE: "green", FROM_THE_CACHE: "green", FAILED: "red", WAITING: "dim"}
_SPINNER = {True: "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", False: "|/-\\"}
# Of what waits, is done, and failed.
_MARKS = {
    True: {WAITING: "·", FAILED: "✗", DONE: "✓"},
    False: {WAITING: ".", FAILED: "x", DONE: "+"},
}
# The longest state that is not shortened, and the seconds.
_STATE_WIDTH, _SECONDS_WIDTH = 22, 6


class _Row:
    """What is shown of one lock file."""

    def __init__(self) -> None:
        self.state = WAITING
        self.seconds = 0.0  # until it came to rest
        self.since: float | None = None  # it is at work

    def enter(self, state: str) -> None:
        now = time.monotonic()
        if self.since is not None and state in AT_REST:
            self.seconds += now - self.since
            self.since = None
        elif self.since is None and state not in AT_REST:
            self.since = now
        self.state = state

    @property
    def elapsed(self) -> float:
        return self.seconds + (time.monotonic() - self.since if self.since is not None else 0.0)


class Board(Progress):
    """Shows lock files on the terminal that standard error is, until their work has ended."""

    live = True

    def __init__(self, *, colour: bool, unicode: bool) -> None:
        self._console = Console(file=sys.stderr, no_color=not colour, highlight=False)
        self._unicode = unicode
        self._rows: dict[str, _Row] = {}
        self._turn = threading.Lock()
        self._live: Live | None = None

    def begin(self, paths: Iterable[str]) -> None:
        with self._turn:
            self._rows.update((path, _Row()) for path in paths)

    def note(self, path: str, state: str) -> None:
        with self._turn:
            row = self._rows.get(path)
            if row is not None and row.state not in ENDED:
                row.enter(state)

    @contextmanager
    def shown(self) -> Iterator[None]:
        self._start()
        try:
            yield
        finally:
            self._stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the board away while lines are written where it stood."""
        was_shown = self._stop()
        try:
            yield
        finally:
            if was_shown:
                self._start()

    def _start(self) -> None:
        # One that is started again takes the lines since for its own, and draws over them.
        self._live = Live(self, console=self._console, refresh_per_second=_A_SECOND, transient=True)
        self._live.start()

    def _stop(self) -> bool:
        live, self._live = self._live, None
        if live is not None:
            live.stop()
        return live is not None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the rows, each on one line, however narrow the terminal."""
        with self._turn:
            rows = [(path, row.state, row.elapsed) for path, row in self._rows.items()]
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        room = options.max_width - _SECONDS_WIDTH - 8
        states = min(_STATE_WIDTH, room // 2)
        table.add_column(no_wrap=True, overflow="crop")
        table.add_column(no_wrap=True, overflow="crop", max_width=states)
        table.add_column(justify="right", no_wrap=True, width=_SECONDS_WIDTH)
        for path, state, seconds in rows:
            told = f"{seconds:.0f} s" if seconds else ""
            style = _STYLES.get(state, "cyan")
            mark, name = (
                Text(self._mark(state), style),
                Text(self._short(path, max(room - states, 8))),
            )
            table.add_row(mark, name, Text(state, style), told)
        yield table

    def _short(self, path: str, width: int) -> str:
        """Return a path that has the room; what tells it from others stands at its end."""
        shown = redact(path)
        if len(shown) <= width:
            return shown
        cut = "\N{HORIZONTAL ELLIPSIS}" if self._unicode else ".."
        return cut + shown[len(cut) - width :]

    def _mark(self, state: str) -> str:
        marks = _MARKS[self._unicode]
        if state in AT_REST:
            return marks.get(state, marks[DONE])
        frames = _SPINNER[self._unicode]
        return frames[int(time.monotonic() * _A_SECOND) % len(frames)]
