"""Results as Markdown tables, and their place in a page."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import TYPE_CHECKING

from benchmarks.results import BYTES, CPU, TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.results import Figure, Result, Results

# The headings of the tables, in their order.
GROUPS = {
    "cold": "Lock cold, with hashes",
    "cold extra": "Lock cold, with hashes, an extra index in pip's configuration",
    "matrix": "Lock cold, with hashes, for several Pythons and platforms",
    "parallel": "Lock several at once",
    "warm": "Lock when there is little to do",
    "check": "Check",
    "session": "A session whose lock has not changed",
    "crowd": "Many processes that need one lock",
    "start": "Start-up",
}
OURS = "nox-lock"
BEGIN = "<!-- figures: written by `nox -s bench -- --write` -->"
END = "<!-- end of figures -->"
_SECOND = 1.0
_LONG = 10.0  # seconds from which on a decimal says nothing
_MEGA = 1e6


def markdown(results: Results) -> str:
    """Return a table for each group, its notes below, and what was measured on."""
    parts = []
    for group, heading in GROUPS.items():
        rows = [row for row in results.rows if row.group == group]
        if rows:
            parts += [f"### {heading}", *_group(rows)]
    machines = sorted({f"{row.day}: {row.machine}" for row in results.rows if row.machine})
    if machines:
        parts.append("\n".join(["Measured on", "", *(f"- {each}" for each in machines)]))
    return "\n\n".join(parts) + "\n"


def brief(rows: Iterable[Result]) -> str:
    """Return a table of a line for each row: nox-lock, and what the others take."""
    lines = [_line(["", "nox-lock", "others"]), _line(["---"] * 3)]
    for row in rows:
        times = [(each.tool, _time(each)) for each in row.figures]
        ours = [
            time if tool == OURS else f"{time} {tool.removeprefix(OURS).strip(', ')}"
            for tool, time in times
            if tool.startswith(OURS)
        ]
        others = [f"{tool} {time}" for tool, time in times if not tool.startswith(OURS)]
        lines.append(
            _line(
                [
                    _cell(row.title),
                    f"**{ours[0]}**" if len(ours) == 1 else "; ".join(ours),
                    "; ".join(others),
                ]
            )
        )
    return "\n".join(lines) + "\n"


def place(page: str, figures: str) -> str:
    """Return the page with the figures between its marks.

    Raises ValueError where a mark is missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"there is no `{BEGIN}` with `{END}` after it")
    return f"{before}{begin}\n\n{figures}\n{end}{after}"


def duration(seconds: float) -> str:
    """Return a time as a person reads it."""
    if seconds < _SECOND:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < _LONG else f"{seconds:.0f} s"


def _group(rows: Sequence[Result]) -> list[str]:
    """Return a table of all figures, the floor of each row first, and each note once."""
    figures = [(row, figure) for row in rows for figure in row.figures]
    # What holds in the median is below the table.
    budgets = [each.budgets.get(TIME) if not row.in_median else None for row, each in figures]
    columns = {
        "x floor": [_times(each.ratios.get(TIME)) for _, each in figures],
        "may be": [_times(each) for each in budgets],
        "CPU": ["" if each.cpu is None else duration(each.cpu) for _, each in figures],
        "CPU x floor": [_times(each.ratios.get(CPU)) for _, each in figures],
        "downloaded": [_size(each.downloaded) for _, each in figures],
        "memory": [_size(each.memory) for _, each in figures],
        "same lock": [_yes(each.same) for _, each in figures],
        "compiles": ["" if each.compiles is None else str(each.compiles) for _, each in figures],
    }
    columns = {head: cells for head, cells in columns.items() if any(cells)}
    lines = [_line(["", "lower quartile", *columns]), _line(["---"] * (len(columns) + 2))]
    number = 0
    for row in rows:
        again = "" if row.again is None else f"; the floor to itself {_times(row.again)}"
        lines.append(_line([f"**{row.title}**{again}", *[""] * (len(columns) + 1)]))
        for figure in row.figures:
            cells = [column[number] for column in columns.values()]
            lines.append(_line([_cell(figure.tool), _time(figure), *cells]))
            number += 1
        if row.skipped:
            lines.append(_line([f"skipped: {_cell(row.skipped)}", *[""] * (len(columns) + 1)]))
    notes = dict.fromkeys(" ".join(row.note.split()) for row in rows if row.note)
    summary = list(_summary(rows))
    return ["\n".join(lines), *(["\n".join(summary)] if summary else []), *notes]


def _summary(rows: Sequence[Result]) -> Iterator[str]:
    """Yield what comes out over all rows in which a tool has budgets that hold in the median."""
    found: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    budgets: dict[str, Mapping[str, float]] = {}
    for figure in (each for row in rows if row.in_median for each in row.figures):
        for kind in figure.budgets.keys() & figure.ratios.keys():
            found[figure.tool][kind].append(figure.ratios[kind])
        if figure.budgets:
            budgets[figure.tool] = figure.budgets
    for tool, kinds in found.items():
        parts = [
            f"{statistics.median(kinds[kind]):.2f} of the floor's {kind} in the median, "
            f"{max(kinds[kind]):.2f} at most (may be {budgets[tool][kind]:.2f})"
            for kind in (TIME, CPU, BYTES)
            if kind in kinds
        ]
        count = max(map(len, kinds.values()))
        yield f"- {tool}, over the {count} rows in which it has a budget: {'; '.join(parts)}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _time(figure: Figure) -> str:
    if figure.seconds is None:
        return f"failed: {_cell(figure.failure)}"
    return duration(figure.seconds)


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _size(size: int | None) -> str:
    if size is None:
        return ""
    mega = size / _MEGA
    return f"{mega:.0f} MB" if mega >= _LONG else f"{mega:.1f} MB"


def _yes(same: bool | None) -> str:  # noqa: FBT001 a value to be shown, no switch
    return {None: "", True: "yes", False: "no"}[same]
