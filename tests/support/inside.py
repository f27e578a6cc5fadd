"""Real nox in this very process: its start costs more than all that a refusal does."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from unittest import mock

import nox
import nox.registry
from nox.__main__ import main

from nox_lock.sessions import api
from support.project import Run

if TYPE_CHECKING:
    from collections.abc import Mapping


def nox_inside(root: Path, *args: str, env: Mapping[str, str], out: TextIO | None = None) -> Run:
    """Run nox in a folder, with these environment variables alone; `out` is standard output."""
    written, err = io.StringIO(), io.StringIO()
    code = 0
    before = Path.cwd()
    root_logger = logging.getLogger()
    handlers, level = root_logger.handlers[:], root_logger.level
    registry = nox.registry._REGISTRY  # noqa: SLF001
    # What a noxfile sets in `nox.options` would count for the next one.
    names = getattr(nox.options, "__slots__", None) or [*vars(nox.options)]
    options = {each: getattr(nox.options, each) for each in names if not each.startswith("_")}
    with (
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.object(sys, "argv", ["nox", *args]),
        contextlib.redirect_stdout(out or written),
        contextlib.redirect_stderr(err),
    ):
        os.chdir(root)
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else bool(end.code)
            if isinstance(end.code, str):  # as the interpreter does
                err.write(f"{end.code}\n")
        except BaseException:  # noqa: BLE001
            traceback.print_exc(file=err)
            code = 1
        finally:
            os.chdir(before)
            for name, value in options.items():
                setattr(nox.options, name, value)
            registry.clear()
            api._LOCKED.clear()  # noqa: SLF001
            api._OURS.clear()  # noqa: SLF001
            root_logger.handlers[:] = handlers
            root_logger.setLevel(level)
    return Run(int(code), written.getvalue(), err.getvalue())
