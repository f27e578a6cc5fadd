"""The sessions `lock` and `lock-check` with their options, and locking on the way of a session.

What is only needed to compile is imported there: a check must start at once.
"""

from __future__ import annotations

import argparse
import functools
import shlex
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from nox_lock.checking.judge import judge_all, lacks_hashes_alone
from nox_lock.checking.verdict import MISSING, STALE
from nox_lock.errors import BlockedError, ConfigError, NoxLockError
from nox_lock.inputs.syntax import name_of
from nox_lock.planning.config import load_config
from nox_lock.planning.lock_plan import LockPlan
from nox_lock.planning.paths import find_orphans
from nox_lock.planning.planner import plan_pylocks, select, spread_hashes, with_lower
from nox_lock.reporting import verdicts
from nox_lock.target import parse_target, running_platform
from nox_lock.text import nearest, quoted, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nox import Session

    from nox_lock.checking.verdict import Judged
    from nox_lock.console import Console
    from nox_lock.locking.changes import Outcome
    from nox_lock.locking.run import CompileOptions
    from nox_lock.planning.config import Config
    from nox_lock.planning.lock_plan import AnyPlan, PylockPlan
    from nox_lock.project import Project
    from nox_lock.sessions.noxfile import Noxfile
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
    def compile_options(self) -> CompileOptions:
        """How `lock` compiles."""
        from nox_lock.locking.run import CompileOptions  # noqa: PLC0415

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
    """Parse the options of a session, or refuse them; return None if they only asked for help."""
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
    except InvalidRequirement as error:
        message = f"--upgrade-package {quoted(text)} names no project"
        raise ConfigError(message, hint="Write NAME or 'NAME<3'.") from error
    return text


def run_check(session: Session, others: Others, noxfile: Noxfile, console: Console) -> None:
    """Check lock files, as the arguments of a session say; an error unless all are fresh."""
    options = _read_options(check_parser, session, others, noxfile, console)
    if options is not None:
        _, planned, pylocks, orphans = _select(options, noxfile)
        _check(judge_all([*planned, *pylocks], orphans), options, noxfile, console)


def run_lock(session: Session, others: Others, noxfile: Noxfile, console: Console) -> None:
    """Bring lock files up to date, as the arguments of a session say; an error if some fail."""
    options = _read_options(lock_parser, session, others, noxfile, console)
    if options is None:
        return
    config, planned, pylocks, orphans = _select(options, noxfile)
    if options.check:
        _check(judge_all([*planned, *pylocks], orphans), options, noxfile, console)
        return
    with _errors_printed(options, noxfile.project):
        _refuse_unknown(options, planned)
    if options.why:
        _print_reasons(planned, options.why)
        return
    console.warn(*config.notes, *noxfile.find_unused(planned))
    console.verbose |= options.verbose
    _lock([*spread_hashes(planned), *pylocks], options, noxfile.project, console)
    for each in judge_all([], orphans):
        console.warn(*verdicts.verdict_lines(each, unicode=console.terminal.unicode))


def _read_options(
    make_parser: Callable[[str], argparse.ArgumentParser],
    session: Session,
    others: Others,
    noxfile: Noxfile,
    console: Console,
) -> Arguments | None:
    """Return the options of a session, None for help; none are set if they are for `others`."""
    parser, arguments, left_to = make_parser(session.name), session.posargs, others.names
    if (left_to or others.ours) and {"-h", "--help"}.isdisjoint(arguments):
        with suppress(ConfigError):
            return _parse_known(parser, arguments, noxfile)
        if others.ours and not left_to:
            make_other = check_parser if make_parser is lock_parser else lock_parser
            with suppress(ConfigError):
                _parse_known(make_other(others.ours), arguments, noxfile)
                left_to = [others.ours]
    if not left_to:
        return parse_options(parser, arguments)
    console.log(f"left to {', '.join(left_to)}: {shlex.join(arguments)}")
    return parse_options(parser, [])


def _parse_known(
    parser: argparse.ArgumentParser, arguments: Sequence[str], noxfile: Noxfile
) -> Arguments | None:
    """Parse options; names of no lock are an error, too."""
    options = parse_options(parser, arguments)
    for name in options.names if options else ():
        load_config(noxfile.project).lock(name)
    return options


