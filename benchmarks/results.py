"""What was measured, as data, and the file that keeps it from one run to the next."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One tool in one row.

    Attributes:
        tool: its name.
        seconds: the lower quartile of its whole-process times; None where it failed.
        ratio: that to the floor's.
        runs: how many counted.
        budget: the ratio it may have.
        downloaded: bytes that came over the network, in a run that does not count.
        memory: bytes that all its processes held at once, in that run.
        same: whether its lock has the pins and the hashes of the floor's.
        compiles: how often it compiled.
        failure: what it said last where it failed.
    """

    tool: str
    seconds: float | None
    ratio: float | None = None
    runs: int = 0
    budget: float | None = None
    downloaded: int | None = None
    memory: int | None = None
    same: bool | None = None
    compiles: int | None = None
    failure: str = ""

    @property
    def missed(self) -> bool:
        """Whether it took more than it may."""
        return self.budget is not None and (self.ratio is None or self.ratio > self.budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row: its tools, the floor first.

    Attributes:
        row: its name on the command line.
        group: which table it stands in.
        title: what all of them had to do.
        note: what one has to know to read it; where a peer wins, why.
        figures: of each tool.
        again: the floor against itself in the same run: what a ratio can be trusted to.
        skipped: why nothing was measured.
        day: when, ISO 8601.
        machine: on what.
    """

    row: str
    group: str
    title: str
    note: str = ""
    figures: tuple[Figure, ...] = ()
    again: float | None = None
    skipped: str = ""
    day: str = ""
    machine: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """All rows that were ever measured, each as it was last, and the versions of the tools."""

    rows: tuple[Result, ...] = ()
    versions: dict[str, dict[str, str]] = field(default_factory=dict)

    def merge(self, newer: Results, order: Iterable[str]) -> Results:
        """Return these with the newer ones in their places; rows that are no more go."""
        found = {row.row: row for row in self.rows}
        # A row that could not be measured here does not undo what was measured elsewhere.
        found |= {row.row: row for row in newer.rows if row.figures or row.row not in found}
        rows = tuple(found[name] for name in order if name in found)
        return Results(rows, dict(sorted((self.versions | newer.versions).items())))


def load(path: Path) -> Results:
    """Return what the file has, or nothing where there is no such file."""
    if not path.is_file():
        return Results()
    return parse(path.read_text("utf-8"))


def parse(text: str) -> Results:
    """Return the results of a JSON text."""
    stored = json.loads(text)
    return Results(tuple(_result(row) for row in stored["rows"]), stored["versions"])


def render(results: Results) -> str:
    """Return the results as a JSON text."""
    return json.dumps(asdict(results), indent=1) + "\n"


def _result(stored: dict[str, Any]) -> Result:
    figures = tuple(Figure(**figure) for figure in stored["figures"])
    return Result(**(stored | {"figures": figures}))
