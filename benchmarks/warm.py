"""Rows of locks that are fresh or in the cache, and of checks; all offline."""

from __future__ import annotations

import functools
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.measure import Contender
from benchmarks.projects import (
    EMPTY,
    GIT_DIFF,
    SESSIONS,
    WANTED,
    multiply,
    names,
    write_hatch_project,
    write_input,
    write_web,
)
from benchmarks.results import TIME
from benchmarks.setting import Row, in_order, remover

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.setting import Setting

_FEW = 5  # runs of what takes seconds
_CHECK_BUDGET = {TIME: 1.45}
_FRESH_BUDGET = {TIME: 1.45}
_CACHED_BUDGET = {TIME: 1.60}
_MANY = 20  # locks; with more, only those take part that do not resolve again
_OFFLINE = """\
All read a folder of wheels: on a package index, those that resolve again wait for its answers."""
_LOCK_NOTE = f"""\
{_OFFLINE} uv and pip-compile resolve again, with what they keep of earlier runs; uv starts in 20 ms
and wins, for nox alone takes longer to start."""
_CHECK_NOTE = f"""\
{_OFFLINE} `pip-compile-multi verify` compares a hash of the input with one in the lock file, reads
no pin, and starts without nox: it wins. `uv pip compile` wins where locks are few, for it is one
process each; like pip-compile it writes the lock file again, and `git diff` does the rest."""


def _project(setting: Setting, locks: int) -> Path:
    """Write so many inputs of one web of projects, and their lock files, made by nox-lock."""
    write_web(setting.folder / "wheels")
    place = _inputs(setting, "project")
    (place / "noxfile.py").write_text(EMPTY + SESSIONS, "utf-8")
    environ = setting.environ()
    lock = Contender(tool="lock", command=setting.nox("-s", "lock"), place=place, environ=environ)
    setting.prepare(lock)
    multiply(place / "requirements", locks)
    return place


def _inputs(setting: Setting, name: str) -> Path:
    place = setting.folder / name
    wanted = [f"{name}>=1,<9" for name in names(WANTED)]
    write_input(place / "requirements" / "set0.in", wanted, "../../wheels")
    return place


def _floor(setting: Setting, place: Path) -> Contender:
    return Contender(
        tool="empty nox session",
        command=setting.nox("-s", "empty"),
        place=place,
        environ=setting.environ(),
    )


def _hatch(setting: Setting, locks: int) -> Contender:
    """Return Hatch at work on as many environments with the same dependencies."""
    place = setting.folder / "hatch"
    wanted = [f"{name}>=1,<9" for name in names(WANTED)]
    write_hatch_project(place, {f"set{number}": wanted for number in range(locks)})
    offline = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(setting.folder / "wheels")}
    hatch = Contender(
        tool="hatch env lock",
        command=[setting.peers.command("hatch", "hatch"), "env", "lock"],
        place=place,
        environ=setting.environ(offline, uv=True),
        at_most=_FEW,
    )
    setting.prepare(hatch)
    return hatch


def _multi(setting: Setting, locks: int) -> Contender:
    """Return pip-compile-multi at work on as many inputs, with locks of its own."""
    place = _inputs(setting, "multi")
    multi = Contender(
        tool="pip-compile-multi",
        command=[
            setting.peers.command("pip-compile-multi", "pip-compile-multi"),
            *("--backtracking", "--no-upgrade", "--allow-unsafe", "--generate-hashes", "set0"),
        ],
        place=place,
        environ=setting.environ(first="pip-compile-multi"),
        at_most=_FEW,
    )
    setting.prepare(multi)
    multiply(place / "requirements", locks)
    return multi


def _compiler(setting: Setting, tool: str, locks: int) -> Contender:
    """Return pip-compile or uv, run once for each lock of a project of its own."""
    place = _inputs(setting, tool)
    compile_one = setting.uv_compile() if tool.startswith("uv") else setting.pip_compile()
    stems = [f"requirements/set{number}" for number in range(locks)]
    commands = [[*compile_one, f"--output-file={stem}.txt", f"{stem}.in"] for stem in stems]
    first = Contender(
        tool=tool, command=commands[0], place=place, environ=setting.environ(), at_most=_FEW
    )
    setting.prepare(first)
    multiply(place / "requirements", locks)
    return replace(first, command=in_order(commands))


def _fresh(setting: Setting) -> list[Contender]:
    """Lock what is fresh."""
    place = _project(setting, 1)
    floor = _floor(setting, place)
    ours = replace(floor, tool="nox-lock", command=setting.nox("-s", "lock"), budgets=_FRESH_BUDGET)
    return [
        floor,
        ours,
        _compiler(setting, "uv pip compile", 1),
        _compiler(setting, "pip-compile", 1),
        _multi(setting, 1),
        _hatch(setting, 1),
    ]


def _cached(setting: Setting) -> list[Contender]:
    """Write a deleted lock file that was made before."""
    place = _project(setting, 1)
    floor = _floor(setting, place)
    ours = replace(
        floor, tool="nox-lock", command=setting.nox("-s", "lock"), budgets=_CACHED_BUDGET
    )
    others = [_compiler(setting, tool, 1) for tool in ("uv pip compile", "pip-compile")]
    writing = [ours, *others]
    return [
        floor,
        *(
            replace(each, before=remover(each.place / "requirements" / "set0.txt"))
            for each in writing
        ),
    ]


def _check(locks: int, setting: Setting) -> list[Contender]:
    """Check so many lock files of about 500 lines."""
    place = _project(setting, locks)
    floor = _floor(setting, place)
    budgets = _CHECK_BUDGET if locks <= _MANY else {}
    check = setting.nox("-s", "lock-check")
    ours = replace(floor, tool="nox-lock", command=check, budgets=budgets)
    multi = _multi(setting, locks)
    verify = replace(
        multi,
        tool="pip-compile-multi verify",
        command=[*multi.command[:1], "verify"],
        at_most=None,
    )
    found = [floor, ours, verify, _compiler(setting, "uv pip compile", locks)]
    if locks <= _MANY:
        hatch = _hatch(setting, locks)
        found += [
            _idiom(setting, locks),
            replace(hatch, tool=f"{hatch.tool} --check", command=[*hatch.command, "--check"]),
        ]
    return found


def _idiom(setting: Setting, locks: int) -> Contender:
    """Return the noxfile idiom: compile all again, and see whether git finds a difference."""
    compiler = _compiler(setting, "pip-compile", locks)
    place = compiler.place
    (place / "noxfile.py").write_text("import nox\n" + GIT_DIFF, "utf-8")
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for arguments in (["init"], ["add", "requirements"], [*identity, "commit", "-m", "locks"]):
        subprocess.run(["git", *arguments], cwd=place, check=True, capture_output=True)  # noqa: S607
    return replace(compiler, tool="pip-compile and git diff", command=setting.nox("-s", "check"))


ROWS = (
    Row(
        name="lock fresh",
        group="warm",
        title="lock what is fresh: 62 pins, 500 lines",
        make=_fresh,
        note=_LOCK_NOTE,
    ),
    Row(
        name="lock cached",
        group="warm",
        title="write a deleted lock file that was made before",
        make=_cached,
        note=_LOCK_NOTE,
    ),
    *(
        Row(
            name=f"check {locks}",
            group="check",
            title=f"check {locks} lock file{'s' * (locks > 1)} of 500 lines",
            make=functools.partial(_check, locks),
            note=_CHECK_NOTE,
        )
        for locks in (1, 20, 200)
    ),
)