def relock(
    judged: Sequence[Judged], project: Project, console: Console, *, allowed: bool
) -> dict[str, LockPlan]:
    """Lock what a session cannot use, and return the new lock files by path.

    Raises:
        NoxLockError: where that is not `allowed`, with the reasons and what to run.
    """
    unicode = console.terminal.unicode
    reasons = [line for each in judged for line in verdicts.verdict_lines(each, unicode=unicode)]
    if not (allowed and all(map(_is_plainly_stale, judged))):
        command = verdicts.fix_command(judged, console.lock_command) or console.lock_command
        raise NoxLockError("\n".join(reasons), hint=f"Run: {command}")
    from nox_lock.locking.run import CompileOptions, lock_all  # noqa: PLC0415

    for line in reasons:
        console.log(line)
    stale = [each.planned for each in judged if isinstance(each.planned, LockPlan)]
    wanted = {each.path: each for top in stale for each in with_lower(top)}
    known = {each.path: each.verdict for each in judged}
    made: dict[str, LockPlan] = {}
    errors: list[NoxLockError] = []
    planned = list(wanted.values())
    for each, result in lock_all(project, CompileOptions(), console, planned, known):
        if isinstance(result, NoxLockError):
            errors.append(result)
            continue
        _print_outcome(result, console)
        if isinstance(result.planned, LockPlan):
            made[each.path] = result.planned
    # The error of a lock below says more than that of the one it blocks.
    for error in sorted(errors, key=lambda error: isinstance(error, BlockedError)):
        raise error
    return made


def _is_plainly_stale(judged: Judged) -> bool:
    """Return whether a session may lock again: not for an invalid file, nor for hashes alone."""
    planned = judged.planned
    return (
        judged.verdict.word in {STALE, MISSING}
        and not lacks_hashes_alone(judged.verdict)
        and isinstance(planned, LockPlan)
        and (bool(planned.system) or planned.platform == running_platform())
    )


def _select(
    options: Arguments, noxfile: Noxfile
) -> tuple[Config, list[LockPlan], list[PylockPlan], list[str]]:
    """Return the configuration, the files that options choose, and the orphaned ones.

    A pylock is among them if all lock files that it is made of are there, or chosen.
    """
    project = noxfile.project
    with _errors_printed(options, project):
        config, planned = noxfile.plan(options.names)
        chosen = select(planned, options.python, options.platform)
        pylocks, orphans = plan_pylocks(config, planned, project), []
        if not (options.names or options.python or options.platform):
            orphans = find_orphans(config.locks.values(), [*planned, *pylocks], project)
    whole = [p for p in pylocks if all(low.current or low in chosen for low in p.below)]
    return config, chosen, whole, orphans


@contextmanager
def _errors_printed(options: Arguments, project: Project) -> Iterator[None]:
    """Also print an error in the requested format; the error boundary shows it to people."""
    try:
        yield
    except NoxLockError as error:
        form = _format(options, project)
        if form == "json":
            _print(verdicts.to_json(locks=[], error=verdicts.error_fields(error)))
        elif form == "github":
            _print(verdicts.annotation("error", "nox-lock", error, project))
        raise


def _format(options: Arguments, project: Project) -> str:
    """Return the requested format, else the one that fits where this runs."""
    return options.format or (
        "github" if project.environ.get("GITHUB_ACTIONS") == "true" else "text"
    )


