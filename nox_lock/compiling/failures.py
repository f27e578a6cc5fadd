"""What the driver reports of a compile, and what to say of one that failed.

pip passes over an index that fails; we do not: another may offer somebody else's package.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nox_lock.compiling.demands import (
    OTHER_VERSION,
    Demand,
    Versions,
    describe_demands,
    find_origin,
    read_demand,
)
from nox_lock.compiling.interpreters import install_command, tool_versions
from nox_lock.errors import CompileError, Place
from nox_lock.inputs.entry import Entry, Inputs
from nox_lock.text import origin, quoted, shareable, without_folders

_FINE = (200, 404, 410)
_FORBIDDEN = 403
_LOGIN = "in pip's configuration or netrc, or keyring-provider = subprocess"
_WHY = {401: f": it wants a user name and password ({_LOGIN})"}
PROBLEMS = {
    "tls": "TLS failed: its certificate is not trusted, or it speaks no TLS",
    "refused": "it cannot be reached: connection refused",
    "timeout": "it did not answer in time",
    "name": "its name cannot be resolved",
    "broken": "its answer broke off",
    "unreachable": "it cannot be reached",
    "untrusted": "it is plain http and not trusted by pip",
    "unreadable": "what it answers for {} cannot be read",
    "page": "what it answers for {} is not a page of the simple API: is it a login page? "
    "(A page without files has a meta element named pypi:repository-version)",
}
_LINES = 40  # of what a build printed: a failure in CI cannot be repeated
_PLACE = re.compile(r"(?:-[rc] (\S+) \(line (\d+)\)|\(from line (?P<line>\d+) of (?P<file>.+?)\))")
_EGG = re.compile(r"[#&]egg=(?P<name>[\w.-]+)(?P<rest>[^&]*)")
_REASON = re.compile(r"^\s*(?:fatal|abort|error|svn: E\d+): (.+)$", re.MULTILINE)
_FORMAT = "Its format: https://pip.pypa.io/en/stable/reference/requirements-file-format/"


class Page(NamedTuple):
    """An index page that was asked for, and how that was answered."""

    address: str = ""  # of the index that it belongs to, without credentials
    project: str = ""
    status: int | None = None  # of HTTP, or None where there was no answer that counts
    problem: str = ""  # what else was wrong: a key of `PROBLEMS`, or in words

    @property
    def reason(self) -> str:
        """Why it was not fetched, in our words; in pip's where we have none."""
        if self.status is not None:
            return f"it answered {self.status}{_WHY.get(self.status, '')}"
        words = PROBLEMS.get(self.problem, "").format(self.project)
        return words or shareable(self.problem) or "it gave no answer"


def index_reasons(pages: Sequence[Page]) -> list[str]:
    """Say, a line each, which indexes failed, and how.

    404 and 410, and 403 for single projects, only mean that an index does not have a project. What
    is not a page of the simple API may mean that, too, where no other index could offer it instead.
    """
    failed: dict[str, str] = {}
    fine = {page.address for page in pages if page.status in _FINE}
    several = len({page.address for page in pages}) > 1
    for page in pages:
        forbidden = page.status == _FORBIDDEN
        excused = forbidden or (page.problem == "page" and not several)
        if page.status not in _FINE and not (excused and page.address in fine):
            failed.setdefault(page.address, page.reason + " to everything" * forbidden)
    return [f"{without_folders(index)}: {why}" for index, why in failed.items()]


def index_error(reasons: Iterable[str], place: Place | None = None) -> CompileError:
    """Return the error for indexes that failed, or hosts of files."""
    message = f"a package index failed: {'; '.join(reasons)}"
    hint = "Nothing was locked: another index may offer somebody else's package instead."
    return CompileError(message, place, hint, kind="index")


class Report(NamedTuple):
    """What happened in a compile, and what ended it, if it failed."""

    kind: str = ""  # of the failure, see `driver.report.Recorder.note_failure`; empty for none
    message: str = ""
    name: str | None = None  # the project it is about
    link: str | None = None  # the URL of that requirement, without credentials
    entry: Entry | None = None  # the requirement of an input that it comes from
    project: str | None = None  # the input that is itself a project and could not be built
    output: Sequence[str] = ()
    page: Page = Page()
    demands: Sequence[Demand] = ()
    versions: Mapping[str, Versions] = {}
    pages: Sequence[Page] = ()
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
    failure = found.get("failure", {})
    known = {name: each for name, each in (found | failure).items() if name in Report._fields}
    known["pages"] = [Page(**each) for each in found.get("pages", ())]
    if failure:
        known["entry"], _ = find_origin(failure.get("name") or "", failure, inputs)
        known["page"] = Page(**failure.get("page", {}))
        said = failure.get("demands", ())
        known["demands"] = [demand for each in said for demand in read_demand(each, inputs)]
        versions = failure.get("versions", {}).items()
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
        return _describe_unsupported(report.unsupported)
    if report.kind == "disk":
        return CompileError("the disk is full: nothing was written", kind="disk")
    if failed := index_reasons(report.pages):
        hosts = {origin(each.partition(": ")[0]) for each in failed}
        declared = (each.place for each in inputs.options if origin(each.value) in hosts)
        return index_error(failed, next(declared, None))
    if not report.kind:
        return None
    entry = report.entry
    if report.kind == "download":
        reason = f"{report.page.address}: {report.page.reason}".removeprefix(": ")
        return index_error([reason], entry.place if entry and entry.url else None)
    describe: Callable[[Report, Inputs], CompileError] = {
        "demands": lambda each, _: describe_demands(each.demands, each.versions, inputs),
        "remote": _remote,
        "hash": _hash,
        "egg": _egg,
        "repository": _build,
        "build": _build,
    }.get(report.kind, _plain)
    error = describe(report, inputs)
    if error.kind != "index":  # which says what may be shown, and is of no requirement
        if error.place is None and entry is not None:
            error.place = entry.place
        error.message = shareable(error.message)
        error.hint = error.hint and shareable(error.hint)
    return error


