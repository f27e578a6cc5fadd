"""A pylock of a real requirement set, beside those of other tools: what it has, and what it gives.

python -m support.pylock_trials SET/FILE ...    (in tests/) prints the table of docs/pylock.md
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from nox_lock.target import running_platform
from support.corpus import Input, copy_sets, default_corpus
from support.plans import plan_folder
from support.project import Project, interpreters
from support.pylocks import pinned, selected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nox_lock.planning.lock_plan import LockPlan

SETS = (
    "pallets__flask/requirements/dev.in",
    "pypa__manylinux/requirements-tools.in",
    "aio-libs__aiohttp/requirements/lint.in",
    "nedbat__coveragepy/requirements/kit.in",
    "zulip__zulip/requirements/mypy.in",
)
PYTHONS = ("3.10", "3.12", "3.13")
SYSTEMS = ("linux", "darwin", "win32")
NOXFILE = "import nox_lock\n\nnox_lock.add_sessions()\n"
_LIST = """
import importlib.metadata, json
print(json.dumps({d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}))
"""
# What environments may have anyway.
_TOOLS = {"pip", "setuptools", "wheel"}


@dataclass
class Trial:
    """What was found of one set; `wrong` is what should not be."""

    name: str
    seconds: float = 0.0
    texts: dict[str, str] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    requirements: int = 0
    installs: list[str] = field(default_factory=list)
    same: int = 0
    targets: int = 0
    wrong: list[str] = field(default_factory=list)

    def row(self, tool: str) -> str:
        """Return a row of the table."""
        text = self.texts[tool]
        files = len(re.findall(r"sha256 ?= ?", text))
        markers = len(re.findall(r"(?m)^marker = ", text))
        size = f"{len(text.encode()) / 1024:.0f}"
        cells = (self.name, tool, text.count("[[packages]]"), markers, files, size)
        return f"| {' | '.join(map(str, cells))} | {self.times[tool]:.1f} |"


def try_set(entry: Input, folder: Path, *, others: bool = True, install: bool = True) -> Trial:
    """Lock a set for all targets, with a pylock, and look at that in every way."""
    trial = Trial(str(entry))
    project = Project(folder / "project", folder / "home")
    copy_sets(default_corpus(), [entry], project.root)
    project.write("noxfile.py", NOXFILE)
    project.write(
        "pyproject.toml",
        f"[tool.nox-lock]\npython = {list(PYTHONS)}\nplatforms = {list(SYSTEMS)}\npylock = true\n"
        f"lockfile = 'requirements-py{{python}}-{{platform}}.txt'\n"
        f"[tool.nox-lock.locks.trial]\ninputs = {entry.paths}\n",
    )
    began = time.monotonic()
    run = project.nox("-s", "lock", "--", "trial", timeout=1200).ok()
    trial.times["nox-lock"] = time.monotonic() - began
    trial.texts["nox-lock"] = project.read("pylock.toml")
    found = re.search(r"pylock\.toml: made in ([\d.]+) s", run.output)
    trial.seconds = float(found[1]) if found else 0.0
    files = [low for low in plan_folder(project.root) if low.name == "trial"]
    trial.requirements = sum(len(project.read(low.path).encode()) for low in files)
    text = trial.texts["nox-lock"]
    differing = [low.path for low in files if selected(text, low) != pinned(low)]
    trial.wrong += [f"{path}: select gives others" for path in differing]
    if len(set(re.findall(r'"(\w+://[^/"]+)/', text))) > 1:
        trial.wrong.append("a URL of another index")
    if project.nox("-s", "lock-check", "--", "trial").returncode:
        trial.wrong.append("not fresh")
    if others:
        _ask_others(trial, project, files, entry)
    if install:
        for low in files:
            trial.wrong += _install(trial, project, low)
    return trial


def _ask_others(trial: Trial, project: Project, files: Sequence[LockPlan], entry: Input) -> None:
    """Have uv make its universal pylock, and pip one for this target."""
    uv = (
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--universal",
        "--python-version",
        PYTHONS[0],
    )
    commands: dict[str, tuple[str, ...]] = {
        "uv": (*uv, "-q", "--no-header", "--no-config", *entry.paths, "-o", "pylock.uv.toml"),
        "pip": (sys.executable, "-m", "pip", "-q", "lock", *(f"-r{each}" for each in entry.paths)),
    }
    commands["pip"] += ("-o", "pylock.pip.toml")
    for tool, command in commands.items():
        began = time.monotonic()
        done = subprocess.run(
            command, cwd=project.root, env=project.environment(), capture_output=True, check=False
        )
        trial.times[tool] = time.monotonic() - began
        trial.texts[tool] = project.read(f"pylock.{tool}.toml") if done.returncode == 0 else ""
    for low in files if trial.texts["uv"] else ():
        trial.targets += 1
        theirs = {name: each for name, (each, _) in selected(trial.texts["uv"], low).items()}
        ours = {name: each for name, (each, _) in pinned(low).items()}
        # uv pins pip and setuptools only where something requires them.
        trial.same += theirs.items() <= ours.items() and not ours.keys() - theirs.keys() - _TOOLS


def _install(trial: Trial, project: Project, low: LockPlan) -> Iterator[str]:
    """Install the pylock by pip and uv where its target is here; yield what differs."""
    python = interpreters().get(low.target.version)
    if python is None or low.platform != running_platform():
        return
    wanted = {pin.name: Version(pin.version or "0") for pin in low.pins if pin.name not in _TOOLS}
    commands: dict[str, tuple[str, ...]] = {
        "uv": ("-m", "uv", "pip", "sync", "pylock.toml", "--python")
    }
    if Version(importlib.metadata.version("pip")) >= Version("26.1"):
        commands["pip"] = ("-m", "pip", "-q", "install", "-r", "pylock.toml", "--python")
    for tool, command in commands.items():
        folder = Path(tempfile.mkdtemp(dir=project.home))
        run = project.environment({"UV_NO_CONFIG": "1"})
        create = (
            sys.executable,
            "-m",
            "uv",
            "venv",
            "-q",
            "--python",
            str(python),
            str(folder / "e"),
        )
        subprocess.run(create, check=True, env=run, capture_output=True)
        path = folder / "e" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        full = [sys.executable, *command, str(path)]
        if tool == "pip":
            full = [sys.executable, "-m", "pip", "--python", str(path), *command[2:-1]]
        began = time.monotonic()
        done = subprocess.run(full, cwd=project.root, env=run, capture_output=True, check=False)
        seconds = time.monotonic() - began
        if done.returncode:
            yield f"{low.path}: {tool} failed: {done.stderr.decode(errors='replace')[-800:]}"
            continue
        listed = subprocess.run([str(path), "-I", "-c", _LIST], check=True, capture_output=True)
        there = {canonicalize_name(n): Version(v) for n, v in json.loads(listed.stdout).items()}
        if {name: each for name, each in there.items() if name not in _TOOLS} != wanted:
            yield f"{low.path}: {tool} installed {there}"
        trial.installs.append(f"{tool} {low.target} {seconds:.0f} s")


def main(names: Sequence[str]) -> int:
    """Print the tables of some sets, and what is wrong; return the exit status."""
    wrong = []
    for name in names or SETS:
        folder, _, file = name.partition("/")
        with tempfile.TemporaryDirectory() as temporary:
            trial = try_set(Input(folder, (file,)), Path(temporary))
        for tool in trial.texts:
            sys.stdout.write(f"{trial.row(tool)}\n")
        sys.stdout.write(
            f"    pylock alone {trial.seconds:.1f} s; requirements files "
            f"{trial.requirements / 1024:.0f} kB; uv has the same pins for {trial.same} of "
            f"{trial.targets} targets; installed: {', '.join(trial.installs) or 'nowhere'}\n"
        )
        sys.stdout.flush()
        wrong += [f"{name}: {each}" for each in trial.wrong]
    sys.stdout.write("".join(f"WRONG {each}\n" for each in wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
