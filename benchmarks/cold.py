"""Rows that lock real inputs from nothing, with hashes, on the package index."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from benchmarks.inputs import INPUTS, copy_input, flatten
from benchmarks.measure import Contender
from benchmarks.projects import SESSIONS, write_hatch_project
from benchmarks.row import Row, UnavailableError
from benchmarks.setting import in_order, remover

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.setting import Setting

_LARGE = 40  # pins from which on there are budgets: below, the start of nox weighs most
_BUDGETS = 1.05, 0.60  # without a seed and with one
_LAYERS = ("docs", "tests", "typing", "dev")  # of Flask, lowest first
_NOTE = """\
uv resolves from metadata alone and takes the hashes from the index's pages: it downloads next to
no file, and wins. Where markers, several indexes or `--pre` come in, it does not write what
pip-compile writes. pip-compile 7.6 downloads every file of every pinned version to hash it. Hatch
has uv resolve, and writes pylock.toml with the files' URLs. Without uv, nox-lock adds the start of
nox and of itself to pip-compile's time, 0.2 s, and 1 to 3 % to its processor time, for what it
reads of pip's log; the rest of a ratio is the network's, as the floor's to itself shows."""
_LAYERS_NOTE = """\
Of layers, pip-compile and uv are run by hand, one lock after the other; pip-compile-multi runs
pip-compile on each, and leaves the pins of a lower lock out of an upper one: less to hash."""


def _cold_input(name: str, setting: Setting) -> list[Contender]:
    """Lock one input alone."""
    each = INPUTS[name]
    place = setting.folder / "project"
    # In a folder where nox-lock does not look by itself: this lock alone is to be made.
    path = f"set/{copy_input(each, setting.shared, place / 'set')}"
    (place / "noxfile.py").write_text(SESSIONS, "utf-8")
    config = f'[tool.nox-lock.locks.bench]\ninputs = ["{path}"]\nlockfile = "ours.txt"\n'
    (place / "pyproject.toml").write_text(config, "utf-8")
    lockfiles = {tool: place / f"{tool}.txt" for tool in ("ours", "pip-compile", "uv")}
    clear = remover(setting.home, *lockfiles.values())
    make = functools.partial(Contender, place=place, before=clear)
    with_uv = setting.environ(setting.index())
    without = setting.environ(setting.index(), uv=False)
    unseeded, seeded = _BUDGETS if each.pins >= _LARGE else (None, None)
    ours = functools.partial(make, command=setting.nox("-s", "lock"), lockfile=lockfiles["ours"])
    return [
        make(
            tool="pip-compile",
            command=setting.pip_compile("--output-file=pip-compile.txt", path),
            environ=without,
            lockfile=lockfiles["pip-compile"],
        ),
        ours(tool="nox-lock without uv", environ=without, budget=unseeded),
        ours(tool="nox-lock with uv", environ=with_uv, budget=seeded),
        make(
            tool="uv pip compile",
            command=setting.uv_compile("--output-file=uv.txt", path),
            environ=with_uv,
            lockfile=lockfiles["uv"],
        ),
        _hatch(setting, place, path),
    ]


def _hatch(setting: Setting, root: Path, path: str) -> Contender:
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
        environ=setting.environ(setting.index()),
        before=remover(setting.home, place / "pylock.toml"),
        unable=unable,
    )


def _cold_layers(setting: Setting) -> list[Contender]:
    """Lock Flask's inputs, three beneath one."""
    place = setting.folder / "project"
    copy_input(INPUTS["flask-dev"], setting.shared, place)
    (place / "noxfile.py").write_text(SESSIONS, "utf-8")
    stems = [f"requirements/{layer}" for layer in _LAYERS]
    lockfiles = [place / f"{stem}.txt" for stem in stems]
    clear = remover(setting.home, *lockfiles)
    with_uv = setting.environ(setting.index(), first="pip-compile-multi")
    without = setting.environ(setting.index(), uv=False)
    make = functools.partial(Contender, place=place, before=clear)

    def by_hand(compile_one: list[str]) -> Sequence[str]:
        return in_order([[*compile_one, f"--output-file={s}.txt", f"{s}.in"] for s in stems])

    whole = functools.partial(make, lockfile=lockfiles[-1])
    ours = setting.nox("-s", "lock")
    multi = setting.peers.command("pip-compile-multi", "pip-compile-multi")
    hashed = [part for layer in _LAYERS for part in ("--generate-hashes", layer)]
    return [
        whole(tool="pip-compile", command=by_hand(setting.pip_compile()), environ=without),
        whole(tool="nox-lock without uv", command=ours, environ=without),
        whole(tool="nox-lock with uv", command=ours, environ=with_uv),
        whole(tool="uv pip compile", command=by_hand(setting.uv_compile()), environ=with_uv),
        make(tool="pip-compile-multi", command=[multi, "--backtracking", *hashed], environ=with_uv),
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
)
