"""The sessions `lock` and `lock-check`; what only `lock` needs is imported when it runs."""

from __future__ import annotations

import argparse
import functools
import shlex
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from nox_lock.checking.judge import judge_all, lacks_hashes_alone
from nox_lock.checking.verdict import MISSING, STALE, Judged, Verdict
from nox_lock.console import Console
from nox_lock.errors import ConfigError, NoxLockError
from nox_lock.inputs.syntax import name_of
from nox_lock.planning.config import load_config
from nox_lock.planning.lock_plan import AnyPlan, LockPlan
from nox_lock.planning.paths import find_orphans
from nox_lock.planning.planner import plan_pylocks, select, spread_hashes, with_lower
from nox_lock.project import Project
from nox_lock.reporting import verdicts
from nox_lock.sessions.noxfile import Noxfile, read_pythons
from nox_lock.target import Target, parse_target
from nox_lock.text import as_argument, nearest, quoted, redact

if TYPE_CHECKING:
    from nox import Session

    from nox_lock.locking.changes import Outcome

_PRINTING = {"check": ("text", "json"), "why": ("text",)}  # what only prints, with its formats
_CHANGING = ("upgrade", "upgrade_package", "together", "no_cache", "overwrite", "dry_run")
_LOCKS = (
    "Compile the inputs (requirements.in, ...) into pinned lock files. "
    "Only what is not fresh is compiled, and pins move only when asked or forced."
)
_CHECKS = (
    "Check that each lock file is what its inputs require, and give the reasons if not. "
    "Offline, by content; exit status 1 unless all are fresh."
)


class Arguments(argparse.Namespace):
    """The options of either session; no names are all locks, no format is the one that fits."""

    names: list[str]
    python: list[Target]
    platform: list[str]
    format: str | None
    deep: bool = False  # of `lock-check`; those that follow are of `lock`, with all of `_CHANGING`
    upgrade_package: list[str]
    dry_run: bool
    why: list[str]
    verbose: bool
    check: bool


