"""What to say of a compile that failed, by what the driver reports."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock.compiling.conflicts import describe_conflict, find_origin
from nox_lock.compiling.index_failures import index_error, index_failure, reason_of
from nox_lock.compiling.interpreters import install_command, tool_versions
from nox_lock.compiling.versions import allowed, left_out, nearest
from nox_lock.errors import CompileError, Place
from nox_lock.inputs.pep508 import parse_specifier
from nox_lock.text import quoted, shareable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.specifiers import SpecifierSet

    from nox_lock.compiling.report import Demand, Failure, Report, Versions
    from nox_lock.inputs.entry import Entry, Option
    from nox_lock.inputs.requirements import Inputs


# Of what a build printed: a failure in CI cannot be repeated.
_LINES = 40
_PLACE = re.compile(r"(?:-[rc] (\S+) \(line (\d+)\)|\(from line (?P<line>\d+) of (?P<file>.+?)\))")
_EGG = re.compile(r"[#&]egg=(?P<name>[\w.-]+)(?P<rest>[^&]*)")
_REASON = re.compile(r"^\s*(?:fatal|abort|error|svn: E\d+): (.+)$", re.MULTILINE)
_TOML_LINE = re.compile(r"\(at line (\d+)")
_FORMAT = (
    "What a requirements file may hold: "
    "https://pip.pypa.io/en/stable/reference/requirements-file-format/"
)
_OTHER_PYTHON = "Ask for an older version, or lock for another Python."
_OTHER_VERSION = "Ask for another version: only its makers can repair this one."
_PKG_RESOURCES = (
    "It needs a setuptools that still has pkg_resources: write setuptools<81 into "
    'build-constraints.txt, and [tool.nox-lock] build-constraints = ["build-constraints.txt"]'
)


def describe_failure(report: Report, inputs: Inputs) -> CompileError | None:
    """Return the error for a compile, or None where nothing failed."""
    failure = report.failure
    if failure is not None and failure.kind == "disk":
        return CompileError("the disk is full: nothing was written", kind="disk")
    if failed := index_failure(report.pages):
        return failed
    if failure is None:
        return None
    describe = {
        "demands": _demands,
        "remote": _remote,
        "hash": _hash,
        "egg": _egg,
        "repository": _repository,
        "build": _build,
        "syntax": _syntax,
        "download": _download,
        "metadata": _metadata,
        "tool": _tool,
    }.get(failure.kind, _other)
    return describe(failure, inputs)


def describe_unsupported(missing: Sequence[str]) -> CompileError:
    """Return the error for a pip or pip-tools that the driver does not know."""
    pip_tools, pip = tool_versions()
    why = missing[0]
    if ": " not in why:  # else it is what was raised when pip was imported
        more = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
        why += f"{more} not there as nox-lock knows it"
    return CompileError(
        f"pip {pip} with pip-tools {pip_tools} is not supported: {shareable(why)}",
        kind="tool",
        hint=f"Run: {install_command('pip>=24.1,<=26.3', 'pip-tools>=7.6.2,<7.7')}",
    )


def _error(
    message: str,
    kind: str,
    at: Entry | Option | Place | None = None,
    hint: str | None = None,
    name: str | None = None,
) -> CompileError:
    """Return the error of a compile, at the requirement or the place that is to blame."""
    return CompileError(
        shareable(message),
        at if at is None or isinstance(at, Place) else at.place,
        hint and shareable(hint),
        kind=kind,
        projects=(name,) if name else (),
    )


def _entry_of(failure: Failure, inputs: Inputs) -> Entry | None:
    """Return the requirement of an input that a failure is about."""
    origin = find_origin(failure.name or "", failure, inputs)
    return origin.entry if origin else None


# Demands


def _demands(failure: Failure, inputs: Inputs) -> CompileError:
    for demand in failure.demands:
        if not demand.project:
            return _other_python(demand, inputs)
    if len(failure.demands) == 1:
        return _unmet(failure.demands[0], failure, inputs)
    return describe_conflict(failure, inputs)


def _other_python(demand: Demand, inputs: Inputs) -> CompileError:
    asking, version = demand.by or ("", "")
    name = canonicalize_name(asking.partition("[")[0])
    origin = find_origin(name, demand, inputs)
    said = f"{name} has no version for this Python: {version} wants {demand.specifier}"
    return _error(said, "python", origin and origin.entry, _OTHER_PYTHON, name)


def _unmet(demand: Demand, failure: Failure, inputs: Inputs) -> CompileError:
    """Say why nothing meets the one demand that is left."""
    name, asked = demand.project, ""
    parent = canonicalize_name(demand.by[0].partition("[")[0]) if demand.by else name
    origin = find_origin(parent, demand, inputs)
    entry = next((each for each in inputs.entries if each.name == name), None)
    if entry is None or not demand.by:
        entry = origin and origin.entry
        asked = f", which {parent} requires" if demand.by else ""
    there, specifier = failure.versions[name], parse_specifier(demand.specifier)
    limits = () if specifier is None else (specifier,)
    if refused := allowed(there.refused, *limits):
        asked += "," if asked else ""
        said = f"{name} {refused[-1]}{asked} cannot be used: pip refuses its metadata: "
        said += there.refused[refused[-1]]
        return _error(said, "metadata", entry, _OTHER_VERSION, name)
    if wanted := _wanted_python(there, limits):
        said = f"{demand.text}{asked} has no version for this Python: {wanted}"
        return _error(said, "python", entry, _OTHER_PYTHON, name)
    if not any(there):
        said = f"no package index has a project {name!r}{asked}"
        hint = "Check its spelling, and that your pip configuration names the index that has it."
        return _error(said, "unknown project", entry, hint, name)
    lines = [f"no version meets {demand.text}{asked}; there are {nearest(there.found, *limits)}"]
    lines += [f"  {each}" for each in left_out(there, limits)]
    late = "Wait, let uploaded-prior-to allow more, or ask for an older version."
    is_late = bool(allowed(there.late, *limits))
    return _error("\n".join(lines), "no version", entry, late if is_late else None, name)


def _wanted_python(there: Versions, limits: Sequence[SpecifierSet]) -> str:
    """Say which versions that meet a demand want another Python; empty where none does."""
    wanted: dict[str, list[str]] = {}
    for version in allowed(there.python, *limits):
        wanted.setdefault(there.python[version], []).append(version)
    return "; ".join(
        f"{nearest(versions)} {'wants' if len(versions) == 1 else 'want'} Python {python}"
        for python, versions in wanted.items()
    )


# Files, and what is in them


def _remote(failure: Failure, inputs: Inputs) -> CompileError:
    """Say why a requirements file at a URL could not be read."""
    url = failure.page.address
    option = next((each for each in inputs.remote if each.value == url), None)
    what = f"{option.name} {url}" if option else url
    said = f"{what} cannot be read: {reason_of(failure.page)}"
    hint = "Keep a copy of it in the project, or run this again when it can be reached."
    return _error(said, "index", option, hint)


def _hash(failure: Failure, inputs: Inputs) -> CompileError:
    entry, name = _entry_of(failure, inputs), failure.name or "a project"
    if entry is not None and "--hash=" in entry.text:
        said = f"{name}: no file that is offered has a hash that is given here"
        return _error(said, "hash", entry, "Correct the hashes, or take them out of the input.")
    # It names no projects: starting pins without them would lock the other file, unseen.
    return _error(
        f"{name}: the index offers another file than those that the lock file has hashes of",
        "hash",
        entry,
        "Somebody may have tampered with it: find out. If all is well, take its pin out of the "
        "lock file, and lock again.",
    )


def _egg(_failure: Failure, inputs: Inputs) -> CompileError:
    """Say how to write a URL that gives its project more than a name, which pip 26 refuses."""
    for entry in inputs.entries:
        url = entry.url or ""
        egg = _EGG.search(url)
        if egg is not None and (egg["rest"] or entry.extras):
            extras = f"[{','.join(sorted(entry.extras))}]" if entry.extras else egg["rest"]
            shown = quoted(f"egg={egg['name']}{extras}")
            said = f"{shown} of a URL is more than a project's name"
            extras = extras if extras.startswith("[") else ""
            before, after = url[: egg.start()], url[egg.end() :]
            url = before + (f"#{after[1:]}" if after and "#" not in before else after)
            hint = f"Write it as: {'-e ' * entry.editable}{egg['name']}{extras} @ {url}"
            return _error(said, "syntax", entry, hint)
    return _error("the egg fragment of a URL is more than a project's name", "syntax")


def _syntax(failure: Failure, inputs: Inputs) -> CompileError:
    said = failure.message.partition("\n")[0]
    return _error(said, "syntax", _find_place(failure, inputs), _FORMAT)


def _find_place(failure: Failure, inputs: Inputs) -> Place | None:
    """Return the file and line of the input that pip speaks of, where that can be known."""
    if failure.file is not None:
        return Place(failure.file, failure.line)
    if found := _PLACE.search(failure.message):
        return Place(found[1] or found["file"], int(found[2] or found["line"]))
    options = ((f"{each.name} {each.value}", each.place) for each in inputs.options)
    entries = ((each.url or each.text, each.place) for each in inputs.entries)
    return next((at for text, at in (*options, *entries) if text in failure.message), None)


# Builds and downloads


def _repository(failure: Failure, inputs: Inputs) -> CompileError:
    """Say that a repository cannot be cloned, or has no such revision."""
    tool, _, url = (failure.link or "").partition("+")
    reasons = _REASON.findall("\n".join(failure.output)) or [f"{tool} failed"]
    url = re.sub(r"(?<=.)@[^/@]*$", "", url)
    # Of a repository in a folder the command would show where that is.
    can_be_asked = tool == "git" and not url.startswith("file:")
    said = f"{failure.name or url}: its repository cannot be read: {reasons[-1]}"
    hint = f"See what is wrong: git ls-remote {url}" if can_be_asked else None
    return _error(said, "build", _entry_of(failure, inputs), hint, failure.name)


def _build(failure: Failure, inputs: Inputs) -> CompileError:
    """Say why a project could not be built, with the end of what its build printed."""
    entry = _entry_of(failure, inputs)
    local = entry is not None and bool(entry.url) and "://" not in (entry.url or "")
    folder = _folder_of(entry) if local and entry is not None else ""
    found = _TOML_LINE.search(failure.message)
    if found and entry is not None and local:  # pip names neither the project nor the file
        at = Place(posixpath.join(folder.removeprefix("./"), "pyproject.toml"), int(found[1]))
        hint = f"Repair it, or do without it ({entry.place})."
        return _error(f"this is no TOML: {failure.message}", "syntax", at, hint)
    what = failure.project or folder or failure.name or failure.link or "a project"
    printed = [each for each in failure.output if each.strip()]
    reason = (printed or failure.message.splitlines() or [""])[-1 if printed else 0].strip()
    lines = [f"  {each}" for each in printed[-_LINES:]] if len(printed) > 1 else []
    said = f"{what} has to be built to be locked, and its build failed: {reason}"
    hint = "Install what its build needs, or ask for a version with a wheel for this Python."
    if re.search(r"No module named ['\"]?pkg_resources", "\n".join(printed)):
        hint = _PKG_RESOURCES
    elif failure.project or folder:
        where = folder or posixpath.dirname(failure.project or "") or "."
        hint = f"See what is wrong with it: python -m pip wheel --no-deps {where}"
    place = Place(failure.project) if failure.project else entry
    return _error("\n".join([said, *lines]), "build", place, hint, None if local else failure.name)


def _folder_of(entry: Entry) -> str:
    folder = posixpath.normpath((entry.url or "").removeprefix("file:").partition("#")[0])
    return folder if folder.startswith((".", "/")) else f"./{folder}"


def _download(failure: Failure, inputs: Inputs) -> CompileError:
    """Say that a file could not be fetched."""
    page, entry = failure.page, _entry_of(failure, inputs)
    error = index_error(": ".join(filter(None, (page.address, reason_of(page)))))
    if entry is not None and entry.url:
        error.place = entry.place
    return error


def _metadata(failure: Failure, inputs: Inputs) -> CompileError:
    what = failure.name or failure.link or "a project"
    said = f"{what} cannot be used: pip refuses its metadata: {failure.message}"
    return _error(said, "metadata", _entry_of(failure, inputs), _OTHER_VERSION, failure.name)


def _tool(failure: Failure, _inputs: Inputs) -> CompileError:
    said = f"pip-tools does not work here: {failure.message}"
    return _error(said, "tool", hint=f"Run: {install_command()}")


def _other(failure: Failure, inputs: Inputs) -> CompileError:
    at = _find_place(failure, inputs) or _entry_of(failure, inputs)
    return _error(f"pip-tools failed: {failure.message.strip()}", "other", at)
