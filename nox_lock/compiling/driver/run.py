"""Do what an order says, if this Python, pip and pip-tools can."""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
from importlib import import_module
from pathlib import Path
from typing import Any

from .touch_points import find_missing


def run(order: dict[str, Any]) -> int:
    """Do what an order says; return pip-compile's exit status."""
    try:
        missing = find_missing()
    except Exception as error:  # noqa: BLE001  (whatever an unknown pip does when it is imported)
        missing = [f"{type(error).__name__}: {error}"]
    if missing or order.get("probe"):
        found = {"unsupported": missing, **_describe_python()}
        Path(order["report"]).write_text(json.dumps(found), encoding="utf-8")
        return int(bool(missing))
    from .compile import compile_lock  # noqa: PLC0415  (it imports pip)

    return compile_lock(order)


def _describe_python() -> dict[str, Any]:
    """Return what this Python is, and what it lacks of what a compile needs."""
    lacking = []
    for name in ("ssl", "zlib", "venv"):
        try:
            import_module(name)
        except ImportError:
            lacking.append(name)
    return {
        "lacking": lacking,
        "version": "{}.{}".format(*sys.version_info),
        "implementation": sys.implementation.name,
        "threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "system": sys.platform,
        "machine": platform.machine().lower(),
        "musl": "musl" in str(sysconfig.get_config_var("SOABI")),
        # The one beneath a virtual environment.
        "executable": os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable),
    }
