"""Rows of several lock files that one command makes, and of several commands at once."""

from __future__ import annotations

import functools
import json
import os
import sys
from typing import TYPE_CHECKING

from benchmarks.measure import Contender
from benchmarks.projects import (
    EMPTY,
    INPUTS,
    PINS,
    PYTHON,
    SESSIONS,
    WANTED,
    copy_input,
    names,
    write_input,
    write_web,
)
from benchmarks.results import TIME
from benchmarks.setting import Row, in_order, remover, two_at_a_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.setting import Setting

_FEW = 5  # runs of what takes seconds
_SIDE_BY_SIDE_BUDGET = {TIME: 0.65}  # of the sum, on two cores
_LAYERS_BUDGET = {TIME: 1.15}  # of the longest way through them
_INDEPENDENT = 4
_RELEASES = 150  # of each project, to be evaluated as on the package index
_NOTE = """\
From a folder of wheels with many releases of each project, so that a compile takes about as long as
that of a small real input; without any file of pip's settings, each cache empty. The floor of
several inputs is pip-compile once for each, one after the other; where two inputs build on a third,
pip-compile for that and for one of them: the longest way through the three that nox-lock makes."""
_PLATFORMS = ("linux", "darwin", "win32")
_MATRIX_NOTE = """\
With hashes, each cache empty, no uv on PATH. The floor is one target alone; "may be" is as much for
each further one. A target's own Python, where it is on PATH and the platform is this one's, runs
its compile; else the running one does."""
_AT_ONCE_FEW = 2  # runs: 64 processes on few cores take their time
_MANY = 8  # processes; more of them would keep pip-compile busy for minutes
# Starts the command in folders 0, 1, ... at once, and prints what each of them printed.
_AT_ONCE = """
import subprocess, sys
PIPE, STDOUT = subprocess.PIPE, subprocess.STDOUT
command = sys.argv[2:]
started = [
    subprocess.Popen(command, cwd=str(number), stdout=PIPE, stderr=STDOUT, text=True)
    for number in range(int(sys.argv[1]))
]
printed = [each.communicate()[0] for each in started]
print(*printed, sep="\\n")
sys.exit(max(each.returncode for each in started))
"""
_CROWD_NOTE = """\
So many checkouts of one project, each with a process of its own, started at once, and one cache
that is empty. The floor is as many empty sessions at once. Without nox-lock each compiles."""


def _independent(setting: Setting) -> list[Contender]:
    """Lock inputs that have nothing to do with each other."""
    place = _project(setting)
    stems = [f"requirements/set{number}" for number in range(_INDEPENDENT)]
    for number, stem in enumerate(stems):
        wanted = [f"{name}>=0.{number}" for name in names(WANTED)]
        write_input(place / f"{stem}.in", wanted, "../../wheels")
    return _contenders(setting, place, stems, stems, _SIDE_BY_SIDE_BUDGET)


def _layers(setting: Setting) -> list[Contender]:
    """Lock two inputs that build on a third."""
    place = _project(setting)
    write_input(place / "requirements" / "base.in", names(WANTED), "../../wheels")
    for name, more in zip(("left", "right"), names(PINS)[-2:], strict=True):
        write_input(place / "requirements" / f"{name}.in", ["-r base.in", more], "../../wheels")
    stems = [f"requirements/{name}" for name in ("base", "left", "right")]
    return _contenders(setting, place, stems[:2], stems, _LAYERS_BUDGET)


def _project(setting: Setting) -> Path:
    write_web(setting.folder / "wheels", _RELEASES)
    place = setting.folder / "project"
    place.mkdir()
    (place / "noxfile.py").write_text(SESSIONS, "utf-8")
    return place


def _contenders(
    setting: Setting,
    place: Path,
    floor: Sequence[str],
    stems: Sequence[str],
    budgets: dict[str, float],
) -> list[Contender]:
    commands = [
        [*setting.pip_compile(), f"--output-file={stem}.txt", f"{stem}.in"] for stem in floor
    ]
    make = functools.partial(
        Contender,
        place=place,
        environ=setting.environ({"PIP_CONFIG_FILE": os.devnull}),
        before=remover(setting.home, *(place / f"{stem}.txt" for stem in stems)),
        at_most=_FEW,
    )
    both = make(tool="pip-compile, two at a time", command=two_at_a_time(commands))
    return [
        make(tool=f"pip-compile, {len(floor)} in turn", command=in_order(commands)),
        make(
            tool=f"nox-lock, all {len(stems)}",
            command=setting.nox("-s", "lock"),
            budgets=budgets,
        ),
        *([both] if floor == stems else []),  # what the cores give
    ]


