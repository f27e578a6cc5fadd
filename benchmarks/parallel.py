"""Rows of several lock files that one command makes, side by side where they can be."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from benchmarks.measure import Contender
from benchmarks.projects import PINS, SESSIONS, WANTED, names, write_input, write_web
from benchmarks.row import Row
from benchmarks.setting import in_order, remover, two_at_a_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.setting import Setting

_FEW = 5  # runs of what takes seconds
_SIDE_BY_SIDE_BUDGET = 0.65  # of the sum, on two cores
_LAYERS_BUDGET = 1.15  # of the longest way through them
_INDEPENDENT = 4
_RELEASES = 150  # of each project, to be looked at as on the package index
_NOTE = """\
From a folder of wheels with many releases of each project, so that a compile takes about as long as
that of a small real input; without uv and without any file of pip's settings, each cache empty. The
floor of several inputs is pip-compile once for each, one after the other; where two inputs stand on
a third, pip-compile for that and for one of them: the longest way through the three that nox-lock
makes. Of inputs that take half a second each, the start of nox is a larger part of the whole: there
it came to 0.71 and 1.38 of the floor."""


def _independent(setting: Setting) -> list[Contender]:
    """Lock inputs that have nothing to do with each other."""
    place = _project(setting)
    stems = [f"requirements/set{number}" for number in range(_INDEPENDENT)]
    for number, stem in enumerate(stems):
        wanted = [f"{name}>=0.{number}" for name in names(WANTED)]
        write_input(place / f"{stem}.in", wanted, "../../wheels")
    return _contenders(setting, place, stems, stems, _SIDE_BY_SIDE_BUDGET)


def _layers(setting: Setting) -> list[Contender]:
    """Lock two inputs that stand on a third."""
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
    setting: Setting, place: Path, floor: Sequence[str], stems: Sequence[str], budget: float
) -> list[Contender]:
    commands = [
        [*setting.pip_compile(), f"--output-file={stem}.txt", f"{stem}.in"] for stem in floor
    ]
    make = functools.partial(
        Contender,
        place=place,
        environ=setting.environ({"PIP_CONFIG_FILE": os.devnull}, uv=False),
        before=remover(setting.home, *(place / f"{stem}.txt" for stem in stems)),
        at_most=_FEW,
    )
    both = make(tool="pip-compile, two at a time", command=two_at_a_time(commands))
    return [
        make(tool=f"pip-compile, {len(floor)} in turn", command=in_order(commands)),
        make(
            tool=f"nox-lock, all {len(stems)}",
            command=setting.nox("-s", "lock"),
            budget=budget,
        ),
        *([both] if floor == stems else []),  # what the cores give
    ]


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
)
