"""Lock the layouts of six real projects by nox-lock and by hand; print what came out as a table.

    python benchmarks/layouts.py                # all of them
    python benchmarks/layouts.py --only flask   # one

It needs the corpus (`../shared`), Python 3.11 and 3.12, and the package index.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.layout import PYTHONS
from support.layouts import LAYOUTS
from support.trial import Trial, obstacle, try_layout

SHARED = Path(__file__).resolve().parents[2] / "shared"
HEAD = (
    *("set", "locks", "lines", "hashes", "by hand s", "lock s"),
    *("= in order", "= alone", "no-op", "fresh", "agree"),
)


def main() -> int:
    """Try the layouts asked for and print the table; 1 when one of them has a problem."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=LAYOUTS, action="append", help="this set (repeatable)")
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder with corpus/")
    parser.add_argument("--keep", type=Path, help="work in this empty folder and leave it there")
    options = parser.parse_args()
    if why := obstacle():
        parser.error(why)
    if not (options.shared / "corpus").is_dir():
        parser.error(f"no corpus in {options.shared}")
    with tempfile.TemporaryDirectory(prefix="layouts-") as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        trials = [try_one(name, options.shared, folder) for name in options.only or LAYOUTS]
    print_table(trials)
    return 1 if any(trial.problems for trial in trials) else 0


def try_one(name: str, shared: Path, folder: Path) -> Trial:
    """Try a layout, and tell its problems at once: a whole run takes long."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    try:
        trial = try_layout(name, LAYOUTS[name], shared, folder / name, folder / "cache")
    except AssertionError as error:  # what it was to be compared with failed by itself
        trial = Trial(name, problems=[str(error)])
    for problem in trial.problems:
        print(f"{name}: {problem}", file=sys.stderr, flush=True)
    return trial


def print_table(trials: list[Trial]) -> None:
    """Print the trials, and what their notes are."""
    rows = [HEAD, *(cells(trial) for trial in trials)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    print(f"\nPythons {' and '.join(PYTHONS)}; lines: of [tool.nox-lock], and what inputs get")
    for trial in trials:
        layout = LAYOUTS[trial.name]
        for what, why in layout.left_out.items():
            print(f"{trial.name}: without {what} ({why})")
        for file, lines in layout.added.items():
            print(f"{trial.name}: {file} gets {', '.join(lines)}")
        pins = sorted({text for found in trial.apart.values() for text in found})
        if pins:
            files = f"{len(trial.apart)} of {trial.files} lock files made alone"
            print(f"{trial.name}: {files} disagree with one below: {', '.join(pins)}")


def cells(trial: Trial) -> tuple[str, ...]:
    """Return a trial as text for the columns of `HEAD`."""
    passed = (trial.no_op, trial.fresh, trial.agree)
    return (
        trial.name,
        str(trial.files),
        str(trial.lines),
        "yes" if LAYOUTS[trial.name].hashed else "no",
        f"{trial.by_hand:.0f}",
        f"{trial.seconds:.0f}",
        "{}/{}".format(*trial.ordered),
        "{}/{}".format(*trial.alone),
        *("yes" if each else "NO" for each in passed),
    )


if __name__ == "__main__":
    sys.exit(main())
