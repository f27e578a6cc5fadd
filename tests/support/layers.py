"""Projects with locks that build on each other: made, run by hand, and judged in this process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nox_lock.checking.judge import judge
from nox_lock.lockfile import lock_file
from support.locks import hashed_pin, stamp_all
from support.plans import plan_folder
from support.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nox_lock.checking.verdict import Verdict
    from nox_lock.planning.lock_plan import LockPlan
    from support.index import LocalIndex
    from support.project import Run

NOXFILE = "import nox_lock\n\nnox_lock.add_sessions()\n"
BASE, DEV = "requirements.txt", "requirements-dev.txt"
_HAND = ["--no-config", "--quiet", "--no-header", "--no-emit-options", "--newline=LF"]


class Step(NamedTuple):
    """One pip-compile as it is run by hand; `after` are lock files that must stand before."""

    lockfile: str
    source: str
    options: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def publish(index: LocalIndex) -> None:
    """Offer an app and a tool that share a library, of which there are two majors."""
    index.publish("app", "1.0", requires=["lib>=1"])
    index.publish("tool", "1.0", requires=["lib", "dep"])
    index.publish("dep", "1.0")
    for version in ("1.0", "2.0"):
        index.publish("lib", version)


def layered_project(
    tmp_path: Path, home: Path, index: LocalIndex, seeds: dict[str, str]
) -> Iterator[Project]:
    """Yield a project, for a fixture: its folder has a name of its own, in one of its own."""
    publish(index)
    with closing(Project(tmp_path / "above" / "own name", home, index, seeds)) as project:
        yield project


def write_all(project: Project, files: Mapping[str, str]) -> None:
    """Write a project's files; of `name -> target` a link is made."""
    for name, text in {"noxfile.py": NOXFILE, **files}.items():
        link, arrow, target = name.partition(" -> ")
        if not arrow:
            project.write(name, text)
            continue
        path = project.root / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)


def stamp(project: Project, bodies: Mapping[str, Sequence[str]]) -> None:
    """Write each lock file, by name, without a compile; all are fresh then.

    A body is its pins, with what asks for each: `lib==1.0 -r requirements.in, app`.
    """
    assert project.index is not None

    def lines(index: LocalIndex, pin: str) -> str:
        pinned, _, via = pin.partition(" ")
        [wheel] = index.folder.glob(f"{pinned.replace('==', '-')}-*.whl")
        return hashed_pin(wheel, *via.split(", "))

    texts = {
        name: "".join(lines(project.index, pin) for pin in pinned)
        for name, pinned in bodies.items()
    }
    stamp_all(project.root, texts)
    for path, verdict in verdicts(project.root).items():
        assert verdict.fresh, f"{path}: {verdict.reasons}"


def lock(project: Project, *args: str, env: Mapping[str, str] | None = None) -> Run:
    """Run `nox -s lock -- ARGS`."""
    return project.nox("-s", "lock", "--", *args, env=env)


def locks(project: Project) -> dict[str, str]:
    """Return the text of every lock file, by path."""
    found = project.snapshot().items()
    return {path: data.decode() for path, data in found if b"\n# nox-lock: " in data}


def bodies(project: Project) -> dict[str, str]:
    """Return the body of every lock file, by path."""
    return {path: lock_file.parse(text).body.strip("\n") for path, text in locks(project).items()}


def compiled(*runs: Run) -> int:
    """Count the lock files that were compiled."""
    return sum(run.output.count(": compiled in ") for run in runs)


def by_hand(
    project: Project,
    steps: Sequence[Step],
    options: Iterable[str] = ("--allow-unsafe", "--strip-extras", "--generate-hashes"),
) -> dict[str, str]:
    """Run pip-compile in a copy of the project, lower locks first; return the bodies by path."""
    above = project.root.parent
    copy = above.with_name(f"{above.name} by hand")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(above, copy, symlinks=True, ignore=shutil.ignore_patterns(".nox"))
    root = copy / project.root.name
    made: dict[str, str] = {}

    def run(step: Step) -> str:
        command = [sys.executable, "-m", "piptools", "compile", *_HAND, *options, *step.options]
        done = subprocess.run(
            [*command, f"--output-file={step.lockfile}", step.source],
            cwd=root,
            env={**project.environment(), "PIP_NO_INPUT": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{step}\n{done.stderr[-3000:]}"
        text = (root / step.lockfile).read_text(encoding="utf-8")
        for spelled in (f"file://{root}/", f"{root.as_uri()}/"):
            text = text.replace(spelled, "file:./")
        return text.strip("\n")

    with ThreadPoolExecutor(2) as pool:
        while len(made) < len(steps):
            ready = [
                step
                for step in steps
                if step.lockfile not in made and made.keys() >= set(step.after)
            ]
            made |= dict(zip([s.lockfile for s in ready], pool.map(run, ready), strict=True))
    return made


def planned_in(root: Path, files: Mapping[str, str], names: Sequence[str] = ()) -> list[LockPlan]:
    """Return what is planned for a project with these files."""
    for name, text in files.items():
        path = Path(os.path.normpath(root / name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return plan_folder(root, names=names)


def verdicts(root: Path, files: Mapping[str, str] | None = None) -> dict[str, Verdict]:
    """Judge the lock files of a project, as `lock-check` does, by path."""
    return {each.path: judge(each) for each in planned_in(root, files or {})}


def layers(planned: Iterable[LockPlan]) -> dict[str, set[str]]:
    """Return the lock files that each one builds on, by path."""
    return {each.path: {low.path for low in each.below} for each in planned}
