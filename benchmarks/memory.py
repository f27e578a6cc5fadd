"""How much memory a process has with all that it started."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

_EVERY = 0.1  # seconds
_PROCESSES = Path("/proc")
_PARENT, _PAGES = 1, 21  # among what follows the name in a `stat` of Linux


class MemoryWatch(threading.Thread):
    """Measures the tree of a process until it is stopped.

    Attributes:
        peak: the most bytes that were resident, pages that processes share counted for each.
    """

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._process = process
        self._stopped = threading.Event()

    def run(self) -> None:
        """Measure, now and then."""
        while not self._stopped.wait(_EVERY):
            self.peak = max(self.peak, resident(self._process))

    def stop(self) -> int | None:
        """Stop; return the peak, or None where this cannot be measured."""
        self._stopped.set()
        self.join()
        return self.peak or None


def resident(process: int) -> int:
    """Return the resident bytes of a process and its descendants; 0 but on Linux."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    pages: dict[int, int] = {}
    for path in _PROCESSES.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
            number = int(path.parent.name)
            children[int(fields[_PARENT])].append(number)
            pages[number] = int(fields[_PAGES])
    found, waiting = 0, [process]
    while waiting:
        number = waiting.pop()
        found += pages.get(number, 0)
        waiting += children[number]
    return found * os.sysconf("SC_PAGE_SIZE") if found else 0
