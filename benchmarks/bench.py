"""Measure nox-lock beside other tools, whole processes, as ratios in one run.

    nox -s bench                                # all rows but those that download gigabytes
    nox -s bench -- --row "check 20" -n 5       # some; --list names them
    nox -s bench -- --row cold                  # locks of the corpus, from nothing
    nox -s bench -- --all --write               # everything, into docs/ and results.json
    nox -s bench -- --render --write            # docs/ once more from results.json

The tools take turns, and their lower quartiles are compared. The floor against itself is beside
them: how far a ratio of this machine, now, can be trusted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import cold, parallel, sessions, warm
from benchmarks.chart import SHOWN, svg
from benchmarks.loopback import Proxy
from benchmarks.measure import UnavailableError, measure
from benchmarks.peers import Peers
from benchmarks.results import Result, Results, load, render
from benchmarks.setting import Setting
from benchmarks.table import GROUPS, brief, markdown, place

if TYPE_CHECKING:
    from benchmarks.setting import Row

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "benchmarks.svg"
_RUNS, _SLOW_RUNS = 15, 5
# All rows, in the order of the tables.
ROWS: tuple[Row, ...] = tuple(
    sorted(
        (*cold.ROWS, *warm.ROWS, *parallel.ROWS, *sessions.ROWS),
        key=lambda row: list(GROUPS).index(row.group),
    )
)


def main() -> int:
    """Run what was asked for; 1 when a budget is missed."""
    options = _parser().parse_args()
    if options.list:
        for row in ROWS:
            print(f"{row.name:26}{'slow  ' if row.slow else '      '}{row.title}")
        return 0
    rows = () if options.render else select(options.row, every=options.all)
    if not (rows or options.render):
        sys.exit("no row has such a name; --list names them")
    newer = _measure(rows, options)
    print(markdown(_merge(newer) if options.render else newer))
    if options.write:
        _write(_merge(newer))
    missed = list(newer.missed())
    if missed:
        print("over the budget:", *missed, sep="\n  ")
    return int(bool(missed))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    say = parser.add_argument
    say("--list", action="store_true", help="name the rows")
    say("--row", action="append", metavar="NAME", help="this row, or all whose name holds this")
    say("--all", action="store_true", help="the slow rows, too")
    say("-n", "--runs", type=int, help=f"of each tool; default {_RUNS}, of a slow row {_SLOW_RUNS}")
    say("--write", action="store_true", help="keep the results, and write docs/ from them")
    say("--render", action="store_true", help="measure nothing; show what results.json has")
    say("--shared", type=Path, default=ROOT.parent / "shared", help="the folder with corpus/")
    environments = ROOT / ".nox" / "benchmarks"
    say("--environments", type=Path, default=environments, help="where those of the tools are kept")
    return parser


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


def _measure(rows: tuple[Row, ...], options: argparse.Namespace) -> Results:
    # So that no process that was started outlives this one, whichever signal ends it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    peers = Peers(options.environments.resolve(), ROOT)
    found = []
    for row in rows:
        print(f"{row.name} ...", file=sys.stderr, flush=True)
        runs = options.runs or (_SLOW_RUNS if row.slow else _RUNS)
        found.append(_measure_row(row, peers, options.shared.resolve(), runs))
        if options.write:  # at once: all of them take hours
            _write(_merge(Results(tuple(found), peers.versions)))
    return Results(tuple(found), peers.versions)


def _merge(newer: Results) -> Results:
    return load(RESULTS).merge(newer, [row.name for row in ROWS])


def _measure_row(row: Row, peers: Peers, shared: Path, runs: int) -> Result:
    unmeasured = Result(
        row=row.name,
        group=row.group,
        title=row.title,
        note=row.note,
        in_median=row.in_median,
    )
    temporary = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
    with temporary as folder, ExitStack() as opened:
        proxy = opened.enter_context(Proxy()) if row.slow else None
        setting = Setting(Path(folder).resolve(), peers, shared, opened)
        try:
            figures, again = measure(row.make(setting), runs, proxy)
        except UnavailableError as error:
            return replace(unmeasured, skipped=str(error))
    return replace(
        unmeasured,
        figures=tuple(figures),
        again=again,
        day=dt.datetime.now(tz=dt.timezone.utc).date().isoformat(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
    )


def _write(results: Results) -> None:
    RESULTS.write_text(render(results), "utf-8")
    PAGE.write_text(place(PAGE.read_text("utf-8"), markdown(results)), "utf-8")
    PICTURE.write_text(svg(shown(results)), "utf-8")
    README.write_text(place(README.read_text("utf-8"), brief(shown(results))), "utf-8")


def shown(results: Results) -> list[Result]:
    """Return what README has of the results: the rows of `SHOWN` that were measured."""
    measured = {row.row: row for row in results.rows if row.figures}
    return [measured[name] for name in SHOWN if name in measured]


if __name__ == "__main__":
    sys.exit(main())
