"""An interpreter for a target with a working pip-tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata, util
from typing import TYPE_CHECKING

from nox_lock._errors import InterpreterMissingError, ToolchainError
from nox_lock._files import write_atomically
from nox_lock._indexes import IndexSettings, module_command, pip_environment
from nox_lock._target import running_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from nox_lock._cache import Cache
    from nox_lock._target import Target

_READY = "nox-lock-ready.json"


@dataclass(frozen=True, slots=True)
class Toolchain:
    """An interpreter, and the versions of pip-tools and pip it has."""

    python: str
    pip_tools: str
    pip: str


def running_toolchain() -> Toolchain | None:
    """Return the pip-tools beside nox-lock, or None where there is none that can work."""
    if util.find_spec("piptools") is None or util.find_spec("pip") is None:
        return None
    return Toolchain(sys.executable, metadata.version("pip-tools"), metadata.version("pip"))


def tool_versions() -> tuple[str, str]:
    """Return the versions of pip-tools and pip that shape a lock made from here."""
    return metadata.version("pip-tools"), metadata.version("pip")


def find_toolchain(
    target: Target,
    cache: Cache,
    indexes: IndexSettings,
    environ: Mapping[str, str],
    tell: Callable[[str], None],
    *,
    private: bool = False,
    remake: bool = False,
) -> Toolchain:
    """Return a toolchain for `target`; `private` passes over the one that runs nox.

    One for another Python is made on first use, once per user, with the same pip-tools and the
    newest pip; `environment` is what its pip may see.

    Raises:
        InterpreterMissingError: when the machine has no such Python.
        ToolchainError: when pip-tools cannot be installed for it, or there is no place for it.
    """
    environment = pip_environment(environ, indexes)
    if target == running_target() and not private and (beside := running_toolchain()):
        return beside
    if cache.folder is None:
        raise ToolchainError(
            f"Python {target} needs an environment with pip-tools, and the cache folder, "
            "where it would be kept, cannot be written"
        )
    version = metadata.version("pip-tools")
    folder = cache.folder / "tools" / f"{target}-pip-tools-{version}"
    if toolchain := _ready(folder):
        return toolchain
    with cache.hold(f"tools-{folder.name}", tell):
        if toolchain := _ready(folder):
            return toolchain
        tell(f"preparing pip-tools {version} for Python {target}")
        return _make(folder, target, version, environment)


def _ready(folder: Path) -> Toolchain | None:
    """Return the toolchain in a folder that was made to the end and still runs."""
    python = _python_in(folder)
    try:
        told = json.loads((folder / _READY).read_bytes())
        return Toolchain(str(python), told["pip_tools"], told["pip"]) if python.exists() else None
    except (OSError, ValueError, KeyError):
        return None


def _make(folder: Path, target: Target, version: str, environment: Mapping[str, str]) -> Toolchain:
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--no-periodic-update", "-p", str(target), str(folder)]
    made = _run([sys.executable, "-m", "virtualenv", *options], environment)
    if made.returncode != 0:
        if "failed to find interpreter" in made.stdout:
            raise InterpreterMissingError(str(target))
        raise ToolchainError(f"virtualenv failed for Python {target}: {_last(made.stdout)}")
    python = str(_python_in(folder))
    command = module_command(python, "pip", "install", "--upgrade", "pip", f"pip-tools=={version}")
    installed = _run(command, environment)
    if installed.returncode != 0:
        reason = _last(installed.stdout)
        raise ToolchainError(f"pip-tools {version} does not install on Python {target}: {reason}")
    asked = "from importlib.metadata import version; print(version('pip'))"
    pip = _run([python, "-c", asked], environment).stdout.strip()
    write_atomically(folder / _READY, json.dumps({"pip_tools": version, "pip": pip}))
    return Toolchain(python, version, pip)


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # virtualenv tells its errors on either
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"
