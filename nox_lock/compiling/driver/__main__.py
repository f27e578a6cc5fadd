"""Run one order: ``python -S -s __main__.py ORDER.json``, with a pipe as standard input.

The order is a JSON object:

    packages           what may be imported beside the standard library, with their folders
    report, begun      files to write: the report, and at once a line for what is begun
    probe              true: only say what this Python is, and whether it can run a compile
    arguments          of pip-compile
    target             python, environment (of markers), platforms and abis to resolve for;
                       foreign: whether this Python is another one
    build_constraints  files that limit what a build gets
    files              projects with sha256: only find these files on pages, see `pages`
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any, NamedTuple

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  (pathlib takes 5 ms)


class ClosedList(NamedTuple):
    """Finds a few packages, each where it is installed, and nothing else that lies beside them."""

    folders: Mapping[str, str]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return where a package of the list is; the rest of the protocol is the path finder's."""
        if path is None and name in self.folders:
            return PathFinder.find_spec(name, [self.folders[name]], target)
        return None


def end_with_parent() -> None:
    """End this process, and all it has started, when its parent ends, however it does."""
    watched = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)  # for what is started later

    def watch() -> None:
        os.read(watched, 1)
        if sys.platform == "win32":
            subprocess.call(["taskkill", "/F", "/T", "/PID", str(os.getpid())])  # noqa: S607
        else:
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def main(path: str) -> int:
    """Do what an order says, and return the exit status."""
    end_with_parent()
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        order = json.load(file)
    # Not the folder of this script: its modules are no top-level ones.
    sys.path[:] = [each for each in sys.path if each not in {"", _HERE}]
    sys.meta_path.append(ClosedList({"driver": os.path.dirname(_HERE), **order["packages"]}))  # noqa: PTH120
    found = import_module("driver.touch_points").examine()
    if found["unsupported"] or order.get("probe"):
        with open(order["report"], "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(found, file)
        return int(bool(found["unsupported"]))
    return int(import_module("driver.compile").compile_lock(order))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
