"""Make a `pylock.toml` of the lock files of a lock: nothing is resolved, no pin moves."""

from __future__ import annotations

import posixpath
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from packaging.utils import parse_sdist_filename, parse_wheel_filename

from nox_lock.checking.pylock import (
    INDEXES,
    expect,
    find_hashes,
    find_notes,
    find_packages,
    find_wrong_files,
    judge_pylock,
    read_own,
)
from nox_lock.errors import LockFileError
from nox_lock.inputs.entry import URL
from nox_lock.inputs.requirements import Inputs
from nox_lock.inputs.toml_tables import parse_toml
from nox_lock.lockfile import pylock
from nox_lock.lockfile.pylock import File
from nox_lock.locking.changes import MADE, UP_TO_DATE, Outcome
from nox_lock.locking.one_lock import check_replaceable
from nox_lock.target import running_target
from nox_lock.text import mask

if TYPE_CHECKING:
    from nox_lock.checking.pylock import Packages
    from nox_lock.locking.compiler import Compiler
    from nox_lock.planning.lock_plan import PylockPlan

# Options of inputs that say where files are; a folder is an argument of pip-compile.
_READ = (*INDEXES, "--no-index", "--trusted-host")


def make_pylock(compiler: Compiler, planned: PylockPlan) -> Outcome:
    """Make a pylock, but do not write it; the files that it has are not looked for.

    Raises:
        NoxLockError: saying why it cannot be made.
    """
    began, options = time.monotonic(), compiler.options
    if options.are_met(planned, judge_pylock(planned)):
        return Outcome(planned, UP_TO_DATE)
    if not options.overwrite:
        check_replaceable(planned, compiler.console.lock_command)
    packages = find_packages(planned)
    files: dict[str, list[File]] = {}
    if options.use_cache:
        with suppress(LockFileError):  # of one that is not there, or was changed
            files = pylock.read_files(read_own(planned))
    files |= _find_files(compiler, planned, packages, files)
    text = pylock.render(expect(planned, packages, files))
    _validate(replace(planned, data=text.encode()))
    notes = tuple(find_notes(packages))
    return Outcome(planned, MADE, text, time.monotonic() - began, notes=notes)


def _find_files(
    compiler: Compiler, planned: PylockPlan, packages: Packages, known: dict[str, list[File]]
) -> dict[str, list[File]]:
    """Return, by sha256, the files that are pinned and not known, as index pages have them."""
    lacking = {
        sha256: package
        for package, places in packages.items()
        if package.version
        for sha256 in sorted(find_hashes(package, places) - known.keys())
    }
    if not lacking:
        return {}
    names = sorted({package.name for package in lacking.values()})
    wanted = {name: [each for each in lacking if lacking[each].name == name] for name in names}
    low = planned.below[0]
    lines = [
        f"{each.name} {each.value}"
        for each in low.inputs.options
        if each.name in _READ and (each.name != "--find-links" or URL.match(each.value))
    ]
    inputs = Inputs((), options=low.inputs.options, written={"the options of the inputs": lines})
    order = replace(compiler.order(low, {}), path=planned.path, inputs=inputs, files=wanted)
    order = replace(order, target=running_target(), system="", arguments=(), constraints=())
    found: dict[str, list[File]] = {}
    refused: dict[str, str] = {}
    for _, url, moment, size, sha256 in compiler.compile(order, ()).files:
        address = _find_address(url, planned, compiler.project.root.as_uri())
        file = File(address, pylock.plain_time(moment), size, sha256)
        if fault := _find_fault(planned, file):
            refused[sha256] = fault
        elif not _has_valid_name(file):
            found.setdefault(sha256, [])
        elif all(each.name != file.name for each in found.get(sha256, ())):
            found.setdefault(sha256, []).append(file)
    for sha256 in sorted(lacking.keys() - found.keys()):
        package = lacking[sha256]
        fault = refused.get(sha256, "no page of an index that it may name has this file")
        raise LockFileError(
            f"{package.shown} cannot be in {planned.path}: {fault}: sha256:{sha256}",
            next(iter(packages[package].values())),
            "It names files of the default index, and of those that an input declares: write "
            f"--extra-index-url URL there. Or [tool.nox-lock.locks.{planned.name}] pylock = false",
        )
    return found


def _find_address(url: str, planned: PylockPlan, root: str) -> str:
    """Return the URL of a file, or its path relative to the pylock.

    In what the driver reports, files of the project have no absolute path.
    """
    for start in (f"{root}/", "file://"):
        if url.startswith(start):
            path = unquote(url[len(start) :])
            return posixpath.relpath(path, posixpath.dirname(planned.path) or ".")
    return url


def _find_fault(planned: PylockPlan, file: File) -> str:
    """Return why a file cannot be named, or nothing."""
    where = file.address.partition("://")[2]
    if mask(where) != where:
        return "its URL has a secret"
    if file.sha256 not in pylock.read_files(f"  {file},"):
        return "its URL has unusual characters"
    return next(find_wrong_files(planned, [file]), "")


def _has_valid_name(file: File) -> bool:
    parse = parse_wheel_filename if file.name.endswith(".whl") else parse_sdist_filename
    with suppress(ValueError):
        return bool(parse(file.name))
    return False


def _validate(made: PylockPlan) -> None:
    """Refuse a pylock that is not fresh, or not valid by the standard."""
    from packaging.pylock import Pylock, PylockValidationError  # noqa: PLC0415  (no check needs it)

    try:
        Pylock.from_dict(parse_toml(made.data or b"", made.path).values)
    except PylockValidationError as error:
        raise LockFileError(f"it would not be valid: {error}", made.at()) from error
    for reason in judge_pylock(made).reasons:
        raise LockFileError(f"it would not be fresh: {reason.message}", reason.place)