def _check(judged: list[Judged], options: Arguments, noxfile: Noxfile, console: Console) -> None:
    """Report on lock files; raise an error unless all are fresh, and those of a session agree."""
    unresolved: list[str] = []
    project = noxfile.project
    with _errors_printed(options, project):
        if options.deep:
            from nox_lock.locking.deep_check import resolve_again  # noqa: PLC0415

            judged, unresolved = resolve_again(judged, project, console)
        if all(each.verdict.fresh for each in judged):
            plans = (each.planned for each in judged)
            noxfile.refuse_disagreement([each for each in plans if isinstance(each, LockPlan)])
    form = _format(options, project)
    if form == "json":
        _print(verdicts.verdicts_json(judged))
    else:
        for each in judged:
            show = console.log if each.verdict.fresh else console.warn
            show(*verdicts.verdict_lines(each, unicode=console.terminal.unicode))
    if form == "github":
        _print(*verdicts.annotate(judged, project))
        try:
            verdicts.write_summary(judged, project, console.lock_command)
        except OSError as error:
            console.warn(f"the summary of the job cannot be written: {error.strerror}")
    if not all(each.verdict.fresh for each in judged):
        command = verdicts.fix_command(judged, console.lock_command)
        hint = f"Run: {command}" if command else None
        raise NoxLockError(f"lock files: {verdicts.summary(judged)}", hint=hint)
    if unresolved:
        raise NoxLockError(
            f"not resolved: {', '.join(unresolved)}",
            hint="Run it where it can be built, or leave it out with --python and --platform.",
        )


def _refuse_unknown(options: Arguments, planned: Sequence[LockPlan]) -> None:
    """Refuse a project of the command line that no lock file has."""
    names = {pin.name for each in planned for pin in each.pins}
    packages = options.why
    if not packages and all(each.origin for each in planned):  # else a new one may have it
        packages = [name_of(each) for each in options.upgrade_package]
        names |= {entry.name for each in planned for entry in each.inputs.requirements}
        names |= {pin.name for each in planned if each.origin for pin in each.origin.pins}
    for package in packages:
        name = canonicalize_name(package)
        if name not in names:
            near = nearest(name, sorted(filter(None, names)))
            raise ConfigError(f"no lock file has {quoted(package)}{near}")


def _print_reasons(planned: Sequence[LockPlan], packages: Sequence[str]) -> None:
    from nox_lock.locking.changes import find_reasons  # noqa: PLC0415

    for name in map(canonicalize_name, packages):
        for each in planned:
            for pin in each.pins:
                if pin.name == name:
                    _print(f"{each.path}:{pin.line}: {pin.shown}")
                    _print(*(f"    {reason}" for reason in find_reasons(each, name)))


def _lock(
    planned: Sequence[AnyPlan], options: Arguments, project: Project, console: Console
) -> None:
    from nox_lock.locking.run import lock_all  # noqa: PLC0415
    from nox_lock.reporting import outcomes as report  # noqa: PLC0415

    results: dict[str, Outcome | NoxLockError] = {}
    with _errors_printed(options, project):
        for each, result in lock_all(project, options.compile_options, console, planned):
            if not isinstance(result, NoxLockError):
                _print_outcome(result, console, dry=options.dry_run)
            elif len(planned) > 1 and all(result is not other for other in results.values()):
                console.warn(*str(result).splitlines())
            results[each.path] = result
    made = {each.path: results[each.path] for each in planned}
    outcomes = [each for each in made.values() if not isinstance(each, NoxLockError)]
    errors = {path: each for path, each in made.items() if isinstance(each, NoxLockError)}
    if options.format == "json":
        _print(report.outcomes_json(outcomes, errors))
    elif options.format == "markdown":
        _print(report.outcomes_markdown(outcomes, errors))
    if total := report.totals(outcomes):
        console.log(f"pins: {total}")
    if errors and len(planned) == 1:
        raise errors[planned[0].path]
    if errors:
        raise NoxLockError(f"not locked: {', '.join(errors)}")
    plans = (each.planned for each in outcomes)
    _refuse_unknown(options, [each for each in plans if isinstance(each, LockPlan)])


def _print_outcome(outcome: Outcome, console: Console, *, dry: bool = False) -> None:
    from nox_lock.reporting import outcomes as report  # noqa: PLC0415

    changes = report.change_lines(outcome.changes, unicode=console.terminal.unicode)
    console.log(report.outcome_line(outcome, dry=dry), *changes)
    console.warn(*(f"{outcome.planned.path}: {note}" for note in outcome.notes))


def _print(*texts: str) -> None:
    """Print to the standard output, where nox prints nothing."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in "\n".join(texts).split("\n") if texts else ():
        shown = redact(line).encode(encoding, "backslashreplace")
        sys.stdout.write(f"{shown.decode(encoding)}\n")
    sys.stdout.flush()
