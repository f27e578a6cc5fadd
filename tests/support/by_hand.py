"""The locks of a layout as people make them without nox-lock: real pip-compile, one at a time."""

from __future__ import annotations

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from support.locks import pins
from support.project import interpreters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from support.layout import Layout, Lock

_HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
_DEADLINE = 3600


@dataclass(frozen=True)
class ByHand:
    """One lock file made by hand, without its header.

    Attributes:
        lock: which.
        beneath: the lock files it has to agree with.
        ordered: made after the locks beneath, from their pins.
        alone: made from its own inputs and nothing else.
    """

    lock: Lock
    beneath: tuple[str, ...]
    ordered: str
    alone: str


@dataclass(frozen=True)
class Hand:
    """Who compiles: a copy of a set, a Python with pip-tools, an environment, pip-tools' cache."""

    layout: Layout
    root: Path
    python: Path
    environment: Mapping[str, str]
    cache: Path

    def compile(self, output: str, inputs: Iterable[str], options: Iterable[str]) -> str:
        """Run pip-compile in the project root and return what it wrote, without the header."""
        command = [str(self.python), "-m", "piptools", "compile", "--no-config", "--quiet"]
        command += [*self.layout.options, *options, f"--cache-dir={self.cache}"]
        done = subprocess.run(
            [*command, f"--output-file={output}", *inputs],
            cwd=self.root,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_DEADLINE,
            check=False,
        )
        assert done.returncode == 0, f"pip-compile of {output} by hand failed:\n{done.stdout}"
        return body((self.root / output).read_text(encoding="utf-8"))

    def compile_all(self, python: str) -> dict[str, ByHand]:
        """Make the locks for one Python, lower ones first; by path."""
        made: dict[str, ByHand] = {}
        for lock, lower in self.layout.beneath(self.root).items():
            if python not in lock.pythons:
                continue
            path = lock.lockfile.format(python=python)
            output = self.root / path
            output.parent.mkdir(parents=True, exist_ok=True)
            beneath = tuple(each.lockfile.format(python=python) for each in lower)
            alone = self.compile(f"{path}.alone", lock.inputs, lock.settings) if beneath else ""
            if seed := "\n".join(made[each].ordered for each in beneath):
                output.write_text(f"{seed}\n", encoding="utf-8")
            options = [option.format(python=python) for option in lock.options]
            ordered = self.compile(path, lock.inputs, options)
            made[path] = ByHand(lock, beneath, ordered, alone or ordered)
        return made


def make_by_hand(
    layout: Layout, root: Path, tools: Mapping[str, Path], environment: Mapping[str, str]
) -> dict[str, ByHand]:
    """Make all locks of a layout in `root`, by path; `tools` has a Python with pip-tools each."""

    def one(python: str) -> dict[str, ByHand]:
        cache = root.with_name(f"{root.name}-cache-{python}")
        return Hand(layout, root, tools[python], environment, cache).compile_all(python)

    with ThreadPoolExecutor(len(tools)) as pool:
        return {path: made for each in pool.map(one, tools) for path, made in each.items()}


def prepare_tools(
    pythons: Iterable[str], folder: Path, environment: Mapping[str, str]
) -> dict[str, Path]:
    """Return for each Python one that has the pip-tools of this environment."""
    return {python: _tools(python, folder / f"tools-{python}", environment) for python in pythons}


def _tools(python: str, folder: Path, environment: Mapping[str, str]) -> Path:
    if python == _HERE:
        return Path(sys.executable)
    here = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not here.exists():
        interpreter = str(interpreters()[python])
        make = [sys.executable, "-m", "virtualenv", "--quiet", "-p", interpreter, str(folder)]
        install = [str(here), "-m", "pip", "install", "--quiet", "--upgrade", "pip"]
        install += [f"pip-tools=={metadata.version('pip-tools')}"]
        for command in (make, install):
            subprocess.run(command, env=dict(environment), check=True, capture_output=True)
    return here


def body(text: str) -> str:
    """Return a lock file without the comments it begins with."""
    lines = itertools.dropwhile(lambda line: line.startswith("#"), text.splitlines())
    return "\n".join(lines).strip("\n")


def disagreements(upper: str, lower: str) -> list[str]:
    """Return the projects that two locks pin to different versions, with both."""
    above, below = pins(upper), pins(lower)
    return [
        f"{name} {above[name]} over {below[name]}"
        for name in sorted(above.keys() & below.keys())
        if above[name] != below[name]
    ]
