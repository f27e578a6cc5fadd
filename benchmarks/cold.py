"""Rows that lock real inputs with hashes, on the package index."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from benchmarks.measure import Contender, UnavailableError
from benchmarks.projects import INPUTS, SESSIONS, copy_input, flatten, write_hatch_project
from benchmarks.results import BYTES, CPU, TIME
from benchmarks.setting import COMPANY, Row, in_order, remover

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.setting import Setting

_LARGE = 40  # pins from which on there are budgets: below, the start of nox weighs most
_BUDGETS = {TIME: 1.35, CPU: 1.20, BYTES: 1.30}
_LAYERS = ("docs", "tests", "typing", "dev")  # of Flask, lowest first
# A noxfile that leaves the CPU seconds of the process in which pip-tools runs, and of what that
# starts: before it, `nox -s lock` may start one to read pip's configuration.
MEASURED = """
import atexit
import os
import sys
from pathlib import Path

left = Path(__file__).resolve().with_name("cpu.txt")
before = []

def cpu_of_children():
    used = os.times()
    return used.children_user + used.children_system

def note(event, arguments):
    if event == "subprocess.Popen" and "driver" in str(arguments[1]):
        before.append(cpu_of_children())

def leave():
    if before:
        left.write_text(str(cpu_of_children() - before[0]))

sys.addaudithook(note)
atexit.register(leave)
"""
_NOTE = """\
The floor is pip-compile without hashes. CPU is that of a whole process with all that it starts, and
of nox-lock's that of the process in which it runs pip-tools: what hashes and the target cost.
pip-compile 7.6 downloads every file of every pinned version to hash it, by a bug of its own. uv is
a compiled program with a resolver of its own, and wins. Where markers, several indexes or `--pre`
come in, it does not write what pip-compile writes. Hatch has uv resolve, and writes pylock.toml
with the files' URLs."""
_EXTRA_NOTE = f"""\
The extra index answers at once, has {len(COMPANY)} projects, one of which the input asks for, and
does not know the others. pip's configuration names it in a file, which nox-lock has pip read: a
process more."""
_LAYERS_NOTE = """\
Of layers, pip-compile and uv are run by hand, one lock after the other; pip-compile-multi runs
pip-compile on each, and leaves the pins of a lower lock out of an upper one: less to hash."""


def _cold_input(name: str, setting: Setting, *, extra: bool = False) -> list[Contender]:
    """Lock one input alone."""
    each = INPUTS[name]
    place = setting.folder / "project"
    path = _write_project(setting, place, name, [COMPANY[0]] if extra else [])
    indexes = {**setting.index(), **(setting.extra_index() if extra else {})}
    lockfiles = {tool: place / f"{tool}.txt" for tool in ("ours", "floor", "pip-compile", "uv")}
    clear = remover(setting.home, *lockfiles.values())
    make = functools.partial(Contender, place=place, before=clear, environ=setting.environ(indexes))
    return [
        make(
            tool="pip-compile without hashes",
            command=setting.pip_compile("--output-file=floor.txt", path, hashes=False),
        ),
        make(
            tool="pip-compile",
            command=setting.pip_compile("--output-file=pip-compile.txt", path),
            lockfile=lockfiles["pip-compile"],
        ),
        make(
            tool="nox-lock",
            command=setting.nox("-s", "lock"),
            lockfile=lockfiles["ours"],
            compiler=place / "cpu.txt",
            budgets=_BUDGETS if each.pins >= _LARGE else {},
        ),
        make(
            tool="uv pip compile",
            command=setting.uv_compile("--output-file=uv.txt", path),
            lockfile=lockfiles["uv"],
        ),
        _hatch(setting, indexes, place, path),
    ]


def _write_project(setting: Setting, place: Path, name: str, more: Sequence[str] = ()) -> str:
    """Write a project of nox-lock with an input, this lock alone; return the input's path."""
    # In a folder where nox-lock finds no inputs by itself.
    path = f"set/{copy_input(INPUTS[name], setting.shared, place / 'set')}"
    with (place / path).open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in more)
    (place / "noxfile.py").write_text(MEASURED + SESSIONS, "utf-8")
    config = f'[tool.nox-lock.locks.bench]\ninputs = ["{path}"]\nlockfile = "ours.txt"\n'
    (place / "pyproject.toml").write_text(config, "utf-8")
    return path


def _hatch(setting: Setting, indexes: dict[str, str], root: Path, path: str) -> Contender:
    """Return Hatch at work on an environment that depends on what an input asks for."""
    place = setting.folder / "hatch"
    try:
        write_hatch_project(place, {"bench": flatten(root, path)}, locked=False)
    except UnavailableError as error:
        unable = str(error)
    else:
        unable = ""
    hatch = setting.peers.command("hatch", "hatch")
    return Contender(
        tool="hatch env lock",
        command=[hatch, "env", "lock", "bench", "--export=pylock.toml"],
        place=place,
        environ=setting.environ(indexes, uv=True),
        before=remover(setting.home, place / "pylock.toml"),
        unable=unable,
    )


def _cold_layers(setting: Setting) -> list[Contender]:
    """Lock Flask's inputs, three of them below one."""
    place = setting.folder / "project"
    copy_input(INPUTS["flask-dev"], setting.shared, place)
    (place / "noxfile.py").write_text(SESSIONS, "utf-8")
    stems = [f"requirements/{layer}" for layer in _LAYERS]
    lockfiles = [place / f"{stem}.txt" for stem in stems]
    environ = setting.environ(setting.index(), first="pip-compile-multi")
    make = functools.partial(
        Contender, place=place, environ=environ, before=remover(setting.home, *lockfiles)
    )

    def by_hand(compile_one: list[str]) -> Sequence[str]:
        return in_order([[*compile_one, f"--output-file={s}.txt", f"{s}.in"] for s in stems])

    whole = functools.partial(make, lockfile=lockfiles[-1])
    multi = setting.peers.command("pip-compile-multi", "pip-compile-multi")
    hashed = [part for layer in _LAYERS for part in ("--generate-hashes", layer)]
    bare = by_hand(setting.pip_compile(hashes=False))
    return [
        make(tool="pip-compile without hashes", command=bare),
        whole(tool="pip-compile", command=by_hand(setting.pip_compile())),
        whole(tool="nox-lock", command=setting.nox("-s", "lock")),
        whole(tool="uv pip compile", command=by_hand(setting.uv_compile())),
        make(tool="pip-compile-multi", command=[multi, "--backtracking", *hashed]),
    ]


ROWS = (
    *(
        Row(
            name=f"cold {name}",
            group="cold",
            title=f"lock {each.path.partition('__')[2]}, {each.pins} pins",
            make=functools.partial(_cold_input, name),
            note=_NOTE,
            slow=True,
            in_median=True,
        )
        for name, each in INPUTS.items()
    ),
    Row(
        name="cold layers",
        group="cold",
        title="lock the four layered inputs of Flask, 114 pins in all",
        make=_cold_layers,
        note=_LAYERS_NOTE,
        slow=True,
    ),
    *(
        Row(
            name=f"cold extra {name}",
            group="cold extra",
            title=f"lock {each.path.partition('__')[2]}, {each.pins + 1} pins",
            make=functools.partial(_cold_input, name, extra=True),
            note=_EXTRA_NOTE,
            slow=True,
            in_median=True,
        )
        for name, each in INPUTS.items()
        if each.pins >= _LARGE
    ),
)
