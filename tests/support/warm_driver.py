"""The driver with pip and pip-tools imported once: that is most of what a small compile takes.

A server, one for each test process, has imported them, and forks for each order. What nox-lock
starts is a client in place of the driver: it hands its streams to the server, waits, and ends as
the fork did. Where there is no fork, and for other Pythons, packages and drivers, nothing is
replaced; nor is it for a nox with a process of its own.
"""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from nox_lock.compiling import interpreters, pip_tools

_SCRIPT = Path(__file__).with_name("warm_driver_script.py")
_DRIVER = str(interpreters.DRIVER / "__main__.py")


def use_warm_driver() -> None:
    """Have the compiles of this process done by a driver that is warm."""
    if sys.platform == "win32":
        return
    cold, installed = interpreters.driver_command, interpreters.closed_list()

    @functools.wraps(cold)
    def command(*args: Any, **kwargs: Any) -> list[str]:
        """Return the client's command where the server can do it, else the driver's own."""
        found = cold(*args, **kwargs)
        python, *options, driver, order = found
        asked = json.loads(Path(order).read_bytes())
        if (
            (driver, asked["packages"]) != (_DRIVER, installed)
            or "probe" in asked
            or any("prefix" in each for each in options)
        ):
            return found
        address = _start(python, json.dumps(installed))
        return [python, *options, "-E", str(_SCRIPT), address, order]

    mock.patch.object(interpreters, "driver_command", command).start()
    mock.patch.object(pip_tools, "driver_command", command).start()


@functools.cache
def _start(python: str, packages: str) -> str:
    """Start a server, and return its address."""
    folder = tempfile.mkdtemp()  # short, as the path of a socket has to be
    address = str(Path(folder) / "socket")
    server = subprocess.Popen(
        [python, "-S", "-s", "-Xutf8", str(_SCRIPT), address, _DRIVER, packages],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    assert server.stdout.readline()  # it listens
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.communicate)
    return address
