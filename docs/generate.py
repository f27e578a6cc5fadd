"""Write the page on options from the code: `python docs/generate.py`.

The page is committed, so that it can be read without building the site; a test fails if it differs
from the code.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock.sessions.commands import make_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

PAGE = Path(__file__).parent / "reference" / "options.md"
MADE = "<!-- made by `python docs/generate.py` from the code: change it there -->"
OPTIONS = f"""\
{MADE}
# Options and exit statuses

Write these options after `--`: those before it are nox's own. What is after `--` reaches each
session of a nox call. If `lock` or `lock-check` does not know one of them, it leaves all of them to
the other sessions, also to those that require or notify it: `nox -s lock-check tests -- -k foo`.
If `lock` and `lock-check` both run, each skips what only the other knows. If no other session runs,
it is an error.

## `nox -s lock -- ...`

{{lock}}

`--check` and `--why` change nothing, and go with no option that does: `-U`, `-P`, `--together`,
`--dry-run`, `--no-cache`, `--overwrite`. `--why` prints text alone, `--check` text or JSON.

## `nox -s lock-check -- ...`

{{check}}

## Exit statuses

| status | meaning |
|---|---|
| 0 | all is done; of `lock-check`: each lock file is fresh |
| 1 | something failed, or a lock file is not fresh, or not resolved; the reasons are printed |
| 130 | stopped by Ctrl-C |
"""


def options() -> str:
    """Return the page on options."""
    check = make_parser("lock-check", check=True)
    parsers = {"lock": make_parser("lock"), "check": check}
    tables = {name: "\n".join(_options(each)) for name, each in parsers.items()}
    return OPTIONS.format(**tables)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"{parser.description}\n"
    yield "| option | meaning |"
    yield "|---|---|"
    for action in parser._actions:  # noqa: SLF001  (argparse lists them nowhere else)
        value = action.metavar or ("|".join(action.choices) if action.choices else "")
        flags = ", ".join(action.option_strings) or f"{action.metavar} ..."
        shown = f"{flags} {value}" if action.option_strings and value else flags
        cells = (each.replace("|", "\\|") for each in (f"`{shown}`", action.help or ""))
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Write the page."""
    PAGE.write_text(options(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
