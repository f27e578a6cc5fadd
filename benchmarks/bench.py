"""Measure nox-lock's fast paths as ratios to plain nox, whole processes, in one run.

Each row runs its command and the floor in turn, and compares the lower quartiles. The floor
against itself stands beside: how far a ratio of this machine, now, can be trusted.

    nox -s bench                 # all rows
    nox -s bench -- --row check  # one
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

WANTED = 20  # requirements of a written lock
NOX = [sys.executable, "-m", "nox", "--no-color", "-s"]
FLOOR = """
import nox

@nox.session(venv_backend="none")
def empty(session):
    pass

@nox.session(reuse_venv=True)
def plain(session):
    session.run("python", "-c", "pass")

@nox.session(reuse_venv=True)
def idiom(session):
    session.install("--no-deps", "-r", "requirements.txt")
    session.run("python", "-c", "pass")
"""
CHECKED = (
    FLOOR
    + """
import nox_lock

nox_lock.add_sessions()
"""
)
LOCKED = (
    CHECKED
    + """
@nox_lock.session
def locked(session):
    session.run("python", "-c", "pass")
"""
)


@dataclass(frozen=True)
class Row:
    """A command, the floor it is held against, and the ratio it may have (None: shown only)."""

    name: str
    command: list[str]
    floor: list[str]
    budget: float | None


def main() -> int:
    """Run the rows asked for and print a Markdown table; 1 when a budget is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", help="only rows whose name holds this")
    parser.add_argument("-n", "--runs", type=int, default=15, help="counted runs of each command")
    options = parser.parse_args()
    missed = False
    print("| row | ratio | budget | floor to itself | lower quartile, ms | floor, ms |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="nox-lock-bench-") as folder:
        environ = environment(Path(folder))
        for name, make in ROWS:
            if options.row and options.row not in name:
                continue
            place = Path(folder) / name.replace(" ", "-")
            place.mkdir()
            row = make(name, place, environ)
            taken, floor, again = measure(row, place, environ, options.runs)
            missed |= row.budget is not None and taken / floor > row.budget
            budget = "-" if row.budget is None else f"{row.budget:.2f}"
            print(
                f"| {name} | {taken / floor:.2f} | {budget} | {again / floor:.2f} "
                f"| {taken:.0f} | {floor:.0f} |"
            )
    return int(missed)


def environment(folder: Path) -> dict[str, str]:
    """Return an environment with caches of its own, byte code kept, and no pip settings."""
    dropped = ("PIP_", "NOX", "PYTHONDONTWRITEBYTECODE", "CI", "GITHUB_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return environ | {
        "HOME": str(folder),
        "NOX_LOCK_CACHE_DIR": str(folder / "cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def measure(
    row: Row, place: Path, environ: dict[str, str], runs: int
) -> tuple[float, float, float]:
    """Return the lower quartiles, in ms, of the command, the floor, and the floor once more."""
    commands = [row.command, row.floor, row.floor]
    times: list[list[float]] = [[], [], []]
    for counted in range(-2, runs):
        for index, command in enumerate(commands):
            started = time.perf_counter()
            run(command, place, environ)
            if counted >= 0:
                times[index].append((time.perf_counter() - started) * 1000)
    taken, floor, again = (statistics.quantiles(each, n=4)[0] for each in times)
    return taken, floor, again


def run(command: list[str], place: Path, environ: dict[str, str]) -> None:
    """Run a command to its end; anything but success ends the benchmark with its output."""
    done = subprocess.run(
        command, cwd=place, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def import_row(name: str, _place: Path, _environ: dict[str, str]) -> Row:
    """`import nox_lock` after `import nox`, against `import nox`."""
    python = [sys.executable, "-c"]
    return Row(name, [*python, "import nox, nox_lock"], [*python, "import nox"], None)


def list_row(name: str, place: Path, _environ: dict[str, str]) -> Row:
    """`nox -l` of a noxfile with nox-lock, against the same without."""
    (place / "noxfile.py").write_text(LOCKED)
    (place / "plain.py").write_text(FLOOR)
    nox = [sys.executable, "-m", "nox", "-l", "-f"]
    return Row(name, [*nox, "noxfile.py"], [*nox, "plain.py"], None)


def check_row(locks: int, budget: float | None) -> Callable[[str, Path, dict[str, str]], Row]:
    """`lock-check` of so many lock files of about 500 lines, against an empty session."""

    def make(name: str, place: Path, environ: dict[str, str]) -> Row:
        (place / "noxfile.py").write_text(CHECKED)
        (place / "requirements").mkdir()
        for number in range(locks):
            write_lock(place / "requirements", f"set{number}")
        run([*NOX, "lock-check"], place, environ)
        return Row(name, [*NOX, "lock-check"], [*NOX, "empty"], budget)

    return make


def write_lock(folder: Path, stem: str) -> None:
    """Write an input of 20 requirements, and a lock file of 62 pins with 7 hashes each."""
    wanted = [f"project-{number}" for number in range(WANTED)]
    (folder / f"{stem}.in").write_text("".join(f"{name}>=1,<9\n" for name in wanted))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    files = f"--output-file=requirements/{stem}.txt --strip-extras requirements/{stem}.in"
    lines = [
        "#",
        f"# This file is autogenerated by pip-compile with Python {python}",
        "# by the following command:",
        "#",
        f"#    pip-compile --allow-unsafe --generate-hashes {files}",
        "#",
    ]
    for number in range(62):
        hashes = [hashlib.sha256(f"{number} {each}".encode()).hexdigest() for each in range(7)]
        direct = number < WANTED
        via = f"-r requirements/{stem}.in" if direct else wanted[number % WANTED]
        lines.append(f"project-{number}==1.{number} \\")
        lines += [f"    --hash=sha256:{each} \\" for each in hashes[:-1]]
        lines += [f"    --hash=sha256:{hashes[-1]}", f"    # via {via}"]
    (folder / f"{stem}.txt").write_text("\n".join([*lines, ""]))


def fresh_row(name: str, place: Path, environ: dict[str, str]) -> Row:
    """`lock` with everything fresh, against an empty session."""
    write_project(place, 60)
    run([*NOX, "lock"], place, environ)
    return Row(name, [*NOX, "lock"], [*NOX, "empty"], 1.45)


def cached_row(name: str, place: Path, environ: dict[str, str]) -> Row:
    """`lock` that restores a deleted lock file from the cache, against an empty session."""
    write_project(place, 60)
    run([*NOX, "lock"], place, environ)
    code = (
        "import pathlib, subprocess, sys; pathlib.Path('requirements.txt').unlink(); "
        "sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    )
    floor = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    python = [sys.executable, "-S", "-c"]
    return Row(name, [*python, code, *NOX, "lock"], [*python, floor, *NOX, "empty"], 1.60)


def session_row(pins: int, command: str, budget: float | None) -> Callable[..., Row]:
    """A reused environment that matches its lock, against the same session without one."""

    def make(name: str, place: Path, environ: dict[str, str]) -> Row:
        write_project(place, pins)
        for session in ("lock", "locked", "plain", "idiom"):
            run([*NOX, session], place, environ)
        return Row(name, [*NOX, command], [*NOX, "plain"], budget)

    return make


def write_project(place: Path, pins: int) -> None:
    """Write a project of so many small wheels, all offline, and its noxfile."""
    (place / "noxfile.py").write_text(LOCKED)
    wheels = place / "wheels"
    wheels.mkdir()
    names = [f"project-{number}" for number in range(pins)]
    for name in names:
        build_wheel(wheels, name, "1.0")
    lines = ["--no-index", "--find-links ./wheels", *names, ""]
    (place / "requirements.in").write_text("\n".join(lines))


ROWS: list[tuple[str, Callable[[str, Path, dict[str, str]], Row]]] = [
    ("import", import_row),
    ("nox -l", list_row),
    ("check of 1 lock", check_row(1, 1.45)),
    ("check of 20 locks", check_row(20, 1.45)),
    ("check of 200 locks", check_row(200, None)),
    ("lock, all fresh", fresh_row),
    ("lock from the cache", cached_row),
    ("session that matches, 60 pins", session_row(60, "locked", 1.10)),
    ("session that matches, 300 pins", session_row(300, "locked", 1.10)),
    ("pip install -r, nothing to do, 60 pins", session_row(60, "idiom", None)),
]

if __name__ == "__main__":
    sys.exit(main())
