"""Make a `pylock.toml` of the lock files of a lock: nothing is resolved, no pin moves."""

from __future__ import annotations

import posixpath
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote

from nox_lock.checking import expected_pylock
from nox_lock.errors import LockFileError
from nox_lock.inputs.entry import URL
from nox_lock.inputs.requirements import Inputs
from nox_lock.inputs.toml_tables import parse_toml
from nox_lock.lockfile import pylock
from nox_lock.lockfile.pylock import PylockFile
from nox_lock.locking.changes import MADE, Outcome
from nox_lock.locking.one_lock import check_replaceable
from nox_lock.target import running_target
from nox_lock.text import mask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_lock.locking.compiler import Compiler
    from nox_lock.planning.lock_plan import PylockPlan

# Options of inputs that say where files are; a folder is an argument of pip-compile.
_READ = (*expected_pylock.INDEXES, "--no-index", "--trusted-host")


def make_pylock(compiler: Compiler, planned: PylockPlan) -> Outcome:
    """Make a pylock, but do not write it; the files that it has are not looked for.

    Raises:
        NoxLockError: saying why it cannot be made.
    """
    began = time.monotonic()
    options = compiler.options
    if not options.overwrite:
        check_replaceable(planned, compiler.console.lock_command)
    packages = expected_pylock.find_packages(planned)
    known = _read_known(planned) if options.use_cache else {}
    text = render(compiler, planned, packages, known)
    if b"\r\n" in (planned.data or b""):
        text = text.replace("\n", "\r\n")
    notes = tuple(expected_pylock.find_notes(planned, packages))
    return Outcome(planned, MADE, text, time.monotonic() - began, notes=notes)


def _read_known(planned: PylockPlan) -> dict[str, list[PylockFile]]:
    """Return the files of the pylock that is there, if they may be looked for where they were."""
    with suppress(LockFileError):  # of one that is not there, or was changed
        text = expected_pylock.read_own(planned)
        if expected_pylock.has_indexes(planned, text):
            return pylock.read_files(text)
    return {}


def render(
    compiler: Compiler,
    planned: PylockPlan,
    packages: expected_pylock.Packages,
    known: Mapping[str, list[PylockFile]],
) -> str:
    """Return the text of a pylock with files that are known, and else with those of the pages.

    Raises:
        LockFileError: for a file that no page has, or that a pylock cannot name.
        CompileError: for an index that fails.
    """
    lacking = {
        sha256: package
        for package in packages
        if package.version
        for sha256 in sorted(package.hashes - known.keys())
    }
    found: dict[str, list[PylockFile]] = {}
    if lacking:
        found, refused = _find_files(compiler, planned, lacking)
        for sha256 in sorted(lacking.keys() - found.keys()):
            package = lacking[sha256]
            fault = refused.get(sha256, "no page of an index that it may name has this file")
            fix = "Write --extra-index-url URL into an input: it names files of the default index, "
            fix += "and of those that are declared there. Or say"
            raise LockFileError(
                f"{package.shown} cannot be in {planned.path}: {fault}: sha256:{sha256}",
                next(iter(packages[package].values())),
                f"{'Say' if sha256 in refused else fix} "
                f"[tool.nox-lock.locks.{planned.name}] pylock = false",
            )
    text = pylock.render(expected_pylock.expect(planned, packages, {**known, **found}))
    try:
        _validate(planned._replace(data=text.encode()))
    except LockFileError:
        if not known:
            raise
        return render(compiler, planned, packages, {})  # the index may have moved its files
    return text


def _find_files(
    compiler: Compiler, planned: PylockPlan, lacking: dict[str, expected_pylock.Package]
) -> tuple[dict[str, list[PylockFile]], dict[str, str]]:
    """Return files by sha256, as index pages have them, and why others cannot be named."""
    wanted: dict[str, list[str]] = {}
    for sha256, package in sorted(lacking.items(), key=lambda each: (each[1].name, each[0])):
        wanted.setdefault(package.name, []).append(sha256)
    low = planned.below[0]
    lines = [
        f"{each.name} {each.value}"
        for each in low.inputs.options
        if each.name in _READ and (each.name != "--find-links" or URL.match(each.value))
    ]
    inputs = Inputs()
    inputs.options = low.inputs.options
    inputs.written = {"the options of the inputs": lines}
    order = compiler.order(low, {})._replace(path=planned.path, inputs=inputs, files=wanted)
    order = order._replace(target=running_target(), system="", arguments=(), constraints=())
    found: dict[str, list[PylockFile]] = {}
    refused: dict[str, str] = {}
    for _, url, moment, size, sha256 in compiler.compile(order, ()).files:
        address = _find_address(url, planned, compiler.project.root.as_uri())
        file = PylockFile(address, pylock.plain_time(moment), size, sha256)
        where = address.partition("://")[2]
        if mask(where) != where:
            refused[sha256] = "its URL has a secret"
        elif sha256 not in pylock.read_files(f"  {file},"):
            refused[sha256] = "its URL has unusual characters"
        elif fault := next(expected_pylock.find_wrong_files(planned, [file]), ""):
            refused[sha256] = fault
        else:
            known = found.setdefault(sha256, [])
            if all(each.name != file.name for each in known):
                known.append(file)
    return found, refused


def _find_address(url: str, planned: PylockPlan, root: str) -> str:
    """Return the URL of a file; of one in the project its path, which the driver has shortened."""
    for start in (f"{root}/", "file://"):
        if url.startswith(start):
            path = unquote(url[len(start) :])
            return posixpath.relpath(path, posixpath.dirname(planned.path) or ".")
    return url


def _validate(made: PylockPlan) -> None:
    from packaging.pylock import Pylock, PylockValidationError  # noqa: PLC0415  (no check needs it)

    try:
        Pylock.from_dict(parse_toml(made.data or b"", made.path).values)
    except PylockValidationError as error:
        raise LockFileError(f"it would not be valid: {error}", made.at()) from error
    for reason in expected_pylock.judge_pylock(made).reasons:
        raise LockFileError(f"it would not be fresh: {reason.message}", reason.place)
