"""Make a `pylock.toml` of the lock files of a lock: nothing is resolved, no pin moves."""

from __future__ import annotations

import posixpath
import time
from dataclasses import replace
from urllib.parse import unquote

from nox_lock.checking import pylock
from nox_lock.checking.pylock import Files, Packages
from nox_lock.errors import LockFileError, Reason
from nox_lock.inputs.entry import URL, Inputs
from nox_lock.inputs.toml_tables import parse_toml
from nox_lock.locking.changes import MADE, Outcome
from nox_lock.locking.compiler import Compiler
from nox_lock.planning.lock_plan import PylockPlan
from nox_lock.target import running_target


def make_pylock(compiler: Compiler, planned: PylockPlan) -> Outcome:
    """Make a pylock, but do not write it; the files that it has are not looked for."""
    from packaging.pylock import Pylock, PylockValidationError  # noqa: PLC0415  (no check needs it)

    began = time.monotonic()
    compiler.check_replaceable(planned)
    packages = pylock.find_packages(planned)
    known = pylock.find_files(planned.text)
    unchanged = pylock.digest(planned, known) in planned.text
    known = known if unchanged and not compiler.options.no_cache else {}
    text = pylock.expect(planned, packages, _find_files(compiler, planned, packages, known))
    if known and not pylock.judge_pylock(planned._replace(data=text.encode())).fresh:
        # The index may have moved its files.
        text = pylock.expect(planned, packages, _find_files(compiler, planned, packages, {}))
    _, reasons, notes, *_ = pylock.judge_pylock(planned._replace(data=text.encode()))
    try:
        Pylock.from_dict(parse_toml(text.encode(), planned.path).values)
    except PylockValidationError as error:
        reasons = (Reason(str(error), planned.at()),)
    if reasons:
        raise LockFileError(f"it would not be valid: {reasons[0].message}", reasons[0].place)
    if b"\r\n" in (planned.data or b""):
        text = text.replace("\n", "\r\n")
    return Outcome(planned, MADE, text, time.monotonic() - began, notes=notes)


def _find_files(compiler: Compiler, planned: PylockPlan, packages: Packages, known: Files) -> Files:
    """Return those that are known, and the others as the pages of the indexes have them."""
    lacking = {
        sha256: (package, place)
        for package, place in packages.items()
        for sha256 in (package.hashes if package.version else ())
        if sha256 not in known
    }
    if not lacking:
        return known
    wanted: dict[str, list[str]] = {}
    for sha256, (package, _) in lacking.items():
        wanted.setdefault(package.name or "", []).append(sha256)
    inputs = Inputs()
    inputs.options = planned.inputs.options
    inputs.written["the options of the inputs"] = [
        f"{each.name} {each.value}"
        for each in inputs.options
        if each.name != "--find-links" or URL.match(each.value)  # a folder is an argument
    ]
    low = replace(planned.below[0], inputs=inputs, below=(), target=running_target(), system="")
    order = compiler.order(low)._replace(
        path=planned.path,
        indexes=compiler.indexes.of_declared(each.value for each in inputs.options),
        files=wanted,
    )
    files = {**known}
    faults = dict.fromkeys(lacking, "no page of an index that it may name has this file")
    for url, uploaded, size, sha256 in compiler.compile(order, ()).report.files:
        # The driver has shortened the path of one in the project.
        path = url.removeprefix(f"{compiler.project.root.as_uri()}/").removeprefix("file://")
        folder = posixpath.dirname(planned.path) or "."
        address = url if path == url else posixpath.relpath(unquote(path), folder)
        file = pylock.make_file(address, uploaded, size, sha256)
        if file is None:
            faults[sha256] = "its URL has a secret, a login, a query, or unusual characters"
        elif fault := pylock.find_wrong_place(planned, [file]):
            faults[sha256] = fault
        else:
            files.setdefault(sha256, file)
    for sha256, (package, place) in lacking.items():
        if sha256 not in files:
            said = f"{package.shown} cannot be in {planned.path}: {faults[sha256]}: sha256:{sha256}"
            hint = (
                "Write --extra-index-url URL into an input: it names files of the default index, "
            )
            hint += "and of those that are declared there. "
            hint += f"Or say [tool.nox-lock.locks.{planned.name}] pylock = false"
            raise LockFileError(said, place, hint)
    return files
