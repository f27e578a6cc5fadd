"""A nox run that records which functions of nox_lock it enters, and what it gives to some of them.

Run as a script, in a process of its own: ``python trace.py RECORD ARGUMENTS_OF_NOX``.
"""

from __future__ import annotations

import inspect
import json
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import FrameType

    from support.project import Project

# The argument that says what a call is about, by function.
_ABOUT = {
    "nox_lock.lockfile.lock_file.parse": "text",
    "nox_lock.checking.judge.judge": "planned",
    "nox_lock.locking.changes.find_changes": "after",
}


class Trace(NamedTuple):
    """What was entered: how often each function, and what some of them were given."""

    calls: dict[str, int]
    about: dict[str, list[str]]


def trace(project: Project, *arguments: str) -> Trace:
    """Run nox in a project; the driver, a process of its own, is not recorded."""
    record = project.home / "trace.json"
    project.prefix = [sys.executable, __file__, str(record)]
    try:
        project.nox(*arguments).ok()
    finally:
        project.prefix = []
    return Trace(*json.loads(record.read_text("utf-8")))


def _main() -> None:
    from nox.__main__ import main  # noqa: PLC0415

    # Behind the record come the Python and the options that start nox.
    record, sys.argv = Path(sys.argv[1]), ["nox", *sys.argv[sys.argv.index("nox") + 1 :]]
    calls: Counter[str] = Counter()
    about: dict[str, list[str]] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        code, name = frame.f_code, frame.f_code.co_name
        # Not the body of a class or a comprehension, nor what dataclasses generate.
        if event != "call" or name.startswith("<") or not code.co_flags & inspect.CO_OPTIMIZED:
            return
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith("nox_lock") or not Path(code.co_filename).exists():
            return
        # Python 3.10 has no qualified name of code.
        calls[f"{module}.{name}:{code.co_firstlineno}"] += 1
        if argument := _ABOUT.get(f"{module}.{name}"):
            given = frame.f_locals[argument]
            about.setdefault(name, []).append(getattr(given, "path", given))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        main()
    finally:
        sys.setprofile(None)
        record.write_text(json.dumps([calls, about]), "utf-8")


if __name__ == "__main__":
    _main()
