"""Processes that we start: each ends when we do, with all that it has started itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from nox_lock.errors import CompileError, InterruptedWorkError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import IO

_END_SECONDS = 10.0
# How long Windows may take to notice an interrupt.
_WAIT_SECONDS = 0.5


class Processes:
    """The processes that run now; any thread may end them all, with `end`.

    The standard input of each is a pipe that only we hold. When it closes, also because we were
    killed, the driver ends itself and all that it has started.

    Attributes:
        ended: set by `end`.
    """

    def __init__(self) -> None:
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: IO[bytes],
        *,
        deadline: float,
        folder: Path | None = None,
    ) -> int:
        """Run a command in `folder`, with its output in `output`, and return its exit status.

        Raises:
            subprocess.TimeoutExpired: when it was ended after `deadline` seconds.
            InterruptedWorkError: when all were ended.
            CompileError: when it cannot be started.
        """
        with self._lock:
            if self.ended.is_set():
                raise InterruptedWorkError
            try:
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=dict(environment),
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                message = f"Python does not start: {error.strerror}"
                raise CompileError(message, kind="tool") from error
            self._running.add(process)
        try:
            code = _wait(process, deadline)
        finally:
            with self._lock:
                self._running.discard(process)
            _end(process)
        if self.ended.is_set():
            raise InterruptedWorkError
        return code

    def end(self) -> None:
        """End all that run, and let none start later."""
        self.ended.set()
        with self._lock:
            for process in self._running:
                _close_input(process)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> int:
    until = time.monotonic() + deadline
    while True:
        left = until - time.monotonic()
        try:
            return process.wait(max(min(left, _WAIT_SECONDS), 0.0))
        except subprocess.TimeoutExpired:
            if left <= 0:
                raise


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started; on Windows the driver does the latter."""
    _close_input(process)
    if sys.platform != "win32":
        # macOS says "not permitted" of a group that is dead.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