class _Parser(argparse.ArgumentParser):
    """A parser that raises our error, since nox ends the session."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message, hint=f"{self.prog} --help lists the options.")


def make_parser(session: str, *, check: bool = False) -> argparse.ArgumentParser:
    """Return the parser for the options of a session that locks, or of one that checks."""
    description = _CHECKS if check else _LOCKS
    parser = _Parser(prog=f"nox -s {session} --", description=description, allow_abbrev=False)
    add = parser.add_argument
    add_flag = functools.partial(add, action="store_true")
    add_several = functools.partial(add, action="append", default=[])
    add("names", nargs="*", metavar="NAME", help="a lock; none means all of them")
    text = "only the lock files of this Python; may be repeated"
    add_several("--python", metavar="X.Y", type=parse_target, help=text)
    text = "only the lock files of this one of the `platforms`; may be repeated"
    add_several("--platform", metavar="NAME", help=text)
    if check:
        text = "text, json, or github (the default in GitHub Actions)"
        add("--format", choices=("text", "json", "github"), help=text)
        text = "also resolve a copy of each lock online, and report yanked pins and unknown hashes"
        add_flag("--deep", help=text)
        return parser
    add_flag("-U", "--upgrade", help="take the newest of everything")
    text = "take the newest of one project, or what 'PKG<3' allows; may be repeated"
    add_several("-P", "--upgrade-package", metavar="PKG", type=_package, help=text)
    text = "resolve locks that build on each other as one, where they cannot agree in turn"
    add_flag("--together", help=text)
    add_flag("--dry-run", help="show what would change, write nothing; with -U: what is outdated")
    text = "show why a project is in the lock files, and do nothing else; may be repeated"
    add_several("--why", metavar="PKG", help=text)
    add("--format", choices=("text", "json", "markdown"), help="how changes are printed")
    add_flag("-v", "--verbose", help="show all that pip-tools prints")
    add_flag("--check", help="only check, as lock-check does")
    add_flag("--no-cache", help="compile even what is fresh or in the cache")
    add_flag("--overwrite", help="also replace files that are no lock files; their pins are kept")
    return parser


def parse_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Arguments | None:
    """Parse the options of a session, or refuse them; return None if they only asked for help."""
    try:
        found = parser.parse_args(arguments, Arguments())
    except SystemExit:  # argparse has printed its help
        return None
    for name in [each for each in _PRINTING if getattr(found, each, None)]:
        others = [f"--{each.replace('_', '-')}" for each in _CHANGING if getattr(found, each)]
        if found.format not in (None, *_PRINTING[name]):
            others.append(f"--format {found.format}")
        if others:
            parser.error(f"--{name} does not go with {', '.join(others)}")
    return found


def _package(text: str) -> str:
    try:
        Requirement(text)
    except InvalidRequirement as error:
        message = f"--upgrade-package {quoted(text)} names no project"
        raise ConfigError(message, hint="Write NAME or 'NAME<3'.") from error
    return text


def run(
    session: Session, ours: Collection[str], noxfile: Noxfile, console: Console, *, check: bool
) -> None:
    """Bring lock files up to date, or `check` them, as the arguments of one of `ours` say."""
    options = _read_options(session, ours, noxfile, console, check=check)
    if options is None:
        return
    project, whole = noxfile.project, not (options.names or options.python or options.platform)
    on_github = project.environ.get("GITHUB_ACTIONS") == "true"
    options.format = options.format or ("github" if on_github else None)
    try:
        config, every = noxfile.plan(options.names)
        planned = every if whole else select(every, options.python, options.platform)
        pylocks = plan_pylocks(config, every)
        orphans = find_orphans(config.locks.values(), [*every, *pylocks], project) if whole else []
        # A pylock is among them if all lock files that it is made of are there, or chosen.
        pylocks = [p for p in pylocks if all(low.current or low in planned for low in p.below)]
        if check or options.check:
            judged = judge_all([*planned, *pylocks], orphans)
            failure = _check(judged, options, noxfile, console)
        else:
            # What is to be upgraded may be in a lock file that is new.
            old = all(each.current or each.earlier for each in planned)
            asked = options.why or (options.upgrade_package and old)
            if asked and (unknown := _find_unknown(options, planned)):
                raise unknown
            if options.why:
                _print_reasons(planned, options.why)
                return
            console.warn(*config.notes, *noxfile.find_unused(planned))
            console.verbose |= options.verbose
            made, failure = _lock([*spread_hashes(planned), *pylocks], options, project, console)
            failure = failure or (_find_unknown(options, made) if options.upgrade_package else None)
            for each in judge_all([], orphans):
                console.warn(*verdicts.verdict_lines(each, unicode=console.terminal.unicode))
    except NoxLockError as error:
        if options.format == "json":
            _print(verdicts.to_json(locks=[], error=verdicts.error_fields(error)))
        elif options.format == "github":
            _print(verdicts.annotation("error", "nox-lock", error, project))
        raise
    if failure is not None:
        raise failure


def relock(
    judged: Sequence[Judged], project: Project, console: Console, *, allowed: bool
) -> dict[str, LockPlan]:
    """Lock what a session cannot use, or say why not; return the new lock files by path."""
    unicode = console.terminal.unicode
    reasons = [line for each in judged for line in verdicts.verdict_lines(each, unicode=unicode)]
    plainly_stale = all(
        each.verdict.word in {STALE, MISSING} and not lacks_hashes_alone(each.verdict)
        for each in judged
    )
    if not (allowed and plainly_stale):  # an invalid file may hold what somebody wrote
        command = verdicts.fix_command(judged, console.lock_command) or console.lock_command
        raise NoxLockError("\n".join(reasons), hint=f"Run: {command}")
    console.log(*reasons)
    stale = [each.planned for each in judged if isinstance(each.planned, LockPlan)]
    wanted = {each.path: each for top in stale for each in with_lower(top)}
    known = {each.path: each.verdict for each in judged}
    options = make_parser("lock").parse_args([], Arguments())
    made, failure = _lock(list(wanted.values()), options, project, console, known)
    if failure is not None:
        raise failure
    return {each.path: each for each in made}


def _read_options(
    session: Session, ours: Collection[str], noxfile: Noxfile, console: Console, *, check: bool
) -> Arguments | None:
    """Return the options of a session, None for help; none are set if they are for others."""
    python, arguments = session.python, session.posargs
    if isinstance(python, str) and not (any(read_pythons([python])) or shutil.which(python)):
        message = f"-P {python} names no Python, and before -- it is an option of nox"
        hint = f"Run: {console.lock_command} -- -P {as_argument(python)}"
        raise ConfigError(message, hint=hint)
    parser = make_parser(session.name, check=check)
    runner = session._runner  # noqa: SLF001  (nox has no public way to ask)
    # Other arguments `notify` gave to this session alone.
    shared = arguments == [*runner.global_config.posargs]
    if arguments and shared and not _are_known(parser, arguments, noxfile):
        every = (each for each, _ in runner.manifest.list_all_sessions() if each in runner.manifest)
        left_to = [*dict.fromkeys(each.name for each in every if each.name != runner.name)]
        if not _are_known(make_parser("", check=not check), arguments, noxfile):
            left_to = [name for name in left_to if name not in ours]
        if getattr(session, "parallel", False):
            left_to = ["other sessions"]  # which ones, no worker of ``nox -j`` knows
        if left_to:
            console.log(f"left to {', '.join(left_to)}: {shlex.join(arguments)}")
            arguments = []
    return parse_options(parser, arguments)


def _are_known(parser: argparse.ArgumentParser, arguments: Sequence[str], noxfile: Noxfile) -> bool:
    """Return whether a parser takes arguments, and each name among them is that of a lock."""
    if not {"-h", "--help"}.isdisjoint(arguments):
        return False  # other sessions know them as well
    try:
        options = parse_options(parser, arguments)
        for name in options.names if options else ():
            load_config(noxfile.project).lock(name)
    except ConfigError:
        return False
    return True


def _check(
    judged: list[Judged], options: Arguments, noxfile: Noxfile, console: Console
) -> NoxLockError | None:
    """Report on lock files; return an error unless all are fresh, and those of a session agree."""
    unresolved: list[str] = []
    project = noxfile.project
    if options.deep:
        from nox_lock.locking.deep_check import resolve_again  # noqa: PLC0415

        judged, unresolved = resolve_again(judged, project, console)
    fresh = all(each.verdict.fresh for each in judged)
    if fresh:
        plans = (each.planned for each in judged)
        noxfile.refuse_disagreement([each for each in plans if isinstance(each, LockPlan)])
    if options.format == "json":
        _print(verdicts.verdicts_json(judged))
    else:
        for each in judged:
            show = console.log if each.verdict.fresh else console.warn
            show(*verdicts.verdict_lines(each, unicode=console.terminal.unicode))
    if options.format == "github":
        _print(*verdicts.annotate(judged, project))
        try:
            verdicts.write_summary(judged, project, console.lock_command)
        except OSError as error:
            console.warn(f"the summary of the job cannot be written: {error.strerror}")
    if not fresh:
        command = verdicts.fix_command(judged, console.lock_command)
        hint = f"Run: {command}" if command else None
        return NoxLockError(f"lock files: {verdicts.summary(judged)}", hint=hint)
    hint = "Run it where it can be built, or leave it out with --python and --platform."
    return NoxLockError(f"not resolved: {', '.join(unresolved)}", hint=hint) if unresolved else None


def _find_unknown(options: Arguments, planned: Sequence[LockPlan]) -> ConfigError | None:
    """Return the error for a project of the command line that no lock file has."""
    names = {pin.name for each in planned for pin in each.pins}
    if options.upgrade_package:
        names |= {entry.name for each in planned for entry in each.inputs.requirements}
        locks = (each.current or each.earlier for each in planned)
        names |= {pin.name for lock in locks if lock for pin in lock.pins}
    for package in options.why or map(name_of, options.upgrade_package):
        name = canonicalize_name(package)
        if name not in names:
            near = nearest(name, sorted(filter(None, names)))
            return ConfigError(f"no lock file has {quoted(package)}{near}")
    return None


def _print_reasons(planned: Sequence[LockPlan], packages: Sequence[str]) -> None:
    from nox_lock.locking.changes import find_reasons  # noqa: PLC0415

    for name in map(canonicalize_name, packages):
        for each in planned:
            for pin in each.pins:
                if pin.name == name:
                    _print(f"{each.path}:{pin.line}: {pin.shown}")
                    _print(*(f"    {reason}" for reason in find_reasons(each, name)))


def _lock(
    planned: Sequence[AnyPlan],
    options: Arguments,
    project: Project,
    console: Console,
    known: Mapping[str, Verdict] | None = None,  # by path
) -> tuple[list[LockPlan], NoxLockError | None]:
    """Bring lock files up to date, and report on it; return them, and an error if some failed."""
    from nox_lock.locking.options import CompileOptions  # noqa: PLC0415
    from nox_lock.locking.run import lock_all  # noqa: PLC0415
    from nox_lock.reporting import outcomes as report  # noqa: PLC0415

    compile_options = CompileOptions(**{name: getattr(options, name) for name in _CHANGING})
    results: dict[str, Outcome | NoxLockError] = {}
    for each, result in lock_all(project, compile_options, console, planned, known):
        if not isinstance(result, NoxLockError):
            changes = report.change_lines(result.changes, unicode=console.terminal.unicode)
            console.log(report.outcome_line(result, dry=options.dry_run), *changes)
            console.warn(*(f"{result.planned.path}: {note}" for note in result.notes))
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
    failure = NoxLockError(f"not locked: {', '.join(errors)}") if errors else None
    plans = (each.planned for each in outcomes)
    locks = [each for each in plans if isinstance(each, LockPlan)]
    return locks, errors.get(planned[0].path, failure) if len(planned) == 1 else failure


def _print(*texts: str) -> None:
    """Print to the standard output, where nox prints nothing."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in "\n".join(texts).split("\n") if texts else ():
        shown = redact(line).encode(encoding, "backslashreplace")
        sys.stdout.write(f"{shown.decode(encoding)}\n")
    sys.stdout.flush()
