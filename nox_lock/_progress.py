"""How far each lock file is: who works on it says so here, whether anybody is shown it or not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WAITING = "waiting"
WAITING_FOR_ANOTHER = "waiting for another process"
RESOLVING = "resolving"
FROM_THE_CACHE = "from the cache"
DONE = "done"
FAILED = "failed"
# States in which nothing is at work, the second kind for good.
AT_REST = (WAITING, DONE, FROM_THE_CACHE, FAILED)
ENDED = AT_REST[1:]


class Progress:
    """Nobody is shown anything; `_board.Board` shows it on a terminal.

    Attributes:
        live: whether somebody sees what is under way, and need not be told in lines.
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
