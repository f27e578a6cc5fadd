"""All rows, in the order of the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import cold, parallel, sessions, start, warm
from benchmarks.table import GROUPS

if TYPE_CHECKING:
    from benchmarks.setting import Row

ROWS: tuple[Row, ...] = tuple(
    sorted(
        (*cold.ROWS, *warm.ROWS, *parallel.ROWS, *sessions.ROWS, *start.ROWS),
        key=lambda row: list(GROUPS).index(row.group),
    )
)


def select(wanted: list[str] | None, *, every: bool) -> tuple[Row, ...]:
    """Return the rows of these names, or whose names hold one of these.

    Where nothing is wanted: all, the slow ones only if `every`.
    """
    if wanted:
        names = {row.name for row in ROWS}
        exact = names.intersection(wanted)
        parts = [each for each in wanted if each not in names]
        return tuple(
            row for row in ROWS if row.name in exact or any(part in row.name for part in parts)
        )
    return tuple(row for row in ROWS if every or not row.slow)
