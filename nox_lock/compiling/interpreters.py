"""Which Python runs a compile: the target's, where it is installed and can, else the running one.

What is resolved depends on it only where a build says what something depends on.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, NamedTuple

from nox_lock.compiling.cache import Cache, CacheEntry, make_key
from nox_lock.compiling.index_settings import IndexSettings, compile_environment
from nox_lock.errors import CompileError, NoxLockError, ToolchainError
from nox_lock.target import Platform, Target, running_platform, running_target

_END_SECONDS = 10.0
_PAUSE = 0.02  # seconds between two looks whether a process has ended
DRIVER = Path(__file__).parent / "driver"
# What pip-tools and the driver import beside the standard library, some on few systems only.
_SOMETIMES = ("colorama", "importlib_metadata", "tomli", "typing_extensions", "zipp")
_PACKAGES = ("pip", "piptools", "build", "click", "packaging", "pyproject_hooks", *_SOMETIMES)
_OLDEST = (3, 8)
_PROBE_SECONDS = 30.0


def run_process(
    command: list[str],
    environ: dict[str, str],
    printed: Path,
    seconds: float,
    cwd: Path,
    ended: threading.Event,  # once it is set, by any thread, all end, and none starts
) -> int:
    """Return the exit status of a command that prints to a file; or raise TimeoutExpired.

    It has a pipe of ours as standard input: when that closes, the driver ends, with all it began.
    """
    if ended.is_set():
        raise NoxLockError("interrupted")
    until = time.monotonic() + seconds
    with printed.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            message = f"Python does not start: {error.strerror}"
            raise CompileError(message, kind="tool") from error
    try:
        while (code := process.poll()) is None:
            if ended.wait(_PAUSE):
                raise NoxLockError("interrupted")
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(command, seconds)
    finally:
        # On Windows the driver ends all; macOS says "not permitted" of a group that is dead.
        if sys.platform != "win32":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_END_SECONDS)  # closes its input
        process.kill()  # nothing, where it has ended
        process.wait()
    return code


class Interpreter(NamedTuple):
    """A Python that runs a compile."""

    path: str
    target: Target
    builder: str = ""  # who builds what has to be built, where that is not the target itself


def tool_versions() -> tuple[str, str]:
    """Return the versions of pip-tools and pip that shape a lock; ToolchainError without one."""
    try:
        return metadata.version("pip-tools"), metadata.version("pip")
    except metadata.PackageNotFoundError as error:
        message = f"{error.name} is not installed beside nox-lock"
        raise ToolchainError(message, hint=f"Run: {install_command()}") from error


def install_command() -> str:
    """Return the command that installs a pip and pip-tools that work beside nox-lock."""
    wanted = '"pip>=24.1,<=26.3" "pip-tools>=7.6.2,<7.7"'
    home = Path(sys.prefix)
    if (home / "pipx_metadata.json").is_file():
        return f"pipx runpip {home.name} install --upgrade {wanted}"
    if (home / "uv-receipt.toml").is_file():
        return f"uv tool install {home.name} --with {wanted.replace(' ', ' --with ')}"
    return f"python -m pip install --upgrade {wanted}"


def closed_list() -> dict[str, str]:
    """Return the packages that a compile may import, each with the folder that it is in."""
    found = {}
    here = os.path.realpath(os.curdir)  # a project may have a `build` of its own
    path = [each for each in sys.path if each and os.path.realpath(each) != here]
    for name in _PACKAGES:
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.origin is not None:
            place = Path(spec.origin)
            found[name] = str((place.parent if spec.submodule_search_locations else place).parent)
    return found


def find_interpreter(
    target: Target,
    platform: Platform | None,
    cache: Cache,
    environ: Mapping[str, str],
    ended: threading.Event,
) -> Interpreter:
    """Return the Python that runs the compiles for a target, and a platform, if one is named."""
    running, here = running_target(), running_platform()
    # The base Python of an environment: a build is kept apart from its site-packages; of an
    # environment's pip would see only those.
    executable = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
    if tuple(map(int, target.version.split("."))) < _OLDEST:
        message = f"Python {target} is too old to lock for: 3.8 is the oldest"
        raise ToolchainError(message, hint="Take it out of `python = [...]`.")
    at_home = platform in {None, here}
    if at_home and target == running:
        return Interpreter(executable, running)
    for path in _find_candidates(target, environ) if at_home else ():
        if found := _probe(path, target, cache, environ, ended):
            return Interpreter(found, target)
    if target.implementation != "cpython" or target.threaded:
        where = "here" if at_home else f"on {platform}"
        message = f"Python {target} is not {where}, and only it knows which wheels it can take"
        hint = f"Install it and run this again, or take {target} out of `python = [...]`."
        raise ToolchainError(message, hint=hint)
    return Interpreter(executable, running, f"Python {running} on {here.system}")


def _find_candidates(target: Target, environ: Mapping[str, str]) -> Iterator[str]:
    prefix = "pypy" if target.implementation == "pypy" else "python"
    name = f"{prefix}{target.version}{'t' if target.threaded else ''}"
    for folder in environ.get("PATH", "").split(os.pathsep):
        if folder and (found := shutil.which(name, path=folder)):
            yield found
            # A shim of pyenv starts only what is chosen at the moment.
            if Path(folder).name == "shims":
                places = Path(folder).parent.glob(f"versions/*/bin/{name}")
                yield from map(str, sorted(places, reverse=True))
    if sys.platform == "win32" and (launcher := shutil.which("py")):
        option = f"-V:{target}" if target.threaded else f"-{target.version}"
        code = "import sys; sys.stdout.buffer.write(sys.executable.encode())"
        command = [launcher, option, "-c", code]
        said = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if said.returncode == 0:
            yield said.stdout.decode("utf-8", "replace").strip()


def _probe(
    path: str, target: Target, cache: Cache, environ: Mapping[str, str], ended: threading.Event
) -> str | None:
    """Return the path of a Python, if it is the target's and can run a compile; that is cached."""
    try:
        seen = os.stat(path)  # noqa: PTH116  (of the program, where this is a link)
    except OSError:
        return None
    here, beside = running_platform(), Path(path).parent
    python = [target.version, target.implementation, target.threaded, here.machine, bool(here.libc)]
    driver = (DRIVER / "touch_points.py").stat()
    stamps = (seen.st_mtime_ns, seen.st_size, driver.st_mtime_ns)
    key = make_key(path, *map(str, (*python, *stamps)), *tool_versions())
    kept = cache.get(key)
    if kept is None:
        environment = compile_environment(environ, IndexSettings())
        try:
            with cache.temporary_directory() as folder:
                bytecode = (cache.folder or folder) / "bytecode"
                command = driver_command(path, {"probe": True}, folder, bytecode)
                printed = folder / "printed.txt"
                run_process(command, environment, printed, _PROBE_SECONDS, Path(), ended)
                answer = json.loads((folder / "report.json").read_bytes())
        except subprocess.TimeoutExpired:
            return None  # not cached: the machine may be busy
        except (CompileError, OSError, ValueError):
            answer = {}
        executable = ""
        if answer.get("unsupported") == [] and answer.get("python") == python:
            executable = answer["executable"]
            with suppress(ValueError):  # on Windows, on another drive
                executable = os.path.relpath(executable, beside)  # no absolute path is cached
        kept = CacheEntry(executable)
        cache.put(key, kept)
    return os.path.normpath(beside / kept.body) if kept.body else None


def driver_command(
    python: str, order: Mapping[str, Any], folder: Path, bytecode: Path | None
) -> list[str]:
    """Write an order to a private folder, and return the command that runs the driver by it."""
    given = {"packages": closed_list(), "report": str(folder / "report.json"), **order}
    written = folder / "order.json"
    written.write_text(json.dumps(given), encoding="utf-8")
    options = ["-S", "-s", "-Xutf8", *([f"-Xpycache_prefix={bytecode}"] if bytecode else [])]
    return [python, *options, str(DRIVER / "__main__.py"), str(written)]
