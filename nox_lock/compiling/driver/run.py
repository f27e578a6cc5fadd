"""Run pip-compile as an order says, and leave a report of what happened."""

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
    return _compile(order)


def _compile(order: dict[str, Any]) -> int:
    from . import failures, pages, report, target, watching  # noqa: PLC0415  (they import pip)

    told = report.Report(order["events"])
    index_pages = pages.Pages(told, order["expected"])
    target.apply(order["target"], told, order["pip"])
    index_pages.install()
    pages.take_hashes_from_pages(told)
    watching.install(told)
    code = 1
    try:
        code = watching.compile_lock(order["arguments"])
    except Exception as error:  # noqa: BLE001  (whatever it is, it is reported)
        told.said["failure"] = failures.describe(error, told)
    finally:
        index_pages.close()
    told.write(order["report"])
    return code


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
