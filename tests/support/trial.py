"""Try nox-lock on the layout of a real project, and hold its locks against those made by hand."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from support.by_hand import body, disagreements, make_by_hand, prepare_tools
from support.layout import PYTHONS
from support.locks import fingerprint
from support.project import Project, clean_environment, interpreters
from support.scripted import RefusingIndex

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.by_hand import ByHand
    from support.layout import Layout

NOXFILE = "import nox_lock\n\nnox_lock.add_sessions()\n"
_DEADLINE = 3600


@dataclass
class Trial:
    """What was found out about one layout; good when there are no problems.

    Attributes:
        name: of the layout.
        files: how many lock files it has.
        lines: how many lines of configuration it takes.
        by_hand: seconds that pip-compile took for all, two Pythons side by side.
        seconds: seconds that the first `nox -s lock` took.
        ordered: lock files equal to those made by hand in order, and how many there are.
        alone: lock files equal to those made by hand alone, of those that agree by themselves.
        apart: what the locks made by hand alone disagree about, by lock file.
        no_op: the second run changed no byte and compiled nothing.
        fresh: `nox -s lock-check` has nothing to say.
        agree: the pins within each stack agree.
        problems: all that is not as it should be.
    """

    name: str
    files: int = 0
    lines: int = 0
    by_hand: float = 0
    seconds: float = 0
    ordered: tuple[int, int] = (0, 0)
    alone: tuple[int, int] = (0, 0)
    apart: dict[str, list[str]] = field(default_factory=dict)
    no_op: bool = False
    fresh: bool = False
    agree: bool = False
    problems: list[str] = field(default_factory=list)


def obstacle() -> str:
    """Return why this machine cannot try a layout, or nothing."""
    missing = [python for python in PYTHONS if python not in interpreters()]
    if missing:
        return f"there is no Python {' and '.join(missing)}"
    return "" if sys.platform == "linux" else "the layouts are those of Linux"


def try_layout(name: str, layout: Layout, shared: Path, folder: Path, cache: Path) -> Trial:
    """Lock a layout by hand and by nox-lock in `folder`; `cache` is kept from one to the next."""
    paths = [str(interpreters()[python].parent) for python in PYTHONS]
    env = {
        "PATH": os.pathsep.join([*paths, os.environ["PATH"]]),
        "NOX_LOCK_CACHE_DIR": str(cache / "nox-lock"),
    }
    project = Project(folder / "ours", folder / "home", env=env)
    layout.copy(shared, project.root)
    project.write("noxfile.py", NOXFILE)
    inputs = frozenset(project.snapshot())

    theirs = folder / "theirs"
    layout.copy(shared, theirs)
    environment = clean_environment(folder / "home")
    tools = prepare_tools(PYTHONS, cache, environment)
    started = time.monotonic()
    made = make_by_hand(layout, theirs, tools, environment)
    trial = Trial(name, len(made), layout.lines, by_hand=time.monotonic() - started)
    trial.apart = _apart(made)

    with closing(project):
        started = time.monotonic()
        run = project.nox("-s", "lock", timeout=_DEADLINE)
        trial.seconds = time.monotonic() - started
        if run.returncode != 0:
            trial.problems.append(f"nox -s lock failed:\n{run.output}")
        _compare(trial, project, inputs, made)
        _again(trial, project, made)
    return trial


def _apart(made: Mapping[str, ByHand]) -> dict[str, list[str]]:
    """Say where locks that were made alone disagree with those beneath, also made alone."""
    return {
        path: found
        for path, each in made.items()
        if (
            found := [
                what
                for lower in each.beneath
                for what in disagreements(each.alone, made[lower].alone)
            ]
        )
    }


def _compare(
    trial: Trial, project: Project, inputs: frozenset[str], made: Mapping[str, ByHand]
) -> None:
    ours = {path: body(project.read(path)) for path in made if project.exists(path)}
    trial.problems += [f"{path} is missing" for path in made if path not in ours]
    extra = project.snapshot().keys() - inputs - made.keys()
    trial.problems += [f"{path} is one too many" for path in sorted(extra)]
    ordered = [path for path in ours if ours[path] == made[path].ordered]
    trial.ordered = len(ordered), len(made)
    comparable = [
        path
        for path, each in made.items()
        # Who is constrained says so beside each pin.
        if path not in trial.apart and not each.lock.constrained
    ]
    alone = [path for path in comparable if ours.get(path) == made[path].alone]
    trial.alone = len(alone), len(comparable)
    trial.problems += [
        f"{path} is not what pip-compile makes in order" for path in ours if path not in ordered
    ]
    trial.problems += [
        f"{path} is not what pip-compile makes alone"
        for path in comparable
        if path in ours and path not in alone
    ]
    apart = [
        f"{path} and {lower} disagree: {what}"
        for path, each in made.items()
        for lower in each.beneath
        if path in ours and lower in ours
        for what in disagreements(ours[path], ours[lower])
    ]
    trial.problems += apart
    trial.agree = not apart and len(ours) == len(made)


def _again(trial: Trial, project: Project, made: Mapping[str, ByHand]) -> None:
    """Run `lock` again where nothing can be compiled or restored, then `lock-check`."""
    before = project.snapshot()
    files = {path: fingerprint(project.root / path) for path in made if project.exists(path)}
    with RefusingIndex() as index:
        empty = str(project.home / "empty-cache")
        env = {"PIP_INDEX_URL": index.url, "PIP_RETRIES": "0", "NOX_LOCK_CACHE_DIR": empty}
        again = project.nox("-s", "lock", env=env)
        check = project.nox("-s", "lock-check", env=env)
    same = before == project.snapshot()
    same = same and files == {path: fingerprint(project.root / path) for path in files}
    trial.no_op = same and again.returncode == 0
    trial.fresh = check.returncode == 0
    if not trial.no_op:
        trial.problems.append(f"the second run was no no-op:\n{again.output}")
    if not trial.fresh:
        trial.problems.append(f"lock-check failed:\n{check.output}")
