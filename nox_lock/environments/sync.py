"""Make an environment match its lock files with the least work, and verify it.

What pip prints is read from its log (``PIP_LOG``), what uv prints from standard error.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from packaging.utils import canonicalize_name

from nox_lock.environments.comparison import (
    KEPT,
    SEEDS,
    UNFINISHED,
    VERIFIED,
    find_unmet,
    find_unmet_by_project,
    is_local,
    whole_url,
)
from nox_lock.environments.environment import delete_files, record_project, remove_broken
from nox_lock.environments.snapshot import CONSTRAINTS
from nox_lock.errors import InstallError, NoxLockError
from nox_lock.files import exclusive, read_timeout, temporary_directory, write_all
from nox_lock.inputs.entry import URL
from nox_lock.project import relative
from nox_lock.target import NEWEST_PATCH, parse_platform, running_platform
from nox_lock.text import shareable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from nox_lock.console import Console
    from nox_lock.environments.comparison import Comparison, Difference, LockedEnvironment
    from nox_lock.environments.environment import Environment
    from nox_lock.lockfile.lock_file import Pin
    from nox_lock.planning.lock_plan import LockPlan
    from nox_lock.target import Target

_SHOWN = 5
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_ERROR = re.compile(r"\berror: ", re.IGNORECASE)
_TRACEBACK = re.compile(r"^.*\bException information:\n(?:.*\n)*?(?=\S* ?ERROR: |\Z)", re.MULTILINE)
_YANKED_BY_UV = re.compile(r"`([^`]+?)==([^`]+)` is yanked(?: \(reason: \"(.*)\"\))?")
_YANKED_BY_PIP = re.compile(
    r"is a yanked version: '(\S+)' candidate \(version (\S+) at .*\n.*Reason for being yanked: (.*)"
)
_SKIPPED = re.compile(r"Could not fetch URL (\S+): (.*) - skipping")
_STATUS = re.compile(r"(\d{3}) (?:Client|Server) Error")
# Words in pip's reasons, in this order: a TLS failure may be reported as a failed connection.
_PROBLEMS = {
    "tls": ("certificate", "ssl"),
    "refused": ("refused",),
    "timeout": ("timed out", "timeout", "respond within"),
    "name": ("resolve", "name or service", "getaddrinfo"),
    "broken": ("incomplete", "broken", "chunked", "reset"),
    "unreachable": ("connectionfailed", "connection-failed"),
}
_OTHER_FILE = re.compile(r"do not match the hashes|hash mismatch", re.IGNORECASE)
# Of what is locked, only another patch release can be what keeps it out.
_OTHER_PYTHON = re.compile(r"not satisfy Python|requires? a different python", re.IGNORECASE)
_NOT_FOUND = re.compile(
    r"No matching distribution found|no version of|was not found in|404 (?:Client|Not Found)",
    re.IGNORECASE,
)


class Installer(Protocol):
    """What installs into an environment: pip or uv."""

    def install(self, arguments: list[str], log: Path) -> None:
        """Install, and log what is printed; InstallError, with a hint if settings hide much."""

    def uninstall(self, names: list[str]) -> None:
        """Uninstall distributions; InstallError when that fails."""


@contextmanager
def exclusive_use(locked: LockedEnvironment, console: Console) -> Iterator[None]:
    """Be the only process that installs into an environment; InstallError if it is read-only."""
    venv = locked.venv
    busy, timeout = venv.notes / "busy.lock", read_timeout(locked.project.environ)
    with exclusive(busy, timeout, console.log, "installs into this environment"):
        try:
            yield
        except OSError as error:
            raise InstallError(
                f"the environment {venv.location.name} cannot be written: {error.strerror}",
                hint="Make it writable, or create it again with nox --reuse-venv=never.",
            ) from error


def sync(locked: LockedEnvironment, installer: Installer, console: Console) -> None:
    """Make an environment match its lock files, and verify that no dependency is missing.

    What goes is removed before what comes is installed: both may have the same files, as
    `psycopg2` and `psycopg2-binary` do. Before that, what comes is fetched and built.

    Raises:
        NoxLockError: naming what still differs, or what a lock file lacks.
        InstallError: naming the pins that could not be installed.
        InstallerBrokenError: when only a new environment helps.
    """
    venv = locked.venv
    with exclusive_use(locked, console):
        interrupted = bool(venv.read_note(UNFINISHED))
        comparison = locked.compare()
        if comparison.remove:
            comparison = _remove(locked, comparison, installer)
        remove_broken(comparison.broken)
        # What is left of an interrupted install looks complete to an installer.
        for force in (interrupted, True):
            names = sorted(each.pin.name or "" for each in comparison.missing)
            venv.write_note(UNFINISHED, " ".join(names))
            if comparison.missing:
                replaced = comparison.files(names)
                # An installer does not see that a folder has changed.
                again = force or any(is_local(each.pin) for each in comparison.missing)
                options = ["--force-reinstall"] * again
                _install(locked, comparison.missing, installer, options, console.warn)
                locked.record_folders()
                venv.write_note(UNFINISHED, "")
                # pip replaces one after the other: an old version may take new files along.
                for each in locked.compare().installed.values() if replaced else ():
                    if any(not (venv.site / file).exists() for file in each.files() & replaced):
                        remove_broken([each.metadata])
                comparison = locked.compare()
        if comparison.missing:
            lines = "\n".join(f"  {each}" for each in comparison.missing)
            message = f"after installing, the environment does not match the lock:\n{lines}"
            raise NoxLockError(message, hint=f"Run: {locked.recreate}")
        _verify(locked, comparison)


def _remove(locked: LockedEnvironment, comparison: Comparison, installer: Installer) -> Comparison:
    """Remove what has to go and what shares its files, once what comes is fetched; compare."""
    venv, names = locked.venv, _with_sharing(comparison)
    if missing := locked.compare(without=names).missing:
        # Into a folder of its own: so wheels are unpacked, hashes verified and builds done, and
        # the second time pip and uv take them from their caches.
        with temporary_directory(venv.location) as folder:
            target = ["--no-compile", "--target", relative(folder, locked.project.root)]
            _install(locked, missing, installer, target)
    remove_broken(comparison.broken)
    # Of what is there more than once pip removes one at a time, and uv fails on the second.
    damaged = [name for name in names if name in comparison.damaged]
    delete_files(venv, comparison.files(damaged))
    remove_broken(each.metadata for name in damaged for each in comparison.damaged[name])
    if whole := [name for name in names if name not in damaged]:
        installer.uninstall(whole)
    found = locked.compare()
    if found.remove:
        raise NoxLockError(
            f"could not be removed: {', '.join(found.remove)}", hint=f"Run: {locked.recreate}"
        )
    return found


def _with_sharing(comparison: Comparison) -> list[str]:
    """Return the names of what has to go, and of all that has files in common with it."""
    names = set(comparison.remove)
    gone = comparison.files(names)
    left = {name: each.files() for name, each in comparison.installed.items()}
    while more := {n for n in left.keys() - names - SEEDS if not gone.isdisjoint(left[n])}:
        names |= more
        gone |= comparison.files(more)
    return sorted(names)


def _install(
    locked: LockedEnvironment,
    missing: Sequence[Difference],
    installer: Installer,
    options: Sequence[str],
    warn: Callable[..., None] = lambda *_: None,
) -> None:
    """Install pins; warn of those that are yanked, and name those that failed."""
    for arguments in _install_arguments(locked, missing, warn):
        with _log_file(locked.venv) as log:
            try:
                installer.install([*options, *arguments], log)
            except InstallError as error:
                text = log.read_text(encoding="utf-8", errors="replace")
                target = locked.venv.target
                raise explain_failure(text, missing, locked.lock, target, error.hint) from error
            text = log.read_text(encoding="utf-8", errors="replace")
            warn(*find_yanked(text, missing))


@contextmanager
def _log_file(venv: Environment) -> Iterator[Path]:
    """Create a log that only the user can read: pip writes folders and whole URLs into it."""
    log = venv.notes / "install.log"
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    log.touch(mode=0o600)
    try:
        yield log
    finally:
        log.unlink(missing_ok=True)


def _install_arguments(
    locked: LockedEnvironment, missing: Sequence[Difference], warn: Callable[[str], None]
) -> Iterator[list[str]]:
    """Yield the arguments of the installer runs that install pins.

    These are written to files of their own: pip gets what was judged, whatever happens to the lock
    file meanwhile, and however it would read it; before 25.0 it does so in the user's encoding.
    """
    for planned in locked.planned:
        pins = [each.pin for each in missing if each.planned is planned]
        bare = [pin for pin in pins if not pin.hashes]
        hashed = [pin for pin in pins if pin.hashes]
        # pip takes no hash of a folder or a repository, and refuses a file with hashes of others.
        for name, some, flags in (("hashed", hashed, ["--require-hashes"]), ("rest", bare, [])):
            if not some:
                continue
            if some is bare and planned.current and planned.current.hashed:
                shown = ", ".join(pin.shown for pin in some)
                warn(f"{planned.path}: installed without a hash: {shown}")
            path = locked.venv.notes / f"{planned.name}-{name}.txt"
            options = _option_lines(planned, locked.project.root)
            lines = (_pin_line(pin, locked.project.root) for pin in some)
            write_all({path: "\n".join([*options, *lines, ""])})
            yield ["--no-deps", *flags, "-r", relative(path, locked.project.root)]


def _option_lines(planned: LockPlan, root: Path) -> Iterator[str]:
    """Yield the option lines of a lock file, for a file in another folder."""
    for option in planned.current.options if planned.current else ():
        name, _, value = option.text.partition(" ")
        if name == "--find-links" and not URL.match(value):
            yield f"{name} {((root / planned.path).parent / value).as_uri()}"
        else:
            yield option.text


def _pin_line(pin: Pin, root: Path) -> str:
    named = whole_url(pin, root) if pin.url else pin.shown
    if pin.url and pin.name and not pin.editable:
        named = f"{pin.name} @ {named}"
    marker = f" ; {pin.marker}" if pin.marker else ""
    hashes = "".join(f" --hash={value}" for value in pin.hashes)
    return f"{'-e ' if pin.editable else ''}{named}{marker}{hashes}"


def install_project(
    locked: LockedEnvironment, installer: Installer, console: Console, *, editable: bool
) -> None:
    """Install the project itself, without its dependencies; InstallError when that fails."""
    with exclusive_use(locked, console):
        try:
            with _log_file(locked.venv) as log:
                installer.install(["--no-deps", *["-e"] * editable, "."], log)
        except InstallError as error:
            raise InstallError(
                "the project itself could not be installed",
                hint="What its build needs, and why it failed, is printed above.",
            ) from error
        if editable:
            record_project(locked.venv, locked.project)
    if unmet := find_unmet_by_project(locked):
        line = f"{locked.paths} has not all that the project itself needs; if this session runs it,"
        line += " name its pyproject.toml in the `inputs` of the lock:"
        console.log(line, *(f"  {each}" for each in unmet))


def _verify(locked: LockedEnvironment, comparison: Comparison) -> None:
    """Check that the dependencies of what is installed are met, and note it."""
    planned, target, installed = locked.planned, locked.venv.target, {**comparison.installed}
    for name in comparison.kept:  # a new environment does not have it yet
        del installed[name]
    unmet = find_unmet(planned, target, installed)
    if not unmet:
        locked.venv.write_note(locked.note(VERIFIED), comparison.digest)
        return
    here = running_platform()
    stamps = [each.current.stamp for each in planned if each.current]
    elsewhere = [each.platform for each in stamps if each and each.platform != str(here)]
    hint = f"Lock again, from the pins it has: {locked.lock}"
    newest = target._replace(patch=planned[0].target.patch or NEWEST_PATCH)
    if not find_unmet(planned, newest, installed):
        hint = _use_later(target)
    elif elsewhere:
        made = parse_platform(elsewhere[0])
        hint = (
            f"It was made on {made.system}, this is {here.system}. Have one for each: "
            f'[tool.nox-lock] platforms = ["{made.system}", "{here.system}"]'
        )
    raise NoxLockError(
        "\n".join(
            [f"{locked.paths} lacks what its own pins need:", *(f"  {each}" for each in unmet)]
        ),
        hint=hint,
    )


def record_body(locked: LockedEnvironment) -> list[str]:
    """Note what the body of a session installed; return a line for each pin it has changed."""
    comparison = locked.compare()
    names = (n for n in (*comparison.remove, *comparison.kept) if n not in locked.ignored)
    locked.venv.write_note(
        locked.note(KEPT), " ".join(sorted({*names} - comparison.damaged.keys()))
    )
    return [str(each) for each in comparison.missing if each.pin.name not in locked.ignored]


def keep_new(before: LockedEnvironment) -> None:
    """Note what the body installed after some locks: it stays when more are installed."""
    note = before._replace(order=before.order + 1).note(KEPT)
    names = {*before.venv.read_note(note).split(), *before.compare().remove}
    before.venv.write_note(note, " ".join(sorted(names)))


def write_constraints(locked: LockedEnvironment) -> None:
    """Write the pins into the environment as constraints, which have no extras and no hashes."""
    lines = {
        f"{pin.name}=={pin.version}{f' ; {pin.marker}' if pin.marker else ''}"
        for each in locked.planned
        for pin in each.pins
        if pin.version is not None
    }
    locked.venv.write_note(CONSTRAINTS, "".join(f"{line}\n" for line in sorted(lines)))


def find_yanked(log: str, installed: Sequence[Difference]) -> list[str]:
    """Return a line for each pin that was installed although it is yanked, with the reason."""
    found = _YANKED_BY_PIP.findall(log) + _YANKED_BY_UV.findall(_COLOUR.sub("", log))
    reasons: dict[str | None, str] = {
        canonicalize_name(name): reason.strip() for name, _, reason in found
    }
    return [
        f"{each.pin.shown} was yanked: {reasons[name] or '<none given>'} ({each.place})"
        for each in installed
        if (name := each.pin.name) in reasons
    ]


def list_first(texts: Iterable[str]) -> list[str]:
    """Return a line for each of the first texts, and one that says how many more there are."""
    lines = [f"  {each}" for each in texts]
    more = [f"  and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return lines[:_SHOWN] + more


def _use_later(target: Target) -> str:
    has = target.full_version
    return (
        f"This session runs Python {has}, and the lock is for a later patch release. Use one, "
        f'or lock for this one: [tool.nox-lock] python = ["{has}"]'
    )


def explain_failure(
    log: str,
    missing: Sequence[Difference],
    lock: str,
    target: Target,
    hidden: str | None = None,
) -> InstallError:
    """Return the error for a failed install: which pins, why, and how to fix it.

    `missing` are the pins that were to be installed, for the Python `target`; `lock` is the command
    that locks; `hidden` is the hint if settings may hide what an index has.
    """
    text = _COLOUR.sub("", log)
    error = _ERROR.search(text)
    errors = _TRACEBACK.sub("", text[error.start() :]) if error else ""
    errors = " ".join(errors.split())  # uv wraps its lines, at the width of the terminal
    failed = _find_failed(errors, missing)
    lines = list_first(f"{each.pin.shown} ({each.place})" for each in failed)
    pages = [f"  {each}" for each in _find_failed_indexes(text)]
    upgrade = " ".join(f"-P {each.pin.name}" for each in failed if each.pin.version)
    same = " ".join(f"-P {each.pin.shown}" for each in failed if each.pin.version)
    hint = None
    if _OTHER_PYTHON.search(errors) and not pages:
        hint = _use_later(target)
    elif _NOT_FOUND.search(errors) and upgrade and not pages:
        hint = hidden or f"The index no longer has it. Lock another version: {lock} -- {upgrade}"
    elif "(constraint)" in errors:
        hint = "A constraint of your own settings forbids it (PIP_CONSTRAINT, or `constraint` in "
        hint += "pip's configuration): unset it."
    elif pages or "Failed to fetch" in errors:
        hint = "Run it again when the package index answers; what is installed stays."
    elif _OTHER_FILE.search(errors):
        hint = (
            "The index has another file than the one that was locked. Find out why. If it can be "
            f"trusted, or the version was changed by hand: {lock} -- {same}"
        )
    message = "\n".join(["not all that is locked could be installed:", *lines, *pages])
    return InstallError(message, hint=hint)


def _find_failed_indexes(log: str) -> list[str]:
    from nox_lock.compiling.failures import Page, index_reasons  # noqa: PLC0415  (only for errors)

    pages = []
    for url, reason in _SKIPPED.findall(log):
        status = _STATUS.search(reason)
        words = reason.lower()
        problem = next(
            (name for name, signs in _PROBLEMS.items() if any(s in words for s in signs)),
            shareable(reason)[:200],
        )
        address, _, project = shareable(url).rstrip("/").rpartition("/")
        pages.append(Page(address, project, int(status[1]) if status else None, problem))
    return index_reasons(pages)


def _find_failed(errors: str, missing: Sequence[Difference]) -> Sequence[Difference]:
    """Return the pins that errors name with their versions, else by name, else all of them."""
    for names in (_names_exactly, _names):
        if found := [each for each in missing if names(errors, each.pin)]:
            return found
    return missing


def _names_exactly(errors: str, pin: Pin) -> bool:
    """Return whether errors name a pin with its version, or the index page of its project."""
    name = _spellings(pin)
    page = rf"Failed to fetch: \S*/{name}/[`\s]"
    version = re.escape(pin.version or "")
    exact = rf"(?<![\w.-]){name}(?:\[[^\]]*\])?=={version}(?![\w+!]|\.\w)"
    pattern = f"{exact}|{page}" if version else page
    return re.search(pattern, errors, re.IGNORECASE) is not None


def _names(errors: str, pin: Pin) -> bool:
    """Return whether errors name a pin's project, other than in the path of a file."""
    word = rf"(?<![\w./\\-]){_spellings(pin)}(?![\w/\\-]|\.\w)"
    return re.search(word, errors, re.IGNORECASE) is not None


def _spellings(pin: Pin) -> str:
    return re.escape(pin.name or pin.shown).replace("\\-", "[-_.]")
