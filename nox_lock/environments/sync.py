"""Make an environment match its lock files with the least work, and verify it."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from nox_lock.environments.comparison import (
    FOLDERS,
    SEEDS,
    UNFINISHED,
    VERIFIED,
    Comparison,
    Difference,
    LockedEnvironment,
    local_file,
    whole_url,
)
from nox_lock.environments.environment import PROJECT, project_digest
from nox_lock.errors import NoxLockError
from nox_lock.files import exclusive, read_timeout, temporary_directory, write_all
from nox_lock.inputs.entry import URL
from nox_lock.lockfile.lock_file import Pin
from nox_lock.planning.lock_plan import LockPlan
from nox_lock.project import relative
from nox_lock.target import NEWEST_PATCH, Target, running_platform
from nox_lock.text import origin

_SHOWN = 5
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
# From the first error on, without pip's traceback of it.
_ERRORS = re.compile(r"(?is)\berror: (.*?)(?:\bException information:\n|$)")
_YANKED_BY_UV = re.compile(r"`([^`]+?)==[^`]+` is yanked(?: \(reason: \"(.*)\"\))?")
_YANKED_BY_PIP = re.compile(
    r"is a yanked version: '(\S+)' candidate \(version \S+ at .*\n.*Reason for being yanked: (.*)"
)
# An index that answers 404 or 410 does not have the project.
_SKIPPED = re.compile(r"Could not fetch URL (\S+): (?!404 |410 )(\d{3} \w+ Error)?.* - skipping")
_NO_ANSWER = "Run it again when the package index answers; what is installed stays."
_GONE = "The index no longer has it. Lock another version: {lock} -- {names}"
_USE_LATER = (
    "This session runs Python {has}, and the lock is for a later patch release. Use one, "
    'or lock for this one: [tool.nox-lock] python = ["{has}"]'
)
# What pip or uv says where an install fails, and how to fix that; the first that is said counts.
_FIXES = {
    # Of what is locked, only another patch release can be what keeps it out.
    "not satisfy Python|requires? a different python": _USE_LATER,
    "No matching distribution found|no version of|was not found in|404 (Client|Not Found)": _GONE,
    r"\(constraint\)": "A constraint of your own settings forbids it (PIP_CONSTRAINT, or "
    "`constraint` in pip's configuration): unset it.",
    "Failed to fetch": _NO_ANSWER,
    "do not match the hashes|hash mismatch": "The index has another file than the one that was "
    "locked. Find out why. If it can be trusted, or the version was changed by hand: "
    "{lock} -- {pins}",
}


class Installed(NamedTuple):
    """What pip or uv printed, whether it failed, and settings that may have hidden a release."""

    log: str
    failed: bool
    hiding: Sequence[str] = ()


Installer = Callable[[Sequence[str]], Installed]  # pip or uv; InstallerBrokenError if it is broken


def exclusive_use(locked: LockedEnvironment) -> AbstractContextManager[None]:
    """Be the only process that installs into an environment."""
    busy, timeout = locked.venv.notes / "busy.lock", read_timeout(locked.project.environ)
    return exclusive(busy, timeout, locked.console.log, "installs into this environment")


def sync(locked: LockedEnvironment, installer: Installer) -> None:
    """Make an environment match its lock files; InstallerBrokenError if only a new one helps."""
    venv, project = locked.venv, locked.project
    with exclusive_use(locked):
        comparison = locked.compare()
        # First: what comes may have its files, as `psycopg2-binary` has.
        if comparison.remove or comparison.damaged:
            comparison = _remove(locked, comparison, installer)
        # What is left of an interrupted install looks complete to an installer.
        for force in (bool(venv.read_note(UNFINISHED)), True):
            names = sorted(each.pin.name or "" for each in comparison.missing)
            venv.write_note(UNFINISHED, " ".join(names))
            if comparison.missing:
                replaced = comparison.files(names)
                # An installer does not see that a folder has changed.
                again = force or any(local_file(each.pin) for each in comparison.missing)
                options = ["--force-reinstall"] * again
                locked.console.warn(*_install(locked, comparison.missing, installer, *options))
                for line in locked.folders():  # a build may have written into it
                    project.forget(line.rpartition(" ")[0])
                venv.write_note(FOLDERS, "".join(f"{line}\n" for line in locked.folders()))
                venv.write_note(UNFINISHED, "")
                # pip replaces one after the other: an old version may take new files along.
                for each in locked.compare().installed.values() if replaced else ():
                    if any(not (venv.site / file).exists() for file in each.files() & replaced):
                        shutil.rmtree(each.metadata)
                comparison = locked.compare()
        if comparison.missing:
            lines = "".join(f"\n  {each}" for each in comparison.missing)
            message = f"after installing, the environment does not match the lock:{lines}"
            raise NoxLockError(message, hint=f"Run: {venv.recreate}")
        _verify(locked, comparison)


def _remove(locked: LockedEnvironment, comparison: Comparison, installer: Installer) -> Comparison:
    """Remove what has to go and what shares its files, once what comes is fetched; compare."""
    venv, names = locked.venv, {*comparison.remove}
    gone = comparison.files(names | comparison.damaged.keys())
    left = {name: each.files() for name, each in comparison.installed.items()}
    while more := {n for n in left.keys() - names - SEEDS if not gone.isdisjoint(left[n])}:
        names |= more
        gone |= comparison.files(more)
    if names and (missing := locked.compare(without=names).missing):
        # Into a folder of its own, so that all is verified and built: later it is in a cache.
        with temporary_directory(venv.location) as folder:
            target = relative(folder, locked.project.root)
            _install(locked, missing, installer, "--no-compile", "--target", target)
    # Of what is there more than once pip removes one at a time, and uv fails on the second.
    venv.delete([*itertools.chain(*comparison.damaged.values())])
    failed = bool(names) and installer(["uninstall", *sorted(names)]).failed
    found = locked.compare()
    if failed or found.remove or found.damaged:
        left_over = ", ".join([*found.remove, *found.damaged] or sorted(names))
        raise NoxLockError(f"could not be removed: {left_over}", hint=f"Run: {venv.recreate}")
    return found


def _install(
    locked: LockedEnvironment, missing: Sequence[Difference], installer: Installer, *options: str
) -> list[str]:
    """Install pins; return what to warn of: those without a hash, and those that are yanked."""
    warnings: list[str] = []
    root, lock_command = locked.project.root, locked.console.lock_command
    # pip takes no hash of a folder or a repository, and refuses a file with hashes of others.
    for planned, hashed in itertools.product(locked.planned, (True, False)):
        here = [each.pin for each in missing if each.planned is planned]
        if not (pins := [pin for pin in here if bool(pin.hashes) is hashed]):
            continue
        if planned.current and planned.current.hashed and not hashed:
            shown = ", ".join(pin.shown for pin in pins)
            warnings.append(f"{planned.path}: installed without a hash: {shown}")
        # pip gets what was judged. Before 25.0 it would read a lock file in the user's encoding.
        path = locked.venv.notes / f"{planned.name}-{'hashed' if hashed else 'rest'}.txt"
        write_all({path: "".join(f"{line}\n" for line in _lines(planned, pins, root))})
        arguments = [*options, "--no-deps", *["--require-hashes"] * hashed]
        result = installer(["install", *arguments, "-r", relative(path, root)])
        if result.failed:
            raise explain_failure(result, missing, lock_command, locked.venv.target)
        warnings += find_yanked(result.log, missing)
    return warnings


def _lines(planned: LockPlan, pins: Iterable[Pin], root: Path) -> Iterator[str]:
    """Yield the option lines of a lock file and some of its pins, for a file in another folder."""
    for option in planned.current.options if planned.current else ():
        name, _, value = option.text.partition(" ")
        if name == "--find-links" and not URL.match(value):
            yield f"{name} {((root / planned.path).parent / value).as_uri()}"
        else:
            yield option.text
    for pin in pins:
        named = whole_url(pin, root) if pin.url else pin.shown
        if pin.url and pin.name and not pin.editable:
            named = f"{pin.name} @ {named}"
        marker = f" ; {pin.marker}" if pin.marker else ""
        hashes = "".join(f" --hash={value}" for value in pin.hashes)
        yield f"{'-e ' if pin.editable else ''}{named}{marker}{hashes}"


def install_project(locked: LockedEnvironment, installer: Installer, *, editable: bool) -> None:
    """Install the project itself, without its dependencies; NoxLockError when that fails."""
    venv, project = locked.venv, locked.project
    with exclusive_use(locked):
        if installer(["install", "--no-deps", *["-e"] * editable, "."]).failed:
            hint = "What its build needs, and why it failed, is printed above."
            raise NoxLockError("the project itself could not be installed", hint=hint)
        if editable:
            venv.write_note(PROJECT, project_digest(project))
    installed = venv.distributions().installed
    own = [name for name, each in installed.items() if each.is_of(project)]
    if unmet := locked.find_unmet(venv.target, installed, own):
        line = f"{locked.paths} has not all that the project itself needs; if this session runs it,"
        line += " name its pyproject.toml in the `inputs` of the lock:"
        locked.console.log(line, *(f"  {each}" for each in unmet))


def _verify(locked: LockedEnvironment, comparison: Comparison) -> None:
    """Check that the dependencies of what is installed are met, and note it."""
    target, kept = locked.venv.target, comparison.kept  # which a new environment lacks at first
    installed = {name: each for name, each in comparison.installed.items() if name not in kept}
    unmet = locked.find_unmet(target, installed)
    if not unmet:
        locked.venv.write_note(locked.note(VERIFIED), comparison.digest)
        return
    here = running_platform()
    hint = f"Lock again, from the pins it has: {locked.console.lock_command}"
    stamps = (each.current.stamp for each in locked.planned if each.current)
    elsewhere = [each.platform for each in stamps if each and each.platform != str(here)]
    newest = target._replace(patch=locked.planned[0].target.patch or NEWEST_PATCH)
    if not locked.find_unmet(newest, installed):
        hint = _USE_LATER.format(has=target.full_version)
    elif elsewhere:
        hint = f"It was made on {elsewhere[0]}, this is {here}. Have one for each: [tool.nox-lock] "
        hint += f'platforms = ["{elsewhere[0].partition("-")[0]}", "{here.system}"]'
    lines = "".join(f"\n  {each}" for each in unmet)
    raise NoxLockError(f"{locked.paths} lacks what its own pins need:{lines}", hint=hint)


def find_yanked(log: str, installed: Sequence[Difference]) -> list[str]:
    """Return a line for each pin that was installed although it is yanked, with the reason."""
    found = _YANKED_BY_PIP.findall(log) + _YANKED_BY_UV.findall(_COLOUR.sub("", log))
    reasons = {str(canonicalize_name(name)): reason.strip() for name, reason in found}
    return [
        f"{each.pin.shown} was yanked: {reasons[name] or '<none given>'} ({each.place})"
        for each in installed
        if (name := each.pin.name or "") in reasons
    ]


def list_first(texts: Iterable[str]) -> list[str]:
    """Return a line for each of the first texts, and one that says how many more there are."""
    lines = [f"  {each}" for each in texts]
    more = f"  and {len(lines) - _SHOWN} more"
    return [*lines[:_SHOWN], more] if len(lines) > _SHOWN else lines


def explain_failure(
    result: Installed, missing: Sequence[Difference], lock: str, target: Target
) -> NoxLockError:
    """Return the error for a failed install of `missing` pins: which of them, and how to fix it."""
    text = _COLOUR.sub("", result.log)
    found = _ERRORS.search(text)
    errors = " ".join(found[1].split()) if found else ""  # uv wraps its lines, as a terminal does
    failed = _find_failed(errors, missing)
    pins = " ".join(f"-P {each.pin.shown}" for each in failed if each.pin.version)
    pages = _SKIPPED.findall(text)
    skipped = sorted({f"  {origin(url)}: {status or 'no answer'}" for url, status in pages})
    fixes = (fix for said, fix in _FIXES.items() if re.search(said, errors, re.IGNORECASE))
    fix = _NO_ANSWER if skipped else next(fixes, "")
    if fix == _GONE and result.hiding:
        fix = "Unset what may hide it, and run this again: {hiding}"
    names, hiding = re.sub(r"==\S+", "", pins), ", ".join(result.hiding)
    hint = fix.format(lock=lock, pins=pins, names=names, hiding=hiding, has=target.full_version)
    lines = list_first(f"{each.pin.shown} ({each.place})" for each in failed)
    message = "\n".join(["not all that is locked could be installed:", *lines, *skipped])
    return NoxLockError(message, hint=hint.removesuffix(" -- ") or None)


def _find_failed(errors: str, missing: Sequence[Difference]) -> Sequence[Difference]:
    """Return the pins that errors name with versions, or by page; else by name; else all."""
    exact, named = [], []
    for each in missing:
        name = re.escape(each.pin.name or each.pin.shown).replace("\\-", "[-_.]")
        version = re.escape(each.pin.version or "")
        page = rf"Failed to fetch: \S*/{name}/[`\s]"
        pin = rf"(?<![\w.-]){name}(?:\[[^\]]*\])?=={version}(?![\w+!]|\.\w)"
        if re.search(f"{pin}|{page}", errors, re.IGNORECASE):
            exact.append(each)
        if re.search(rf"(?<![\w./\\-]){name}(?![\w/\\-]|\.\w)", errors, re.IGNORECASE):
            named.append(each)
    return exact or named or missing
