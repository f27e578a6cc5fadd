"""How a command speaks to people: whole blocks, whichever thread they come from."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from nox_lock._wording import presentable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Voice:
    """What a command says goes here; threads that speak at once do so one after the other.

    Args:
        log: takes a line on what is done.
        alert: takes a line on what somebody should change.
        lock_command: what a person runs to lock.
        unicode: whether those who listen can be shown more than ASCII.
    """

    def __init__(
        self,
        log: Callable[[str], None],
        alert: Callable[[str], None],
        lock_command: str,
        *,
        unicode: bool = False,
    ) -> None:
        self.log = log
        self.alert = alert
        self.lock_command = lock_command
        self.unicode = unicode
        self._turn = threading.RLock()

    def tell(self, *lines: str) -> None:
        """Say what is done; nothing comes between the lines."""
        self._say(self.log, lines)

    def warn(self, *lines: str) -> None:
        """Say what somebody should change; nothing comes between the lines."""
        self._say(self.alert, lines)

    def _say(self, speak: Callable[[str], None], lines: Iterable[str]) -> None:
        with self._turn:
            for line in lines:
                speak(presentable(line))


def speaks_unicode(encoding: str | None) -> bool:
    """Tell whether a stream of this encoding can show our marks."""
    try:
        "\N{CHECK MARK}\N{BALLOT X}".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
