"""What a row is given to work with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import UnavailableError, last_line, run
from benchmarks.peers import OURS
from support.project import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.measure import Contender
    from benchmarks.peers import Peers

_IN_ORDER = """
import json, subprocess, sys
for command in json.loads(sys.argv[1]):
    if code := subprocess.run(command).returncode:
        sys.exit(code)
"""
_TWO_AT_A_TIME = """
import json, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(2) as pool:
    sys.exit(max(pool.map(subprocess.call, json.loads(sys.argv[1]))))
"""


@dataclass(frozen=True)
class Setting:
    """A folder of its own for a row, and the tools.

    Attributes:
        folder: empty at first.
        peers: the environments of the tools.
        shared: where the corpus stands, if it does.
    """

    folder: Path
    peers: Peers
    shared: Path

    @property
    def home(self) -> Path:
        """The home folder of every tool in this row, and so all of their caches."""
        return self.folder / "home"

    def environ(
        self, extra: Mapping[str, str] | None = None, *, uv: bool = True, first: str = ""
    ) -> dict[str, str]:
        """Return an environment with caches of its own; with or without uv on PATH.

        The commands of the environment `first` come first on PATH.
        """
        kept = [place for place in os.environ["PATH"].split(os.pathsep) if not _has_uv(place)]
        if first:
            kept.insert(0, self.peers.scripts(first))
        if uv:
            kept.insert(0, self.peers.uv())
        found = clean_environment(self.home, PATH=os.pathsep.join(kept))
        found.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody starts without byte code in earnest
        return {**found, **(extra or {})}

    def index(self) -> dict[str, str]:
        """Return which package index this machine's pip is configured for, for pip and for uv."""
        command = [self.peers.python(OURS), "-m", "pip", "config", "list"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = dict(line.split("=", 1) for line in listed.splitlines() if "=" in line)
        for level in (":env:", "install", "global"):
            if url := found.get(f"{level}.index-url", "").strip("'\""):
                return {"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}
        return {}

    def nox(self, *arguments: str) -> list[str]:
        """Return a command of the nox that has nox-lock beside it."""
        return [self.peers.python(OURS), "-m", "nox", "--no-color", *arguments]

    def pip_compile(self, *arguments: str) -> list[str]:
        """Return a command of plain pip-compile, quiet, as nox-lock is by default."""
        options = ("--quiet", "--generate-hashes", "--allow-unsafe", "--strip-extras")
        return [self.peers.python(OURS), "-m", "piptools", "compile", *options, *arguments]

    def uv_compile(self, *arguments: str) -> list[str]:
        """Return a command of `uv pip compile` for the Python of the others."""
        options = ("--quiet", "--generate-hashes", "--python", self.peers.python(OURS))
        return [self.peers.command("uv", "uv"), "pip", "compile", *options, *arguments]

    def prepare(self, *contenders: Contender) -> None:
        """Run each once, uncounted, where the first run is another one than the rest."""
        for contender in contenders:
            sample = run(contender)
            if sample.returncode != 0:
                raise UnavailableError(f"{contender.tool} fails: {last_line(sample)}")


def in_order(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return one command that runs these one after the other until one fails."""
    if len(commands) == 1:
        return list(commands[0])
    return [sys.executable, "-S", "-c", _IN_ORDER, json.dumps([list(each) for each in commands])]


def two_at_a_time(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return one command that runs these, two at any time, to their end."""
    command = [sys.executable, "-S", "-c", _TWO_AT_A_TIME]
    return [*command, json.dumps([list(each) for each in commands])]


def remover(*paths: Path) -> Callable[[], None]:
    """Return what removes these files and folders."""

    def remove() -> None:
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)

    return remove


def _has_uv(place: str) -> bool:
    return shutil.which("uv", path=place) is not None
