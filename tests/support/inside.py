"""Real nox in this very process: its start costs more than most of what a test has it do."""

from __future__ import annotations

import _thread
import contextlib
import importlib
import logging
import os
import sys
import tempfile
import threading
import traceback
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO
from unittest import mock

import nox
import nox.registry
from nox.__main__ import main

from nox_lock.sessions import api
from support.index import LEFT_OPEN
from support.project import Run, forget

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Their functions remember what a process asks for once.
_REMEMBERING = ("nox", "nox_lock", "python_discovery")


def nox_inside(
    root: Path,
    *args: str,
    env: Mapping[str, str],
    out: TextIO | None = None,
    timeout: float = 300,
) -> Run:
    """Run nox in a folder, with these environment variables alone; `out` is standard output.

    What it starts writes to the same streams. Past `timeout` seconds it gets a Ctrl-C.
    """
    clock = threading.Timer(timeout, _thread.interrupt_main)
    with (
        _stream("stdout", 1) as written,
        _stream("stderr", 2) as errors,
        contextlib.redirect_stdout(out or sys.stdout),
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.object(sys, "argv", ["nox", *args]),
        mock.patch.object(sys, "path", [str(root), *sys.path]),
        mock.patch.object(tempfile, "tempdir", None),  # found again, by these variables
        _default_warnings(),
        _nothing_left(root),
    ):
        clock.start()
        try:
            code = _run_main()
        finally:
            clock.cancel()
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):  # a full disk
                    stream.flush()
        written.seek(0)
        errors.seek(0)
        return Run(code, written.read(), errors.read())


def _run_main() -> int:
    """Return the exit status, having written of an exception what the interpreter would."""
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        return end.code if isinstance(end.code, int) else bool(end.code)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def _stream(name: str, descriptor: int) -> Iterator[IO[str]]:
    """Lead a standard stream, the children's as well, to a file, which is yielded."""
    errors = "strict" if name == "stdout" else "backslashreplace"
    with (
        tempfile.TemporaryFile("w+", errors="replace") as file,
        open(descriptor, "w", 1, errors=errors, closefd=False) as stream,
    ):
        before = os.dup(descriptor)
        os.dup2(file.fileno(), descriptor)
        try:
            with mock.patch.object(sys, name, stream):
                yield file
        finally:
            os.dup2(before, descriptor)
            os.close(before)


@contextlib.contextmanager
def _default_warnings() -> Iterator[None]:
    """Show warnings as a Python does that was just started, but refuse files left open."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        (file or sys.stderr).write(text)

    with warnings.catch_warnings():
        warnings.resetwarnings()
        for ignored in (DeprecationWarning, PendingDeprecationWarning, ImportWarning):
            warnings.simplefilter("ignore", ignored)
        warnings.simplefilter("error", ResourceWarning)
        warnings.filterwarnings("ignore", LEFT_OPEN, ResourceWarning)
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def _nothing_left(root: Path) -> Iterator[None]:
    """Run in a folder, and leave nothing of the run in this process."""
    folder, modules = Path.cwd(), {*sys.modules}
    root_logger = logging.getLogger()
    handlers, level = root_logger.handlers[:], root_logger.level
    # What a noxfile sets in `nox.options` would count for the next one.
    names = getattr(nox.options, "__slots__", None) or [*vars(nox.options)]
    options = {each: getattr(nox.options, each) for each in names if not each.startswith("_")}
    os.chdir(root)
    importlib.invalidate_caches()
    forget()
    try:
        yield
    finally:
        os.chdir(folder)
        for name, value in options.items():
            setattr(nox.options, name, value)
        for known in (nox.registry._REGISTRY, api._LOCKED, api._OURS):  # noqa: SLF001
            known.clear()
        root_logger.handlers[:] = handlers
        root_logger.setLevel(level)
        forget()
        for name, module in list(sys.modules.items()):
            if name not in modules and _is_in(getattr(module, "__file__", None), root):
                del sys.modules[name]
            if name.partition(".")[0] in _REMEMBERING:
                for key, value in list(vars(module).items()):
                    if hasattr(value, "cache_clear") and key != "find_uv":  # that starts uv
                        value.cache_clear()


def _is_in(file: str | None, root: Path) -> bool:
    return bool(file) and Path(str(file)).is_relative_to(root.resolve())
