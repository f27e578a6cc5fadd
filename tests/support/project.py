"""Projects to run the real nox in, shut off from the settings of whoever runs the tests."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Self

    from support.index import LocalIndex

NOXFILE = """\
import nox_lock

nox_lock.add_sessions()


@nox_lock.session(lock="requirements")
def tests(session):
    session.run("python", "-c", "import app; print('app', app.__version__)")
"""

_AMBIENT = re.compile(
    r"(PIP|PIPX|UV|VIRTUALENV|XDG|GITHUB)_.*|NOX.*|(NO|FORCE)_COLOR|CI|VIRTUAL_ENV(_PROMPT)?"
    r"|PYTHONPATH|PYTHONDONTWRITEBYTECODE|CUSTOM_COMPILE_COMMAND"
)
# A machine may need these to reach any package index at all.
_ACCESS = re.compile(r".*_CERT.*|SSL_.*|REQUESTS_CA_BUNDLE|PIP_PROXY")
_TRACEBACK = "Traceback (most recent call last)"
_VERSIONS = """
import importlib.metadata, json
print(json.dumps([(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()]))
"""
_WHICH = """
import sys
print("%d.%d" % sys.version_info[:2], getattr(sys, "_base_executable", sys.executable))
"""


def is_ambient(name: str) -> bool:
    """Say whether this environment variable is the user's setting, of no concern to a test."""
    return bool(_AMBIENT.fullmatch(name)) and not _ACCESS.fullmatch(name)


def forget() -> None:
    """Forget what may not be shown: the tests are many projects in one process."""
    for known in (text._values, text._user_indexes, text._declared):  # noqa: SLF001
        known.clear()


def clean_environment(home: Path, **extra: str) -> dict[str, str]:
    """Return this process's environment without the user's settings, at home in `home`."""
    environment = {key: value for key, value in os.environ.items() if not is_ambient(key)}
    return environment | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "NO_COLOR": "1",
        "NOX_LOCK_CACHE_DIR": str(home / "nox-lock-cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # Else virtualenv looks for newer wheels in the background, on the real index.
        "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
        **extra,
    }


@dataclass(frozen=True)
class Run:
    """What a finished command said."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Return both streams, standard output first."""
        return self.stdout + self.stderr

    def ok(self) -> Self:
        """Assert success."""
        assert self.returncode == 0, self._described("expected success")
        return self

    def failed(self, *, traceback: bool = False) -> Self:
        """Assert failure, and one told in words unless a `traceback` is allowed."""
        assert self.returncode != 0, self._described("expected failure")
        assert traceback or _TRACEBACK not in self.output, self._described("has a traceback")
        return self

    def _described(self, what: str) -> str:
        streams = f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        return f"{what}; exit code {self.returncode}\n{streams}"


class Project:
    """A folder with a noxfile, and the nox of the running Python to run in it."""

    def __init__(
        self,
        root: Path,
        home: Path,
        index: LocalIndex | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root
        self.home = home
        self.index = index
        self.env = dict(env or {})
        self.prefix: list[str] = []  # a command that runs nox: with less power, within limits
        self.alone = False  # whether each nox has a process of its own, see `nox`
        self._started: list[subprocess.Popen[str]] = []
        for folder in (root, home):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, relative: str, text: str) -> Path:
        """Write dedented text as it stands (no newline translation), folders made as needed."""
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(textwrap.dedent(text.removeprefix("\n")).encode())
        if path.suffix == ".py":
            # Bytecode is told apart by second and size: too little for tests.
            shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
        return path

    def read(self, relative: str) -> str:
        """Return a file's text with the line ends it has."""
        return (self.root / relative).read_bytes().decode()

    def exists(self, relative: str) -> bool:
        """Say whether there is a file or folder of this name."""
        return (self.root / relative).exists()

    def snapshot(self) -> dict[str, bytes]:
        """Return the bytes of every file outside `.nox` and `__pycache__`, by POSIX path."""
        files = {path.relative_to(self.root): path for path in self.root.rglob("*")}
        return {
            relative.as_posix(): path.read_bytes()
            for relative, path in sorted(files.items())
            if not {".nox", "__pycache__"} & set(relative.parts) and path.is_file()
        }

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return what `nox` and `start_nox` run with."""
        # Where a test does not say which: environments by uv take a third of the time.
        environment = clean_environment(self.home, NOX_DEFAULT_VENV_BACKEND="uv|virtualenv")
        if self.index is not None:
            # pip would send even loopback requests through PIP_PROXY.
            for key in [key for key in environment if key.upper().endswith("_PROXY")]:
                del environment[key]
            environment["PIP_INDEX_URL"] = self.index.url_with_credentials
        return environment | self.env | dict(env or {})

    def nox(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float | None = None,
    ) -> Run:
        """Run nox to its end, in the test process: that saves its start.

        In a process of its own where the difference counts: if `alone`, with a `prefix`, a
        `timeout` (in seconds, after which it is killed with all it started), `PYTHON...`
        variables or none of our PATH, and beside other threads.
        """
        environment = self.environment(env)
        named = {each for each in {*self.env, *(env or {})} if each.startswith("PYTHON")}
        if (
            self.alone
            or self.prefix
            or timeout
            or named
            or not environment["PATH"].endswith(os.environ["PATH"])
            or threading.current_thread() is not threading.main_thread()
        ):
            return self.nox_alone(*args, env=env, cwd=cwd, timeout=timeout or 300)
        from support.inside import nox_inside  # noqa: PLC0415  (which needs `Run`)

        return nox_inside(cwd or self.root, *args, env=environment)

    def nox_alone(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 300,
    ) -> Run:
        """Run nox to its end, in a process of its own; kill it past `timeout` seconds, and fail."""
        return finish(self.start_nox(*args, env=env, cwd=cwd), timeout=timeout)[0]

    def start_nox(
        self, *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[str]:
        """Start nox as the leader of its own process group; `finish` or `close` ends it."""
        process = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "nox", *args],
            cwd=cwd or self.root,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,  # in the locale's encoding, as the child writes it
            errors="replace",
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def venv_versions(self, session_env: str) -> dict[str, str]:
        """Return the version of each project (by normalised name) in `.nox/<session_env>`."""
        venv = self.root / ".nox" / session_env
        python = venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        there = sorted(path.name for path in venv.parent.glob("*"))
        assert python.exists(), f"no environment {session_env!r}; there are {there}"
        command = [str(python), "-I", "-c", _VERSIONS]
        listing: str = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return {re.sub(r"[-_.]+", "-", name).lower(): text for name, text in json.loads(listing)}

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._started:
            if process.stdout is not None and not process.stdout.closed:
                kill(process)
                process.communicate()


def finish(*processes: subprocess.Popen[str], timeout: float = 300) -> list[Run]:
    """Wait for processes side by side, so that none waits for another's full pipe to be read."""

    def wait(process: subprocess.Popen[str]) -> Run:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            kill(process)
            stdout, stderr = process.communicate()
            message = f"not done after {timeout} s\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
            raise AssertionError(message) from None
        return Run(process.returncode, stdout, stderr)

    with ThreadPoolExecutor(max(1, len(processes))) as pool:
        return list(pool.map(wait, processes))


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process that `start_nox` started, with all its children, at once."""
    if sys.platform == "win32":
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, check=False, capture_output=True)
    else:
        # macOS says "not permitted" of a group that is dead but not yet waited for.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


@functools.cache
def interpreters() -> Mapping[str, Path]:
    """Return the Pythons of this machine by X.Y, each of them tried."""
    found: dict[str, Path] = {}
    for candidate in _candidates():
        if candidate.name.removeprefix("python") in found:
            continue
        with suppress(OSError, subprocess.SubprocessError, ValueError):
            output: str = subprocess.run(
                [str(candidate), "-I", "-c", _WHICH],
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=10,
            ).stdout
            version, executable = output.strip().split(" ", 1)
            found.setdefault(version, Path(executable))
    return dict(sorted(found.items(), key=lambda item: [int(n) for n in item[0].split(".")]))


def _candidates() -> Iterator[Path]:
    # pyenv's own first: its shims on PATH are slow, and most lead nowhere.
    folders = sorted(Path.home().glob(".pyenv/versions/*/bin"))
    folders += [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    name = re.compile(r"python\.exe" if sys.platform == "win32" else r"python3\.\d+")
    for folder in folders:
        with suppress(OSError):
            yield from sorted(path for path in folder.iterdir() if name.fullmatch(path.name))
