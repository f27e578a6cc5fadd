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
_TOLD_IN = {"check": ("text", "json"), "why": ("text",)}  # what is asked, not to be done
_CHANGING = ("upgrade", "upgrade_package", "together", "no_cache", "overwrite", "dry_run")


class LockArguments(NamedTuple):
    """What was asked of `lock`; `names` empty means all locks, no format what fits."""

    names: tuple[str, ...]
    options: CompileOptions
    check: bool
    pythons: tuple[Target, ...]
    platforms: tuple[str, ...]
    why: tuple[str, ...]
    format: str | None
    verbose: bool


class CheckArguments(NamedTuple):
    """What was asked of `lock-check`; `names` empty means all locks, no format what fits."""

    names: tuple[str, ...]
    format: str | None
    deep: bool
    pythons: tuple[Target, ...]
    platforms: tuple[str, ...]


class _Parser(argparse.ArgumentParser):
    """One that raises, since nox is to end in its own way."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message, hint=f"{self.prog} --help shows what there is.")


def lock_parser(session: str) -> argparse.ArgumentParser:
    """Return what reads the options of the session that locks."""
    parser = _parser(
        session,
        "Compile the inputs (requirements.in, ...) into pinned lock files. "
        "Only what is not fresh is compiled, and pins move only when asked or forced.",
    )
    add = parser.add_argument
    add_several = functools.partial(add, action="append", default=[])
    add("-U", "--upgrade", action="store_true", help="take the newest of everything")
    text = "take the newest of one project, or what 'PKG<3' allows; may be repeated"
    add_several("-P", "--upgrade-package", metavar="PKG", help=text)
    text = "resolve locks that build on each other as one, where they cannot agree in turn"
    add("--together", action="store_true", help=text)
    text = "show what would change, and write nothing; with -U: what is outdated"
    add("--dry-run", action="store_true", help=text)
    text = "show why a project is in the lock files, and do nothing else; may be repeated"
    add_several("--why", metavar="PKG", help=text)
    add("--format", choices=LOCK_FORMATS, help="how changes are printed")
    add("-v", "--verbose", action="store_true", help="show all that pip-tools prints")
    add("--check", action="store_true", help="only judge, as lock-check does")
    add("--no-cache", action="store_true", help="compile, though it is fresh, or the cache has it")
    text = "also replace files that are no lock files; their pins are kept"
    add("--overwrite", action="store_true", help=text)
    return parser


def check_parser(session: str) -> argparse.ArgumentParser:
    """Return what reads the options of the session that checks."""
    parser = _parser(
        session,
        "Tell whether each lock file is what its inputs ask for, with the reasons when not. "
        "Offline, by content; exit status 1 unless all are fresh.",
    )
    text = "text, json, or github (the default in GitHub Actions)"
    parser.add_argument("--format", choices=FORMATS, help=text)
    text = (
        "also resolve a copy of each lock, and tell of yanked pins and unknown hashes; "
        "asks the package indexes, and downloads"
    )
    parser.add_argument("--deep", action="store_true", help=text)
    return parser


def parse_lock_options(arguments: Sequence[str], session: str) -> LockArguments | None:
    """Read the options of the session that locks; None when they only asked for help.

    Raises:
        ConfigError: for an option that does not exist.
    """
    parser = lock_parser(session)
    found = _parse(parser, arguments)
    if found is None:
        return None
    for package in found.upgrade_package:
        _refuse_bad_requirement(package)
    for asked, formats in _TOLD_IN.items():
        changing = [name for name in _CHANGING if getattr(found, asked) and getattr(found, name)]
        if changing:
            option = changing[0].replace("_", "-")
            parser.error(f"--{asked} changes nothing: it does not go with --{option}")
        if getattr(found, asked) and found.format not in (None, *formats):
            parser.error(f"--{asked} does not go with --format {found.format}")
    options = CompileOptions(
        found.upgrade,
        tuple(found.upgrade_package),
        not found.no_cache,
        found.overwrite,
        found.together,
        dry_run=found.dry_run,
    )
    return LockArguments(
        tuple(found.names),
        options,
        found.check,
        tuple(map(_target, found.python)),
        tuple(found.platform),
        tuple(found.why),
        found.format,
        found.verbose,
    )


def parse_check_options(arguments: Sequence[str], session: str) -> CheckArguments | None:
    """Read the options of the session that checks; None when they only asked for help.

    Raises:
        ConfigError: for an option that does not exist.
    """
    found = _parse(check_parser(session), arguments)
    if found is None:
        return None
    return CheckArguments(
        tuple(found.names),
        found.format,
        found.deep,
        tuple(map(_target, found.python)),
        tuple(found.platform),
    )


def _target(text: str) -> Target:
    try:
        return parse_target(text)
    except ConfigError as error:
        raise ConfigError(f"--python: {error.message}", hint=error.hint) from error


def _refuse_bad_requirement(text: str) -> None:
    try:
        Requirement(text)
    except (InvalidRequirement, InvalidSpecifier) as error:  # the latter from old packaging
        message = f"--upgrade-package {quoted(text)} names no project"
        raise ConfigError(message, hint="Write NAME or 'NAME<3'.") from error


def _parser(session: str, description: str) -> _Parser:
    parser = _Parser(prog=f"nox -s {session} --", description=description, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a lock; none means all of them")
    add_several = functools.partial(parser.add_argument, action="append", default=[])
    text = "only the lock files of this Python; may be repeated"
    add_several("--python", metavar="X.Y", help=text)
    text = "only the lock files of this one of the `platforms`; may be repeated"
    add_several("--platform", metavar="NAME", help=text)
    return parser


def _parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace | None:
    try:
        return parser.parse_args(arguments)
    except SystemExit:  # argparse has printed its help
        return None
