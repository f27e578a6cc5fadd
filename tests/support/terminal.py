"""A terminal of so many columns that nox runs on, read by a terminal emulator."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from support.project import Project

ROWS = 40


class Terminal:
    """Runs nox in a project; what it shows can be looked at while it runs, and after."""

    def __init__(
        self, project: Project, *args: str, columns: int = 80, env: dict[str, str] | None = None
    ) -> None:
        self.screen: Any = pyte.Screen(columns, ROWS)
        self.raw = b""
        self.seen: list[list[str]] = []  # each picture that was there
        self._stream = pyte.ByteStream(self.screen)
        self._changed = threading.Condition()
        self._command = [sys.executable, "-m", "nox", *args]
        self._cwd = project.root
        # The terminal is asked what it is.
        hidden = ("NO_COLOR", "COLUMNS", "LINES")
        self._environ = {
            **{key: value for key, value in project.environment().items() if key not in hidden},
            "TERM": "xterm-256color",
            "PYTHONIOENCODING": "utf-8",
            **(env or {}),
        }
        self.columns = columns

    def __enter__(self) -> Self:
        import fcntl  # noqa: PLC0415  (POSIX)
        import pty  # noqa: PLC0415
        import struct  # noqa: PLC0415
        import termios  # noqa: PLC0415

        self._master, ours = pty.openpty()
        size = struct.pack("HHHH", ROWS, self.columns, 0, 0)
        fcntl.ioctl(ours, termios.TIOCSWINSZ, size)
        self.process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self._environ,
            stdin=ours,
            stdout=ours,
            stderr=ours,
            start_new_session=True,
        )
        os.close(ours)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        os.close(self._master)

    @property
    def lines(self) -> list[str]:
        """Return the lines that are shown, without the empty ones."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    @property
    def text(self) -> str:
        """Return all that is shown, as one text: a terminal cuts lines where it ends."""
        return "".join(line.ljust(self.columns)[: self.columns] for line in self.lines)

    def colours(self, words: str) -> set[str]:
        """Return the colours of some words where they are shown first."""
        row = next(number for number, line in enumerate(self.screen.display) if words in line)
        start = self.screen.display[row].index(words)
        return {self.screen.buffer[row][start + number].fg for number in range(len(words))}

    def wait_for(self, holds: Callable[[list[str]], bool], seconds: float = 60) -> list[str]:
        """Return the first picture of which something holds."""
        found: list[str] = []

        def look() -> bool:
            found[:] = next((lines for lines in self.seen if holds(lines)), [])
            return bool(found) or not self._reader.is_alive()

        with self._changed:
            self._changed.wait_for(look, seconds)
        assert found, self.lines
        return found

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self, seconds: float = 120) -> int:
        """Wait until nox ends, and return its exit status."""
        code = self.process.wait(seconds)
        self._reader.join(10)
        return code

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:  # the other side is closed
                data = b""
            with self._changed:
                self.raw += data
                self._stream.feed(data)
                self.seen.append(self.lines)
                self._changed.notify_all()
            if not data:
                return
