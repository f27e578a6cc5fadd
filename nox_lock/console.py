"""How a command speaks to people: whole blocks, whichever thread they come from."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

from nox_lock.progress import Board, Progress
from nox_lock.text import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# https://en.wikipedia.org/wiki/ANSI_escape_code#SGR
RED, GREEN, YELLOW = "31", "32", "33"


class Painted(NamedTuple):
    """A line of which a part has a colour, where those who listen see colours."""

    before: str
    painted: str
    after: str
    colour: str

    def show(self, *, coloured: bool) -> str:
        """Return it as it may be shown; nothing in its text is taken for a colour."""
        if not coloured:
            return redact(f"{self.before}{self.painted}{self.after}")
        before, painted, after = map(redact, self[:3])
        return f"{before}\x1b[{self.colour}m{painted}\x1b[0m{after}"


class Listener(NamedTuple):
    """Who listens: what they can be shown, and want to hear.

    Attributes:
        unicode: more than ASCII.
        coloured: colours.
        attended: what is under way, on a terminal that a person watches.
        verbose: all that the tools say.
    """

    unicode: bool = False
    coloured: bool = False
    attended: bool = False
    verbose: bool = False


class Voice:
    """What a command says goes here; threads that speak at once do so one after the other.

    Args:
        log: takes a line on what is done.
        alert: takes a line on what somebody should change.
        lock_command: what a person runs to lock.
        listener: who listens.
    """

    def __init__(
        self,
        log: Callable[[str], None],
        alert: Callable[[str], None],
        lock_command: str,
        listener: Listener,
    ) -> None:
        self.log = log
        self.alert = alert
        self.lock_command = lock_command
        self.listener = listener
        self._progress = Progress()
        self._turn = threading.RLock()

    @property
    def unicode(self) -> bool:
        """Whether those who listen can be shown more than ASCII."""
        return self.listener.unicode

    def open_board(self) -> Progress:
        """Return what shows from now on how far the work is."""
        if self.listener.attended:
            self._progress = Board(colour=self.listener.coloured, unicode=self.unicode)
        return self._progress

    def tell(self, *lines: str | Painted) -> None:
        """Say what is done; nothing comes between the lines."""
        self._say(self.log, lines)

    def warn(self, *lines: str | Painted) -> None:
        """Say what somebody should change; nothing comes between the lines."""
        self._say(self.alert, lines)

    def _say(self, speak: Callable[[str], None], lines: Iterable[str | Painted]) -> None:
        with self._turn, self._progress.aside():
            for line in lines:
                if isinstance(line, Painted):
                    speak(line.show(coloured=self.listener.coloured))
                else:
                    speak(redact(line))


def speaks_unicode(encoding: str | None) -> bool:
    """Tell whether a stream of this encoding can show our marks."""
    try:
        "\N{CHECK MARK}\N{BALLOT X}".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def is_attended(environ: Mapping[str, str]) -> bool:
    """Tell whether standard error is a terminal that a person watches, and that can be redrawn."""
    return (
        sys.stderr is not None
        and sys.stderr.isatty()
        and not environ.get("CI")
        and environ.get("TERM") != "dumb"
    )
