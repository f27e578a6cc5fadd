"""What a row is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measure import Contender
    from benchmarks.setting import Setting

# The headings of the tables, in their order.
GROUPS = {
    "cold": "Lock cold, with hashes",
    "parallel": "Lock several at once",
    "warm": "Lock when there is little to do",
    "check": "Check",
    "session": "A session whose lock has not changed",
    "crowd": "Many processes that need one lock",
    "start": "Start-up",
}


class UnavailableError(Exception):
    """A row, or a tool in it, cannot be measured on this machine; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Some work, and who does it.

    Attributes:
        name: on the command line.
        group: a key of `GROUPS`.
        title: the work in words.
        make: writes what is worked on into the folder of its setting, and returns the contenders,
            the floor first; raises `UnavailableError` where that cannot be done here.
        note: what one has to know to read the row; where a peer wins, why.
        slow: it downloads much and takes minutes: watched, and measured only when asked.
    """

    name: str
    group: str
    title: str
    make: Callable[[Setting], list[Contender]]
    note: str = ""
    slow: bool = False
