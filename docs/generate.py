"""Write the reference from the code: `python docs/generate.py`.

The pages are committed, so that they can be read without building the site; a test fails if they
differ from the code.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock.planning.keys import LOCK_KEYS, ONE_LOCK_KEYS, PROJECT_KEYS, VARIABLES
from nox_lock.sessions.options import check_parser, lock_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from nox_lock.planning.keys import Key

FOLDER = Path(__file__).parent / "reference"
MADE = "<!-- made by `python docs/generate.py` from the code: change it there -->"
CONFIGURATION = f"""\
{MADE}
# Configuration

You need no configuration for inputs with usual names: `requirements.in`, `requirements-*.in`,
`*-requirements.in` and `requirements/*.in`. `requirements.in` makes the lock `requirements`;
`requirements-dev.in`, `dev-requirements.in` and `requirements/dev.in` make `dev`. Use these names
in `lock=` in the noxfile, and on the command line. If there is no such file, a `pyproject.toml`
with dependencies is the input.

Everything else is configured in `pyproject.toml`. An unknown key, or a value of the wrong type, is
an error that names it.

## For all locks, or one

Write these into `[tool.nox-lock]` for all locks, or into `[tool.nox-lock.locks.NAME]` for one.
[Pythons and platforms](../targets.md) explains the first ones:

{{locks}}

## For the project

Write these into `[tool.nox-lock]`:

{{project}}

## For one lock

Write these into `[tool.nox-lock.locks.NAME]`:

{{one}}

## Environment variables

{{variables}}

## pip's own configuration

nox-lock uses what gives access to package indexes (addresses, credentials, proxies, certificates, a
keyring), and what narrows the choice (`only-binary`, `uploaded-prior-to`). None of it is written
into a lock file. `keyring-provider = import` counts as `subprocess`.

What would change the lock for everybody else is left out, with one warning that names it: `pre`,
`no-binary`, `prefer-binary`, `all-releases`, `only-final`, `constraint`, `build-constraint`,
`config-settings`, `no-build-isolation`.

Write an index that belongs to the project into an input, with variables for a password:
`--extra-index-url https://${{{{USER}}}}:${{{{TOKEN}}}}@host/simple`.

### Dependency confusion

With several indexes, pip takes the highest version that any of them has. That may be a project that
somebody else has published under the name of yours. Use one index (`index-url` alone) that serves
private names from its own files and fetches all others, or register the private names on the public
index.

If an index fails, locking fails. It also fails if one of several indexes answers for a project with
something that is no page of the simple API, such as a login page. Your index may answer like that
for projects that it does not have. Then let it answer 404, or put
`<meta name="pypi:repository-version" content="1.0">` on these pages. `SECURITY.md` of the
repository has the details.

## Removed

The key `seed`, and the extra `nox-lock[uv]`. Hashes come from
[the index pages](../how-it-works.md#hashes) that pip reads anyway. Delete the key, and install
plain `nox-lock`.
"""
OPTIONS = f"""\
{MADE}
# Options and exit statuses

Write these options after `--`: those before it are nox's own.

## `nox -s lock -- ...`

{{lock}}

## `nox -s lock-check -- ...`

{{check}}

## Exit statuses

| status | meaning |
|---|---|
| 0 | all is done; of `lock-check`: each lock file is fresh |
| 1 | something failed, or a lock file is not fresh, or not resolved; the reasons are printed |
| 130 | stopped by Ctrl-C |
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