def _describe_unsupported(missing: Sequence[str]) -> CompileError:
    pip_tools, pip = tool_versions()
    why = missing[0]
    if ": " not in why:  # else it is what was raised when pip was imported
        more = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
        why += f"{more} not there as nox-lock knows it"
    message = f"pip {pip} with pip-tools {pip_tools} is not supported: {shareable(why)}"
    return CompileError(message, hint=f"Run: {install_command()}", kind="tool")


def _remote(report: Report, inputs: Inputs) -> CompileError:
    url = report.page.address
    option = next((each for each in inputs.remote if each.value == url), None)
    what = f"{option.name} {url}" if option else url
    message = shareable(f"{what} cannot be read: {report.page.reason}")
    hint = "Keep a copy of it in the project, or run this again when it can be reached."
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
        url = entry.url or ""
        egg = _EGG.search(url)
        if egg is not None and (egg["rest"] or entry.extras):
            extras = f"[{','.join(sorted(entry.extras))}]" if entry.extras else egg["rest"]
            message = f"{quoted(f'egg={egg[1]}{extras}')} of a URL is more than a project's name"
            extras = extras if extras.startswith("[") else ""
            before, after = url[: egg.start()], url[egg.end() :]
            url = before + (f"#{after[1:]}" if after and "#" not in before else after)
            hint = f"Write it as: {'-e ' * entry.editable}{egg['name']}{extras} @ {url}"
            return CompileError(message, entry.place, hint, kind="syntax")
    return CompileError("the egg fragment of a URL is more than a project's name", kind="syntax")


def _build(report: Report, _inputs: Inputs) -> CompileError:
    """Say why a project could not be fetched or built, with the end of what that printed."""
    url = ((report.entry and report.entry.url) or "").partition("#")[0]
    folder = ""  # of a local project, seen from the project root
    if url and "://" not in url:
        folder = posixpath.normpath(url.removeprefix("file:"))
        folder = folder if folder.startswith((".", "/")) else f"./{folder}"
    what = report.project or folder or report.name or report.link or "a project"
    printed = [each for each in report.output if each.strip()]
    reason = (printed[-1] if printed else report.message.partition("\n")[0]).strip()
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
    elif report.project or folder:
        where = folder or posixpath.dirname(report.project or "") or "."
        hint = f"See what is wrong with it: python -m pip wheel --no-deps {where}"
    place = Place(report.project) if report.project else None
    names = (report.name,) if report.name and not folder else ()
    return CompileError("\n".join([message, *lines]), place, hint, kind="build", projects=names)


def _plain(report: Report, inputs: Inputs) -> CompileError:
    """Say what pip says, with the line of an input that it speaks of, and what to do about it."""
    message, place = report.message, report.entry and report.entry.place
    if report.kind == "tool":
        message = f"pip-tools does not work here: {message}"
        return CompileError(message, hint=f"Run: {install_command()}", kind="tool")
    if report.kind == "metadata":
        what = report.name or report.link or "a project"
        message = f"{what} cannot be used: pip refuses its metadata: {message}"
        names = (report.name,) if report.name else ()
        return CompileError(message, hint=OTHER_VERSION, kind="metadata", projects=names)
    if place is None and (found := _PLACE.search(message)):
        place = Place(found[1] or found["file"], int(found[2] or found["line"]))
    if place is None:
        options = ((f"{each.name} {each.value}", each.place) for each in inputs.options)
        entries = ((each.url or each.text, each.place) for each in inputs.entries)
        place = next((at for text, at in (*options, *entries) if text in message), None)
    if report.kind == "syntax":
        return CompileError(message.partition("\n")[0], place, _FORMAT, kind="syntax")
    return CompileError(f"pip-tools failed: {message.strip()}", place, kind="other")
