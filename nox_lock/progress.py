"""How far each lock file is: who works on it says so here, whether anybody is shown it or not."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nox_lock.text import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.live import Live
    from rich.progress import TaskID

WAITING, RESOLVING = "waiting", "resolving"
FROM_THE_CACHE, DONE, FAILED = "from the cache", "done", "failed"
# Of the states at the end.
_STYLES = {DONE: "green", FROM_THE_CACHE: "green", FAILED: "red"}
_A_SECOND = 8  # how often it is drawn
# All columns but the path, with the blanks between them.
_OTHER_COLUMNS = 25


class Progress:
    """Nobody is shown anything.

    Attributes:
        live: whether somebody sees what is under way, and needs no lines on it.
    """

    live = False

    def begin(self, paths: Iterable[str]) -> None:
        """Say which lock files are to be made."""

    def note(self, path: str, state: str) -> None:
        """Say what is done for a lock file now; any thread may."""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it meanwhile."""
        yield

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Make room for lines that stay."""
        yield


class Board(Progress):
    """A row for each lock file, on the terminal that standard error is."""

    live = True

    def __init__(self, *, colour: bool, unicode: bool) -> None:
        from rich import progress  # noqa: PLC0415  (only where something is compiled)
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Column  # noqa: PLC0415

        self._console = Console(file=sys.stderr, no_color=not colour, highlight=False)
        self._ellipsis = "\N{HORIZONTAL ELLIPSIS}" if unicode else ".."
        path, state = (Column(no_wrap=True, overflow="crop") for _ in range(2))
        self._rows = progress.Progress(
            progress.SpinnerColumn("dots" if unicode else "line"),
            progress.TextColumn("{task.description}", markup=False, table_column=path),
            progress.TextColumn("{task.fields[state]}", table_column=state),
            progress.TimeElapsedColumn(),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._live: Live | None = None

    def begin(self, paths: Iterable[str]) -> None:
        width = max(self._console.width - _OTHER_COLUMNS, 8)
        for path in paths:
            shown = redact(path)
            if len(shown) > width:  # what makes it differ from others is at its end
                shown = self._ellipsis + shown[len(self._ellipsis) - width :]
            self._tasks[path] = self._rows.add_task(shown, start=False, total=1, state=WAITING)

    def note(self, path: str, state: str) -> None:
        task = self._tasks[path]
        if state != WAITING:
            self._rows.start_task(task)
        shown = f"[{_STYLES.get(state, 'cyan')}]{state}"
        self._rows.update(task, completed=state in _STYLES, state=shown)

    @contextmanager
    def shown(self) -> Iterator[None]:
        self._live = self._start()
        try:
            yield
        finally:
            self._live.stop()
            self._live = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the board away while lines are written in its place."""
        if self._live is None:
            yield
            return
        self._live.stop()
        yield
        self._live = self._start()

    def _start(self) -> Live:
        from rich.live import Live  # noqa: PLC0415

        # One that is started again takes the lines since for its own, and draws over them.
        live = Live(
            get_renderable=self._rows.get_renderable,
            console=self._console,
            refresh_per_second=_A_SECOND,
            transient=True,
        )
        live.start()
        return live
