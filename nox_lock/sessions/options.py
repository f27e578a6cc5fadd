"""The options of `nox -s lock -- ...` and `nox -s lock-check -- ...`."""

from __future__ import annotations

import argparse
import functools
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier

from nox_lock.errors import ConfigError
from nox_lock.locking.compile_options import CompileOptions
from nox_lock.target import parse_target
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_lock.target import Target

FORMATS = ("text", "json", "github")
LOCK_FORMATS = ("text", "json", "markdown")
# Options that only print something, with the formats they print in.
_PRINTING = {"check": ("text", "json"), "why": ("text",)}
_CHANGING = ("upgrade", "upgrade_package", "together", "no_cache", "overwrite", "dry_run")


class Arguments(argparse.Namespace):
    """The options of either session; no names are all locks, no format is the one that fits."""

    names: list[str]
    python: list[Target]
    platform: list[str]
    format: str | None
    # Of `lock-check`.
    deep: bool = False
    # Of `lock`.
    upgrade: bool
    upgrade_package: list[str]
    together: bool
    dry_run: bool
    why: list[str]
    verbose: bool
    check: bool
    no_cache: bool
    overwrite: bool

    @property
    def partial(self) -> bool:
        """Whether they choose some of the lock files."""
        return bool(self.names or self.python or self.platform)

    @property
    def compile_options(self) -> CompileOptions:
        """How `lock` compiles."""
        return CompileOptions(
            upgrade=self.upgrade,
            upgrade_packages=tuple(self.upgrade_package),
            use_cache=not self.no_cache,
            overwrite=self.overwrite,
            together=self.together,
            dry_run=self.dry_run,
        )


class Others(NamedTuple):
    """The other sessions that get the arguments of one of ours: those of the noxfile, and ours."""

    names: list[str]
    ours: str | None = None


class _Parser(argparse.ArgumentParser):
    """A parser that raises our error, since nox ends the session."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message, hint=f"{self.prog} --help lists the options.")


def lock_parser(session: str) -> argparse.ArgumentParser:
    """Return the parser for the options of the session that locks."""
    parser = _make_parser(
        session,
        "Compile the inputs (requirements.in, ...) into pinned lock files. "
        "Only what is not fresh is compiled, and pins move only when asked or forced.",
    )
    add = parser.add_argument
    add_flag = functools.partial(add, action="store_true")
    add_several = functools.partial(add, action="append", default=[])
    add_flag("-U", "--upgrade", help="take the newest of everything")
    text = "take the newest of one project, or what 'PKG<3' allows; may be repeated"
    add_several("-P", "--upgrade-package", metavar="PKG", type=_package, help=text)
    text = "resolve locks that build on each other as one, where they cannot agree in turn"
    add_flag("--together", help=text)
    text = "show what would change, and write nothing; with -U: what is outdated"
    add_flag("--dry-run", help=text)
    text = "show why a project is in the lock files, and do nothing else; may be repeated"
    add_several("--why", metavar="PKG", help=text)
    add("--format", choices=LOCK_FORMATS, help="how changes are printed")
    add_flag("-v", "--verbose", help="show all that pip-tools prints")
    add_flag("--check", help="only check, as lock-check does")
    add_flag("--no-cache", help="compile even what is fresh or in the cache")
    text = "also replace files that are no lock files; their pins are kept"
    add_flag("--overwrite", help=text)
    return parser


def check_parser(session: str) -> argparse.ArgumentParser:
    """Return the parser for the options of the session that checks."""
    parser = _make_parser(
        session,
        "Check that each lock file is what its inputs require, and give the reasons if not. "
        "Offline, by content; exit status 1 unless all are fresh.",
    )
    text = "text, json, or github (the default in GitHub Actions)"
    parser.add_argument("--format", choices=FORMATS, help=text)
    text = (
        "also resolve a copy of each lock, and report yanked pins and unknown hashes; "
        "uses the package indexes, and downloads"
    )
    parser.add_argument("--deep", action="store_true", help=text)
    return parser


def parse_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Arguments | None:
    """Parse the options of a session; return None if they only asked for help.

    Raises:
        ConfigError: for an option that does not exist, or does not go with another.
    """
    try:
        found = parser.parse_args(arguments, Arguments())
    except SystemExit:  # argparse has printed its help
        return None
    for name, formats in _PRINTING.items():
        if not getattr(found, name, None):
            continue
        for other in _CHANGING:
            if getattr(found, other):
                option = other.replace("_", "-")
                parser.error(f"--{name} changes nothing: it does not go with --{option}")
        if found.format not in (None, *formats):
            parser.error(f"--{name} does not go with --format {found.format}")
    return found


def _make_parser(session: str, description: str) -> _Parser:
    parser = _Parser(prog=f"nox -s {session} --", description=description, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a lock; none means all of them")
    add_several = functools.partial(parser.add_argument, action="append", default=[])
    text = "only the lock files of this Python; may be repeated"
    add_several("--python", metavar="X.Y", type=_python, help=text)
    text = "only the lock files of this one of the `platforms`; may be repeated"
    add_several("--platform", metavar="NAME", help=text)
    return parser


def _python(text: str) -> Target:
    try:
        return parse_target(text)
    except ConfigError as error:
        raise ConfigError(f"--python: {error.message}", hint=error.hint) from error


def _package(text: str) -> str:
    try:
        Requirement(text)
    except (InvalidRequirement, InvalidSpecifier) as error:  # the latter from old packaging
        message = f"--upgrade-package {quoted(text)} names no project"
        raise ConfigError(message, hint="Write NAME or 'NAME<3'.") from error
    return text