def _matrix(
    name: str, pythons: Sequence[str], platforms: Sequence[str], setting: Setting
) -> list[Contender]:
    """Lock an input of the corpus for several targets, and for one of them."""

    def make(
        tool: str, pythons: Sequence[str], platforms: Sequence[str], *, found: bool = False
    ) -> Contender:
        targets = len(pythons) * max(len(platforms), 1)
        place = setting.folder / f"{targets}-{found}"
        path = copy_input(INPUTS[name], setting.shared, place / "set")
        (place / "noxfile.py").write_text(SESSIONS, "utf-8")
        config = [
            "[tool.nox-lock]",
            f"python = {json.dumps(pythons)}",
            f"platforms = {json.dumps(platforms)}" if platforms else "",
            "[tool.nox-lock.locks.bench]",
            f'inputs = ["set/{path}"]',
            'lockfile = "locked-{python}-{platform}.txt"',
            "",
        ]
        (place / "pyproject.toml").write_text("\n".join(config), "utf-8")

        def before() -> None:
            remover(setting.home, *place.glob("locked-*"))()

        return Contender(
            tool=tool,
            command=setting.nox("-s", "lock"),
            place=place,
            environ=setting.environ(setting.index(), pythons=found),
            before=before,
            budgets={TIME: targets} if targets > 1 else {},
        )

    several = f"nox-lock, {len(pythons) * max(len(platforms), 1)} targets"
    return [
        make("nox-lock, one target", [PYTHON], platforms[:1]),
        make(several, pythons, platforms),
        make(f"{several}, their Pythons on PATH", pythons, platforms, found=True),
    ]


def _at_once(processes: int, setting: Setting) -> list[Contender]:
    """Lock in so many checkouts at once."""
    write_web(setting.folder / "wheels")
    wanted = names(WANTED)
    places = {tool: setting.folder / tool for tool in ("ours", "pip-compile")}
    for place in places.values():
        for number in range(processes):
            write_input(place / str(number) / "requirements.in", wanted, "../../wheels")
            (place / str(number) / "noxfile.py").write_text(EMPTY + SESSIONS, "utf-8")

    def make(tool: str, name: str, command: list[str], compiled: str = "") -> Contender:
        checkouts = [places[name] / str(number) for number in range(processes)]
        return Contender(
            tool=tool,
            command=[sys.executable, "-S", "-c", _AT_ONCE, str(processes), *command],
            place=places[name],
            environ=setting.environ(),
            before=remover(setting.home, *(each / "requirements.txt" for each in checkouts)),
            at_most=_AT_ONCE_FEW,
            compiled=compiled,
        )

    pip_compile = setting.pip_compile("requirements.in")
    found = [
        make("empty nox sessions", "ours", setting.nox("-s", "empty")),
        make("nox-lock", "ours", setting.nox("-s", "lock"), "compiled in"),
    ]
    if processes <= _MANY:
        # Each that succeeds has compiled: without --quiet its last line but one says so.
        pip_compile.remove("--quiet")
        found.append(make("pip-compile in each", "pip-compile", pip_compile, "autogenerated by"))
    return found


ROWS = (
    Row(
        name="side by side",
        group="parallel",
        title=f"lock {_INDEPENDENT} inputs of {PINS} pins each",
        make=_independent,
        note=_NOTE,
    ),
    Row(
        name="layers",
        group="parallel",
        title=f"lock two inputs on top of a third, {PINS} pins each",
        make=_layers,
        note=_NOTE,
    ),
    *(
        Row(
            name=f"matrix {name}",
            group="matrix",
            title=f"lock {INPUTS[name].path.partition('__')[2]} for {title}",
            make=functools.partial(_matrix, name, pythons, platforms),
            note=_MATRIX_NOTE,
            slow=True,
        )
        for name, title, pythons, platforms in (
            ("flask-dev", "3 Pythons on 3 platforms", ("3.11", "3.12", "3.13"), _PLATFORMS),
            ("aiohttp-dev", "4 Pythons", ("3.10", "3.11", "3.12", "3.13"), ()),
        )
    ),
    *(
        Row(
            name=f"crowd {processes}",
            group="crowd",
            title=f"{processes} process{'es' * (processes > 1)}, one missing lock",
            make=functools.partial(_at_once, processes),
            note=_CROWD_NOTE,
        )
        for processes in (1, 8, 64)
    ),
)
