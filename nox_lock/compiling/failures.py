"""What the driver reports of a compile, and what to say of one that failed.

pip passes over an index that fails; we do not: another may offer somebody else's package.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nox_lock.compiling.demands import Demand, Versions, describe_demands, find_origin, read_demand
from nox_lock.compiling.interpreters import install_command, tool_versions
from nox_lock.errors import CompileError, Place
from nox_lock.inputs.entry import Entry, Inputs
from nox_lock.text import origin, quoted, shareable, without_folders

_LINES = 40  # of what a build printed: a failure in CI cannot be repeated
_PLACE = re.compile(r"(?:-[rc] (\S+) \(line (\d+)\)|\(from line (?P<line>\d+) of (?P<file>.+?)\))")
_EGG = re.compile(r"(-e )?(\S+?)[#&]egg=([\w.-]+)([^\s&;\w.-][^\s&;]*)(&[^\s;]*)?")
_REASON = re.compile(r"^\s*(?:fatal|abort|error|svn: E\d+): (.+)$", re.MULTILINE)
_FORMAT = "Its format: https://pip.pypa.io/en/stable/reference/requirements-file-format/"


class Report(NamedTuple):
    """What happened in a compile, and what ended it, if it failed."""

    kind: str = ""  # of the failure, see `driver.report.Recorder.note_failure`; empty for none
    message: str = ""
    name: str | None = None  # the project it is about
    link: str | None = None  # the URL of it, or what could not be fetched; without credentials
    entry: Entry | None = None  # the requirement of an input that it comes from
    project: str | None = None  # the input that is itself a project and could not be built
    output: Sequence[str] = ()
    demands: Sequence[Demand] = ()
    versions: Mapping[str, Versions] = {}
    indexes: Sequence[Sequence[str]] = ()  # that failed: address, problem
    built: Sequence[Sequence[str]] = ()  # for its metadata: project, version
    built_projects: Sequence[str] = ()  # inputs that are projects and had to be built
    yanked: Sequence[Sequence[str]] = ()  # pins (PEP 592): project, version, reason
    extras: Sequence[Sequence[str]] = ()  # that do not exist: project, version, extra
    files: Sequence[Sequence[str]] = ()  # that were looked for: URL, time, size, sha256
    unsupported: Sequence[str] = ()


def read_report(path: Path, inputs: Inputs, show: Callable[[str], str] = str) -> Report | None:
    """Return the report in a file, or None if there is no whole one; `show` changes each text."""
    try:
        found = _show_all(json.loads(path.read_bytes()), show)
    except (OSError, ValueError):
        return None
    found |= found.get("failure", {})
    known = {name: each for name, each in found.items() if name in Report._fields}
    known["entry"], _ = find_origin(found.get("name") or "", found, inputs)
    said = found.get("demands", ())
    known["demands"] = [demand for each in said for demand in read_demand(each, inputs)]
    versions = found.get("versions", {}).items()
    known["versions"] = {name: Versions(**each) for name, each in versions}
    return Report(**known)


def _show_all(found: Any, show: Callable[[str], str]) -> Any:
    if isinstance(found, dict):
        return {key: _show_all(each, show) for key, each in found.items()}
    if isinstance(found, list):
        return [_show_all(each, show) for each in found]
    return show(found) if isinstance(found, str) else found


def describe_failure(report: Report, inputs: Inputs) -> CompileError | None:
    """Return the error for a compile, or None where nothing failed."""
    if report.unsupported:
        pip_tools, pip = tool_versions()
        message = f"pip {pip} with pip-tools {pip_tools} is not supported: {report.unsupported[0]}"
        return CompileError(shareable(message), hint=f"Run: {install_command()}", kind="tool")
    if report.kind == "disk":
        return CompileError("the disk is full: nothing was written", kind="disk")
    if report.indexes:
        hosts = {origin(address) for address, _ in report.indexes}
        place = next((each.place for each in inputs.options if origin(each.value) in hosts), None)
        failed = (f"{without_folders(url)}: {shareable(why)}" for url, why in report.indexes)
        message = f"a package index failed: {'; '.join(failed)}"
        hint = "Nothing was locked: another index may offer somebody else's package instead."
        return CompileError(message, place, hint, kind="index")
    if not report.kind:
        return None
    describe: Callable[[Report, Inputs], CompileError] = {
        "demands": lambda each, _: describe_demands(each.demands, each.versions),
        "download": _download,
        "hash": _hash,
        "egg": _egg,
        "repository": _build,
        "build": _build,
    }.get(report.kind, _plain)
    error = describe(report, inputs)
    if error.place is None and report.entry is not None:
        error.place = report.entry.place
    error.message = shareable(error.message)
    error.hint = error.hint and shareable(error.hint)
    return error


def _download(report: Report, inputs: Inputs) -> CompileError:
    url = report.link or ""
    # An option may have a login with variables, and a query, which are not reported.
    path = url.partition("?")[0].partition("://")[2]
    named = [each for each in inputs.remote if path and path in each.value]
    others = [] if report.entry or inputs.remote[1:] else inputs.remote  # it was redirected
    option = next(iter(named or others), None)
    what = option.name if option else report.name or "a requirement"
    message = f"{what} {url} cannot be read: {report.message}"
    hint = "Run this again when it can be reached, or keep a copy of it in the project."
    return CompileError(message, option and option.place, hint, kind="index")


def _hash(report: Report, _inputs: Inputs) -> CompileError:
    # It names no projects: starting pins without them would lock the other file, unseen.
    message = "the index offers another file than those that the lock file has hashes of"
    hint = "Somebody may have tampered with it: find out. If all is well, or the version was "
    hint += f"changed by hand, lock with: -- -P {report.name or 'NAME'}==VERSION"
    if report.entry is not None and "--hash=" in report.entry.text:
        message = "no file that is offered has a hash that is given here"
        hint = "Correct the hashes, or take them out of the input."
    return CompileError(f"{report.name or 'a project'}: {message}", hint=hint, kind="hash")


def _egg(_report: Report, inputs: Inputs) -> CompileError:
    """Say how to write a URL that gives its project more than a name, which pip 26 refuses."""
    for entry in inputs.entries:
        if egg := _EGG.match(entry.text):
            option, url, name, more, rest = egg.groups("")
            url += rest if "#" in url else rest.replace("&", "#", 1)
            message = f"{quoted(f'egg={name}{more}')} of a URL is more than a project's name"
            hint = f"Write it as: {option}{name}{more * more.startswith('[')} @ {url}"
            return CompileError(message, entry.place, hint, kind="syntax")
    return CompileError("the egg fragment of a URL is more than a project's name", kind="syntax")


def _build(report: Report, _inputs: Inputs) -> CompileError:
    """Say why a project could not be fetched or built, with the end of what that printed."""
    what, folder = report.name or report.link or "a project", ""
    if report.project:
        what, folder = report.project, posixpath.dirname(report.project) or "."
    elif report.entry and report.entry.url and report.name in {None, report.entry.name}:
        url = report.entry.url.partition("#")[0]
        if "://" not in url:
            what = folder = url if url.startswith((".", "/")) else f"./{url}"
    printed = [each for each in report.output if each.strip()] or report.message.split("\n")[:1]
    reason = printed[-1].strip()
    lines = [f"  {each}" for each in printed[-_LINES:]] if len(printed) > 1 else []
    message = f"{what} has to be built to be locked, and its build failed: {reason}"
    hint = "Install what its build needs, or ask for a version with a wheel for this Python."
    if report.kind == "repository":
        reason = (_REASON.findall("\n".join(printed)) or [reason])[-1]
        message = f"{what}: its repository cannot be read: {reason}"
        hint = "Check its address and revision, and that you may read it."
    elif re.search(r"No module named ['\"]?pkg_resources", "\n".join(printed)):
        hint = "It needs a setuptools that still has pkg_resources: write setuptools<81 into "
        hint += 'builds.txt, and [tool.nox-lock] build-constraints = ["builds.txt"]'
    elif folder:
        hint = f"See what is wrong with it: python -m pip wheel --no-deps {folder}"
    place = Place(report.project) if report.project else None
    names = (report.name,) if report.name and not folder else ()
    return CompileError("\n".join([message, *lines]), place, hint, kind="build", projects=names)


def _plain(report: Report, inputs: Inputs) -> CompileError:
    """Say what pip says, with the line of an input that it speaks of, and what to do about it."""
    message, place = report.message, report.entry and report.entry.place
    if report.kind == "tool":
        message = f"pip-tools does not work here: {message}"
        return CompileError(message, hint=f"Run: {install_command()}", kind="tool")
    if place is None and (found := _PLACE.search(message)):
        place = Place(found[1] or found["file"], int(found[2] or found["line"]))
    if place is None:
        options = ((f"{each.name} {each.value}", each.place) for each in inputs.options)
        direct = ((each.url, each.place) for each in inputs.entries if each.url)
        place = next((at for text, at in (*options, *direct) if text in message), None)
    if report.kind == "syntax":
        return CompileError(message.partition("\n")[0], place, _FORMAT, kind="syntax")
    return CompileError(f"pip-tools failed: {message.strip()}", place, kind="other")
