"""A bar chart of some rows as SVG, legible on light and on dark pages."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from benchmarks.table import OURS, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.results import Figure, Result

SHOWN = ("session 60", "lock fresh", "check 20", "cold aiohttp-lint")
_WIDTH, _LEFT, _MARGIN = 760, 240, 20
_BARS = _WIDTH - _LEFT - 2 * _MARGIN - 60  # room for the figure right of the longest bar
_TITLE, _BAR, _STEP, _GAP = 30, 14, 22, 14
# It brings its own ground: a page may be dark where the system of its reader is light.
_STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
.ground { fill: #ffffff; stroke: #d1d9e0; }
.title { fill: #1f2328; font-weight: 600; font-size: 13px; }
.tool, .value { fill: #59636e; }
.floor { fill: #d1d9e0; }
.peer { fill: #8c959f; }
.ours { fill: #1a7f37; }
text.ours { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117; stroke: #3d444d; }
  .title { fill: #f0f6fc; }
  .tool, .value { fill: #9198a1; }
  .floor { fill: #3d444d; }
  .peer { fill: #656c76; }
  .ours { fill: #3fb950; }
}
"""


def svg(rows: Iterable[Result]) -> str:
    """Return one panel for each row, each with a scale of its own; failures are left out."""
    panels = []
    top = _MARGIN
    for row in rows:
        lines, top = _panel(row, top)
        panels += lines
    height = top + _MARGIN - _GAP
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    ground = f'width="{_WIDTH - 1}" height="{height - 1}" rx="6"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            "<title>Times of nox-lock and of other tools; shorter is better</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" x="0.5" y="0.5" {ground}/>',
            *panels,
            "</svg>",
            "",
        ]
    )


def _panel(row: Result, top: int) -> tuple[list[str], int]:
    """Return the lines of a row's panel, and where the next one begins."""
    shown = [figure for figure in row.figures if figure.seconds is not None]
    longest = max((figure.seconds or 0 for figure in shown), default=1)
    title = f"{row.title[:1].upper()}{row.title[1:]}".replace("`", "")
    lines = [f'<text class="title" x="{_MARGIN}" y="{top + 12}">{escape(title)}</text>']
    for number, figure in enumerate(shown):
        lines += _bar(figure, longest, top + _TITLE + number * _STEP, floor=number == 0)
    return lines, top + _TITLE + len(shown) * _STEP + _GAP


def _bar(figure: Figure, longest: float, y: int, *, floor: bool) -> Iterator[str]:
    seconds = figure.seconds or 0
    ours = figure.tool.startswith(OURS)
    kind = "ours" if ours else "floor" if floor else "peer"
    weight = " ours" if ours else ""
    width = max(1.0, seconds / longest * _BARS)
    base = y + _BAR - 3
    tool = escape(figure.tool)
    yield f'<text class="tool{weight}" x="{_LEFT}" y="{base}" text-anchor="end">{tool}</text>'
    size = f'width="{width:.1f}" height="{_BAR}" rx="2"'
    yield f'<rect class="{kind}" x="{_LEFT + 10}" y="{y}" {size}/>'
    yield (
        f'<text class="value{weight}" x="{_LEFT + 16 + width:.1f}" y="{base}">'
        f"{duration(seconds)}</text>"
    )
