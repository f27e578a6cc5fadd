"""What was measured, as data, and the file that keeps it from one run to the next."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# What is compared with the floor's.
TIME, CPU, BYTES = "time", "CPU", "bytes"
_NOISY = {TIME, CPU}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One tool in one row.

    Attributes:
        tool: its name.
        seconds: the lower quartile of its whole-process times; None where it failed.
        cpu: that of its CPU seconds, where they are long enough to be measured.
        ratios: what it takes to what the floor takes, by what is measured.
        runs: how many counted.
        budgets: the ratios that it may have.
        downloaded: bytes that came over the network, in a run that does not count.
        memory: bytes that were resident at once in all its processes, in that run.
        same: whether its lock has the pins and the hashes of the first tool that writes any.
        compiles: how often it compiled.
        failure: what it said last where it failed.
    """

    tool: str
    seconds: float | None
    cpu: float | None = None
    ratios: Mapping[str, float] = field(default_factory=dict)
    runs: int = 0
    budgets: Mapping[str, float] = field(default_factory=dict)
    downloaded: int | None = None
    memory: int | None = None
    same: bool | None = None
    compiles: int | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row: its tools, the floor first.

    Attributes:
        row: its name on the command line.
        group: which table it belongs to.
        title: what all of them had to do.
        note: what one has to know to read it; where a peer wins, why.
        figures: of each tool.
        in_median: whether budgets of time hold in the median of all such rows of its group.
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
    in_median: bool = False
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

    def missed(self) -> Iterator[str]:
        """Yield what is over its budget, or not the lock that it should be."""
        medians: defaultdict[tuple[str, str, str, float], list[float]] = defaultdict(list)
        for row in self.rows:
            for figure in row.figures:
                name = f"{row.row}: {figure.tool}"
                if figure.budgets and (figure.seconds is None or figure.same is False):
                    yield f"{name}: {figure.failure or 'another lock'}"
                for kind, ratio in figure.ratios.items():
                    budget = figure.budgets.get(kind)
                    if budget and row.in_median and kind in _NOISY:
                        medians[row.group, figure.tool, kind, budget].append(ratio)
                    elif budget and ratio > budget:
                        yield f"{name}: {kind} {ratio:.2f}, may be {budget:.2f}"
        for (group, tool, kind, budget), ratios in medians.items():
            if (median := statistics.median(ratios)) > budget:
                yield f"{group}: {tool}: {kind} {median:.2f} in the median, may be {budget:.2f}"


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
