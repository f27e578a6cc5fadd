"""Make a `pylock.toml` of the lock files of a lock: nothing is resolved, no pin moves."""

from __future__ import annotations

import posixpath
import re
import time
from contextlib import suppress
from dataclasses import replace
from urllib.parse import unquote

from nox_lock.checking import expected_pylock
from nox_lock.checking.expected_pylock import Packages
from nox_lock.errors import ConfigError, LockFileError, Reason
from nox_lock.inputs.entry import URL, Inputs
from nox_lock.inputs.syntax import INDEXES
from nox_lock.inputs.toml_tables import parse_toml
from nox_lock.lockfile import pylock
from nox_lock.lockfile.pylock import Files, PylockFile
from nox_lock.locking.changes import MADE, Outcome
from nox_lock.locking.compiler import Compiler
from nox_lock.locking.one_lock import check_replaceable
from nox_lock.planning.lock_plan import PylockPlan
from nox_lock.target import running_target
from nox_lock.text import mask

# Options of inputs that say where files are; a folder is an argument of pip-compile.
_READ = (*INDEXES, "--no-index", "--trusted-host")
_FIX = (
    "Write --extra-index-url URL into an input: it names files of the default index, and of those "
    "that are declared there. Or say"
)


def make_pylock(compiler: Compiler, planned: PylockPlan) -> Outcome:
    """Make a pylock, but do not write it; the files that it has are not looked for."""
    from packaging.pylock import Pylock, PylockValidationError  # noqa: PLC0415  (no check needs it)

    began = time.monotonic()
    check_replaceable(compiler, planned)
    packages = expected_pylock.find_packages(planned)
    known: Files = {}
    with suppress(ConfigError):  # of one that is not there, or was changed
        old, found = pylock.parse(planned.text, planned.path)
        # What they were looked for in.
        indexes = {*re.findall(r'^  "(--.*)",$', old, re.MULTILINE)}
        if indexes == {*expected_pylock.find_indexes(planned)} and not compiler.options.no_cache:
            known = found
    while True:
        files = _find_files(compiler, planned, packages, known)
        text = expected_pylock.expect(planned, packages, files)
        made = planned._replace(data=text.encode())
        _, reasons, notes, *_ = expected_pylock.judge_pylock(made)
        try:
            Pylock.from_dict(parse_toml(text.encode(), planned.path).values)
        except PylockValidationError as error:
            reasons = (Reason(str(error), made.at()),)
        if not (reasons and known):
            break
        known = {}  # the index may have moved its files
    if reasons:
        raise LockFileError(f"it would not be valid: {reasons[0].message}", reasons[0].place)
    if b"\r\n" in (planned.data or b""):
        text = text.replace("\n", "\r\n")
    return Outcome(planned, MADE, text, time.monotonic() - began, notes=notes)


def _find_files(compiler: Compiler, planned: PylockPlan, packages: Packages, known: Files) -> Files:
    """Return those that are known, and the others as the pages of the indexes have them."""
    wanted: dict[str, list[str]] = {}
    for package in packages:
        if package.version and (lacking := [each for each in package.hashes if each not in known]):
            wanted.setdefault(package.name or "", []).extend(lacking)
    if not wanted:
        return known
    low, inputs = planned.below[0], Inputs()
    inputs.options = low.inputs.options
    inputs.written["the options of the inputs"] = [
        f"{each.name} {each.value}"
        for each in inputs.options
        if each.name in _READ and (each.name != "--find-links" or URL.match(each.value))
    ]
    order = compiler.order(replace(low, target=running_target(), system=""))._replace(
        path=planned.path,
        indexes=compiler.indexes.of_declared(each.value for each in inputs.options),
        inputs=inputs,
        arguments=(),
        constraints=(),
        files=wanted,
    )
    files = {**known}
    faults: dict[str, str] = {}
    for url, uploaded, size, sha256 in compiler.compile(order, ()).report.files:
        # As `datetime` has it: a formatter of TOML may write it again.
        moment = re.sub(r"\.(\d{1,6})\d*Z", lambda found: f".{found[1]:0<6}Z", uploaded)
        moment = moment.replace(".000000Z", "Z")
        # The driver has shortened the path of one in the project.
        path = url.removeprefix(f"{compiler.project.root.as_uri()}/").removeprefix("file://")
        folder = posixpath.dirname(planned.path) or "."
        address = url if path == url else posixpath.relpath(unquote(path), folder)
        file = PylockFile(address, moment, size, sha256)
        file = file if file.is_plain else file._replace(time="", size="")
        faults[sha256] = expected_pylock.find_wrong_place(planned, [file])
        if mask(where := address.partition("://")[2]) != where or not file.is_plain:
            faults[sha256] = "its URL has a secret, or unusual characters"
        if not faults[sha256]:
            files.setdefault(sha256, []).append(file)
    for package, place in packages.items():
        for sha256 in package.hashes if package.version else ():
            if sha256 not in files:
                fault = faults.get(sha256, "no page of an index that it may name has this file")
                raise LockFileError(
                    f"{package.shown} cannot be in {planned.path}: {fault}: sha256:{sha256}",
                    place,
                    f"{_FIX} [tool.nox-lock.locks.{planned.name}] pylock = false",
                )
    return files
