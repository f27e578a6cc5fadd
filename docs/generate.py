"""Write the reference from the code: `python docs/generate.py`.

What is written is committed, so that it can be read without building the site; a test tells when it
is not what the code says any more.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock._keys import LOCK_KEYS, ONE_LOCK_KEYS, PROJECT_KEYS, VARIABLES
from nox_lock._options import check_parser, lock_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from nox_lock._keys import Key

FOLDER = Path(__file__).parent / "reference"
MADE = "<!-- made by `python docs/generate.py` from the code: change it there -->"
CONFIGURATION = f"""\
{MADE}
# Configuration

Nothing has to be configured: `requirements.in`, `requirements-*.in`, `*-requirements.in` and
`requirements/*.in` are found, and named `requirements` or by the other part: the lock of
`requirements-dev.in` or `requirements/dev.in` is `dev`. Where there is none, a `pyproject.toml`
with dependencies is the input. What can be said stands in `pyproject.toml`. A key that does not
exist, or of a wrong type, is an error that names it.

## For all locks, or one

In `[tool.nox-lock]` for all, in `[tool.nox-lock.locks.NAME]` for one:

{{locks}}

## For the project

In `[tool.nox-lock]` alone:

{{project}}

## For one lock

In `[tool.nox-lock.locks.NAME]` alone:

{{one}}

## Environment variables

{{variables}}

pip's own configuration gives access to package indexes (addresses, credentials, proxies,
certificates), and may narrow the choice (`only-binary`, `uploaded-prior-to`). None of it is written
into a lock file. What would change the lock for everybody else, such as `pre`, is left out with a
warning. An index that belongs to the project stands in an input; a password there is a variable:
`--extra-index-url https://${{{{USER}}}}:${{{{TOKEN}}}}@host/simple`.
"""
OPTIONS = f"""\
{MADE}
# Options and exit statuses

Options stand behind `--`, which is where those of nox end.

## `nox -s lock -- ...`

{{lock}}

## `nox -s lock-check -- ...`

{{check}}

## Exit statuses

| status | meaning |
|---|---|
| 0 | all is done; of `lock-check`: each lock file is fresh |
| 1 | something could not be done, or a lock file is not fresh; the reasons stand above |
| 130 | stopped by Ctrl-C |

A Python that is not on this machine skips `lock` with status 0, after all else is made, and fails
it where `CI` is set: as nox does with sessions.
"""


def configuration() -> str:
    """Return the page on keys and variables."""
    return CONFIGURATION.format(
        locks=_keys(LOCK_KEYS, "key"),
        project=_keys(PROJECT_KEYS, "key"),
        one=_keys(ONE_LOCK_KEYS, "key"),
        variables=_keys(VARIABLES, "variable"),
    )


def options() -> str:
    """Return the page on options."""
    parsers = {"lock": lock_parser("lock"), "check": check_parser("lock-check")}
    tables = {name: "\n".join(_options(each)) for name, each in parsers.items()}
    return OPTIONS.format(**tables)


def _keys(keys: Iterable[Key], what: str) -> str:
    rows = [f"| {what} | meaning | default |", "|---|---|---|"]
    rows += [f"| `{example}` | {meaning} | {default} |" for _, example, meaning, default in keys]
    return "\n".join(rows)


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


PAGES = {"configuration.md": configuration, "options.md": options}


def main() -> None:
    """Write the pages."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8", newline="\n")
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
