"""What a row is, and what it is given to work with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.loopback import Index
from benchmarks.measure import UnavailableError, last_line, run
from benchmarks.peers import OURS
from support.project import clean_environment
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import ExitStack

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


# What an extra index has, and nobody else: a company's projects. An input asks for the first.
COMPANY = [f"nox-lock-benchmarks-{number}" for number in range(20)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Some work, and who does it.

    Attributes:
        name: on the command line.
        group: a key of `table.GROUPS`.
        title: the work in words.
        make: writes what is worked on into the folder of its setting, and returns the contenders,
            the floor first; raises `UnavailableError` where that cannot be done here.
        note: what one has to know to read the row; where a peer wins, why.
        slow: it downloads much and takes minutes: watched, and measured only when asked.
        in_median: budgets of time hold in the median of all such rows of its group.
    """

    name: str
    group: str
    title: str
    make: Callable[[Setting], list[Contender]]
    note: str = ""
    slow: bool = False
    in_median: bool = False


@dataclass(frozen=True)
class Setting:
    """A folder of its own for a row, and the tools.

    Attributes:
        folder: empty at first.
        peers: the environments of the tools.
        shared: the folder with the corpus, if it is there.
        opened: closed when the row is measured.
    """

    folder: Path
    peers: Peers
    shared: Path
    opened: ExitStack

    @property
    def home(self) -> Path:
        """The home folder of every tool in this row, and so all of their caches."""
        return self.folder / "home"

    def environ(
        self,
        extra: Mapping[str, str] | None = None,
        *,
        uv: bool = False,
        pythons: bool = True,
        first: str = "",
    ) -> dict[str, str]:
        """Return an environment with caches of its own, with or without uv on PATH.

        Without `pythons`, no Python but the running one is found there. The commands of the
        environment `first` come first.
        """
        kept = [place for place in os.environ["PATH"].split(os.pathsep) if not _has_uv(place)]
        if not pythons:
            kept = [place for place in kept if not _has_other_python(place)]
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

    def extra_index(self) -> dict[str, str]:
        """Return the variables that add an index to the others: by pip's configuration, and uv's.

        It is quick, and has the projects of `COMPANY` alone.
        """
        for name in COMPANY:
            build_wheel(self.folder / "company", name, "1.0")
        url = self.opened.enter_context(Index(self.folder / "company")).url
        config = self.folder / "pip.conf"
        config.write_text(f"[global]\nextra-index-url = {url}\n", "utf-8")
        # What the machine configures for everybody is left out, where pip lets us.
        nothing = str(self.folder / "no-such-folder")
        return {"PIP_CONFIG_FILE": str(config), "XDG_CONFIG_DIRS": nothing, "UV_INDEX": url}

    def nox(self, *arguments: str) -> list[str]:
        """Return a command of the nox that has nox-lock beside it."""
        return [self.peers.python(OURS), "-m", "nox", "--no-color", *arguments]

    def pip_compile(self, *arguments: str, hashes: bool = True) -> list[str]:
        """Return a command of plain pip-compile, quiet, as nox-lock is by default."""
        options = ["--quiet", "--allow-unsafe", "--strip-extras"]
        options += ["--generate-hashes"] * hashes
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


def _has_other_python(place: str) -> bool:
    found = (re.fullmatch(r"python3\.(\d+)t?(\.exe)?", path.name) for path in Path(place).glob("*"))
    return any(each and int(each[1]) != sys.version_info.minor for each in found)
